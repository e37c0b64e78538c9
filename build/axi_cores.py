"""Tiny seeded cores with an AXI wrapper."""

import numpy as np
from mubinn.model.artifact import ModelFile
from mubinn.model.folding import Folding
from mubinn.model.lstm import Model
from mubinn.model.spec import LstmSpec
from mubinn.sim.random_parameters import random_parameters

from .generate import generate

__all__ = ["AXI_CORES", "make_axi_core"]

AXI_CORES = {
    "head": ({"classes": 2}, 1),
    "head-2": ({"classes": 3, "pool": "last"}, 2),
    "stream": ({"classes": 0}, 1),
    "stream-4": ({"classes": 0, "input_size": 6}, 4),
}
"""What a spec has, and samples of a beat: with a head, and without."""


def make_axi_core(name, folder):
    """(folder, golden model) of one of AXI_CORES. All columns at once, so that windows take few cycles."""
    sizes, per_beat = AXI_CORES[name]
    spec = LstmSpec(**{"input_size": 3, "hidden_size": 2, "max_steps": 4} | sizes)
    parameters = random_parameters(spec, np.random.default_rng(1))
    folding = Folding(rows=2, lanes=spec.columns, scale_mults=64)
    generate(ModelFile(preset="mubinn2", parameters=parameters), folder, folding=folding, axi=per_beat)
    return folder, Model(parameters)

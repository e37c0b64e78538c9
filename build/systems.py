"""The papers' systems as cores of one shape, with the scales that each of them has."""

from dataclasses import dataclass

import numpy as np
from mubinn.model.artifact import ModelFile
from mubinn.model.fixed import Fixed
from mubinn.model.spec import LstmSpec
from mubinn.sim.random_parameters import random_parameters

from .folding_cases import FoldingCase
from .generate import default_folding

__all__ = ["SYSTEMS", "system_case"]


@dataclass(frozen=True, kw_only=True)
class System:
    """How a system binarizes an LSTM.

    Attributes
    ----------
    scales : str
        As `mubinn.sim.random_case.random_parameters` makes them.
    gate_kinds : tuple of str
    most_levels : int
        1 for signs only.
    whole_bias : bool
        Whether biases are plain numbers, of eight bits, and have not as many levels as the weights.
    """

    scales: str
    gate_kinds: tuple
    most_levels: int = 8
    whole_bias: bool = False


FIXED, LEVELS = ("fixed",) * 4, ("levels",) * 4
SYSTEMS = {
    # Signs of x, h and the weights; everything else as it is.
    "b_lstm": System(scales="power_of_two", gate_kinds=FIXED, most_levels=1, whole_bias=True),
    # Of MuBiNN: powers of two for the operands of the matrix products; learned scales for everything.
    "mubinn1": System(scales="power_of_two", gate_kinds=FIXED, whole_bias=True),
    "mubinn2": System(scales="ordered", gate_kinds=LEVELS),
    # Of the second paper: gates i and f of 0, 1/2 and 1, then o too.
    "qlrl": System(scales="ordered", gate_kinds=("ternary", "ternary", "levels", "levels")),
    "qlrl-o": System(scales="ordered", gate_kinds=("ternary", "ternary", "levels", "ternary")),
    # Both papers together: not a product is left.
    "mubinn1+qlrl-o": System(scales="power_of_two", gate_kinds=("ternary", "ternary", "levels", "ternary")),
}


def system_case(name, levels, target):
    """FoldingCase of a system with so many levels of activations and weights: the shape of the EEG core, seeded weights."""
    system = SYSTEMS[name]
    spec = LstmSpec(
        input_size=19,
        hidden_size=100,
        classes=2,
        max_steps=650,
        input_levels=levels,
        hidden_levels=levels,
        gate_levels=levels,
        weight_levels=levels,
        bias_levels=8 if system.whole_bias else levels,
        gate_kinds=system.gate_kinds,
        x=Fixed(bits=12, fraction=7),
        h_fraction=9,
        wx_fraction=10,
        wh_fraction=10,
        bias_fraction=6,
    )
    parameters = random_parameters(spec, np.random.default_rng(levels), scales=system.scales)
    model_file = ModelFile(preset=name.split("+")[0].split("-")[0], parameters=parameters)
    return FoldingCase(
        name=f"{name}-{levels}-{levels}@{target}", target=target, model_file=model_file, folding=default_folding(spec)
    )

"""Models of one spec, and a core that can load them."""

import numpy as np
from mubinn.hw.constants import widest
from mubinn.hw.lstm import Lstm
from mubinn.model.folding import Folding, Schedule
from mubinn.model.spec import LstmSpec
from mubinn.sim.random_parameters import random_parameters

SPEC = LstmSpec(input_size=3, hidden_size=4, classes=2)


def models(spec=SPEC, count=3, scales="ordered"):
    return [random_parameters(spec, np.random.default_rng(seed), scales=scales) for seed in range(count)]


def all_core(loaded, **changes):
    folding = Folding(rows=1, lanes=4, scale_mults=4, loads="all", **changes)
    return Lstm(loaded[0], folding, loaded_bits=widest(loaded, Schedule(loaded[0].spec, folding)))

"""Foldings that divide nothing evenly, and a spec for them."""

from mubinn.model.folding import Folding
from mubinn.model.spec import LstmSpec

FOLDINGS = [
    Folding(rows=1, lanes=4, weight_planes=1, scale_mults=4),
    Folding(rows=2, lanes=5, weight_planes=2, scale_mults=3),  # nothing divides
    Folding(rows=3, lanes=12, weight_planes=3, scale_mults=40),  # all columns, several multipliers a gate row
    Folding(rows=1, lanes=1, weight_planes=1, scale_mults=1),
    Folding(rows=7, lanes=3, weight_planes=2, scale_mults=28),
]


def engine_spec(**changes):
    sizes = {"input_size": 5, "hidden_size": 7, "weight_levels": 3, "input_levels": 2, "hidden_levels": 2}
    return LstmSpec(**(sizes | changes))


def pack(bits):
    """bits[0] becomes the least significant bit."""
    return sum(int(b) << k for k, b in enumerate(bits))

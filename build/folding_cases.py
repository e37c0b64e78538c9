"""Seeded cores like those that people build: an LSTM, a chip, and a folding that should fit it."""

from dataclasses import dataclass

import numpy as np
from mubinn.model.artifact import ModelFile
from mubinn.model.fixed import Fixed
from mubinn.model.folding import Folding, Schedule
from mubinn.model.spec import LstmSpec
from mubinn.sim.random_parameters import random_parameters

__all__ = ["FoldingCase", "folding_case"]

SIZES = {
    # input_size and hidden_size, and the most XNORs of a cycle by chip.
    "users": ((4, 64), (8, 128), {"ice40-up5k": 260, "ecp5-25k": 800}),
    "small": ((4, 40), (8, 64), {"ice40-up5k": 200, "ecp5-25k": 400}),
    "wide": ((16, 48), (64, 128), {"ice40-up5k": 400, "ecp5-25k": 720}),
}
AHEADS = {"ice40-up5k": (0, 0, 0, 0, 1), "ecp5-25k": (0, 0, 0, 2, 6)}
"""iCE40 has no LUT RAM: there a group read ahead is in flip-flops."""

BRAMS = {"ice40-up5k": 30 * 4096, "ecp5-25k": 56 * 18 * 1024}


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldingCase:
    """Attributes
    ----------
    name, target : str
    model_file : ModelFile
        Random parameters in the shape of learned ones.
    folding : Folding
    """

    name: str
    target: str
    model_file: ModelFile
    folding: Folding

    @property
    def spec(self):
        return self.model_file.spec


def folding_case(seed, target, *, size="users"):
    """The case of a seed; the same seed gives the same case."""
    rng = np.random.default_rng([seed, sorted(BRAMS).index(target)])
    while True:
        spec = _spec(rng, size)
        most = SIZES[size][2][target]
        scaling = str(rng.choice(["gamma", "factored"]))
        folding = _folding(rng, spec, most, aheads=AHEADS[target], scaling=scaling)
        if size == "wide":
            folding = _one_row(spec, most, folding)
        if _fits(spec, folding, target, most):
            break
    model_file = ModelFile(preset="mubinn2", parameters=random_parameters(spec, rng))
    return FoldingCase(name=f"{size}-{seed}@{target}", target=target, model_file=model_file, folding=folding)


def _spec(rng, size):
    (low_in, high_in), (low, high), _ = SIZES[size]
    activation = int(rng.choice([1, 2, 2, 3, 3, 4]))
    weight = int(rng.choice([1, 2, 2, 3, 4]))
    return LstmSpec(
        input_size=int(np.exp(rng.uniform(np.log(low_in), np.log(high_in + 1)))),
        hidden_size=int(np.exp(rng.uniform(np.log(low), np.log(high + 1)))),
        classes=int(rng.choice([0, 2, 2, 3, 5, 8])),
        pool=str(rng.choice(["mean", "last"])),
        input_levels=min(4, max(1, activation + int(rng.integers(-1, 2)))),
        hidden_levels=activation,
        gate_levels=min(4, max(1, activation + int(rng.integers(0, 2)))),
        weight_levels=weight,
        bias_levels=weight,
        x=Fixed(bits=int(rng.choice([8, 10, 12, 12, 16])), fraction=int(rng.choice([5, 7, 7]))),
        z=Fixed(bits=int(rng.choice([10, 12, 12, 14])), fraction=8),
        cell=Fixed(bits=int(rng.choice([14, 16, 16])), fraction=11),
        max_steps=int(rng.choice([100, 650, 4096])),
    )


def _folding(rng, spec, most, *, aheads, scaling):
    """Words of about equal size, rows and planes as they come, and multipliers that keep up, or nearly so."""
    levels = max(spec.input_levels, spec.hidden_levels)
    planes = int(rng.choice([1, 1, 1, spec.weight_levels]))
    rows = int(rng.choice([1, 1, 1, 2, 3, 4]))
    xnors = np.exp(rng.uniform(np.log(most / 5), np.log(most)))
    lanes = int(np.clip(xnors // (4 * rows * planes * levels), 1, spec.columns))
    lanes = -(-spec.columns // -(-spec.columns // lanes)) if rng.random() < 0.7 else lanes
    ahead = int(rng.choice(aheads))
    for mults in (1, 2, *(4 * rows * k for k in range(1, levels * planes + 1))):
        folding = Folding(
            rows=min(rows, spec.hidden_size), lanes=lanes, weight_planes=planes, scale_mults=mults, ahead=ahead, scaling=scaling
        )
        if rng.random() < 0.3 or 2 * Schedule(spec, folding).batch_cycles <= Schedule(spec, folding).words:
            break
    return folding


def _one_row(spec, most, folding):
    """As many lanes as there may be."""
    lanes = min(spec.columns, most // (4 * max(spec.input_levels, spec.hidden_levels)))
    return Folding(rows=1, lanes=lanes, scale_mults=min(4, folding.scale_mults), ahead=folding.ahead, scaling=folding.scaling)


def _fits(spec, folding, target, most):
    """Roughly, without an estimate, so that the cases don't depend on it."""
    levels = max(spec.input_levels, spec.hidden_levels)
    small = target.startswith("ice40")
    return (
        4 * folding.rows * folding.lanes * folding.weight_planes * levels <= max(most, 1.1 * SIZES["users"][2][target])
        and folding.lanes >= 5
        and spec.weight_bits <= 0.7 * BRAMS[target]
        # Besides the scales' there are multipliers for f * c, the head, of long codes i * g and, where h's code is not found by
        # comparing c, tanh and o * tanh(c).
        and folding.scale_mults + 4 + (spec.gate_levels > 3) <= (8 if small else 24)
    )

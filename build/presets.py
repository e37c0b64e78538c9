"""Cores that the benchmarks measure: a shipped or a seeded model, a folding and a chip, under one name."""

from dataclasses import dataclass

import numpy as np
from mubinn.model.artifact import ModelFile, load_model
from mubinn.model.folding import Folding
from mubinn.model.spec import LstmSpec
from mubinn.sim.random_parameters import random_parameters

__all__ = ["PRESETS", "SEEDED", "UNPLACED", "Preset"]

SEEDED = {
    "lstm-1-20": LstmSpec(input_size=1, hidden_size=20, classes=1),
    "lstm-6-20": LstmSpec(input_size=6, hidden_size=20, classes=0),
    "lstm-19-100": LstmSpec(input_size=19, hidden_size=100, classes=0),
    "lstm-19-100-1": LstmSpec(
        input_size=19, hidden_size=100, classes=2, input_levels=1, hidden_levels=1, weight_levels=1, bias_levels=1
    ),
}
"""Models of seeded random parameters: those sizes, one or two levels, some with a head. The small ones place in seconds."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Parameters
    ----------
    model : str
        Shipped name, or one of SEEDED.
    target : str
        Name of a chip of `build.targets`.
    folding : Folding
    suffix : str
        Tells presets of the same model and chip apart.
    clock_mhz : float or None
        What the placer aims at; the chip's own if None.
    seeds : int
        Of the placer, tried from the first on until one meets the clock.
    router : str or None
        Of nextpnr; the chip's own if None.
    """

    model: str
    target: str
    folding: Folding
    suffix: str = ""
    clock_mhz: float | None = None
    seeds: int = 1
    router: str | None = None

    @property
    def name(self):
        return f"{self.model}@{self.target}{self.suffix}"

    def model_file(self):
        """The model, always the same."""
        if self.model not in SEEDED:
            return load_model(self.model)
        return ModelFile(preset="mubinn2", parameters=random_parameters(SEEDED[self.model], np.random.default_rng(1)))


def _named(*presets):
    return {preset.name: preset for preset in presets}


PRESETS = _named(
    # Those that are placed quickly first.
    Preset(model="lstm-1-20", target="ecp5-25k", folding=Folding(lanes=7, scale_mults=2)),
    Preset(model="lstm-6-20", target="ecp5-25k", folding=Folding(lanes=13, scale_mults=4)),
    Preset(model="lstm-1-20", target="ice40-up5k", folding=Folding(lanes=7, scale_mults=2)),
    Preset(model="lstm-6-20", target="ice40-up5k", folding=Folding(lanes=13, scale_mults=4)),
    Preset(model="eeg-1-1", target="ice40-up5k", folding=Folding(lanes=24, scale_mults=4)),
    Preset(model="eeg-1-1", target="ice40-up5k", folding=Folding(lanes=24, scale_mults=4, ahead=2), suffix="-ahead"),
    Preset(model="eeg-2-2", target="ice40-up5k", folding=Folding(lanes=24, scale_mults=4), clock_mhz=36.0, seeds=4),
    Preset(model="eeg-2-2", target="ice40-up5k", folding=Folding(lanes=24, scale_mults=4, ahead=1), suffix="-ahead"),
    Preset(
        model="eeg-3-3",
        target="ice40-up5k",
        folding=Folding(lanes=16, scale_mults=4, loads="weights", weight_memory="spram"),
        suffix="-spram",
    ),
    Preset(model="eeg-1-1", target="ecp5-25k", folding=Folding(lanes=60, scale_mults=4, ahead=23), clock_mhz=125.0, seeds=4),
    Preset(model="eeg-2-2", target="ecp5-25k", folding=Folding(lanes=60, scale_mults=8, ahead=13), clock_mhz=150.0, seeds=4),
    Preset(model="eeg-3-3", target="ecp5-25k", folding=Folding(lanes=60, scale_mults=12, ahead=9), clock_mhz=150.0, seeds=4),
    Preset(
        model="eeg-3-3",
        target="ecp5-25k",
        folding=Folding(lanes=60, scale_mults=12),
        suffix="-plain",
        clock_mhz=150.0,
        seeds=4,
    ),
    # Two rows crowd the multipliers' columns: router1 has no end there.
    Preset(model="eeg-3-3", target="ecp5-85k", folding=Folding(rows=2, lanes=60, scale_mults=24), router="router2"),
)
"""Placed, and compared with the baseline."""

_TWO_CYCLES = {"lanes": 60, "weight_planes": 2, "scale_mults": 16}
_ONE_CYCLE = _TWO_CYCLES | {"rows": 2, "scale_mults": 32}

UNPLACED = _named(
    Preset(model="lstm-19-100", target="ecp5-85k", folding=Folding(**_TWO_CYCLES), suffix="-2"),
    Preset(model="lstm-19-100", target="ecp5-85k", folding=Folding(**_TWO_CYCLES, ahead=40), suffix="-2-ahead"),
    Preset(model="lstm-19-100", target="ecp5-85k", folding=Folding(**_ONE_CYCLE), suffix="-1"),
    Preset(model="lstm-19-100", target="ecp5-85k", folding=Folding(**_TWO_CYCLES, contexts=2), suffix="-2-contexts"),
    Preset(model="lstm-19-100", target="ecp5-85k", folding=Folding(**_ONE_CYCLE, contexts=2), suffix="-1-contexts"),
    Preset(model="lstm-19-100-1", target="ice40-up5k", folding=Folding(lanes=24, scale_mults=4)),
)
"""Their cycles and memories are measured only. Two cycles a unit and one: what a step waits for its last h codes is a greater
part of it, and none with two contexts. (1,1) with one input a channel, as the papers have it."""

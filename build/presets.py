"""Cores that the benchmarks measure: a shipped model, a folding and a chip, under one name."""

from dataclasses import dataclass

from mubinn.model.folding import Folding

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Parameters
    ----------
    model : str
        Shipped name.
    target : str
        Name of a chip of `build.targets`.
    folding : Folding
    suffix : str
        Tells presets of the same model and chip apart.
    """

    model: str
    target: str
    folding: Folding
    suffix: str = ""

    @property
    def name(self):
        return f"{self.model}@{self.target}{self.suffix}"


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(model="eeg-1-1", target="ice40-up5k", folding=Folding(lanes=24, scale_mults=4)),
        Preset(model="eeg-2-2", target="ice40-up5k", folding=Folding(lanes=24, scale_mults=4)),
        Preset(model="eeg-2-2", target="ice40-up5k", folding=Folding(lanes=24, scale_mults=4, ahead=1), suffix="-ahead"),
        Preset(model="eeg-1-1", target="ecp5-25k", folding=Folding(lanes=60, scale_mults=4, ahead=16)),
        Preset(model="eeg-2-2", target="ecp5-25k", folding=Folding(lanes=60, scale_mults=8, ahead=8)),
        Preset(model="eeg-3-3", target="ecp5-25k", folding=Folding(lanes=60, scale_mults=12)),
        Preset(model="eeg-3-3", target="ecp5-25k", folding=Folding(lanes=60, scale_mults=12, ahead=5), suffix="-ahead"),
        Preset(model="eeg-3-3", target="ecp5-85k", folding=Folding(rows=2, lanes=60, scale_mults=24, ahead=5)),
    )
}

"""LUTs, flip-flops and multipliers of the ways of scaling on FPGA families."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mubinn.hw.scale import Gammas, Scale
from mubinn.hw.scale_factored import FactoredScale, Factors
from mubinn.model.folding import SCALINGS, Folding, Schedule
from mubinn.model.spec import LstmSpec

from .fabric import size_of

__all__ = ["FOLDINGS", "ScaleSize", "fewest", "measure"]

FOLDINGS = ((1, 24, 1), (1, 24, 2), (2, 24, 1), (2, 24, 2))
"""rows, lanes, weight planes."""

_ALPHAS = {2: ([134, 77], [159, 95]), 3: ([164, 90, 42], [195, 108, 52])}
"""Scales of x and h as learned ones are, by levels; and of the weights, of which every gate has others."""

_BETAS = {2: [109, 57], 3: [125, 65, 32]}

_MOST_MULTS = 4096


@dataclass(frozen=True, kw_only=True)
class ScaleSize:
    """Of a Scale of the EEG core's shape as Yosys maps it."""

    target: str
    levels: int
    rows: int
    lanes: int
    weight_planes: int
    scaling: str
    scale_mults: int
    batch_cycles: int
    latency: int
    luts: int
    flip_flops: int
    dsps: int


def fewest(spec, **folding):
    """The Schedule with the fewest multipliers that keep up with the dot products."""
    for scale_mults in range(1, _MOST_MULTS + 1):
        schedule = Schedule(spec, Folding(scale_mults=scale_mults, **folding))
        if 2 * schedule.batch_cycles <= schedule.words:
            return schedule
    raise ValueError(f"no {_MOST_MULTS} multipliers keep up")


def eeg_spec(levels):
    """LSTM 19 -> 100 with the binary points of the shipped models."""
    return LstmSpec(
        input_size=19,
        hidden_size=100,
        classes=2,
        input_levels=levels,
        hidden_levels=levels,
        weight_levels=levels,
        h_fraction=9,
        wx_fraction=10,
        wh_fraction=10,
        bias_fraction=6,
    )


def component(schedule):
    """A Scale or FactoredScale with scales like learned ones."""
    x, h = (np.array(alphas) for alphas in _ALPHAS[schedule.levels])
    betas = np.array(_BETAS[schedule.levels]) + np.arange(4)[:, None]
    if schedule.folding.scaling == "factored":
        return FactoredScale(schedule, Factors(x, h, betas, betas - 5))
    return Scale(schedule, Gammas(betas[:, :, None] * x, (betas - 5)[:, :, None] * h))


def measure(directory, *, targets=("ice40", "ecp5"), levels=(2, 3), progress=None):
    """Sizes of every way of scaling with the multipliers that keep up.

    Parameters
    ----------
    directory : path
        For netlists and logs, a folder each.
    targets, levels : sequences
        Families; levels 2 or 3, of activations and weights.
    progress : callable or None
        Called with the name of each netlist.

    Returns
    -------
    list of ScaleSize
    """
    rows = []
    for target in targets:
        for planes in levels:
            for units, lanes, weight_planes in FOLDINGS:
                for scaling in SCALINGS:
                    schedule = fewest(eeg_spec(planes), rows=units, lanes=lanes, weight_planes=weight_planes, scaling=scaling)
                    name = f"{planes}-{units}x{lanes}x{weight_planes}-{scaling}"
                    if progress:
                        progress(f"{target} {name}")
                    rows.append(_sized(schedule, target, Path(directory) / target / name))
    return rows


def _sized(schedule, target, folder):
    folder.mkdir(parents=True, exist_ok=True)
    dut, folding = component(schedule), schedule.folding
    size = size_of(dut, target, folder)
    return ScaleSize(
        target=target,
        levels=schedule.levels,
        rows=folding.rows,
        lanes=folding.lanes,
        weight_planes=folding.weight_planes,
        scaling=folding.scaling,
        scale_mults=folding.scale_mults,
        batch_cycles=schedule.batch_cycles,
        latency=dut.latency,
        luts=size.luts,
        flip_flops=sum(count for kind, count in size.cells.items() if kind.startswith(("SB_DFF", "TRELLIS_FF"))),
        dsps=size.dsps,
    )

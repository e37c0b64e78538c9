"""LUTs of a dot product of bits by every way we know, on every family, scaling included."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth import Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from mubinn.hw.distributed import DistributedDot, Tables, TableWriter
from mubinn.hw.layouts import pulse
from mubinn.hw.popcount import XnorDot
from mubinn.hw.scale import Gammas, Scale
from mubinn.model.folding import Schedule
from mubinn.model.spec import LstmSpec

from .fabric import size_of
from .generate import default_folding

__all__ = ["GROUP", "STRATEGIES", "Sizes", "SumOfBits", "measure"]

STRATEGIES = ("yosys", "generic", "compressor", "distributed")
"""One sum of all bits left to Yosys; the plain XnorDot; the family's XnorDot; look-ups of sums."""

GROUP = {"ecp5": 4, "gowin": 4, "xc7": 5}
"""Columns of a table: what a LUT RAM addresses. iCE40 has none."""

ROWS = 4
"""Dot products that share what is computed once: the four gates of a row, the smallest folding."""

_SCALES = (200, 106, 56, 30, 16)
"""Activation scales of 8 bits, each a bit more than half of the one before, as learned ones are."""

_WEIGHT_SCALES = (100, 53)


class SumOfBits(wiring.Component):
    """XnorDot's result written as one sum, between the same two registers: what synthesis makes of it by itself."""

    def __init__(self, lanes):
        self.lanes = lanes
        word = data.StructLayout({"a": unsigned(lanes), "b": unsigned(lanes)})
        super().__init__({"i": In(pulse(word)), "o": Out(pulse(unsigned(lanes.bit_length())))})

    def elaborate(self, platform):
        m = Module()
        agree, valid = Signal(self.lanes), Signal()
        m.d.sync += [valid.eq(self.i.valid), self.o.valid.eq(valid), agree.eq(~(self.i.p.a ^ self.i.p.b))]
        m.d.sync += self.o.payload.eq(sum(agree))
        return m


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """LUTs of one dot product over all activation planes, of what four of them share, and of their scaling.

    `luts` XNOR, popcount and registers of every plane, or tables and adders. `shared_luts` the writer of the tables.
    `scaling_luts` and `scaling_dsps` a `Scale` of the EEG core at its default folding, which serves the four gates' dot
    products of `scaling_lanes` lanes; with tables the activation scales are inside, and it has one plane.
    """

    target: str
    activation_levels: int
    lanes: int
    strategy: str
    luts: int
    shared_luts: int
    scaling_luts: int
    scaling_dsps: int
    scaling_lanes: int

    @property
    def luts_per_lane(self):
        """Of `luts` alone."""
        return self.luts / self.lanes

    @property
    def luts_per_bit_product(self):
        """A lane and plane, with its share of everything."""
        own = (self.luts + self.shared_luts / ROWS) / self.lanes
        return (own + self.scaling_luts / (ROWS * self.scaling_lanes)) / self.activation_levels

    def figures(self):
        return vars(self) | {"luts_per_lane": self.luts_per_lane, "luts_per_bit_product": self.luts_per_bit_product}


def measure(directory, *, lanes=132, targets=("ice40", "ecp5", "gowin", "xc7"), levels=(1, 2, 3, 5), progress=None):
    """Sizes of every strategy on every target, as Yosys maps them.

    Parameters
    ----------
    directory : path
        For netlists and logs, a folder each.
    lanes : int
    targets, levels : sequences
        Families and numbers of activation planes, 1 to 5.
    progress : callable or None
        Called with the name of each netlist.

    Returns
    -------
    list of Sizes
    """
    say, sizes = progress or (lambda name: None), {}

    def size(target, name, make):
        """A netlist is mapped once, whoever asks."""
        if (target, name) not in sizes:
            say(f"{target} {name}")
            folder = Path(directory) / target / name
            folder.mkdir(parents=True, exist_ok=True)
            sizes[target, name] = size_of(make(), target, folder)
        return sizes[target, name]

    rows = []
    for target in targets:
        for planes in levels:
            for strategy in STRATEGIES:
                shared = 0
                if strategy == "distributed":
                    if target not in GROUP:
                        continue
                    # One plane is a count: its scale stays outside, as with a popcount.
                    scales = (1,) if planes == 1 else _SCALES[:planes]
                    tables = Tables(lanes=lanes, scales=scales, group=GROUP[target])
                    dot = size(target, f"tables-{planes}", lambda t=tables, f=target: DistributedDot(t, family=f))
                    luts = dot.luts
                    shared = size(target, f"writer-{planes}", lambda t=tables: TableWriter(t)).luts
                else:
                    family = target if strategy == "compressor" else "generic"
                    make = (lambda: SumOfBits(lanes)) if strategy == "yosys" else (lambda f=family: XnorDot(lanes, family=f))
                    luts = size(target, strategy, make).luts * planes
                scaled = 1 if strategy == "distributed" else planes
                schedule = _eeg_schedule(scaled)
                scaling = size(target, f"scale-{scaled}", lambda s=schedule: Scale(s, _gammas(s)))
                rows.append(
                    Sizes(
                        target=target,
                        activation_levels=planes,
                        lanes=lanes,
                        strategy=strategy,
                        luts=luts,
                        shared_luts=shared,
                        scaling_luts=scaling.luts,
                        scaling_dsps=scaling.dsps,
                        scaling_lanes=schedule.folding.lanes,
                    )
                )
    return rows


def _eeg_schedule(planes):
    spec = LstmSpec(
        input_size=19, hidden_size=100, classes=2, input_levels=planes, hidden_levels=planes, weight_levels=len(_WEIGHT_SCALES)
    )
    return Schedule(spec, default_folding(spec))


def _gammas(schedule):
    """Every product another, so that nothing is saved by chance."""
    betas = np.array([[scale + gate for scale in _WEIGHT_SCALES] for gate in range(4)])
    alphas = np.array(_SCALES[: schedule.levels])
    return Gammas(betas[:, :, None] * alphas, betas[:, :, None] * (alphas + 1))

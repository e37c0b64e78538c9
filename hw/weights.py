"""Weight memory: bit planes of the codes, in the order in which the engine reads them."""

import numpy as np
from amaranth import Module, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .cells import PIPELINED
from .delay import Delay
from .ram import Ram
from .rom import Rom

__all__ = ["GATE_ORDER", "WeightStore", "weight_words"]

GATE_ORDER = (0, 1, 3, 2)
"""Where gates come one after another: i, f, o, and then g, where i lets it matter."""


def weight_words(schedule, wx_codes, wh_codes):
    """Contents of the weight memory, a word for every group, pass and word of columns, in the order they are read.

    A word holds for each row, gate and plane of the pass (plane fastest) one bit a lane; padding lanes are 1, so that they
    disagree with the 0 the operand store reads there. Units that pad the last group are all 1.

    Parameters
    ----------
    wx_codes, wh_codes : uint8 arrays [4 * hidden_size, input_size], [4 * hidden_size, hidden_size]

    Returns
    -------
    list of int
    """
    spec, folding = schedule.spec, schedule.folding
    planes = schedule.passes * folding.weight_planes
    codes = np.concatenate([wx_codes, wh_codes], axis=1).reshape(4, spec.hidden_size, spec.columns).astype(np.int64)
    bits = np.ones((schedule.groups * folding.rows, 4, planes, schedule.words * folding.lanes), dtype=np.uint8)
    for plane in range(spec.weight_levels):
        bits[: spec.hidden_size, :, plane, : spec.columns] = (codes >> plane & 1).transpose(1, 0, 2)
    shape = (schedule.groups, folding.rows, 4, schedule.passes, folding.weight_planes, schedule.words, folding.lanes)
    ordered = bits.reshape(shape).transpose(0, 3, 5, 1, 2, 4, 6)
    if folding.skip:
        # Gate after gate, in the order of GATE_ORDER.
        by_gate = ordered[:, :, :, :, list(GATE_ORDER)].transpose(4, 0, 1, 2, 3, 5, 6)
        rows = by_gate.reshape(-1, folding.weight_planes * folding.lanes)
        return [int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little") for row in rows]
    places = ordered.reshape(schedule.groups, schedule.passes, schedule.words, -1)
    parts = [places[part.groups.start : part.groups.stop, :, part.first : part.first + part.words] for part in schedule.parts]
    rows = np.concatenate([part.reshape(-1, places.shape[-1]) for part in parts])
    return [int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little") for row in rows]


class WeightStore(wiring.Component):
    """Weights in an initialised memory, or one that is loaded. Data follows the address by `latency` cycles.

    Parameters
    ----------
    schedule : Schedule
    words : list of int
        See `weight_words`.
    family : str
        Whose block RAM it is. On ECP5 its output register is used, without which the data come 5 ns after the clock, and
        another one, since the blocks stand far from the logic.

    Members
    -------
    address : In
    weights : Out(lanes bits for each row, gate and plane of a pass)
    """

    def __init__(self, schedule, words, *, family="generic"):
        folding = schedule.folding
        self.words = words
        self.layout = data.ArrayLayout(unsigned(folding.lanes), schedule.gate_rows * folding.weight_planes)
        settings = {"family": family, "output_register": family in PIPELINED}
        if folding.loads == "none":
            self.rom = Rom(words, self.layout.size, **settings)
        else:
            spram = folding.weight_memory == "spram"
            self.rom = Ram(words, self.layout.size, banks=folding.load_banks, spram=spram, **settings)
        self.way = int(family in PIPELINED)
        super().__init__({"address": In(range(max(2, len(words)))), "weights": Out(self.layout)})

    @property
    def latency(self):
        return self.rom.latency + self.way

    def elaborate(self, platform):
        m = Module()
        m.submodules.rom = self.rom
        m.submodules.way = way = Delay(self.layout, self.way)
        m.d.comb += [self.rom.address.eq(self.address), way.i.eq(self.rom.data), self.weights.eq(way.o)]
        return m

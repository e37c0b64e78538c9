"""Read-only memory: plain, or made of the fewest block RAMs of a family."""

import operator
from itertools import pairwise

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .cells import FAMILIES, Fabric
from .ram_cells import dp16kd, sb_ram40
from .rom_plan import SHAPES, is_small, rom_plan

__all__ = ["Rom"]


class Rom(wiring.Component):
    """Initialised memory that is only read; a word follows its address by `latency` cycles, one every cycle.

    Elaborated for the `Fabric` of iCE40 or ECP5 it is instances of block RAM, as `rom_plan` lays them out, unless it is so
    small that LUTs hold it better; everywhere else it is a memory that the synthesis finds a place for. What comes out for
    an address beyond the last word, or before the first clock edges, is not defined.

    Parameters
    ----------
    words : sequence of int
        At least one, 0 to 2 ** width - 1.
    width : int
        Bits of a word, at least 1.
    family : str
        generic, ice40, ecp5, gowin or xc7.
    output_register : bool
        One cycle more, and the data comes from a register: that of the block itself on ECP5, where no multiplexer follows it.

    Members
    -------
    address : In(range(max(2, number of words)))
    data : Out(width)
    """

    def __init__(self, words, width, *, family="generic", output_register=False):
        self.width, self.words = operator.index(width), [operator.index(word) for word in words]
        if self.width < 1:
            raise ValueError(f"width must be at least 1, not {self.width}")
        if not self.words:
            raise ValueError("words must be at least one, not none")
        for k, word in enumerate(self.words):
            if not 0 <= word < 1 << self.width:
                raise ValueError(f"word {k} must be 0 to {(1 << self.width) - 1}, not {word}")
        if family not in FAMILIES:
            raise ValueError(f"family must be {', '.join(FAMILIES)}, not {family!r}")
        self.family, self.output_register = family, bool(output_register)
        super().__init__({"address": In(range(max(2, len(self.words)))), "data": Out(self.width)})

    @property
    def latency(self):
        return 2 if self.output_register else 1

    def elaborate(self, platform):
        m = Module()
        depth = len(self.words)
        if self.family in SHAPES and platform == Fabric(self.family) and not is_small(depth, self.width):
            return self._of_blocks(m, rom_plan(depth, self.width, self.family))
        # Vivado and Yosys might make a shallow memory of LUTs otherwise; iCE40 and ECP5 are decided above.
        block = self.family in ("gowin", "xc7") and not is_small(depth, self.width)
        memory = Memory(
            shape=self.width,
            depth=max(2, depth),
            init=self.words,
            attrs={"ram_style": "block"} if block else {},
        )
        m.submodules.memory = memory
        read = memory.read_port()
        m.d.comb += [read.addr.eq(self.address), self.data.eq(self._registered(m, read.data))]
        return m

    def _registered(self, m, value):
        if not self.output_register:
            return value
        register = Signal(self.width, name="output_register", reset_less=True)
        m.d.sync += register.eq(value)
        return register

    def _of_blocks(self, m, plan):
        inside = self.family == "ecp5" and self.output_register
        outputs = {block: self._block(m, block, inside) for block in plan}
        cuts = sorted({block.bit for block in plan} | {block.bit + block.bits for block in plan})
        selects, slices = {}, []
        for start, stop in pairwise(cuts):
            column = [block for block in plan if block.bit <= start < block.bit + block.bits]
            column.sort(key=lambda block: block.row)
            rows = tuple(block.row for block in column)
            if rows not in selects:
                selects[rows] = self._select(m, rows, self.latency if inside else 1)
            data = Signal(stop - start, name=f"data_{start}")
            with m.Switch(selects[rows]):
                for k, block in enumerate(column):
                    with m.Default() if block is column[-1] else m.Case(k):
                        m.d.comb += data.eq(outputs[block][start - block.bit : stop - block.bit])
            slices.append(data)
        data = Cat(*slices)
        m.d.comb += self.data.eq(data if inside else self._registered(m, data))
        return m

    def _select(self, m, rows, latency):
        """Which of the blocks that begin at `rows` has the word, when it comes out."""
        index = Const(0, 1)
        for k, row in enumerate(rows[1:], 1):
            index = Mux(self.address >= row, k, index)
        for stage in range(latency if len(rows) > 1 else 0):
            later = Signal(range(len(rows)), name=f"select_{len(rows)}_{stage}", reset_less=True)
            m.d.sync += later.eq(index)
            index = later
        return index

    def _block(self, m, block, register):
        rows, width = block.shape
        words = [0] * rows
        for row in range(block.row, block.row + block.rows):
            words[row % rows] = self.words[row] >> block.bit & ((1 << block.bits) - 1)
        address = Signal(range(rows), name=f"address_{block.row}_{block.bit}")
        m.d.comb += address.eq(self.address)
        name = f"block_{block.row}_{block.bit}"
        if self.family == "ice40":
            return sb_ram40(m, name, words=words, width=width, address=address)
        return dp16kd(m, name, words=words, width=width, address=address, register=register)

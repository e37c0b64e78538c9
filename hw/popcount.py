"""Counting agreeing bits: XNOR and popcount of two vectors, split at a fixed column."""

from itertools import accumulate, pairwise

from amaranth import Cat, Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .blocks import block_sizes, count_blocks, sum_stages, sum_words
from .cells import FAMILIES
from .chain import Bit, lane
from .delay import Delay
from .layouts import pulse

__all__ = ["XnorDot"]


class XnorDot(wiring.Component):
    """Agreeing bits of two vectors, counted apart below and above a fixed column.

    A pair of bits agrees (XNOR) where the product of the two signs is +1, so a bipolar dot product of n columns is
    2 * count - n. One result per cycle, `latency` cycles later.

    Parameters
    ----------
    lanes : int
        Columns, at least 1.
    split : int
        Columns 0 to split - 1 are counted in `low`, the rest in `high`. 1 to lanes.
    family : str
        Whose cells count: generic (plain logic), ice40, ecp5, gowin or xc7. The result is the same; `latency` is 2, but more on
        ECP5 for many lanes, where a register stands after every two levels of adders.

    Members
    -------
    i : In(stream of a, b: lanes bits each), never held back
    o : Out(stream of low, high: counts), never held back
    """

    def __init__(self, lanes, *, split=None, family="generic"):
        split = lanes if split is None else split
        if lanes < 1:
            raise ValueError(f"lanes must be at least 1, not {lanes}")
        if not 1 <= split <= lanes:
            raise ValueError(f"split must be 1 to {lanes}, not {split}")
        if family not in FAMILIES:
            raise ValueError(f"family must be {', '.join(FAMILIES)}, not {family!r}")
        self.lanes, self.split, self.family = lanes, split, family
        self._stages = {part: self._sum_stages(size) for part, size in (("low", split), ("high", lanes - split))}
        self.latency = 1 + max(self._stages.values())
        word = data.StructLayout({"a": unsigned(lanes), "b": unsigned(lanes)})
        counts = data.StructLayout({"low": split.bit_length(), "high": (lanes - split).bit_length()})
        super().__init__({"i": In(pulse(word)), "o": Out(pulse(counts))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.valid = valid = Delay(1, self.latency)
        m.d.comb += [valid.i.eq(self.i.valid), self.o.valid.eq(valid.o)]
        pairs = list(zip(self.i.p.a, self.i.p.b, strict=True))
        for name, part in (("low", pairs[: self.split]), ("high", pairs[self.split :])):
            count = self._plain if self.family == "generic" else self._compressed
            later = Delay(self.o.p[name].shape(), self.latency - self._stages[name])
            m.submodules[f"{name}_later"] = later
            m.d.comb += [later.i.eq(count(m, platform, name, part) if part else 0), self.o.p[name].eq(later.o)]
        return m

    def _sum_stages(self, size):
        """Registers behind the sum's words."""
        return 1 if self.family == "generic" or not size else sum_stages(self.family, size)

    def _plain(self, m, platform, name, pairs):
        """Three pairs are six inputs and two outputs, the smallest adder of an FPGA; the tree above is registered apart."""
        threes = []
        for k in range(0, len(pairs), 3):
            agree = [~(a ^ b) for a, b in pairs[k : k + 3]]
            count = Signal(range(len(agree) + 1), name=f"{name}_{k}")
            m.d.sync += count.eq(total(agree))
            threes.append(count)
        return total(threes)

    def _compressed(self, m, platform, name, pairs):
        """Blocks of 15, 7 or 3 pairs and single ones, registered, then a tree that takes a single bit in every carry."""
        sizes, words = block_sizes(self.family, len(pairs)), []
        ends = list(accumulate(sizes, initial=0))
        blocks = count_blocks(m, platform, self.family, [pairs[a:b] for a, b in pairwise(ends)]) if sizes else []
        for k, (size, block) in enumerate(zip(sizes, blocks, strict=True)):
            word = Signal(len(block), name=f"{name}_{k}")
            m.d.sync += word.eq(Cat(bit.nets[0] for bit in block))
            words.append(([Bit((net,), bit.inverted) for net, bit in zip(word, block, strict=True)], size))
        left = pairs[ends[-1] :]
        singles = Signal(len(left), name=f"{name}_single")
        m.d.sync += singles.eq(Cat(lane(*pair).value() for pair in left))
        return Cat(sum_words(m, platform, self.family, words, list(singles)))


def total(terms):
    """Sum of many small numbers as a balanced tree."""
    terms = list(terms)
    if not terms:
        return 0
    while len(terms) > 1:
        pairs = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + terms[len(pairs) * 2 :]
    return Cat(terms[0])

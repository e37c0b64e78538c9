"""Counting agreeing bits: XNOR and popcount of two vectors, split at a fixed column."""

from amaranth import Cat, Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

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

    Members
    -------
    i : In(stream of a, b: lanes bits each), never held back
    o : Out(stream of low, high: counts), never held back
    """

    latency = 2

    def __init__(self, lanes, *, split=None):
        split = lanes if split is None else split
        if lanes < 1:
            raise ValueError(f"lanes must be at least 1, not {lanes}")
        if not 1 <= split <= lanes:
            raise ValueError(f"split must be 1 to {lanes}, not {split}")
        self.lanes, self.split = lanes, split
        word = data.StructLayout({"a": unsigned(lanes), "b": unsigned(lanes)})
        counts = data.StructLayout({"low": split.bit_length(), "high": (lanes - split).bit_length()})
        super().__init__({"i": In(pulse(word)), "o": Out(pulse(counts))})

    def elaborate(self, platform):
        m = Module()
        agree = ~(self.i.p.a ^ self.i.p.b)
        valid = Signal()
        m.d.sync += [valid.eq(self.i.valid), self.o.valid.eq(valid)]
        for name, bits in (("low", agree[: self.split]), ("high", agree[self.split :])):
            # Three pairs are six inputs and two outputs, the smallest adder of an FPGA; the tree above is registered apart.
            threes = []
            for k in range(0, len(bits), 3):
                count = Signal(range(len(bits[k : k + 3]) + 1), name=f"{name}_{k}")
                m.d.sync += count.eq(total(bits[k : k + 3]))
                threes.append(count)
            m.d.sync += self.o.p[name].eq(total(threes))
        return m


def total(terms):
    """Sum of many small numbers as a balanced tree."""
    terms = list(terms)
    if not terms:
        return 0
    while len(terms) > 1:
        pairs = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + terms[len(pairs) * 2 :]
    return Cat(terms[0])

"""A first-in first-out memory whose room is known beforehand: nothing waits, nothing is checked."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["Queue"]


class Queue(wiring.Component):
    """Words in the order in which they were put; the oldest is on `o` at once, so that it becomes LUT RAM where a chip has
    it. Never more than `depth` words, and never taken from when empty: the schedule sees to that.

    Parameters
    ----------
    width : int
        Bits.
    depth : int
        Words, at least 1.

    Members
    -------
    put, take : In(1)
    i : In(width)
    o : Out(width)
        The oldest word.
    """

    def __init__(self, width, *, depth):
        if depth < 1:
            raise ValueError(f"depth must be at least 1, not {depth}")
        self.width, self.depth = width, depth
        super().__init__({"put": In(1), "take": In(1), "i": In(width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        memory = Memory(shape=unsigned(self.width), depth=max(2, self.depth), init=[])  # an address of at least a bit
        m.submodules.memory = memory
        read, write = memory.read_port(domain="comb"), memory.write_port()
        m.d.comb += [write.en.eq(self.put), write.data.eq(self.i), self.o.eq(read.data)]
        for name, step, port in (("write", self.put, write), ("read", self.take, read)):
            place = Signal(range(max(2, self.depth)), name=f"{name}_place")
            m.d.comb += port.addr.eq(place)
            with m.If(step):
                m.d.sync += place.eq(Mux(place == self.depth - 1, 0, place + 1))
        return m

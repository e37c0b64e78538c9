"""A plain delay for what travels beside a pipeline."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Delay"]


class Delay(wiring.Component):
    """The input, a fixed number of cycles later.

    Parameters
    ----------
    shape : ShapeLike
    cycles : int
        0 or more.

    Members
    -------
    i : In(shape)
    o : Out(shape)
    """

    def __init__(self, shape, cycles):
        if cycles < 0:
            raise ValueError(f"cycles must not be negative, not {cycles}")
        self.shape, self.cycles = shape, cycles
        super().__init__({"i": In(shape), "o": Out(shape)})

    def elaborate(self, platform):
        m = Module()
        value = self.i
        for k in range(self.cycles):
            later = Signal(self.shape, name=f"stage_{k}")
            m.d.sync += later.eq(value)
            value = later
        m.d.comb += self.o.eq(value)
        return m

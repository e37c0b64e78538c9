"""A plain delay for what travels beside a pipeline."""

from itertools import pairwise

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Delay", "delayed", "handed_on"]


def handed_on(stages):
    """Statements by which each of `stages` takes the value of the one before it."""
    return [later.eq(earlier) for earlier, later in pairwise(stages)]


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
        stages = [self.i, *(Signal(self.shape, name=f"stage_{k}") for k in range(self.cycles))]
        m.d.sync += handed_on(stages)
        m.d.comb += self.o.eq(stages[-1])
        return m


def delayed(m, name, value, cycles):
    """The value, so many cycles later, by a Delay that is the submodule `name`."""
    m.submodules[name] = wait = Delay(value.shape(), cycles)
    m.d.comb += wait.i.eq(value)
    return wait.o

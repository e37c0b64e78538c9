"""Which of several numbers is the greatest."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .layouts import pulse

__all__ = ["Greatest"]


class Greatest(wiring.Component):
    """Index of the greatest of several signed numbers; ties go to the lowest index.

    A number every two cycles: the comparison has a cycle of its own, since nothing waits for the result but its reader.
    Takes new numbers at least `latency` cycles apart; the result comes `latency` cycles later and stays until the next.

    Parameters
    ----------
    count : int
        At least 1.
    shape : Shape
        Of a number, signed.

    Members
    -------
    i : In(stream of numbers [count])
    o : Out(stream of label, numbers)
    """

    def __init__(self, count, shape):
        if count < 1:
            raise ValueError(f"count must be at least 1, not {count}")
        self.count, self.shape = count, shape
        self.latency = 2 * count + 1
        numbers = data.ArrayLayout(shape, count)
        label = unsigned(max(1, (count - 1).bit_length()))
        found = data.StructLayout({"label": label, "numbers": numbers})
        super().__init__({"i": In(pulse(numbers)), "o": Out(pulse(found))})

    def elaborate(self, platform):
        m = Module()
        # They go round, the one compared in front, and stand in their order again at the end.
        numbers = [Signal(self.shape, name=f"number_{n}", reset_less=True) for n in range(self.count)]
        best = Signal(self.shape, reset_less=True)
        walking, compared, greater, k = Signal(), Signal(), Signal(), Signal(range(self.count))
        label = Signal(self.o.p.label.shape(), reset_less=True)
        last = k == self.count - 1
        m.d.sync += [greater.eq((numbers[0] > best) | (k == 0)), compared.eq(walking & ~compared), self.o.valid.eq(0)]
        with m.If(walking & compared):
            m.d.sync += [a.eq(b) for a, b in zip(numbers, [*numbers[1:], numbers[0]], strict=True)]
            m.d.sync += [k.eq(k + 1), walking.eq(~last), self.o.valid.eq(last)]
            with m.If(greater):
                m.d.sync += [best.eq(numbers[0]), label.eq(k)]
        with m.If(self.i.valid):
            m.d.sync += [walking.eq(1), k.eq(0), *(n.eq(new) for n, new in zip(numbers, self.i.p, strict=True))]
        m.d.comb += [self.o.p.label.eq(label), *(self.o.p.numbers[n].eq(number) for n, number in enumerate(numbers))]
        return m

"""Piecewise-linear function: a small table of knots and one multiplier."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .cells import PIPELINED
from .codes import lookup, value_shape
from .delay import Delay
from .layouts import pulse
from .multiplier import registered_product

__all__ = ["PiecewiseLinear"]


class PiecewiseLinear(wiring.Component):
    """Value of a `mubinn.model.tables.Table` at a signed integer.

    knot[k] + round((knot[k+1] - knot[k]) * d / 2**segment_bits), half up, with k and d the high and low bits of the
    distance from the first knot; the end values hold beyond the knots. One value a cycle, `latency` cycles later.

    Parameters
    ----------
    table : mubinn.model.tables.Table
    family : str
        Where an adder deserves a register of its own (`PIPELINED`), so do the choice of the segment and the rounding.
    registered : bool
        Whether the value stands in a register.

    Members
    -------
    i : In(stream of signed, the table's input)
    o : Out(stream of signed)
    """

    def __init__(self, table, *, family="generic", registered=True):
        self.table, self.registered = table, registered
        self.more_stages = int(family in PIPELINED)
        self.latency = 3 + 2 * self.more_stages + registered
        super().__init__({"i": In(pulse(signed(table.input.bits))), "o": Out(pulse(value_shape(table.knots)))})

    def elaborate(self, platform):
        m = Module()
        table, s = self.table, self.table.segment_bits
        segments = len(table.knots) - 1
        # 1: distance from the first knot, clipped to the last: there d = 2**segment_bits - 1 would miss the end value.
        position = self.i.payload - table.first
        span = segments << s
        distance, beyond = Signal(range(span)), Signal()
        m.d.sync += [
            beyond.eq(position >= span),
            distance.eq(Mux(position < 0, 0, position)),
        ]
        # 2: knot and rise of the segment, in a register of their own or in the multiplier's.
        k, d = distance[s:], distance[:s]
        rises = [b - a for a, b in zip(table.knots, table.knots[1:], strict=False)]
        knot_now = lookup(m, k, table.knots[:-1], name="knot_now", shape=self.o.payload.shape())
        rise_now = lookup(m, k, rises, name="rise_now")
        knot_now, rise_now, d, beyond = (self._held(m, value) for value in (knot_now, rise_now, d, beyond))
        knot, above = Signal.like(knot_now), Signal()
        m.d.sync += [knot.eq(Mux(beyond, table.knots[-1], knot_now)), above.eq(beyond)]
        # 3: the product, whose factors are registered in 2. 4: rounding, addition, in one step or two, or in the next register.
        product, base, end = registered_product(m, platform, rise_now, d, name="rise"), Signal.like(knot), Signal()
        m.d.sync += [base.eq(knot), end.eq(above)]
        rounded = Mux(end, 0, product + (1 << s >> 1) >> s)
        domain = m.d.sync if self.registered else m.d.comb
        domain += self.o.payload.eq(self._held(m, base) + self._held(m, rounded))
        m.submodules.valid = valid = Delay(1, self.latency)
        m.d.comb += [valid.i.eq(self.i.valid), self.o.valid.eq(valid.o)]
        return m

    def _held(self, m, value):
        """The value, in a register where there are more stages."""
        if not self.more_stages:
            return value
        held = Signal(value.shape(), reset_less=True)
        m.d.sync += held.eq(value)
        return held

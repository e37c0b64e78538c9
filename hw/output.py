"""Output of a unit: Eq. 6, h = o * tanh(c), as the MAC unit of the paper's Fig. 3, or as comparators that give h's code."""

from amaranth import Cat, Module, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from mubinn.model.tables import output_thresholds

from .cells import PIPELINED
from .codes import value_shape
from .comparators import compared, least_of
from .delay import handed_on
from .layouts import pulse
from .preactivation import saturated
from .ternary import product_by_gate

__all__ = ["OutputProduct", "OutputStairs"]


class OutputProduct(wiring.Component):
    """o * tanh(c) exactly, one rounding half up to h's binary point, saturation to `spec.h_bits`.

    One unit a cycle, `latency` cycles later.

    Parameters
    ----------
    spec : LstmSpec
    gate : mubinn.model.gates.Gate
        The output gate.

    Members
    -------
    i : In(stream of o: code, tanh_c: signed)
    o : Out(stream of signed(spec.h_bits))
    """

    latency = 3

    def __init__(self, spec, gate):
        self.spec, self.gate = spec, gate
        operands = data.StructLayout({"o": unsigned(gate.bits), "tanh_c": value_shape(spec.cell_table.knots)})
        super().__init__({"i": In(pulse(operands)), "o": Out(pulse(signed(spec.h_bits)))})

    def elaborate(self, platform):
        m = Module()
        spec = self.spec
        product = product_by_gate(m, platform, self.gate, self.i.p.o, self.i.p.tanh_c, name="o_times_tanh_c")
        half = 1 << spec.h_shift_down >> 1
        m.d.sync += self.o.payload.eq(saturated(product + half >> spec.h_shift_down, spec.h_bits))
        valid = [self.i.valid, Signal(name="valid_0"), Signal(name="valid_1"), self.o.valid]
        m.d.sync += handed_on(valid)
        return m


class OutputStairs(wiring.Component):
    """Code of h by comparing c: Eq. 6, its rounding and the level encoder in one, for each code of o.

    Where o is never negative round(o * tanh(c)) does not decrease with c, so level k of h's code is c >= threshold, where the
    threshold depends on o's code and on the levels before (`mubinn.model.tables.output_thresholds`): no table, no
    multiplier, no encoder. One unit a cycle, `latency` cycles later: a cycle a level, less the last, whose bit is in no
    register, and where an adder deserves a register of its own (`PIPELINED`) another to choose each threshold but the first.

    Parameters
    ----------
    spec : LstmSpec
    gate : mubinn.model.gates.Gate
        The output gate.
    h_scales : int array [hidden_levels]
    family : str

    Members
    -------
    next_o : In
        o's code of the unit whose c comes in the next cycle: so its first threshold is chosen in time.
    i : In(stream of c)
    o : Out(stream of h's code)
    """

    def __init__(self, spec, gate, h_scales, *, family="generic"):
        self.spec, self.thresholds = spec, output_thresholds(spec, gate.values, h_scales)
        self.choice_stages = int(family in PIPELINED)
        self.latency = (len(self.thresholds) - 1) * (1 + self.choice_stages)
        members = {"i": In(pulse(signed(spec.cell.bits))), "o": Out(pulse(unsigned(spec.hidden_levels)))}
        super().__init__({"next_o": In(gate.bits)} | members)

    def elaborate(self, platform):
        m = Module()
        now = least_of(m, self.next_o, self.thresholds[0], level=0)
        o, first = Signal.like(self.next_o, name="o_code", reset_less=True), Signal.like(now, name="first", reset_less=True)
        m.d.sync += [o.eq(self.next_o), first.eq(now)]
        valid, code = compared(
            m,
            valid=self.i.valid,
            value=self.i.payload,
            thresholds=self.thresholds,
            given=o,
            first=first,
            choice_stages=self.choice_stages,
            registered=False,
        )
        m.d.comb += [self.o.valid.eq(valid), self.o.payload.eq(Cat(*code))]
        return m

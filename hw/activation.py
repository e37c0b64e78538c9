"""Activation of the gates: sigma or tanh and the level encoder in one, as comparators."""

from amaranth import Cat, Module, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from mubinn.model.tables import gate_thresholds

from .cells import PIPELINED
from .comparators import compared
from .layouts import gates, pulse

__all__ = ["Activation", "Staircase"]


class Staircase(wiring.Component):
    """Code of a monotone table's value by comparing the table's input with thresholds.

    Table and encoder together are a staircase of the input, so level k of the code is input >= threshold, where the
    threshold depends on the levels before (`mubinn.model.tables.gate_thresholds`). One code a cycle, one cycle a level, and
    where an adder deserves a register of its own (`PIPELINED`) another to choose the threshold.

    Parameters
    ----------
    table : mubinn.model.tables.Table
    scales : sequence of int
    offset : int

    Members
    -------
    i : In(stream of signed, the table's input)
    o : Out(stream of the code)
    """

    def __init__(self, table, scales, offset=0, *, family="generic"):
        self.table, self.choice_stages = table, int(family in PIPELINED)
        self.latency = len(scales) + self.choice_stages * (len(scales) - 1)
        self.thresholds = gate_thresholds(table, scales, offset)
        super().__init__({"i": In(pulse(signed(table.input.bits))), "o": Out(pulse(unsigned(len(scales))))})

    def elaborate(self, platform):
        m = Module()
        now = {"valid": self.i.valid, "value": self.i.payload}
        valid, code = compared(m, thresholds=self.thresholds, choice_stages=self.choice_stages, **now)
        m.d.comb += [self.o.valid.eq(valid), self.o.payload.eq(Cat(*code))]
        return m


class Activation(wiring.Component):
    """Codes of a unit's four gates from its pre-activations.

    One unit a cycle, `latency` cycles later.

    Parameters
    ----------
    spec : LstmSpec
    gate_scales : int array [4, gate_levels]

    Members
    -------
    i : In(stream of z [4])
    o : Out(stream of codes [4])
    """

    def __init__(self, spec, gate_scales, *, family="generic"):
        self.stairs = [
            Staircase(table, [int(s) for s in scales], offset, family=family)
            for table, scales, offset in zip(spec.gate_tables, gate_scales, spec.gate_offsets, strict=True)
        ]
        self.latency = self.stairs[0].latency
        super().__init__(
            {
                "i": In(pulse(gates(signed(spec.z.bits)))),
                "o": Out(pulse(gates(unsigned(spec.gate_levels)))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for gate, stairs in enumerate(self.stairs):
            m.submodules[f"gate_{gate}"] = stairs
            m.d.comb += [
                stairs.i.valid.eq(self.i.valid),
                stairs.i.payload.eq(self.i.p[gate]),
                self.o.p[gate].eq(stairs.o.payload),
            ]
        m.d.comb += self.o.valid.eq(self.stairs[0].o.valid)
        return m

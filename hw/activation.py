"""Activation of the gates: sigma or tanh and the code in one, as comparators, or the table itself."""

from amaranth import Cat, Module, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from mubinn.model.tables import gate_thresholds

from .cells import PIPELINED
from .comparators import compared
from .delay import Delay
from .layouts import gates, pulse
from .table import PiecewiseLinear

__all__ = ["Activation", "Staircase", "TernaryStaircase", "activation_of", "code_of"]


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
    thresholds : list over levels of lists, or None
        Registers that have them, if they are loaded.

    Members
    -------
    i : In(stream of signed, the table's input)
    o : Out(stream of the code)
    """

    def __init__(self, table, scales, offset=0, *, thresholds=None, family="generic"):
        self.table, self.choice_stages = table, int(family in PIPELINED)
        self.latency = len(scales) + self.choice_stages * (len(scales) - 1)
        self.thresholds = gate_thresholds(table, scales, offset) if thresholds is None else thresholds
        super().__init__({"i": In(pulse(signed(table.input.bits))), "o": Out(pulse(unsigned(len(scales))))})

    def elaborate(self, platform):
        m = Module()
        now = {"valid": self.i.valid, "value": self.i.payload}
        valid, code = compared(m, thresholds=self.thresholds, choice_stages=self.choice_stages, **now)
        m.d.comb += [self.o.valid.eq(valid), self.o.payload.eq(Cat(*code))]
        return m


class TernaryStaircase(wiring.Component):
    """Code of a ternary gate, its number of halves, by two comparators: does sigma reach 1/4, does it reach 3/4.

    One code a cycle, one cycle later.

    Parameters
    ----------
    gate : mubinn.model.gates.Gate

    Members
    -------
    i : In(stream of signed, the table's input)
    o : Out(stream of the code, 0 to 2)
    """

    latency = 1

    def __init__(self, gate):
        self.gate = gate
        super().__init__({"i": In(pulse(signed(gate.table.input.bits))), "o": Out(pulse(unsigned(gate.bits)))})

    def elaborate(self, platform):
        m = Module()
        quarter, three_quarters = (self.i.payload >= least for least in self.gate.ternary_thresholds)
        m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(Cat(quarter & ~three_quarters, three_quarters))]
        return m


def activation_of(gate, *, family="generic"):
    """The component that makes the code of a gate: Staircase, TernaryStaircase, or PiecewiseLinear, whose value is the code."""
    if gate.kind == "fixed":
        return PiecewiseLinear(gate.table, family=family)
    if gate.kind == "ternary":
        return TernaryStaircase(gate)
    return Staircase(gate.table, gate.scales, gate.offset, thresholds=gate.thresholds, family=family)


def code_of(m, part, bits, *, name):
    """Code that a part of `activation_of` gives: the sign of a value goes as far as its code, and no further."""
    payload = part.o.payload
    if not payload.shape().signed:
        return payload
    code = Signal(bits, name=name)
    m.d.comb += code.eq(payload)
    return code


class Activation(wiring.Component):
    """Codes of a unit's four gates from its pre-activations.

    One unit a cycle, `latency` cycles later.

    Parameters
    ----------
    spec : LstmSpec
    gate_formats : sequence of 4 mubinn.model.gates.Gate

    Members
    -------
    i : In(stream of z [4])
    o : Out(stream of codes [4], each as wide as the widest)
    """

    def __init__(self, spec, gate_formats, *, family="generic"):
        self.bits = spec.gate_bits
        self.parts = [activation_of(gate, family=family) for gate in gate_formats]
        self.latency = max(part.latency for part in self.parts)
        super().__init__(
            {
                "i": In(pulse(gates(signed(spec.z.bits)))),
                "o": Out(pulse(gates(unsigned(max(spec.gate_bits))))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for gate, part in enumerate(self.parts):
            m.submodules[f"gate_{gate}"] = part
            m.d.comb += [
                part.i.valid.eq(self.i.valid),
                part.i.payload.eq(self.i.p[gate]),
                self.o.p[gate].eq(
                    self._late(
                        m, f"wait_{gate}", self.latency - part.latency, code_of(m, part, self.bits[gate], name=f"code_{gate}")
                    )
                ),
            ]
        slowest = next(part for part in self.parts if part.latency == self.latency)
        m.d.comb += self.o.valid.eq(slowest.o.valid)
        return m

    def _late(self, m, name, cycles, code):
        """The code of a gate that is done sooner than others."""
        if not cycles:
            return code
        m.submodules[name] = wait = Delay(len(code), cycles)
        m.d.comb += wait.i.eq(code)
        return wait.o

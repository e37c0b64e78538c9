"""Cell state: Eq. 5, c = f * c + i * g."""

from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from mubinn.model.binarize import codebook
from mubinn.model.spec import GATES

from .cells import PIPELINED
from .codes import decoded, gate_value, is_loaded
from .delay import Delay, handed_on
from .encoder import Encoder
from .layouts import gates, pulse
from .preactivation import saturated
from .product import LOOKUP_BITS, XnorProduct
from .ternary import product_by_gate

__all__ = ["LUT_RAM_UNITS", "Cell"]

LUT_RAM_UNITS = 128
"""ECP5's block RAM takes 5.8 ns to give its word; LUT RAM of so many words, and what chooses among them, takes half."""


class Cell(wiring.Component):
    """State of every unit, one unit after another in a fixed round.

    Products and sum are exact, one rounding half up, then saturation. In a window's first step the old c is exact zero.
    Gates of levels: i * g is an XNOR product, and so is f * c where c has `cell_levels`, whose code the memory holds then; else
    it takes one multiplier. What a ternary gate multiplies is cleared, passed, or shifted. One unit a cycle, `latency` cycles
    later; the same unit may come again after `latency` + 1 cycles.

    Parameters
    ----------
    spec : LstmSpec
    gate_formats : sequence of 4 mubinn.model.gates.Gate
    cell_scales : int array [cell_levels] or None
    contexts : int
        States of every unit, step by step in turn.
    family : str
        Where an adder deserves a register of its own (`PIPELINED`), the memory has one behind it, and a small one is read at
        once, so that it becomes LUT RAM.

    Members
    -------
    i : In(stream of codes [4], each as wide as the widest, first: the step is its window's first)
    o : Out(stream of c in the format spec.cell, decoded)
    """

    def __init__(self, spec, *, gate_formats, cell_scales=None, contexts=1, family="generic"):
        self.spec, self.cell_scales, self.family = spec, cell_scales, family
        self.units = spec.hidden_size * contexts
        self.gates = dict(zip(GATES, gate_formats, strict=True))
        # Block RAM gives its word too late for a multiplier behind it: units wait until it stands in a register.
        self.reads_at_once = family in PIPELINED and self.units <= LUT_RAM_UNITS
        self.front_stages = (1 if self.reads_at_once else 2) if family in PIPELINED else 0
        self.latency = 4 + self.front_stages + max(0, spec.cell_levels - 1)
        unit = data.StructLayout({"codes": gates(unsigned(max(spec.gate_bits))), "first": 1})
        super().__init__({"i": In(pulse(unit)), "o": Out(pulse(signed(spec.cell.bits)))})

    def elaborate(self, platform):
        m = Module()
        spec = self.spec
        stored = unsigned(spec.cell_levels) if spec.cell_levels else signed(spec.cell.bits)
        # Yosys would make block RAM of it again: it takes the register behind it for the port's own.
        attrs = {"ram_style": "distributed"} if self.reads_at_once else {}
        memory = Memory(shape=stored, depth=self.units, init=[], attrs=attrs)
        m.submodules.memory = memory
        read, write = memory.read_port(domain="comb" if self.reads_at_once else "sync"), memory.write_port()
        m.submodules.front = front = Delay(self.i.p.shape(), self.front_stages)
        m.submodules.front_valid = front_valid = Delay(1, self.front_stages)
        m.d.comb += [front.i.eq(self.i.p), front_valid.i.eq(self.i.valid)]
        valid = [front_valid.o, *(Signal(name=f"valid_{n}") for n in range(3))]
        m.d.sync += handed_on(valid)
        before = Signal.like(read.data, name="before", reset_less=True)
        if self.front_stages:
            self._count(m, self.i.valid, now=read.addr)
            m.d.sync += before.eq(read.data)
        else:
            # The read address runs ahead by a cycle, so that the memory's output is always the next unit's c.
            self._count(m, self.i.valid, ahead=read.addr)
            m.d.comb += before.eq(read.data)
        code = dict(zip(GATES, front.o.codes, strict=True))

        # 1 and 2: the products, i * g with the rounding term.
        first = Signal()
        m.d.sync += first.eq(front.o.first)
        ig = self._input(m, platform, front_valid.o, code["i"], code["g"])
        fc = self._forget(m, platform, code["f"], before, front.o.first, first, ig_bits=len(ig))
        # 3: the sum. 4: saturation.
        total = Signal(signed(max(len(fc), len(ig)) + 1))
        m.d.sync += total.eq(fc + ig)
        c = saturated(total >> spec.cell_shift, spec.cell.bits)
        if spec.cell_levels:
            fixed = Signal(signed(spec.cell.bits))
            fixed_valid = Signal()
            m.d.sync += [fixed.eq(c), fixed_valid.eq(valid[3])]
            encoder = Encoder(spec.cell.bits, self.cell_scales, registered=False)
            m.submodules.encoder = encoder
            m.d.comb += [
                encoder.i.valid.eq(fixed_valid),
                encoder.i.payload.eq(fixed),
                encoder.o.ready.eq(1),
                write.en.eq(encoder.o.valid),
                write.data.eq(encoder.o.payload),
                self.o.valid.eq(encoder.o.valid),
                self.o.payload.eq(decoded(m, encoder.o.payload, self.cell_scales, name="c")),
            ]
        else:
            m.d.sync += [self.o.valid.eq(valid[3]), self.o.payload.eq(c)]
            m.d.comb += [write.en.eq(self.o.valid), write.data.eq(self.o.payload)]
        self._count(m, write.en, now=write.addr)
        return m

    def _count(self, m, step, *, now=None, ahead=None):
        """Unit counter: `now` is the unit, `ahead` the one after this cycle."""
        unit, later = Signal(range(self.units)), Signal(range(self.units))
        m.d.comb += later.eq(Mux(step, Mux(unit == self.units - 1, 0, unit + 1), unit))
        m.d.sync += unit.eq(later)
        if now is not None:
            m.d.comb += now.eq(unit)
        if ahead is not None:
            m.d.comb += ahead.eq(later)

    def _input(self, m, platform, valid, i_code, g_code):
        """i * g and half a unit of c, at the sum's binary point."""
        spec, i, g = self.spec, self.gates["i"], self.gates["g"]
        half = 1 << spec.cell_shift >> 1
        if "fixed" in (i.kind, g.kind) or is_loaded(*g.scales) or not _looked_up(i, g.bits):
            g_now = gate_value(m, g_code, g, name="g_now")
            return product_by_gate(m, platform, i, i_code, g_now, name="i_times_g", shift=spec.ig_shift) + half
        m.submodules.ig = ig = XnorProduct(i.values, g.values, constant=half, shift=spec.ig_shift)
        m.d.comb += [ig.i.valid.eq(valid), ig.i.p.a.eq(i_code), ig.i.p.b.eq(g_code)]
        ig_later = Signal.like(ig.o.payload)
        m.d.sync += ig_later.eq(ig.o.payload)
        return ig_later

    def _forget(self, m, platform, f_code, stored, first_now, first, *, ig_bits):
        """f * c at the sum's binary point, zero in a window's first step."""
        spec, f = self.spec, self.gates["f"]
        if spec.cell_levels and f.kind != "fixed" and not is_loaded(*self.cell_scales) and _looked_up(f, spec.cell_levels):
            m.submodules.fc = fc = XnorProduct(f.values, codebook(self.cell_scales), shift=spec.fc_shift)
            m.d.comb += [fc.i.p.a.eq(f_code), fc.i.p.b.eq(stored)]
            result = Signal.like(fc.o.payload, name="fc_later")
            m.d.sync += result.eq(Mux(first, 0, fc.o.payload))
            return result
        value = decoded(m, stored, self.cell_scales, name="c_value") if spec.cell_levels else stored
        before = Signal.like(value, name="c_before")
        m.d.comb += before.eq(Mux(first_now, 0, value))
        return product_by_gate(m, platform, f, f_code, before, name="f_times_c", least=ig_bits, shift=spec.fc_shift)


def _looked_up(gate, bits):
    """Whether a gate's product with another code is made of the codes alone. (Level gates have a multiplier of their own behind
    long codes; what is loaded always has one.)"""
    if is_loaded(*gate.scales):
        return False
    return gate.kind == "levels" or gate.bits + bits <= LOOKUP_BITS

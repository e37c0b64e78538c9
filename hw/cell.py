"""Cell state: Eq. 5, c = f * c + i * g."""

from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from mubinn.model.spec import GATES

from .cells import PIPELINED
from .codes import decoded
from .delay import Delay, handed_on
from .encoder import Encoder
from .layouts import gates, pulse
from .multiplier import registered_product
from .preactivation import saturated
from .product import XnorProduct

__all__ = ["LUT_RAM_UNITS", "Cell"]

LUT_RAM_UNITS = 128
"""ECP5's block RAM takes 5.8 ns to give its word; LUT RAM of so many words, and what chooses among them, takes half."""


class Cell(wiring.Component):
    """State of every unit, one unit after another in a fixed round.

    Products and sum are exact, one rounding half up, then saturation. In a window's first step the old c is exact zero.
    With `cell_levels` the memory holds c's code and both products are XNOR products; else f * c takes one multiplier.
    One unit a cycle, `latency` cycles later; the same unit may come again after `latency` + 1 cycles.

    Parameters
    ----------
    spec : LstmSpec
    gate_scales : int array [4, gate_levels]
    cell_scales : int array [cell_levels] or None
    family : str
        Where an adder deserves a register of its own (`PIPELINED`), the memory has one behind it, and a small one is read at
        once, so that it becomes LUT RAM.

    Members
    -------
    i : In(stream of codes [4], first: the step is its window's first)
    o : Out(stream of c in the format spec.cell, decoded)
    """

    def __init__(self, spec, *, gate_scales, cell_scales=None, family="generic"):
        self.spec, self.cell_scales, self.family = spec, cell_scales, family
        self.gate_scales = dict(zip(GATES, gate_scales, strict=True))
        self.offsets = dict(zip(GATES, spec.gate_offsets, strict=True))
        # Block RAM gives its word too late for a multiplier behind it: units wait until it stands in a register.
        self.reads_at_once = family in PIPELINED and spec.hidden_size <= LUT_RAM_UNITS
        self.front_stages = (1 if self.reads_at_once else 2) if family in PIPELINED else 0
        self.latency = 4 + self.front_stages + max(0, spec.cell_levels - 1)
        unit = data.StructLayout({"codes": gates(unsigned(spec.gate_levels)), "first": 1})
        super().__init__({"i": In(pulse(unit)), "o": Out(pulse(signed(spec.cell.bits)))})

    def elaborate(self, platform):
        m = Module()
        spec = self.spec
        stored = unsigned(spec.cell_levels) if spec.cell_levels else signed(spec.cell.bits)
        # Yosys would make block RAM of it again: it takes the register behind it for the port's own.
        attrs = {"ram_style": "distributed"} if self.reads_at_once else {}
        memory = Memory(shape=stored, depth=spec.hidden_size, init=[], attrs=attrs)
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

        # 1: i * g with the rounding term inside; operands of f * c.
        half = 1 << spec.cell_shift >> 1
        ig = XnorProduct(
            self.gate_scales["i"], self.gate_scales["g"], a_offset=self.offsets["i"], constant=half, shift=spec.ig_shift
        )
        m.submodules.ig = ig
        m.d.comb += [ig.i.valid.eq(front_valid.o), ig.i.p.a.eq(code["i"]), ig.i.p.b.eq(code["g"])]
        first = Signal()
        m.d.sync += first.eq(front.o.first)
        ig_later = Signal.like(ig.o.payload)
        m.d.sync += ig_later.eq(ig.o.payload)
        fc = self._forget(m, platform, code["f"], before, front.o.first, first, ig_bits=len(ig_later))
        # 3: the sum. 4: saturation.
        total = Signal(signed(max(len(fc), len(ig_later)) + 1))
        m.d.sync += total.eq(fc + ig_later)
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
        unit, later = Signal(range(self.spec.hidden_size)), Signal(range(self.spec.hidden_size))
        m.d.comb += later.eq(Mux(step, Mux(unit == self.spec.hidden_size - 1, 0, unit + 1), unit))
        m.d.sync += unit.eq(later)
        if now is not None:
            m.d.comb += now.eq(unit)
        if ahead is not None:
            m.d.comb += ahead.eq(later)

    def _forget(self, m, platform, f_code, stored, first_now, first, *, ig_bits):
        """Stages 1 and 2: f * c at the sum's binary point, zero in a window's first step."""
        spec = self.spec
        if spec.cell_levels:
            fc = XnorProduct(self.gate_scales["f"], self.cell_scales, a_offset=self.offsets["f"], shift=spec.fc_shift)
            m.submodules.fc = fc
            m.d.comb += [fc.i.p.a.eq(f_code), fc.i.p.b.eq(stored)]
            result = Signal.like(fc.o.payload, name="fc_later")
            m.d.sync += result.eq(Mux(first, 0, fc.o.payload))
            return result
        f_now = decoded(m, f_code, self.gate_scales["f"], self.offsets["f"], name="f_now")
        before = Signal.like(stored, name="c_before")
        m.d.comb += before.eq(Mux(first_now, 0, stored))
        joins = max(len(f_now) + len(before) + spec.fc_shift, ig_bits) + 1
        return registered_product(m, platform, f_now, before, name="f_times_c", joins=joins) << spec.fc_shift

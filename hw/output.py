"""Output of a unit: Eq. 6, h = o * tanh(c), the MAC unit of the paper's Fig. 3."""

from amaranth import Module, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .codes import decoded, value_shape
from .delay import handed_on
from .layouts import pulse
from .multiplier import registered_product
from .preactivation import saturated

__all__ = ["OutputProduct"]


class OutputProduct(wiring.Component):
    """o * tanh(c) exactly, one rounding half up to h's binary point, saturation to `spec.h_bits`.

    One unit a cycle, `latency` cycles later.

    Parameters
    ----------
    spec : LstmSpec
    o_scales : int array [gate_levels]
        Scales of the output gate.

    Members
    -------
    i : In(stream of o: code, tanh_c: signed)
    o : Out(stream of signed(spec.h_bits))
    """

    latency = 3

    def __init__(self, spec, o_scales):
        self.spec, self.o_scales = spec, o_scales
        operands = data.StructLayout({"o": unsigned(spec.gate_levels), "tanh_c": value_shape(spec.cell_table.knots)})
        super().__init__({"i": In(pulse(operands)), "o": Out(pulse(signed(spec.h_bits)))})

    def elaborate(self, platform):
        m = Module()
        spec = self.spec
        o_now = decoded(m, self.i.p.o, self.o_scales, spec.gate_offsets[3], name="o_now")
        product = registered_product(m, platform, o_now, self.i.p.tanh_c, name="o_times_tanh_c")  # its sum has bits to spare
        half = 1 << spec.h_shift_down >> 1
        m.d.sync += self.o.payload.eq(saturated(product + half >> spec.h_shift_down, spec.h_bits))
        valid = [self.i.valid, Signal(name="valid_0"), Signal(name="valid_1"), self.o.valid]
        m.d.sync += handed_on(valid)
        return m

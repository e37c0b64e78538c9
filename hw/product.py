"""Products of codes: the XNOR multiplier of Eq. 5, for two binarized operands."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from mubinn.model.binarize import codebook

from .codes import decoded, lookup, value_shape
from .layouts import pulse

__all__ = ["XnorProduct"]

LOOKUP_BITS = 6
"""Codes of up to this many bits together are one look-up, five LUT4 or one LUT6 an output bit at most."""


class XnorProduct(wiring.Component):
    """Exact product of two binarized numbers, (o + sum phi_i s_i) * sum kappa_j t_j.

    s_i * t_j is an XNOR, so the product is a sum of constants with XNORed signs: a function of the code bits alone. It is
    a look-up for codes of up to 6 bits together, a multiplier behind two decoders for longer ones. One product a cycle,
    one cycle later.

    Parameters
    ----------
    a_scales, b_scales : sequence of int
    a_offset : int
        Offset of a; b has none.
    constant : int
        Added to every product, a rounding term for instance.
    shift : int
        Left shift of the product before the constant is added.

    Members
    -------
    i : In(stream of codes a, b)
    o : Out(stream of the product, wide enough for every pair)
    """

    latency = 1

    def __init__(self, a_scales, b_scales, *, a_offset=0, constant=0, shift=0):
        self.a_scales, self.b_scales, self.a_offset = a_scales, b_scales, a_offset
        self.constant, self.shift = constant, shift
        a, b = codebook(a_scales, a_offset), codebook(b_scales)
        # Entry (b, a) at index a + b * 2**levels: a in the low bits.
        self.values = ((b[:, None] * a << shift) + constant).ravel()
        codes = data.StructLayout({"a": len(a_scales), "b": len(b_scales)})
        super().__init__({"i": In(pulse(codes)), "o": Out(pulse(value_shape(self.values)))})

    def elaborate(self, platform):
        m = Module()
        a, b = self.i.p.a, self.i.p.b
        if len(a) + len(b) <= LOOKUP_BITS:
            product = lookup(m, Cat(a, b), self.values, name="product", shape=self.o.payload.shape())
        else:
            a_value = decoded(m, a, self.a_scales, self.a_offset, name="a_value")
            b_value = decoded(m, b, self.b_scales, name="b_value")
            product = Signal.like(self.o.payload, name="product")
            m.d.comb += product.eq((a_value * b_value << self.shift) + self.constant)
        m.d.sync += [self.o.payload.eq(product), self.o.valid.eq(self.i.valid)]
        return m

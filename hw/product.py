"""Products of codes: the XNOR multiplier of Eq. 5, for two binarized operands."""

import numpy as np
from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .codes import lookup, value_shape
from .layouts import pulse

__all__ = ["LOOKUP_BITS", "XnorProduct"]

LOOKUP_BITS = 6
"""Codes of up to this many bits together are one look-up, five LUT4 or one LUT6 an output bit at most."""


class XnorProduct(wiring.Component):
    """Exact product of two binarized numbers, (o + sum phi_i s_i) * sum kappa_j t_j.

    s_i * t_j is an XNOR, so the product is a sum of constants with XNORed signs: a function of the code bits alone. It is
    a look-up for codes of up to `LOOKUP_BITS` together, a multiplier behind two decoders for longer ones. One product a cycle,
    one cycle later.

    Parameters
    ----------
    a_values, b_values : sequence of int
        What the codes of a and b stand for, a power of two of each.
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

    def __init__(self, a_values, b_values, *, constant=0, shift=0):
        self.a_values, self.b_values, self.constant, self.shift = a_values, b_values, constant, shift
        a, b = (np.asarray(values, dtype=np.int64) for values in (a_values, b_values))
        # Entry (b, a) at index a + b * 2**levels: a in the low bits.
        self.values = ((b[:, None] * a << shift) + constant).ravel()
        codes = data.StructLayout({"a": (len(a) - 1).bit_length(), "b": (len(b) - 1).bit_length()})
        super().__init__({"i": In(pulse(codes)), "o": Out(pulse(value_shape(self.values)))})

    def elaborate(self, platform):
        m = Module()
        a, b = self.i.p.a, self.i.p.b
        if len(a) + len(b) <= LOOKUP_BITS:
            product = lookup(m, Cat(a, b), self.values, name="product", shape=self.o.payload.shape())
        else:
            a_value, b_value = lookup(m, a, self.a_values, name="a_value"), lookup(m, b, self.b_values, name="b_value")
            product = Signal.like(self.o.payload, name="product")
            m.d.comb += product.eq((a_value * b_value << self.shift) + self.constant)
        m.d.sync += [self.o.payload.eq(product), self.o.valid.eq(self.i.valid)]
        return m

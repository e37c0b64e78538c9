"""Sums of small numbers on the carry chains of an FPGA, with nothing between one sum and the next but one LUT."""

from dataclasses import dataclass
from functools import reduce
from operator import xor

from amaranth import Const, Signal

from .cells import alu, carry4, ccu2c, lut6_2, sb_adder, truth

__all__ = ["ZERO", "Bit", "Chains", "add_three", "lane"]

CHAIN_LUTS = 32
"""A chain ends after so many LUTs: timing tools follow a carry through sums that don't depend on it."""


@dataclass(frozen=True)
class Bit:
    """One bit of a sum as a LUT takes it: XOR of at most two nets, inverted or not."""

    nets: tuple
    inverted: bool = False

    def value(self):
        """As a Value of its own, where a LUT is spent on it."""
        if not self.nets:
            return Const(self.inverted, 1)
        plain = reduce(xor, self.nets)
        return ~plain if self.inverted else plain


def lane(a, b):
    """The pair of bits agrees."""
    return Bit((a, b), True)


ZERO = Bit(())


class Chains:
    """Adds words in chains of LUTs, adder behind adder.

    An adder of n bits with a carry in and a carry out takes n + 1 LUTs: the one before its first bit takes the carry out of
    the adder before it and gives its own carry in at the same time. Adders must be added in an order in which none needs
    the sum of a later one.

    Parameters
    ----------
    m : Module
    platform : Fabric or None
    family : str
        ice40, ecp5 or gowin.
    """

    def __init__(self, m, platform, family):
        self.m, self.platform = m, platform
        self._place = {"ice40": self._ice40, "ecp5": self._ecp5, "gowin": self._gowin}[family]
        self._restart()

    def _restart(self):
        self._carry, self._luts, self._out, self._half = Const(0), 0, None, None

    def add(self, a, b, c):
        """a + b + c of two words of Bits, LSB first, and a Bit: a word of nets, one bit longer than the longer of a and b.

        Each family takes what its cells can: ecp5 two nets in both words, not inverted in b, and in c; gowin an agreeing
        pair (`lane`) in b; ice40 single nets.
        """
        size = max(len(a), len(b))
        if self._luts + size + 2 > CHAIN_LUTS:
            self.close()
        if self._luts or c.nets:
            self._between(c)
        word = [self._placed(a[k] if k < len(a) else ZERO, b[k] if k < len(b) else ZERO) for k in range(size)]
        self._out = Signal(name="carry_out")
        return [*word, self._out]

    def level(self):
        """Adders after this one may need the sums of those before it."""
        # A tool that takes a CCU2C as a whole would see a loop through one whose first half's sum its second half needs.
        if self._half is not None:
            self._between(ZERO)
            self._out = None

    def close(self):
        """End the last chain; the words are complete then."""
        if self._out is not None:
            self._between(ZERO)
        if self._half is not None:
            self._placed(ZERO, None)
        self._restart()

    def _between(self, c):
        s = self._placed(c, None)
        if self._out is not None:
            self.m.d.comb += self._out.eq(s)

    def _placed(self, u, v):
        """The next LUT of the chain: u + v, or, where v is None, the carry out and u as the next one in."""
        s = Signal(name="chain_sum")
        self._luts += 1
        self._place(s, u, v)
        return s

    def _ecp5(self, s, u, v):
        here = s, *_ecp5_half(u, v)
        if self._half is None:
            self._half = here
            return
        halves, self._half = (self._half, here), None
        init, inputs = [h[1] for h in halves], [h[2] for h in halves]
        sums, self._carry = ccu2c(self.m, self.platform, init=init, inputs=inputs, carry=self._carry)
        self.m.d.comb += [half[0].eq(value) for half, value in zip(halves, sums, strict=True)]

    def _ice40(self, s, u, v):
        x = u.value()
        y = x if v is None else v.value()
        value, self._carry = sb_adder(self.m, self.platform, x=x, y=y, carry=self._carry, pass_carry=v is None)
        self.m.d.comb += s.eq(value)

    def _gowin(self, s, u, v):
        x = u.value()
        if v is not None and len(v.nets) == 2:
            assert v.inverted
            a, b = v.nets
        else:
            a, b = x if v is None else v.value(), Const(1)
        value, self._carry = alu(self.m, self.platform, x=x, a=a, b=b, carry=self._carry)
        self.m.d.comb += s.eq(value)


def _ecp5_half(u, v):
    """INIT and inputs of a LUT4 that adds u and v. The carry made is the LUT's value at C = D = 0 where the LUT is 0."""
    nets = [*u.nets, *[Const(0)] * (2 - len(u.nets))]
    if v is not None and len(v.nets) == 2:
        # v = 0 at C = D = 0, so the LUT is u there: just what the carry has to be, without D to tell the two apart.
        assert not v.inverted
        return truth(lambda a, b, c, d: a ^ b ^ u.inverted ^ c ^ d, 4), [*nets, *v.nets]
    if v is None:  # never hands the carry on: lets it out, and u in
        return truth(lambda a, b, c, d: (1 - d) & (a ^ b ^ u.inverted), 4), [*nets, Const(0), Const(1)]
    sum_here = truth(lambda a, b, c, d: a ^ b ^ u.inverted ^ (d & (c ^ v.inverted)), 4)
    return sum_here, [*nets, *(v.nets or (Const(0),)), Const(1)]


def add_three(m, platform, words, extra):
    """Sum of at most three words and of two single bits, in one row of Xilinx LUTs: LUT k makes both the majority of the
    bits k, which the next LUT adds, and their sum.

    Parameters
    ----------
    words : at most three sequences of nets
    extra : two nets

    Returns
    -------
    word of nets, two bits longer than the longest
    """
    size = max(len(word) for word in words)
    select, data, majority = [], [], extra[0]
    for k in range(size):
        bits = [word[k] for word in words if k < len(word)]
        data.append(majority)
        majority, s = lut6_2(
            m,
            platform,
            o5=lambda _, *bits: sum(bits) > 1,
            o6=lambda *bits: sum(bits) & 1,
            inputs=[majority, *bits],
        )
        select.append(s)
    # A carry chain takes its select from the LUT beside it, so the last majority needs one to pass through.
    _, last = lut6_2(m, platform, o5=lambda bit: 0, o6=lambda bit: bit, inputs=[majority])
    sums, carry = carry4(m, platform, select=[*select, last], data=[*data, Const(0)], carry=extra[1])
    return [*sums, carry]

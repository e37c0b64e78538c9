"""Activation scales applied to counts without multipliers: a few count bits are one look-up, and adders sum them."""

from dataclasses import dataclass
from functools import cached_property
from math import gcd

from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from mubinn.model.fixed import signed_bits

from .codes import lookup

__all__ = ["AlphaSum", "Weighted"]

LOOKUP_BITS = 3
"""Count bits of a look-up; with the choice between x and h its bits are LUT4s."""

WIDEST = 8
"""Places that x and h bits are tried against each other."""

ADDERS = 3
"""One behind the other between two registers."""


@dataclass(frozen=True, kw_only=True)
class Weighted:
    """constant + sum of factors * counts, for counts of 0 to `most`.

    Parameters
    ----------
    factors : tuple of int
        Not negative.
    constant : int
    most : int
    """

    factors: tuple
    constant: int
    most: int

    @property
    def ends(self):
        """Least and greatest value."""
        return self.constant, self.constant + self.most * sum(self.factors)

    def factor(self, level, place):
        """Of a bit of a count; 0 of a bit that it doesn't have."""
        return self.factors[level] << place if 0 <= place < self.most.bit_length() else 0


class AlphaSum(wiring.Component):
    """The weighted sum of x counts or of h counts, one a cycle, `latency` cycles later.

    Parameters
    ----------
    x, h : Weighted
        With as many factors.

    Members
    -------
    i : In(struct of x counts, h counts, is_h: which of them; masked: the sum is zero)
    o : Out(signed, as wide as both sums need)
    """

    def __init__(self, *, x, h):
        self.parts = (x, h)
        counts = {name: data.ArrayLayout(p.most.bit_length(), len(p.factors)) for name, p in {"x": x, "h": h}.items()}
        ends = [end for part in self.parts for end in part.ends]
        super().__init__(
            {
                "i": In(data.StructLayout({**counts, "is_h": 1, "masked": 1})),
                "o": Out(signed(signed_bits(min(ends), max(ends)))),
            }
        )

    @cached_property
    def offset(self):
        """Places by which x bits stand above the h bits they share look-ups with: that of the fewest bits in all look-ups."""
        offsets = sorted(range(-WIDEST, WIDEST + 1), key=abs)
        return min(offsets, key=lambda offset: sum(len(Signal(_shape(values))) for values, _ in self._tables(offset)))

    @cached_property
    def chunks(self):
        """(level, place of h) of the bits of every look-up."""
        return self._chunks(self.offset)

    @cached_property
    def tables(self):
        """(values, shift) of every look-up: its values without the zeros at their end. Index: count bits, then is_h."""
        return self._tables(self.offset)

    def _chunks(self, offset):
        """Bits of about one weight together, so that a look-up's values are few bits wide and end with zeros."""
        x, h = (part.most.bit_length() for part in self.parts)
        places = range(min(0, offset), max(h, x + offset))
        bits = [(level, place) for place in places for level in range(len(self.parts[0].factors))]
        bits = [(level, place) for level, place in bits if 0 <= place < h or 0 <= place - offset < x]
        return [bits[k : k + LOOKUP_BITS] for k in range(0, len(bits), LOOKUP_BITS)]

    def _tables(self, offset):
        """A part's constant is cut along the chunks' binary points, so that no value gets other bits than its chunk has."""
        (x, h), chunks = self.parts, self._chunks(offset)
        found, left = [], [x.constant, h.constant]
        for number, chunk in reversed(list(enumerate(chunks))):
            factors = [x.factor(level, place - offset) for level, place in chunk], [h.factor(*bit) for bit in chunk]
            divisor = gcd(*factors[0], *factors[1])
            shift = max(0, (divisor & -divisor).bit_length() - 1) if number else 0
            values = []
            for index, own in enumerate(factors):
                # Rounded down: what is left for the chunks below is not negative.
                share = left[index] >> shift << shift if divisor or not number else 0
                left[index] -= share
                sums = [sum(f for k, f in enumerate(own) if code >> k & 1) for code in range(1 << len(chunk))]
                values += [share + value for value in sums]
            found.append(([value >> shift for value in values], shift))
        assert left == [0, 0]
        return found[::-1]

    @property
    def latency(self):
        """A register before the look-ups, one behind them, and others between many adders; none behind the last, whose sum is
        to be registered by who takes it."""
        return 1 + max(1, -(-(len(self.chunks) - 1).bit_length() // ADDERS))

    def elaborate(self, platform):
        m = Module()
        is_h, masked, terms = Signal(), Signal(), []
        m.d.sync += [is_h.eq(self.i.is_h), masked.eq(self.i.masked)]
        for k, (chunk, (values, shift)) in enumerate(zip(self.chunks, self.tables, strict=True)):
            # Behind registers a look-up is its LUT4s; without them ABC doubles logic to shorten the way from the counts.
            bits = Signal(len(chunk), name=f"bits_{k}", reset_less=True)
            m.d.sync += bits.eq(Cat(self._bit(*bit) for bit in chunk))
            value = lookup(m, Cat(bits, is_h), values, name=f"value_{k}", shape=_shape(values))
            term = Signal.like(value, name=f"term_{k}")
            with m.If(masked):
                m.d.sync += term.eq(0)
            with m.Else():
                m.d.sync += term.eq(value)
            terms.append((term, shift))
        depth = 0
        while len(terms) > 1:
            terms = [_sum(*terms[k : k + 2]) for k in range(0, len(terms), 2)]
            depth += 1
            if depth % ADDERS == 0 and len(terms) > 1:
                terms = [(self._registered(m, value, f"partial_{depth}_{k}"), s) for k, (value, s) in enumerate(terms)]
        value, shift = terms[0]
        m.d.comb += self.o.eq(value << shift)
        return m

    def _bit(self, level, place):
        """That bit of h, or the bit of x beside it; where only one has it, the other's look-ups don't depend on it."""
        x, h = self.i.x[level], self.i.h[level]
        if not 0 <= place < len(h):
            return x[place - self.offset]
        return Mux(self.i.is_h, h[place], x[place - self.offset]) if 0 <= place - self.offset < len(x) else h[place]

    def _registered(self, m, value, name):
        register = Signal(value.shape(), name=name, reset_less=True)
        m.d.sync += register.eq(value)
        return register


def _shape(values):
    low, high = min(values), max(values)
    return signed(signed_bits(low, high)) if low < 0 else unsigned(max(1, high.bit_length()))


def _sum(low, high=None):
    """(value, shift) of the sum of one or two of them; the bits below the upper one's pass by the adder."""
    if high is None:
        return low
    (a, a_shift), (b, b_shift) = low, high
    if b_shift < a_shift:
        (a, a_shift), (b, b_shift) = (b, b_shift), (a, a_shift)
    below = b_shift - a_shift
    if not below:
        return a + b, a_shift
    total = (a >> below) + b
    whole = Cat((a & (1 << below) - 1)[:below], total)
    return whole.as_signed() if total.shape().signed else whole, a_shift

"""Integer tables of sigma and tanh: knots, linear interpolation, and the comparators that replace a table before an encoder."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .fixed import Fixed, round_half_up, saturate, shift_half_up

__all__ = ["Table", "gate_thresholds", "output_thresholds", "sigma_table", "tanh_table"]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Piecewise-linear function of an integer, monotone when its knots are.

    y = knots[k] + round_half_up((knots[k+1] - knots[k]) * d / 2**segment_bits), where k and d are the quotient and the
    remainder of (v - first) / 2**segment_bits. Left of the first knot the first value holds, right of the last the last.

    Parameters
    ----------
    input : Fixed
        Format of v.
    first : int
        Position of knot 0 in units of v.
    segment_bits : int
        Distance of two knots is 2**segment_bits.
    knots : tuple of int
        Values at the knots; the number of segments is a power of two.
    fraction : int
        Binary point of the values.
    """

    input: Fixed
    first: int
    segment_bits: int
    knots: tuple
    fraction: int

    def __post_init__(self):
        segments = len(self.knots) - 1
        if segments < 1 or segments & (segments - 1):
            raise ValueError(f"knots must be a power of two plus one, not {len(self.knots)}")
        if list(self.knots) != sorted(self.knots):
            raise ValueError("knots must not decrease")

    @property
    def last(self):
        """Position of the last knot."""
        return self.first + (len(self.knots) - 1 << self.segment_bits)

    def __call__(self, v):
        """Values at integers v, int64."""
        knots = np.asarray(self.knots, dtype=np.int64)
        position = np.clip(np.asarray(v, dtype=np.int64), self.first, self.last) - self.first
        k = np.minimum(position >> self.segment_bits, len(knots) - 2)
        d = position - (k << self.segment_bits)
        return knots[k] + shift_half_up((knots[k + 1] - knots[k]) * d, self.segment_bits)


def _table(function, *, input, limit, segments, fraction):
    """Table over [-limit, limit) or the input's whole range where that is smaller; limit is a power of two."""
    reach = min(limit << input.fraction, 1 << input.bits - 1)
    segment_bits = max(0, (2 * reach).bit_length() - 1 - (segments.bit_length() - 1))
    first = -reach
    positions = np.arange(first, reach + 1, 1 << segment_bits) / (1 << input.fraction)
    knots = round_half_up(function(positions) * (1 << fraction))
    return Table(input=input, first=first, segment_bits=segment_bits, knots=tuple(int(k) for k in knots), fraction=fraction)


@lru_cache(maxsize=64)
def sigma_table(input, fraction):
    """Logistic function over [-8, 8], 128 segments.

    Worst error 1 unit in the last place (half for the knots, half for the interpolation) plus 0.0002 (curvature) within,
    and half a unit plus 0.00034 beyond the last knots.
    """
    return _table(lambda v: 1 / (1 + np.exp(-v)), input=input, limit=8, segments=128, fraction=fraction)


@lru_cache(maxsize=64)
def tanh_table(input, fraction):
    """Hyperbolic tangent over [-4, 4], 64 segments.

    Worst error 1 unit in the last place (half for the knots, half for the interpolation) plus 0.0016 (curvature) within,
    and half a unit plus 0.0007 beyond the last knots.
    """
    return _table(np.tanh, input=input, limit=4, segments=64, fraction=fraction)


def gate_thresholds(table, scales, offset=0):
    """Comparators that give the same code as `table` followed by the encoder, for every integer of the table's input.

    Returns
    -------
    list over levels of int arrays [2**level]
        Bit `level` of the code is v >= thresholds[level][p], where p is the code's lower bits (the earlier levels). A
        bit that is never set has the threshold input.high + 1, one that is always set has input.low.
    """
    low, high = table.input.low, table.input.high
    values = table(np.arange(low, high + 1))
    # The table is monotone, so the least v whose residual is not negative is found by bisection.
    return [low + np.searchsorted(values, offset + needed, side="left") for needed in _needed(scales)]


def _needed(scales):
    """Least value whose level is +1, for every code of the levels before: a list over levels of int64 [2**level]."""
    scales = np.asarray(scales, dtype=np.int64)
    for level in range(len(scales)):
        signs = 2 * (np.arange(1 << level)[:, None] >> np.arange(level) & 1) - 1
        yield signs @ scales[:level]


def output_thresholds(spec, o_values, h_scales):
    """Comparators that give the same code of h as Eq. 6 followed by the encoder, for every c, where o is never negative.

    Then round(o * tanh(c)) does not decrease with c, so for each code of o the code of h is a staircase of c.

    Parameters
    ----------
    spec : LstmSpec
    o_values : int array [2**bits]
        What the codes of the output gate stand for.
    h_scales : int array [hidden_levels]

    Returns
    -------
    list over levels of int arrays [2**(bits + level)]
        Bit `level` of the code is c >= thresholds[level][o | p << bits], where o is the output gate's code and p the
        lower bits of h's (the earlier levels). A bit that is never set has the threshold spec.cell.high + 1, one that is always
        set has spec.cell.low.

    Raises
    ------
    ValueError
        Some value of o is negative.
    """
    o = np.asarray(o_values)
    if o.min() < 0:
        raise ValueError(f"o must not be negative for comparators, not {o.min()}")
    result = []
    for needed in _needed(h_scales):
        low = np.full((len(needed), len(o)), spec.cell.low)
        high = np.full_like(low, spec.cell.high + 1)
        while (low < high).any():  # bisection: the bound is in [low, high]
            middle = low + high >> 1
            h = saturate(shift_half_up(o * spec.cell_table(middle), spec.h_shift_down), spec.h_bits)
            reached = h >= needed[:, None]
            low, high = np.where(reached | (low == high), low, middle + 1), np.where(reached & (low < high), middle, high)
        result.append(low.ravel())
    return result

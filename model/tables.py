"""Integer tables of sigma and tanh: knots, linear interpolation, and the comparators that replace a table before an encoder."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .binarize import encode
from .fixed import Fixed, round_half_up, shift_half_up

__all__ = ["Table", "gate_thresholds", "sigma_table", "tanh_table"]


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
    result = []
    for level in range(len(scales)):
        prefixes = np.arange(1 << level)
        signs = 2 * (prefixes[:, None] >> np.arange(level) & 1) - 1
        needed = offset + signs @ np.asarray(scales[:level], dtype=np.int64)
        # The table is monotone, so the least v whose residual is not negative is found by bisection.
        result.append(low + np.searchsorted(values, needed, side="left"))
    return result


def gate_codes(table, scales, offset=0):
    """Code of every integer of the table's input, by running table and encoder: uint8 [2**bits], index v - low."""
    return encode(table(np.arange(table.input.low, table.input.high + 1)), scales, offset)

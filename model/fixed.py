"""The one home of rounding and saturation. Everything here is exact on integers, scalar or numpy array."""

from dataclasses import dataclass
from operator import index

import numpy as np

__all__ = ["Fixed", "round_half_up", "saturate", "shift_half_up", "signed_bits"]


def shift_half_up(value, shift):
    """Divide by 2**shift, rounding to nearest with ties towards plus infinity. The project's only rounding rule."""
    return (value + (1 << shift >> 1)) >> shift


def saturate(value, bits):
    """Clip to the range of a two's complement number of `bits` bits."""
    return np.clip(value, -(1 << bits - 1), (1 << bits - 1) - 1)


def round_half_up(value):
    """Nearest integer of a float (array) as int64, ties towards plus infinity, as the hardware rounds."""
    return np.floor(np.asarray(value, dtype=np.float64) + 0.5).astype(np.int64)


def signed_bits(low, high):
    """Width of the smallest two's complement number that holds both `low` and `high`."""
    return max(int(v).bit_length() if v >= 0 else int(~v).bit_length() for v in (low, high)) + 1


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """Signed fixed-point format.

    Parameters
    ----------
    bits : int
        Width with sign, 2 to 32.
    fraction : int
        Bits right of the binary point, 0 to 24. One unit in the last place is 2**-fraction.
    """

    bits: int
    fraction: int

    def __post_init__(self):
        for name, low, high in (("bits", 2, 32), ("fraction", 0, 24)):
            value = index(getattr(self, name))
            object.__setattr__(self, name, value)
            if not low <= value <= high:
                raise ValueError(f"{name} must be {low} to {high}, not {value}")

    @property
    def low(self):
        return -(1 << self.bits - 1)

    @property
    def high(self):
        return (1 << self.bits - 1) - 1

    def quantize(self, value):
        """Floats to integers of this format: round half up, then saturate. int64 array of the same shape."""
        scaled = np.asarray(value, dtype=np.float64) * (1 << self.fraction)
        return round_half_up(np.clip(scaled, self.low, self.high))

    def real(self, value):
        """Integers of this format as float64."""
        return np.asarray(value, dtype=np.float64) / (1 << self.fraction)

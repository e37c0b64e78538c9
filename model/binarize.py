"""Multi-level binarization (MLB), Algorithm 1 of MuBiNN, on integers.

A number x is written as offset + sum(scale_i * s_i) with s_i in {-1, +1}. The signs of one number are its *code*: plane 0
(the first scale) in bit 0, bit 1 for +1 and bit 0 for -1.
"""

import numpy as np

__all__ = ["codebook", "decode", "encode", "ordered", "signs"]


def encode(value, scales, offset=0):
    """Codes of integers by the greedy Algorithm 1, with sign(0) = +1.

    Parameters
    ----------
    value : integer array
        Numbers at the binary point of `scales`.
    scales : sequence of int
        One a level, first level first.
    offset : int
        Subtracted before the first level.

    Returns
    -------
    uint8 array of the shape of `value`, uint16 of more than 8 levels
    """
    residual = np.asarray(value, dtype=np.int64) - int(offset)
    kind = np.uint8 if len(scales) <= 8 else np.uint16
    code = np.zeros(residual.shape, dtype=kind)
    for level, scale in enumerate(scales):
        positive = residual >= 0
        code |= positive.astype(kind) << kind(level)
        residual = residual - np.where(positive, int(scale), -int(scale))
    return code


def codebook(scales, offset=0):
    """Decoded value of every code: int64 array of 2**levels entries."""
    scales = np.asarray(scales, dtype=np.int64)
    codes = np.arange(1 << len(scales))
    return int(offset) + signs(codes, len(scales)) @ scales


def decode(code, scales, offset=0):
    """Integers that codes stand for: offset + sum(scale_i * s_i), int64, shape of `code`."""
    return codebook(scales, offset)[np.asarray(code)]


def signs(code, levels):
    """Bit planes as numbers: int64 array [..., levels] of -1 and +1."""
    bits = np.asarray(code)[..., None].astype(np.int64) >> np.arange(levels) & 1
    return 2 * bits - 1


def ordered(scales):
    """Whether each scale is at least the sum of the later ones: then decoding is monotone and greedy is nearest."""
    scales = [int(s) for s in scales]
    return all(s >= sum(scales[i + 1 :]) and s >= 0 for i, s in enumerate(scales))

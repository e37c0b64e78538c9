"""Scales of a multi-level binarization from data: the fit before training, and the integers the hardware uses."""

from itertools import combinations

import numpy as np

from .fixed import round_half_up

__all__ = ["fit_powers_of_two", "fit_scales", "fixed_point_scales", "integer_scales", "project_ordered", "unit_scales"]


def fit_scales(values, levels, *, rounds=20):
    """Scales that approximate `values` by sum(scale_i * s_i): greedy codes and least squares in turn (Xu et al. 2018).

    Parameters
    ----------
    values : float array
        Any shape; up to 20,000 evenly spaced elements are used.
    levels : int
        Number of scales.

    Returns
    -------
    float64 array [levels], each at least the sum of the later ones.
    """
    values = _sample(values)
    residual, scales = values.copy(), np.zeros(levels)
    for level in range(levels):
        scales[level] = np.abs(residual).mean()
        residual -= np.where(residual >= 0, scales[level], -scales[level])
    scales = project_ordered(scales)
    for _ in range(rounds):
        residual, signs = values.copy(), np.empty((values.size, levels))
        for level in range(levels):
            signs[:, level] = np.where(residual >= 0, 1.0, -1.0)
            residual -= scales[level] * signs[:, level]
        scales = project_ordered(np.abs(np.linalg.lstsq(signs, values, rcond=None)[0]))
    return scales


def fit_powers_of_two(values, levels, exponents):
    """Powers of two, each below the one before, whose greedy codes approximate `values` best: every choice is tried.

    MuBiNN explores "the design space to find proper values for scaling factors" of its first method and does not say how.

    Parameters
    ----------
    values : float array
        Any shape; up to 20,000 evenly spaced elements are used.
    levels : int
    exponents : sequence of int
        To choose from, at least `levels`, falling.

    Returns
    -------
    float64 array [levels]; of equally good choices the first.
    """
    values, best, least = _sample(values), None, np.inf
    for chosen in combinations(exponents, levels):
        scales, residual = 2.0 ** np.array(chosen), values
        for scale in scales:
            residual = residual - np.where(residual >= 0, scale, -scale)
        error = float((residual**2).sum())
        if error < least:
            best, least = scales, error
    if best is None:
        raise ValueError(f"exponents must be at least {levels}, not {len(exponents)}")
    return best


def _sample(values):
    values = np.asarray(values, dtype=np.float64).ravel()
    return values[:: max(1, values.size // 20_000)]


def project_ordered(scales):
    """Sorted, and each raised to the sum of the later ones where it is below, so that greedy encoding is the nearest."""
    scales = np.sort(np.asarray(scales, dtype=np.float64))[::-1].copy()
    for level in range(len(scales) - 2, -1, -1):
        scales[level] = max(scales[level], scales[level + 1 :].sum())
    return scales


def fixed_point_scales(bits):
    """Integer scales of plain fixed point: the codes stand for the odd numbers from 1 - 2**bits to 2**bits - 1.

    In units of twice the last scale these are the 2**bits numbers between the integers, each as far from its neighbours: a
    quantizer of `bits` bits without a zero.
    """
    if not 1 <= bits <= 16:
        raise ValueError(f"bits must be 1 to 16, not {bits}")
    return 1 << np.arange(bits - 1, -1, -1, dtype=np.int64)


def unit_scales(levels, total):
    """Scales of 2**levels evenly spaced values from -total to total."""
    weights = 2.0 ** np.arange(levels - 1, -1, -1)
    return total * weights / weights.sum()


def integer_scales(scales, *, bits, most_fraction=24):
    """Round once, half up, to integers below 2**bits at the finest binary point that holds them all.

    Returns
    -------
    (int64 array of the shape of `scales`, fraction). Ordered scales stay ordered: each earlier one is raised where rounding
    put it below the sum of the later ones.
    """
    scales = np.asarray(scales, dtype=np.float64)
    top = float(scales.max(initial=0.0))
    fraction = most_fraction
    while fraction > 0 and top * (1 << fraction) >= (1 << bits) - 1:
        fraction -= 1
    integers = round_half_up(scales * (1 << fraction))
    for level in range(scales.shape[-1] - 2, -1, -1):
        later = integers[..., level + 1 :].sum(axis=-1)
        integers[..., level] = np.maximum(integers[..., level], later)
    return np.minimum(integers, (1 << bits) - 1), fraction

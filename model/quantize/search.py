"""Which of x, h, the gates, weights and biases deserve a level more: a search under a budget of bit operations."""

from dataclasses import astuple, replace

import numpy as np

from .levels import MOST, OperandLevels

__all__ = ["bit_operations", "score_error", "search_levels"]

ABOVE = 2
"""How far above the uniform levels the search starts."""
Z_BITS = 12
NAMES = ("x", "h", "gates", "weights", "bias")


def bit_operations(levels, input_size, hidden_size):
    """Bits that a step of the circuit works on: XNORs of the dot products, what the gates' comparators compare, biases."""
    rows = 4 * hidden_size
    products = rows * levels.weights * (input_size * levels.x + hidden_size * levels.h)
    return products + rows * ((1 << levels.gates) - 1) * Z_BITS + rows * levels.bias


def search_levels(sizes, uniform, error, *, factor=1.0, progress=lambda done: None):
    """Levels for at most `factor` times the bit operations of `uniform`.

    From ABOVE levels more than the greatest of these, the level goes whose loss costs least error for the operations it saves,
    until the budget holds; then what is left of it goes to the level that lowers the error most, as long as one does.

    Parameters
    ----------
    sizes : (input_size, hidden_size)
    uniform : OperandLevels
    error : function of OperandLevels to float
    factor : float
    progress : function of the number of levels tried

    Returns
    -------
    (OperandLevels, its error, error of `uniform`); `uniform` itself where the search finds nothing better.
    """
    known = {}

    def of(levels):
        if levels not in known:
            known[levels] = float(error(levels))
            progress(len(known))
        return known[levels]

    start = min(MOST, max(astuple(uniform)) + ABOVE)
    levels, most = OperandLevels(**dict.fromkeys(NAMES, start)), factor * bit_operations(uniform, *sizes)
    while bit_operations(levels, *sizes) > most:
        fewer = [replace(levels, **{name: getattr(levels, name) - 1}) for name in NAMES if getattr(levels, name) > 1]
        spent = bit_operations(levels, *sizes)
        here = of(levels)
        levels = min(fewer, key=lambda one: (of(one) - here) / (spent - bit_operations(one, *sizes)))
    while True:
        more = [replace(levels, **{name: getattr(levels, name) + 1}) for name in NAMES if getattr(levels, name) < MOST]
        more = [one for one in more if bit_operations(one, *sizes) <= most]
        best = min(more, key=of, default=levels)
        if of(best) >= of(levels):
            break
        levels = best
    plain = of(uniform)
    return (levels, of(levels), plain) if of(levels) < plain else (uniform, plain, plain)


def score_error(scores, wanted):
    """Root mean square of the difference of scores, in deviations of what is wanted."""
    return float(np.sqrt(((scores - wanted) ** 2).mean()) / max(float(np.std(wanted)), 1e-12))

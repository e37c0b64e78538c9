"""The case that a generated folder gets when nobody gives samples."""

import numpy as np

from .case import early_last, join, make_case, missing_last

__all__ = ["default_case"]

SEED = 1
_STEPS = 8
_LONG = 16
"""A window of at most so many steps is run to its end without a `last`."""


def default_case(model):
    """Few windows that reach what single faults of a core change.

    Samples about as large as learned scales, then over the whole range, then at its ends, where everything saturates; windows
    of one step, so that a result has to wait for the one before; a window broken by an early `last` and, where windows are
    short, one without; a good one behind each.
    """
    spec, rng = model.spec, np.random.default_rng(SEED)
    steps = min(_STEPS, spec.max_steps)
    size = (steps, spec.input_size)
    normal = spec.x.quantize(rng.normal(0, 1, (4, *size)))
    uniform = rng.integers(spec.x.low, spec.x.high + 1, size=size)
    extreme = rng.choice([spec.x.low, spec.x.high], size=size)
    # Of various lengths: in sums over equally many steps the same bias would keep the upper bits of scores the same.
    whole = (normal[0], uniform[:5], extreme[:6], uniform[:1], normal[1, :1], extreme[:1])
    cases = [make_case(model, x[None]) for x in whole]
    if spec.input_size > 1:
        cases.append(early_last(model, normal[2], min(2, steps - 1) * spec.input_size + 1))
    cases.append(make_case(model, normal[3][None]))
    if spec.max_steps <= _LONG:
        cases += [missing_last(model, np.resize(normal[2], (spec.max_steps, spec.input_size))), make_case(model, normal[1:2])]
    return join(cases)

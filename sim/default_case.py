"""The case that a generated folder gets when nobody gives samples."""

import numpy as np

from .boundaries import Boundaries
from .case import early_last, join, make_case, missing_last

__all__ = ["SEED", "default_case"]

SEED = 1
_STEPS = 8
_LONG = 16
"""A window of at most so many steps is run to its end without a `last`."""
_UPDATES = 2000
"""Of units, at least; but no more than so many further windows."""
_MOST_MORE = 50


def default_case(model, *, rows=1, seed=SEED, more=None):
    """Few windows that reach what single faults of a core change.

    Samples about as large as learned scales, then over the whole range, then at its ends, where everything saturates, all of
    them chosen by `Boundaries`; windows of one step, so that a result has to wait for the one before; a window broken by an
    early `last` and, where windows are short, one without; a good one behind each.

    Parameters
    ----------
    model : mubinn.model.lstm.Model
    rows : int
        Of the folding.
    seed : int
    more : int or None
        Windows after those that are always there; for None as many as give small cores a fair number of steps.
    """
    spec, rng = model.spec, np.random.default_rng(seed)
    chosen = Boundaries(model, rows=rows)

    def window(draw, steps):
        return chosen.window(lambda count: draw((count, spec.input_size)), min(steps, spec.max_steps))

    def normal(size):
        return spec.x.quantize(rng.normal(0, 1, size))

    def uniform(size):
        return rng.integers(spec.x.low, spec.x.high + 1, size=size)

    def extreme(size):
        return rng.choice([spec.x.low, spec.x.high], size=size)

    # Of various lengths: in sums over equally many steps the same bias would keep the upper bits of scores the same.
    whole = ((normal, 8), (uniform, 5), (extreme, 6), (uniform, 1), (normal, 1), (extreme, 1))
    cases = [make_case(model, window(*kind)[None]) for kind in whole]
    if spec.input_size > 1:
        broken = window(normal, _STEPS)
        cases.append(early_last(model, broken, min(2, len(broken) - 1) * spec.input_size + 1))
    cases.append(make_case(model, window(normal, _STEPS)[None]))
    if spec.max_steps <= _LONG:
        cases += [missing_last(model, window(normal, spec.max_steps)), make_case(model, window(normal, _STEPS)[None])]
    if more is None:  # a small core has few codes of h in a step
        updates = spec.hidden_size * sum(case.steps for case in cases)
        lacking = -(-max(0, _UPDATES - updates) // (spec.hidden_size * min(_STEPS, spec.max_steps)))
        more = min(lacking, _MOST_MORE)
    cases += [make_case(model, window(normal, _STEPS)[None]) for _ in range(more)]
    return join(cases)

"""Cases of several streams that share a core: a step of each in turn."""

import numpy as np

from .case import TRACE, Case

__all__ = ["interleaved"]


def interleaved(cases, spec):
    """Case of a core with as many contexts, from a case of each.

    All must have as many steps. It counts as one window, as the windows of the contexts overlap.

    Parameters
    ----------
    cases : sequence of Case
    spec : LstmSpec
    """
    if len({case.steps for case in cases}) != 1:
        raise ValueError(f"cases must have as many steps, not {[case.steps for case in cases]}")
    # Of every record the step that it belongs to: sorted by it, and by the context, they are in the order of the core.
    places = [_steps(case, spec) for case in cases]

    def joined(kind, name):
        values = np.concatenate([getattr(case, kind)[name] for case in cases])
        return values[_order([place["results" if name not in TRACE else name] for place in places])]

    expected = {name: joined("expected", name) for name in cases[0].expected}
    undefined = {name: joined("undefined", name) for name in cases[0].undefined}
    order = _order([place["results"] for place in places])
    owner = np.concatenate([np.full(len(place["results"]), k, dtype=np.int64) for k, place in enumerate(places)])
    expected["context"] = owner[order][:, None]
    undefined["context"] = np.zeros(len(owner), dtype=bool)
    samples = np.concatenate([case.samples for case in cases])[_order([place["x_code"] for place in places])]
    return Case(
        windows=np.array([[sum(case.steps for case in cases), len(samples), len(owner)]], dtype=np.int64),
        samples=samples,
        expected=expected,
        undefined=undefined,
    )


def _steps(case, spec):
    """{kind of record: the step of each record of a case}"""
    samples, results, start = [], [], 0
    for steps, count, _ in case.windows.tolist():
        samples.append(start + np.arange(count) // spec.input_size)
        # With a head the result of a window belongs to its last step.
        results.append(np.array([start + steps - 1]) if spec.classes else start + np.repeat(np.arange(steps), spec.hidden_size))
        start += steps
    units = np.repeat(np.arange(start), spec.hidden_size)
    return dict.fromkeys(TRACE, units) | {"x_code": np.concatenate(samples), "results": np.concatenate(results)}


def _order(steps):
    """Places of all records, those of a step together, and of a step's those of a context."""
    owner = np.concatenate([np.full(len(part), k) for k, part in enumerate(steps)])
    return np.lexsort((owner, np.concatenate(steps)))

"""A case: the samples that go into a core and every record that must be seen in it and come out of it, in stream order."""

from dataclasses import dataclass

import numpy as np
from mubinn.model.lstm import Model, Trace

__all__ = ["TRACE", "Case", "early_last", "join", "make_case", "missing_last"]

TRACE = ("x_code", "z", "gate_code", "c", "tanh_c", "h_raw", "h_code")
"""Signals compared inside the core, in the order in which a step passes through them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """Arrays of everything a bench drives and compares.

    Attributes
    ----------
    windows : int64 [windows, 3]
        Steps, samples and results of each.
    samples : int64 [samples, 2]
        Columns x and last.
    records : {name of TRACE: int64 [records, fields]}
        One record a unit, its gates side by side; for x_code a record a sample.
    results : {field of the core's o stream: int64 [results, 1, or classes for scores]}
    undefined : {name of TRACE, or "o": bool [records]}
        Records in broken windows whose value the core does not promise. Of such a result only `error` and `last` count.
    """

    windows: np.ndarray
    samples: np.ndarray
    records: dict
    results: dict
    undefined: dict

    @property
    def steps(self):
        """Steps of all windows."""
        return int(self.windows[:, 0].sum())


def make_case(model: Model, x):
    """Case of whole windows x, integers [windows, steps, input_size] in the format spec.x."""
    x = np.asarray(x)
    spec, (windows, steps, channels) = model.spec, x.shape
    trace = model.run(x, record=TRACE if spec.classes else (*TRACE, "h"))
    last = np.zeros((windows, steps, channels), dtype=np.int64)
    last[:, -1, -1] = 1
    results = _results(trace, windows)
    beats = len(results["error"])
    records = {name: _in_order(getattr(trace, name)) for name in TRACE}
    return Case(
        windows=np.tile([steps, steps * channels, beats // max(windows, 1)], (windows, 1)).astype(np.int64),
        samples=np.stack([x.reshape(-1), last.reshape(-1)], axis=1).astype(np.int64),
        records=records,
        results=results,
        undefined={name: np.zeros(len(r), dtype=bool) for name, r in records.items()} | {"o": np.zeros(beats, dtype=bool)},
    )


def _in_order(array):
    """Records in stream order: the gates of a unit side by side."""
    if array.ndim == 4:
        return array.transpose(0, 1, 3, 2).reshape(-1, 4).astype(np.int64)
    return array.reshape(-1, 1).astype(np.int64)


def _results(trace: Trace, windows):
    if trace.scores is not None:
        return {
            "label": trace.label.reshape(-1, 1).astype(np.int64),
            "error": np.zeros((windows, 1), dtype=np.int64),
            "scores": trace.scores.astype(np.int64),
        }
    last = np.zeros(trace.h.shape, dtype=np.int64)
    last[:, -1, -1] = 1
    return {"h": trace.h.reshape(-1, 1), "last": last.reshape(-1, 1), "error": np.zeros((last.size, 1), dtype=np.int64)}


def early_last(model: Model, x, samples):
    """Case of one broken window: `last` on sample number `samples` (counted from 1) of x [steps, input_size], which is
    not the last channel of its step. What is computed in that step and what comes out at the end is undefined."""
    spec = model.spec
    whole, channels = divmod(samples, spec.input_size)
    assert channels, "a last on a step's last channel breaks no window"
    case = make_case(model, np.asarray(x)[None, : whole + 1])
    case.samples[:, 1] = 0
    case.samples[samples - 1, 1] = 1
    case.windows[0, 1] = samples
    kept = {name: r if name != "x_code" else r[:samples] for name, r in case.records.items()}
    undefined = {name: np.arange(len(r)) >= whole * spec.hidden_size for name, r in kept.items()}
    undefined["x_code"] = np.zeros(samples, dtype=bool)
    return _broken(
        Case(
            windows=case.windows,
            samples=case.samples[:samples],
            records=kept,
            results=case.results,
            undefined=undefined | {"o": case.undefined["o"]},
        ),
        spec,
    )


def missing_last(model: Model, x):
    """Case of one broken window: max_steps steps x [max_steps, input_size] without a `last`. The core ends it itself."""
    case = make_case(model, np.asarray(x)[None])
    assert len(x) == model.spec.max_steps, "a window is too long only after max_steps"
    case.samples[:, 1] = 0
    return _broken(case, model.spec)


def _broken(case, spec):
    """The case with its window's last result, or the h of its last step, flagged and undefined."""
    end = slice(-1 if spec.classes else -spec.hidden_size, None)
    case.results["error"][end] = 1
    case.undefined["o"][end] = True
    return case


def join(cases):
    """Cases of the same model one after another."""

    def joined(name):
        parts = [getattr(case, name) for case in cases]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    return Case(
        windows=np.concatenate([case.windows for case in cases]),
        samples=np.concatenate([case.samples for case in cases]),
        records=joined("records"),
        results=joined("results"),
        undefined=joined("undefined"),
    )

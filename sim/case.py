"""A case: the samples that go into a core, and every record that must be seen in it and come out of it."""

from dataclasses import dataclass

import numpy as np
from mubinn.model.lstm import Model

__all__ = ["TRACE", "Case", "beats_allow", "early_last", "first_windows", "join", "make_case", "missing_last", "traced"]

TRACE = ("x_code", "z", "gate_code", "c", "tanh_c", "h_raw", "h_code")
"""Signals compared inside the core, in the order in which a step passes through them."""
BEFORE_CODE = ("tanh_c", "h_raw")
"""Those of them that a core does not have where it finds h's code by comparing c."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """Arrays of everything a bench drives and compares.

    Attributes
    ----------
    windows : int64 [windows, 3]
        Steps, samples and results of each.
    samples : int64 [samples, 2]
        Columns x and last.
    expected : {name: int64 [records, fields]}
        In stream order. For a name of TRACE one record a unit, its gates side by side, or a record a sample for x_code.
        For a field of the core's results one record a result, the classes of `scores` side by side.
    undefined : {name: bool [records]}
        Records in broken windows whose value the core does not promise.
    """

    windows: np.ndarray
    samples: np.ndarray
    expected: dict
    undefined: dict

    @property
    def steps(self):
        """Steps of all windows."""
        return int(self.windows[:, 0].sum())


def traced(parameters):
    """Names of TRACE that a core with these parameters has."""
    missing = BEFORE_CODE if parameters.output_compares else ("tanh_c",) if parameters.spec.cell_kind == "gru" else ()
    return tuple(name for name in TRACE if name not in missing)


def make_case(model: Model, x):
    """Case of whole windows x, integers [windows, steps, input_size] in the format spec.x."""
    x = np.asarray(x)
    spec, (windows, steps, channels) = model.spec, x.shape
    names = traced(model.parameters)
    trace = model.run(x, record=names if spec.classes else (*names, "h"))
    last = np.zeros((windows, steps, channels), dtype=np.int64)
    last[:, -1, -1] = 1
    expected = {name: _in_order(getattr(trace, name)) for name in names} | _results(trace)
    beats = 1 if spec.classes else steps * spec.hidden_size
    return Case(
        windows=np.tile(np.array([steps, steps * channels, beats]), (windows, 1)),
        samples=np.stack([x.reshape(-1), last.reshape(-1)], axis=1).astype(np.int64),
        expected=expected,
        undefined={name: np.zeros(len(values), dtype=bool) for name, values in expected.items()},
    )


def _in_order(array):
    """Records in stream order: the gates of a unit side by side."""
    if array.ndim == 4:
        return array.transpose(0, 1, 3, 2).reshape(-1, 4).astype(np.int64)
    return array.reshape(-1, 1).astype(np.int64)


def _results(trace):
    if trace.scores is not None:
        label = trace.label.reshape(-1, 1).astype(np.int64)
        return {"label": label, "error": np.zeros_like(label), "scores": trace.scores.astype(np.int64)}
    h = trace.h.reshape(-1, 1)
    last = np.zeros(trace.h.shape, dtype=np.int64)
    last[:, -1, -1] = 1
    return {"h": h, "last": last.reshape(-1, 1), "error": np.zeros_like(h)}


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
    for name in traced(model.parameters)[1:]:
        case.undefined[name][whole * spec.hidden_size :] = True
    cut = {
        kind: getattr(case, kind) | {"x_code": getattr(case, kind)["x_code"][:samples]} for kind in ("expected", "undefined")
    }
    return _broken(Case(windows=case.windows, samples=case.samples[:samples], **cut), spec)


def missing_last(model: Model, x):
    """Case of one broken window: x [max_steps, input_size] without a `last`. The core ends it itself."""
    assert len(x) == model.spec.max_steps, "a window is too long only after max_steps"
    case = make_case(model, np.asarray(x)[None])
    case.samples[:, 1] = 0
    return _broken(case, model.spec)


def _broken(case, spec):
    """The case with its window's last result, or the h of its last step, flagged and undefined."""
    end = slice(-1 if spec.classes else -spec.hidden_size, None)
    case.expected["error"][end] = 1
    for name in ("label", "scores") if spec.classes else ("h",):
        case.undefined[name][end] = True
    return case


def join(cases):
    """Cases of the same model one after another."""

    def joined(name):
        parts = [getattr(case, name) for case in cases]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    return Case(
        windows=np.concatenate([case.windows for case in cases]),
        samples=np.concatenate([case.samples for case in cases]),
        expected=joined("expected"),
        undefined=joined("undefined"),
    )


def first_windows(case, count):
    """The first `count` windows of a case, all for None."""
    windows = case.windows[:count]
    samples, results = int(windows[:, 1].sum()), int(windows[:, 2].sum())
    units = len(case.expected["z"]) // case.steps * int(windows[:, 0].sum())

    def kept(values, name):
        return values[: samples if name == "x_code" else units if name in TRACE else results]

    return Case(
        windows=windows,
        samples=case.samples[:samples],
        expected={name: kept(values, name) for name, values in case.expected.items()},
        undefined={name: kept(flags, name) for name, flags in case.undefined.items()},
    )


def beats_allow(case, channels, per_beat):
    """Whether every early `last` of a case is before its step's last beat, where it breaks the window on AXI too."""
    ends = case.windows[:, 1] % channels
    return bool(all((end - 1) // per_beat < (channels - 1) // per_beat for end in ends.tolist() if end))

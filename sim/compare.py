"""The first difference between what was seen and what was expected, in words."""

import numpy as np

__all__ = ["compare", "first_difference"]

GATE_LETTERS = "ifgo"


def compare(case, check, got):
    """Compare the records of one signal.

    Parameters
    ----------
    case : Case
    check : dict
        The signal, of `testbench.checks`.
    got : int array [records, fields]

    Returns
    -------
    (int, str or None) : records that differ, are missing or too many, and the first difference in words.
    """
    name = check["name"]
    want, undefined = case.expected[name], case.undefined[name]
    both = min(len(got), len(want))
    differs = (got[:both] != want[:both]).any(axis=1) & ~undefined[:both]
    words = None
    if differs.any():
        record = int(np.argmax(differs))
        words = first_difference(case, check, record, got[record], want[record])
    elif len(got) != len(want):
        words = f"{name} has {len(got)} records, {len(want)} expected"
    return int(differs.sum()) + abs(len(got) - len(want)), words


def first_difference(case, check, record, got, want):
    """Such as "z differs first at window 3, step 17, unit 11, gate f: got -212, want -211"."""
    each, per_step = check["each"], check["per_step"]
    steps, samples = case.windows[:, 0], case.windows[:, 1]
    sizes = {"window": np.ones_like(steps), "channel": samples, "unit": steps * per_step}[each]
    ends = np.cumsum(sizes)
    window = int(np.searchsorted(ends, record, side="right"))
    place = f"window {window}"
    if each != "window":
        step, rest = divmod(record - int(ends[window] - sizes[window]), per_step)
        place += f", step {step}, {each} {rest}"
    field = int(np.argwhere(got != want)[0, 0])
    if check["field"] == "gate":
        place += f", gate {GATE_LETTERS[field]}"
    elif check["field"]:
        place += f", {check['field']} {field}"
    return f"{check['name']} differs first at {place}: got {got[field]}, want {want[field]}"

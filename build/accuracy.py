"""Trained models compared on the same windows: accuracies, and differences paired by window and seed with intervals."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["LIMITS", "Method", "compare", "interval", "text"]

LIMITS = {
    "time": {"3,3": (-1.0, None), "2,2": (-2.0, None), "1,1": (-4.0, None)},
    "block": {
        "3,3": (-0.5, -2.0),
        "2,2": (-1.5, -3.0),
        "1,1": (-3.0, -5.0),
        "qlrl:3,3": (-0.5, None),
        "qlrl:fp,fp": (-0.5, None),
    },
}
LIMITS["subject"] = LIMITS["block"]
"""Lowest mean difference to full precision, in points, and lowest end of its interval: {split: {method: (mean, end)}}. Those of
subjects and blocks are for windows that don't overlap."""
DRAWS = 10_000
PAIRS = (("mubinn2", "mubinn1"), ("mubinn1", "b_lstm"), ("qlrl", "mubinn2"))
"""Which systems are compared with each other, besides each with full precision: at the same levels where there are such."""


@dataclass(frozen=True)
class Method:
    """A way to binarize: preset and levels.

    Parameters
    ----------
    text : str
        "[PRESET:]A,W"; mubinn2 without a preset.
    """

    text: str

    @property
    def preset(self):
        return self.text.partition(":")[0] if ":" in self.text else "mubinn2"

    @property
    def levels(self):
        """A,W"""
        return self.text.rpartition(":")[2]

    @property
    def name(self):
        """Of a training's files."""
        return self.text.replace(":", "-").replace(",", "-").replace("/", ".")


def compare(out, splits, seeds, methods, *, apart=False):
    """Accuracies and paired differences in points, as a dict.

    Parameters
    ----------
    out : path
        Results of trainings, each in SPLIT/seed-N/NAME.json.
    splits : list of str
        That belong together: ["time"], or the folds of one kind.
    seeds : list of int
    methods : list of Method
    apart : bool
        Whether only windows count that lie side by side from the start of their recording.
    """
    kind = splits[0].partition(":")[0]
    full, *full_more = _per_subject(out, splits, seeds, "fp", apart)
    found, rows = {}, []
    for method in methods:
        own, *more = found[method] = _per_subject(out, splits, seeds, method.name, apart)
        row = {"levels": method.text, "preset": method.preset} | _figures(own, *more) | _difference(own - full)
        limit, end = LIMITS[kind].get(method.text, (None, None)) if apart or kind == "time" else (None, None)
        if limit is not None:
            held = row["difference"] >= limit and (end is None or row["difference_interval"][0] > end)
            row |= {"limit": limit, "interval_limit": end, "ok": held}
        rows.append(row)
    pairs = [
        {"levels": one.text, "minus": other.text} | _difference(found[one][0] - found[other][0])
        for one, other in _pairs(methods)
    ]
    return {
        "split": kind,
        "splits": splits,
        "seeds": seeds,
        "subjects": len(full),
        "apart": apart,
        "draws": DRAWS,
        "fp": _figures(full, *full_more),
        "rows": rows,
        "pairs": pairs,
        "ok": all(row.get("ok", True) for row in rows),
    }


def _pairs(methods):
    for better, other in PAIRS:
        for one in (m for m in methods if m.preset == better):
            # Signs alone have (1,1) only, so that is what every pair of levels is compared with.
            same = [m for m in methods if m.preset == other and (m.levels == one.levels or other == "b_lstm")]
            yield from ((one, two) for two in same)


def _load(out, split, seed, name, apart):
    """One training's outcome: (subjects of the test windows, right or wrong as 0 and 1, AUC of all of them, accuracy on the
    validation part)."""
    found = json.loads((Path(out) / split.replace(":", "-") / f"seed-{seed}" / f"{name}.json").read_text())
    right = (np.array(found["test_label"]) == np.array(found["test_y"])).astype(float)
    keep = np.array(found["test_start"]) % found["steps"] == 0 if apart else np.ones(len(right), bool)
    return np.array(found["test_subject"])[keep], right[keep], found["test"]["auc"], found["validation"]["accuracy"]


def _per_subject(out, splits, seeds, name, apart):
    """(accuracy [subjects, seeds], mean AUC, mean accuracy on the validation parts): over all splits of each seed."""
    columns, more = [], []
    for seed in seeds:
        loaded = [_load(out, split, seed, name, apart) for split in splits]
        subject, right = (np.concatenate([part[k] for part in loaded]) for k in (0, 1))
        columns.append([right[subject == s].mean() for s in np.unique(subject)])
        more += [part[2:] for part in loaded]
    return np.array(columns).T, *np.mean(more, axis=0).tolist()


def interval(differences, *, draws=DRAWS, seed=1):
    """95 % bootstrap interval of the mean of differences [subjects, seeds]: subjects are drawn, then seeds."""
    rng = np.random.default_rng(seed)
    subjects, seeds = differences.shape
    means = np.empty(draws)
    for k in range(draws):
        rows, columns = rng.integers(subjects, size=subjects), rng.integers(seeds, size=seeds)
        means[k] = differences[rows][:, columns].mean()
    return [float(v) for v in np.percentile(means, (2.5, 97.5))]


def _figures(own, auc, validation):
    """Accuracies, [subjects, seeds] and on the validation parts, in points."""
    return {
        "accuracy": float(100 * own.mean()),
        "accuracy_interval": [100 * v for v in interval(own)],
        "accuracy_by_seed": (100 * own.mean(0)).tolist(),
        "auc": auc,
        "validation_accuracy": 100 * validation,
    }


def _difference(own):
    """Difference [subjects, seeds] in points."""
    return {
        "difference": float(100 * own.mean()),
        "difference_interval": interval(100 * own),
        "difference_by_seed": (100 * own.mean(0)).tolist(),
    }


def text(result):
    """The table for people."""

    def span(low_high):
        return f"[{low_high[0]:6.2f}, {low_high[1]:6.2f}]"

    which = "windows side by side; " if result["apart"] else ""
    lines = [
        f"{result['split']} split, seeds {', '.join(map(str, result['seeds']))}, {result['subjects']} subjects; {which}points, "
        f"95 % intervals by bootstrap over subjects, then seeds ({result['draws']} draws)",
        f"{'levels':14} {'accuracy':>9}  {'interval':16}  {'AUC':>6}  {'valid.':>6}  {'minus fp':>8}  {'interval':16}  limit",
    ]
    for row in ({"levels": "fp"} | result["fp"], *result["rows"]):
        line = f"{row['levels']:14} {row['accuracy']:9.2f}  {span(row['accuracy_interval'])}  {row['auc']:6.3f}"
        line += f"  {row['validation_accuracy']:6.2f}"
        if "difference" in row:
            line += f"  {row['difference']:8.2f}  {span(row['difference_interval'])}"
        if "limit" in row:
            ends = "" if row["interval_limit"] is None else f", {row['interval_limit']:.1f}"
            line += f"  {row['limit']:5.1f}{ends} {'held' if row['ok'] else 'MISSED'}"
        lines.append(line)
    for pair in result["pairs"]:
        of = f"{pair['levels']} minus {pair['minus']}"
        lines.append(f"{of:50}  {pair['difference']:8.2f}  {span(pair['difference_interval'])}")
    return "\n".join(lines)

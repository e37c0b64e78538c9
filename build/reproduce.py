"""The second paper's tables: trainings of a row, and what their test sentences say."""

import io
import json
from pathlib import Path

import numpy as np
import rich.box
import rich.console
import rich.table
from mubinn.model.tag_score import figures_of

from .trainings import Job

__all__ = ["LEAST_NEW", "MOST_POST", "differences", "measured", "plan", "table_text"]

DRAWS = 10_000
LEAST_NEW = -1.0
"""Of NEW minus full precision, in points of F1, of pos of accuracy."""
MOST_POST = -10.0
"""Of rounding after the training minus NEW, in points of F1; pos has no such limit."""
NEW, POST = "BI, BF, NEW", "BI, BF"


def plan(table, data, seeds, out, *, epochs=None):
    """Jobs of a Table's rows on the data sets that are there, each training once: {role: folder}."""
    jobs = {}
    for row in table.rows:
        if row.data not in data:
            continue
        for seed in seeds:
            folder = Path(out) / row.data / f"seed-{seed}"
            options = ["--data", str(data[row.data]), "--preset", "fp", "--seed", str(seed), "--round", row.rounding]
            if row.gates:
                options += ["--gates", row.gates]
            if epochs is not None:
                options += ["--epochs", epochs]
            if row.data == "chunking":
                options += ["--tag-column", "2"]
            options += ["-o", str(folder / f"{row.name}.safetensors")]
            jobs[folder / row.name] = Job(folder, row.name, tuple(options), verb="tagger")
    return list(jobs.values())


def _results(out, row, seeds):
    """What `mubinn tagger --json` printed for each seed."""
    return [json.loads((Path(out) / row.data / f"seed-{seed}" / f"{row.name}.json").read_text()) for seed in seeds]


def measured(table, data, seeds, out):
    """A dict for each row: the paper's figures, and ours with their deviation over the seeds."""
    rows = []
    for row in table.rows:
        found = {"settings": row.settings, "data": row.data, "rounding": row.rounding, "paper": row.figures, "ours": None}
        rows.append(found)
        if row.data not in data:
            continue
        results = _results(out, row, seeds)
        figures = [figures_of(np.array(result["test_counts"])) for result in results]
        found["ours"] = {name: _spread([float(one[name]) for one in figures]) for name in figures[0]}
        found["ours"]["epochs"] = _spread([result["epoch"] + 1 for result in results])
        found["ours"]["seconds"] = _spread([result["seconds"] / result["epochs"] for result in results])
    return rows


def _spread(values):
    return {"mean": float(np.mean(values)), "deviation": float(np.std(values, ddof=1)) if len(values) > 1 else None,
            "by_seed": [float(v) for v in values]}  # fmt: skip


def differences(table, data, seeds, out):
    """Each row minus full precision of its data set, and rounding after the training minus NEW: a list of dicts, in points with
    95 % intervals.

    The same sentences are drawn for both sides, then seeds; 10,000 draws.
    """
    found = []
    for role in dict.fromkeys(row.data for row in table.rows if row.data in data):
        rows = [row for row in table.rows if row.data == role]
        counts = {row: np.array([result["test_counts"] for result in _results(out, row, seeds)]) for row in rows}
        named = {row.settings: row for row in rows if row.rounding == "0.5,1"}
        full = named["Bi-LSTM-CRF"]
        pairs = [(row, full) for row in rows if row is not full]
        if NEW in named and POST in named:
            pairs.append((named[POST], named[NEW]))
        for row, other in pairs:
            entry = {"data": role, "settings": row.settings, "rounding": row.rounding, "minus": other.settings}
            entry |= _interval(counts[row], counts[other])
            if (row.settings, other) == (NEW, full):
                entry |= {"limit": LEAST_NEW, "ok": entry["difference"] >= LEAST_NEW}
            elif other.settings == NEW and role != "pos":
                entry |= {"limit": MOST_POST, "ok": entry["difference"] <= MOST_POST}
            found.append(entry)
    return found


def _interval(ours, other, *, draws=DRAWS, seed=1):
    """Difference in points of counts [seeds, sentences, 5], of F1 or where there are no spans of accuracy."""
    rng = np.random.default_rng(seed)
    seeds, sentences, _ = ours.shape
    both = np.concatenate([ours, other]).transpose(1, 0, 2).reshape(sentences, -1).astype(np.float64)
    drawn = np.empty(draws)
    for first in range(0, draws, 500):
        size = min(500, draws - first)
        weights = rng.multinomial(sentences, np.full(sentences, 1 / sentences), size=size)
        merit = _merit((weights @ both).reshape(size, 2, seeds, 5))
        chosen = rng.integers(seeds, size=(size, seeds))
        drawn[first : first + size] = np.take_along_axis(merit[:, 0] - merit[:, 1], chosen, axis=1).mean(1)
    exact = _merit(both.sum(0).reshape(2, seeds, 5))
    return {
        "difference": float(100 * (exact[0] - exact[1]).mean()),
        "difference_interval": [float(100 * v) for v in np.percentile(drawn, (2.5, 97.5))],
        "difference_by_seed": (100 * (exact[0] - exact[1])).tolist(),
    }


def _merit(sums):
    """F1, or where there are no spans accuracy, of summed counts [..., 5]."""
    figures = figures_of(sums[..., None, :])
    return figures.get("f1", figures["accuracy"])


def table_text(title, rows, pairs):
    """The table for people: the paper's figure beside ours, mean and deviation over the seeds."""
    table = rich.table.Table(title=title, title_justify="left", box=rich.box.SIMPLE_HEAD)
    for name in ("settings", "data", "r / c"):
        table.add_column(name, no_wrap=True)
    for name in ("F1*", "precision", "recall", "epochs", "s an epoch"):
        table.add_column(name, justify="right", no_wrap=True)
        table.add_column("paper", justify="right", no_wrap=True, style="dim")
    for row in rows:
        merit = "accuracy" if row["data"] == "pos" else "f1"
        cells = [row["settings"], row["data"], row["rounding"].replace(",", " / ")]
        for name, digits in ((merit, 3), ("precision", 3), ("recall", 3), ("epochs", 1), ("seconds", 1)):
            paper = row["paper"].get(name)
            cells += [_cell(row["ours"], name, digits), "" if paper is None else f"{paper:.{digits}f}"]
        table.add_row(*cells)
    text = io.StringIO()
    rich.console.Console(file=text, width=160).print(table)
    lines = [line.rstrip() for line in text.getvalue().rstrip().splitlines()]
    lines.append("  * of pos the accuracy")
    for pair in pairs:
        low, high = pair["difference_interval"]
        rounding = "" if pair["rounding"] == "0.5,1" else f" ({pair['rounding']})"
        line = f"{pair['data']}: {pair['settings']}{rounding} minus {pair['minus']}: {pair['difference']:+.2f} points, "
        line += f"95 % {low:+.2f} to {high:+.2f}"
        if "limit" in pair:
            line += f"; limit {pair['limit']:g}, {'held' if pair['ok'] else 'MISSED'}"
        lines.append(line)
    return "\n".join(lines)


def _cell(ours, name, digits):
    if ours is None:
        return "not measured" if name in ("f1", "accuracy") else ""
    if name not in ours:
        return ""
    spread = ours[name]
    deviation = "" if spread["deviation"] is None else f" ±{spread['deviation']:.{digits}f}"
    return f"{spread['mean']:.{digits}f}{deviation}"

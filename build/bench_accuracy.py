"""`mubinn bench accuracy`: binarized against full-precision training on the same windows, with an interval."""

import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HELP = """\
Train full precision and every pair of levels with each seed, and compare them on the test windows: the mean difference of
accuracy, golden integer model minus full precision, with a 95 % interval (bootstrap over subjects, then seeds).

The binarized models of a seed and split start from its full-precision model and learn, over the same windows, to judge as it
does. Trainings that are done already are not repeated, and an interrupted one goes on where it was. Exits 1 where a mean
difference on the time split is below its limit: (3,3) -1.0, (2,2) -2.0, (1,1) -4.0 points. On one core a training takes two
to five minutes."""
EXAMPLE = """
mubinn bench accuracy --data ../shared/data/eegmat --split time --seeds 0,1,2 --jobs 2
mubinn bench accuracy --data ../shared/data/eegmat --split subject --seeds 0 --levels 2,2 3,3"""

LIMITS = {"3,3": -1.0, "2,2": -2.0, "1,1": -4.0}
"""Lowest mean difference on the time split, in points."""
DRAWS = 10_000
FOLDS = 6
QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""One thread a training: two of them on two cores are faster than one on both."""
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "20000000000"}
"""Lets glibc reuse the 33 MB arrays of a batch in place of returning them to the system every time."""


def add_arguments(parser):
    parser.add_argument("--data", required=True, metavar="FOLDER", help="EEGMAT folder")
    parser.add_argument("--split", choices=("time", "subject"), default="time", help="default: time")
    parser.add_argument("--seeds", default="0,1,2", metavar="N,N,...", help="default: 0,1,2")
    parser.add_argument("--levels", nargs="+", default=list(LIMITS)[::-1], metavar="A,W", help="default: 1,1 2,2 3,3")
    parser.add_argument("--folds", type=int, default=FOLDS, help="how many of the 6 subject folds; default: 6")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time; default: 2")
    parser.add_argument("--ship", metavar="DIR", help="also write the first seed's models with their cards there")
    parser.add_argument("--picture", metavar="FILE", help="also write an SVG of the accuracies, of both splits if measured")
    parser.add_argument("--out", default="out/accuracy", metavar="DIR", help="default: out/accuracy")


@dataclass(frozen=True)
class Job:
    """One training: its folder, the name of its files there, and the options of `mubinn train`."""

    folder: Path
    name: str
    options: tuple

    @property
    def result(self):
        return self.folder / f"{self.name}.json"

    def run(self):
        """Train unless the result is there. Returns None, or the line that says what went wrong."""
        if self.result.is_file():
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "mubinn.build.cli", "train", *self.options, "--json"]
        with open(self.folder / f"{self.name}.log", "a") as log:
            log.write(f"$ {shlex.join(command)}\n")
            log.flush()
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, env=QUIET | KEEP_MEMORY | os.environ)
        if done.returncode:
            return f"{log.name}: mubinn train exited with {done.returncode}, the log says why"
        temporary = self.result.with_suffix(".tmp")
        temporary.write_bytes(done.stdout)
        os.replace(temporary, self.result)
        return None


def file_name(level):
    """Of a training's files."""
    return level.replace(",", "-")


def plan(data, splits, seeds, levels, out):
    """(full precision, the rest) as lists of jobs; the rest start from full precision."""
    first, second = [], []
    for seed in seeds:
        for split in splits:
            folder = Path(out) / split.replace(":", "-") / f"seed-{seed}"
            common = ("--data", str(data), "--split", split, "--seed", str(seed))
            full = folder / "fp.safetensors"
            first.append(Job(folder, "fp", (*common, "--preset", "fp", "-o", str(full))))
            for level in levels:
                name = file_name(level)
                options = ("--levels", level, "--start", str(full), "-o", str(folder / f"{name}.safetensors"))
                second.append(Job(folder, name, (*common, *options)))
    return first, second


def run(args):
    from rich.console import Console
    from rich.progress import Progress

    from .accuracy_files import picture, ship
    from .errors import ToolError, UserError
    from .paths import write_text

    try:
        seeds = [int(seed) for seed in args.seeds.split(",")]
    except ValueError:
        raise UserError(f"--seeds must be integers with commas between them, not {args.seeds!r}") from None
    for name, low, high in (("jobs", 1, 64), ("folds", 1, FOLDS)):
        if not low <= getattr(args, name) <= high:
            raise UserError(f"--{name} must be {low} to {high}, not {getattr(args, name)}")
    for level in args.levels:
        if not re.fullmatch(r"[1-5],[1-5]", level):
            raise UserError(f"--levels must be A,W pairs, each 1 to 5, not {level!r}")
    splits = ["time"] if args.split == "time" else [f"subject:{fold}" for fold in range(args.folds)]
    stages = plan(args.data, splits, seeds, args.levels, args.out)
    with Progress(console=Console(stderr=True), transient=True) as bar, ThreadPoolExecutor(args.jobs) as pool:
        task = bar.add_task("trainings", total=sum(map(len, stages)))
        for jobs in stages:
            for problem in pool.map(Job.run, jobs):
                if problem:
                    raise ToolError(problem)
                bar.advance(task)
    result = compare(args.out, splits, seeds, args.levels)
    write_text(Path(args.out) / f"{args.split}.json", json.dumps(result, indent=1) + "\n")
    print(text(result))
    measured = [path for path in (Path(args.out) / f"{split}.json" for split in ("time", "subject")) if path.is_file()]
    measured = [json.loads(path.read_text()) for path in measured]
    if args.picture:
        write_text(args.picture, picture(measured))
    if args.ship:
        ship(args.out, args.ship, measured, seed=seeds[0])
    return result


def load(out, split, seed, name):
    """The test windows' outcome of one training: (subjects, right or wrong as 0 and 1)."""
    import numpy as np

    found = json.loads((Path(out) / split.replace(":", "-") / f"seed-{seed}" / f"{name}.json").read_text())
    right = np.array(found["test_label"]) == np.array(found["test_y"])
    return np.array(found["test_subject"]), right.astype(float), found["test"]["auc"]


def per_subject(out, splits, seeds, name):
    """(accuracy [subjects, seeds], mean AUC): every subject is tested in one split of each seed."""
    import numpy as np

    columns, aucs = [], []
    for seed in seeds:
        loaded = [load(out, split, seed, name) for split in splits]
        subject, right = (np.concatenate([part[k] for part in loaded]) for k in (0, 1))
        columns.append([right[subject == s].mean() for s in np.unique(subject)])
        aucs += [part[2] for part in loaded]
    return np.array(columns).T, float(np.mean(aucs))


def interval(differences, *, draws=DRAWS, seed=1):
    """95 % bootstrap interval of the mean of differences [subjects, seeds]: subjects are drawn, then seeds."""
    import numpy as np

    rng = np.random.default_rng(seed)
    subjects, seeds = differences.shape
    means = np.empty(draws)
    for k in range(draws):
        rows, columns = rng.integers(subjects, size=subjects), rng.integers(seeds, size=seeds)
        means[k] = differences[rows][:, columns].mean()
    return [float(v) for v in np.percentile(means, (2.5, 97.5))]


def compare(out, splits, seeds, levels):
    """Accuracies and paired differences in points, as a dict."""
    full, full_auc = per_subject(out, splits, seeds, "fp")
    rows = []
    for level in levels:
        own, auc = per_subject(out, splits, seeds, file_name(level))
        difference = 100 * (own - full)
        row = (
            {"levels": level}
            | _figures(own, auc)
            | {
                "difference": float(difference.mean()),
                "difference_interval": interval(difference),
                "difference_by_seed": difference.mean(0).tolist(),
            }
        )
        if splits == ["time"] and level in LIMITS:
            row |= {"limit": LIMITS[level], "ok": row["difference"] >= LIMITS[level]}
        rows.append(row)
    return {
        "split": "time" if splits == ["time"] else "subject",
        "splits": splits,
        "seeds": seeds,
        "subjects": len(own),
        "draws": DRAWS,
        "fp": _figures(full, full_auc),
        "rows": rows,
        "ok": all(row.get("ok", True) for row in rows),
    }


def _figures(own, auc):
    """Accuracy [subjects, seeds] in points."""
    return {
        "accuracy": float(100 * own.mean()),
        "accuracy_interval": [100 * v for v in interval(own)],
        "accuracy_by_seed": (100 * own.mean(0)).tolist(),
        "auc": auc,
    }


def text(result):
    """The table for people."""

    def span(low_high):
        return f"[{low_high[0]:6.2f}, {low_high[1]:6.2f}]"

    lines = [
        f"{result['split']} split, seeds {', '.join(map(str, result['seeds']))}, {result['subjects']} subjects; points, "
        f"95 % intervals by bootstrap over subjects, then seeds ({result['draws']} draws)",
        f"{'levels':8} {'accuracy':>9}  {'interval':16}  {'AUC':>6}  {'minus fp':>8}  {'interval':16}  limit",
    ]
    for row in ({"levels": "fp"} | result["fp"], *result["rows"]):
        line = f"{row['levels']:8} {row['accuracy']:9.2f}  {span(row['accuracy_interval'])}  {row['auc']:6.3f}"
        if "difference" in row:
            line += f"  {row['difference']:8.2f}  {span(row['difference_interval'])}"
        if "limit" in row:
            line += f"  {row['limit']:5.1f} {'held' if row['ok'] else 'MISSED'}"
        lines.append(line)
    return "\n".join(lines)

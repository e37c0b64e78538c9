"""`mubinn bench accuracy`: binarized against full-precision training on the same windows, with an interval."""

import json
import re
import shlex
from pathlib import Path

HELP = """\
Train full precision and every pair of levels with each seed, and compare them on the test windows: the mean difference of
accuracy, golden integer model minus full precision, with a 95 % interval (bootstrap over subjects, then seeds).

The binarized models of a seed and split start from its full-precision model and learn, over the same windows, to judge as it
does. Trainings that are done already are not repeated, and an interrupted one goes on where it was. Exits 1 where a mean
difference is below its limit: on the time split (3,3) -1.0, (2,2) -2.0, (1,1) -4.0 points; with --apart, on blocks or subjects,
(3,3), qlrl:3,3 and qlrl:fp,fp -0.5, (2,2) -1.5, (1,1) -3.0, and the interval's lower end of (3,3) -2, (2,2) -3, (1,1) -5. On
one core a training takes two to five minutes."""
EXAMPLE = """
mubinn bench accuracy --data ../shared/data/eegmat --split time --seeds 0,1,2 --jobs 2
mubinn bench accuracy --data ../shared/data/eegmat --split subject --seeds 0 --levels 2,2 3,3
mubinn bench accuracy --data ../shared/data/eegmat --split block --apart --levels b_lstm:1,1 mubinn1:1,1 mubinn1:2,2 2,2"""

KINDS = ("time", "block", "subject")


def add_arguments(parser):
    parser.add_argument("--data", required=True, metavar="FOLDER", help="EEGMAT folder")
    parser.add_argument("--split", choices=KINDS, default="time", help="default: time")
    parser.add_argument("--seeds", default="0,1,2", metavar="N,N,...", help="default: 0,1,2")
    parser.add_argument("--levels", nargs="*", default=["1,1", "2,2", "3,3"], metavar="[PRESET:]A,W",
                        help="a preset of mubinn train, mubinn2 if none, and its levels, or nothing for full precision "
                        "alone; default: 1,1 2,2 3,3")  # fmt: skip
    parser.add_argument("--folds", type=int, help="how many of the 5 blocks or 6 subject folds; default: all")
    parser.add_argument("--apart", action="store_true", help="count only windows that don't overlap")
    parser.add_argument("--train", default="", metavar="OPTIONS", help="more options of mubinn train, for every training, with "
                        "an --out of their own: --train='--flip --mixup 1'")  # fmt: skip
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time; default: 2")
    parser.add_argument("--record", metavar="FILE", help="results in this file are not trained again, new ones are added")
    parser.add_argument("--ship", metavar="DIR", help="also write the first seed's models with their cards there")
    parser.add_argument("--picture", metavar="FILE", help="also write an SVG of the accuracies, of both splits if measured")
    parser.add_argument("--out", default="out/accuracy", metavar="DIR", help="default: out/accuracy")


def plan(data, splits, seeds, methods, out, *, more=()):
    """Jobs: full precision of each split and seed, then the rest, which start from it. `more` options go to all of them."""
    from .trainings import Job

    jobs = []
    for seed in seeds:
        for split in splits:
            folder = Path(out) / split.replace(":", "-") / f"seed-{seed}"
            common = ("--data", str(data), "--split", split, "--seed", str(seed), *more)
            full = Job(folder, "fp", (*common, "--preset", "fp", "-o", str(folder / "fp.safetensors")))
            jobs.append(full)
            for method in methods:
                model = folder / f"{method.name}.safetensors"
                options = ("--levels", method.levels, "--start", str(full.model), "-o", str(model))
                preset = () if method.preset == "mubinn2" else ("--preset", method.preset)
                jobs.append(Job(folder, method.name, (*common, *preset, *options), start=full))
    return jobs


def run(args):
    from mubinn.model.splits import split_names
    from mubinn.model.train.systems import SYSTEMS

    from .accuracy import Method, compare, text
    from .accuracy_files import picture, ship
    from .errors import UserError
    from .paths import write_text
    from .trainings import run_all

    try:
        seeds = [int(seed) for seed in args.seeds.split(",")]
    except ValueError:
        raise UserError(f"--seeds must be integers with commas between them, not {args.seeds!r}") from None
    splits = split_names(args.split)
    folds = len(splits) if args.folds is None else args.folds
    for name, value, high in (("jobs", args.jobs, 64), ("folds", folds, len(splits))):
        if not 1 <= value <= high:
            raise UserError(f"--{name} must be 1 to {high}, not {value}")
    splits = splits[:folds]
    for level in args.levels:
        if not re.fullmatch(rf"(({'|'.join(SYSTEMS)}):)?([1-5]|fp|[1-8]/[1-8]/[1-8]),([1-5]|fp|[1-8]/[1-8])", level):
            raise UserError(f"--levels must be pairs A,W, each 1 to 5 or fp, behind {', '.join(SYSTEMS)} and a colon or alone, "
                            f"not {level!r}")  # fmt: skip
    methods = [Method(level) for level in args.levels]
    jobs = plan(args.data, splits, seeds, methods, args.out, more=shlex.split(args.train))
    run_all(jobs, args.jobs, record=args.record, out=args.out)
    result = compare(args.out, splits, seeds, methods, apart=args.apart)
    write_text(Path(args.out) / f"{args.split}.json", json.dumps(result, indent=1) + "\n")
    print(text(result))
    measured = [path for path in (Path(args.out) / f"{split}.json" for split in KINDS) if path.is_file()]
    measured = [json.loads(path.read_text()) for path in measured]
    if args.picture:
        write_text(args.picture, picture(measured))
    if args.ship:
        ship(args.out, args.ship, measured, seed=seeds[0])
    return result

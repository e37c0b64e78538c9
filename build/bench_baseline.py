"""`mubinn bench baseline`: area, clock and cycles of every preset against the baseline in git."""

HELP = """\
Generate, place and route every preset and compare it with the baseline: cycles a step, LUTs, block RAMs and multipliers
must be the same, the clock at least 95 % of the baseline's. A better clock is no failure; it is worth a new baseline.

--renew writes the baseline in place of comparing with it: that is how a change is made on purpose, and its diff shows the
price. Presets are kept in out/baseline as they end, by the hash of their Verilog and the tools' versions: an interrupted
run goes on where it stopped, and what did not change is not placed again.

Exits 1 where a figure changed."""
EXAMPLE = """
mubinn bench baseline
mubinn bench baseline --presets eeg-2-2@ice40-up5k eeg-3-3@ecp5-25k --json
mubinn bench baseline --renew --jobs 2"""
FILE = "docs/results/baseline.json"


def add_arguments(parser):
    parser.add_argument("--presets", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--renew", action="store_true", help="write the baseline; with --presets only their rows of it")
    parser.add_argument("--file", default=FILE, metavar="PATH", help=f"the baseline; default {FILE}")
    parser.add_argument("--jobs", type=int, default=2, help="presets at a time; default 2")
    parser.add_argument("--out", default="out/baseline", metavar="DIR", help="for cores and results; default out/baseline")


def run(args):
    from .baseline import compared, read_baseline, tools
    from .errors import UserError
    from .presets import PRESETS

    if not 1 <= args.jobs <= 256:
        raise UserError(f"--jobs must be 1 to 256, not {args.jobs}")
    for name in args.presets or ():
        if name not in PRESETS:
            raise UserError(f"--presets must be among {', '.join(PRESETS)}, not {name!r}")
    names = [name for name in PRESETS if name in (args.presets or PRESETS)]
    # A whole renewal needs no file; a part of one must fit the rest, so the tools must be the same.
    baseline = {"tools": tools(), "presets": {}} if args.renew and not args.presets else read_baseline(args.file)
    changed = [f"{new} instead of {old}" for old, new in zip(baseline["tools"], tools(), strict=False) if new != old]
    if args.renew and changed:
        raise UserError(f"--renew must be without --presets, because the tools changed: {', '.join(changed)}")
    found = _placed(names, args)
    rows = [compared(name, found[name], baseline["presets"].get(name)) for name in names]
    figures = {"ok": not any(row["changed"] for row in rows), "file": args.file, "tools": tools(), "tools_changed": changed}
    figures["rows"] = rows
    if args.renew:
        _renew(rows, baseline, args.file)
        figures |= {"ok": True, "renewed": [row["name"] for row in rows]}
    print(text(figures))
    return figures


def _placed(names, args):
    """{name: figures}. The presets that can be placed are kept before the first that can't is an error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from .baseline import placing

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("presets", total=len(names))
        with placing(names, args.out, jobs=args.jobs) as futures:
            for future in futures.values():
                future.add_done_callback(lambda future: bar.advance(task))
            failed = [error for future in futures.values() if (error := future.exception())]
            if failed:
                raise failed[0]
            return {name: future.result() for name, future in futures.items()}


def _renew(rows, baseline, file):
    from pathlib import Path

    from .baseline import document
    from .paths import write_text
    from .presets import PRESETS

    found = baseline["presets"] | {row["name"]: row for row in rows}
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    write_text(file, document([found[name] | {"name": name} for name in PRESETS if name in found]))


def text(figures):
    """The table for people: what changed as "baseline -> now"."""
    from .baseline import FIGURES

    lines = [f"{'core':28}" + "".join(f"{name:>16}" for name in FIGURES)]
    for row in figures["rows"]:
        old, cells = row["baseline"], []
        for name in FIGURES:
            same = old is None or old[name] == row[name]
            mark = "!" if name in row["changed"] and old is not None else ""
            cells.append(f"{row[name] if same else f'{old[name]} -> {row[name]}'}{mark:1}".rjust(16))
        lines.append(f"{row['name']:28}" + "".join(cells))
    lines += [f"tool of another version: {change}" for change in figures["tools_changed"]]
    if "renewed" in figures:
        return "\n".join([*lines, f"renewed: {figures['file']}"])
    new = [row["name"] for row in figures["rows"] if row["baseline"] is None]
    lines += [f"not in the baseline: {', '.join(new)}"] if new else []
    if any(row["better"] for row in figures["rows"]):
        lines.append("a clock is better by more than 5 %: mubinn bench baseline --renew keeps it")
    if not figures["ok"]:
        lines.append("changed (!): if on purpose, mubinn bench baseline --renew")
    return "\n".join(lines)

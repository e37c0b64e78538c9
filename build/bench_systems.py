"""`mubinn bench systems`: the papers' systems as cores of the EEG shape, side by side."""

HELP = """\
Map the core of every system of both papers, LSTM 19 -> 100 with 24 lanes and a head of two classes, and count its LUTs,
multipliers, block RAMs and cycles a step: b_lstm (signs alone, so (1,1) only), mubinn1 (scales that are powers of two), mubinn2
(learned scales), qlrl (ternary gates i and f; -o: the output gate too), and both ways without a multiplier together.

Counts are those of nextpnr after packing, which placing and routing do not change. Results are kept in --out as they come."""
EXAMPLE = "mubinn bench systems --target ecp5-25k --levels 1,2,3 --json"

COLUMNS = ("luts", "ffs", "brams", "dsps")


def add_arguments(parser):
    parser.add_argument("--target", default="ecp5-25k", help="ecp5-25k or ecp5-85k; default ecp5-25k")
    parser.add_argument("--levels", default="1,2,3", metavar="N,...", help="of activations and weights, 1 to 4; default 1,2,3")
    parser.add_argument("--systems", default=None, metavar="NAME,...", help="default: all")
    parser.add_argument("--out", default="out/systems", metavar="DIR", help="for cores and results; default out/systems")


def run(args):
    from pathlib import Path

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from .calibrate import counted_case
    from .errors import UserError
    from .systems import SYSTEMS, system_case

    if args.target not in ("ecp5-25k", "ecp5-85k"):
        # b_lstm and mubinn1 take eight for gates that are not binarized.
        raise UserError(f"--target must be ecp5-25k or ecp5-85k, not {args.target}: it has too few multipliers")
    try:
        levels = [int(text) for text in args.levels.split(",")]
    except ValueError:
        levels = [0]
    if not all(1 <= n <= 4 for n in levels):
        raise UserError(f"--levels must be numbers 1 to 4 with commas between, not {args.levels}")
    names = list(SYSTEMS) if args.systems is None else args.systems.split(",")
    for name in names:
        if name not in SYSTEMS:
            raise UserError(f"--systems must be among {', '.join(SYSTEMS)}, not {name!r}")
    wanted = [(name, n) for name in names for n in levels if n <= SYSTEMS[name].most_levels]
    out, rows = Path(args.out), []
    out.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("cores", total=len(wanted))
        for name, n in wanted:
            case = system_case(name, n, args.target)
            bar.update(task, description=case.name)
            rows.append(row(name, n, case, counted_case(case, out)))
            bar.update(task, advance=1)
    figures = {"ok": True, "target": args.target, "rows": rows}
    print(text(figures))
    return figures


def row(name, levels, case, found):
    from mubinn.hw import Lstm

    from .targets import TARGETS

    core = Lstm(case.model_file.parameters, case.folding, family=TARGETS[case.target].family)
    counts = {key: found["packed"][key] for key in COLUMNS if key in found["packed"]}
    return {"system": name, "levels": levels, "lanes": case.folding.lanes, "scale_mults": case.folding.scale_mults} | counts | {
        "cycles_per_step": core.predicted_cycles_per_step
    }  # fmt: skip


def text(figures):
    """The table for people."""
    lines = [f"{'system':16} {'levels':>7} {'LUTs':>6} {'BRAMs':>6} {'multipliers':>12} {'cycles a step':>14}"]
    for r in figures["rows"]:
        lines.append(
            f"{r['system']:16} {'({0},{0})'.format(r['levels']):>7} {r['luts']:>6} {r['brams']:>6} {r['dsps']:>12} "
            f"{r['cycles_per_step']:>14}"
        )
    return "\n".join(lines)

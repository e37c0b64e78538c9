"""`mubinn bench folding`: LUTs, block RAMs, multipliers and cycles as `generate` predicts them, against placed cores."""

HELP = """\
Generate seeded random cores for ice40-up5k and ecp5-25k in turn, place and route them, run them in Amaranth's simulator, and
compare with the estimate that `generate --steps-per-second` and `generate --fastest` choose by.

Results are kept in --out as they come; the same core is not placed a second time by the same tools. Exits 1 where a figure is
off by more than 15 %.

--calibrate measures the coefficients of the estimate anew, on small cores with other seeds: needed after a change of the
hardware or of the tools."""
EXAMPLE = """
mubinn bench folding --specs 20 --seed 1 --json
mubinn bench folding --calibrate"""

LIMIT_PERCENT = 15
FIGURES = ("luts", "brams", "dsps", "cycles_per_step")


def add_arguments(parser):
    parser.add_argument("--specs", type=int, default=20, help="cores, 1 to 1000; default 20")
    parser.add_argument("--seed", type=int, default=1, help="of the first, 1 to 1000; default 1")
    parser.add_argument("--out", default="out/folding", metavar="DIR", help="for cores and results; default out/folding")
    parser.add_argument("--pack-only", action="store_true", help="stop nextpnr before it places: counts are final there")
    parser.add_argument("--calibrate", action="store_true", help="measure the coefficients and write them into the package")
    parser.add_argument("--cores", type=int, default=14, help="of each chip to calibrate with, 6 to 100; default 14")


def run(args):
    from pathlib import Path

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from .errors import UserError
    from .folding_rows import measured_rows

    for name, low, high in (("specs", 1, 1000), ("seed", 1, 1000), ("cores", 6, 100)):
        if not low <= getattr(args, name) <= high:
            raise UserError(f"--{name} must be {low} to {high}, not {getattr(args, name)}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        if args.calibrate:
            return calibrated(Path(args.out), args.cores, bar)
        task = bar.add_task("cores", total=args.specs)
        rows = []
        settings = {"pack_only": args.pack_only, "say": lambda text: bar.update(task, description=text)}
        for row in measured_rows(args.specs, args.seed, Path(args.out), **settings):
            rows.append(row)
            bar.update(task, completed=len(rows))
    worst = max(abs(error) for row in rows for error in row["error_percent"].values())
    figures = {"ok": worst <= LIMIT_PERCENT, "worst_error_percent": worst, "rows": rows}
    print(text(figures))
    return figures


def calibrated(out, cores, bar):
    import json
    from pathlib import Path

    from .calibrate import CALIBRATED, calibrate
    from .estimate import AREA, coefficients
    from .paths import write_text

    task = bar.add_task("cores", total=cores * len(CALIBRATED))
    found = calibrate(out / "calibrate", seeds=cores, progress=lambda name: bar.update(task, description=name, advance=1))
    path = Path(__file__).with_name(AREA)
    write_text(path, json.dumps(found, indent=1, sort_keys=True) + "\n")
    coefficients.cache_clear()
    print(f"{path.name}: coefficients of {', '.join(found['families'])}, from {cores} cores each")
    return {"file": path.name, "cores": found["cores"], "tools": found["tools"]}


def text(figures):
    """The table for people."""
    lines = [f"{'core':20} {'spec':32} {'folding':24} {'LUTs':>13} {'BRAMs':>7} {'DSPs':>7} {'cycles':>15}  error"]
    for row in figures["rows"]:
        pairs = [f"{row[f'predicted_{name}']}/{row[f'placed_{name}']}" for name in ("luts", "brams", "dsps")]
        cycles = f"{row['predicted_cycles_per_step']:g}/{row['measured_cycles_per_step']:g}"
        lines.append(
            f"{row['name']:20} {row['spec']:32} {row['folding']:24} {pairs[0]:>13} {pairs[1]:>7} {pairs[2]:>7} {cycles:>15}  "
            + ", ".join(f"{error:+.1f}" for error in row["error_percent"].values())
        )
    return "\n".join([*lines, f"worst error {figures['worst_error_percent']:.1f} %"])

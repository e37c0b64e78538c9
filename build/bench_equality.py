"""`mubinn bench equality`: golden model against the circuit on random specs, and on whole test sets."""

HELP = """\
Seeded random cores (shape, levels, formats, parameters, folding) on random cases (samples, stalls, resets, broken
windows): every record of the golden trace and every result is compared with the circuit, in Amaranth's simulator or, where
that is faster and for every fourth seed, as Verilog in Verilator or Icarus; --icarus of them in Icarus too. Seeds 1 to 27
begin with the corners. Besides, for every fourth seed a random network of such cores: stacked, bidirectional, with heads;
and for every eighth three models one after another into one core.

With --data all test windows of the time split go through the Verilog of the models in Verilator as well.

Results are kept in out/equality as they come; --resume goes on where an interrupted run stopped."""
EXAMPLE = """
mubinn bench equality --specs 500 --seed 1 --icarus 40
mubinn bench equality --only 17 --simulator verilator
mubinn bench equality --specs 0 --data ../shared/data/eegmat --models eeg-2-2 --target ice40-up5k --json"""


def add_arguments(parser):
    parser.add_argument("--specs", type=int, default=50, help="random specs; default 50")
    parser.add_argument("--seed", type=int, default=1, help="first seed, 1 or more; default 1")
    parser.add_argument("--only", type=int, metavar="SEED", help="repeat one seed")
    parser.add_argument("--simulator", help="amaranth, verilator, icarus or axi (behind the AXI wrapper, in Icarus with "
                        "cocotbext-axi), or network, network-verilog: the seed's network, or reload: models one after another "
                        "into one core; default: the fastest, every fourth in Verilog, some on AXI")  # fmt: skip
    parser.add_argument("--icarus", type=int, default=0, metavar="N", help="so many specs in Icarus too; default 0")
    parser.add_argument("--data", metavar="FOLDER", help="EEGMAT folder, .npz or eeg-sample")
    parser.add_argument("--models", nargs="+", default=[], metavar="MODEL", help="with --data; default eeg-2-2 eeg-3-3")
    parser.add_argument("--target", metavar="CHIP", help="with --data: cores of its family's cells; default: plain Verilog")
    parser.add_argument("--jobs", type=int, default=2, help="simulations at a time; default 2")
    parser.add_argument("--resume", action="store_true", help="keep what an earlier run of the same version found")
    parser.add_argument("--record", metavar="FILE", help="runs without a mismatch in this file are not repeated if nothing in "
                        "model/, hw/ and sim/ has changed; new ones are added at the end")  # fmt: skip
    parser.add_argument("--out", default="out/equality", metavar="DIR", help="for results; default out/equality")


def run(args):
    from pathlib import Path

    from mubinn.sim.equality import NETWORKS, RELOAD
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from .equality import models_on_data, run_jobs, summary, tasks
    from .errors import UserError
    from .targets import target_named

    for name, low, high in (("specs", 0, 1 << 20), ("seed", 1, 1 << 30), ("icarus", 0, 1 << 20), ("jobs", 1, 256)):
        if not low <= getattr(args, name) <= high:
            raise UserError(f"--{name} must be {low} to {high}, not {getattr(args, name)}")
    if args.only is not None and args.only < 1:
        raise UserError(f"--only must be at least 1, not {args.only}")
    simulators = ("amaranth", "verilator", "icarus", "axi", *NETWORKS, RELOAD)
    if args.simulator not in (None, *simulators):
        raise UserError(f"--simulator must be {', '.join(simulators[:-1])} or {simulators[-1]}, not {args.simulator}")
    if args.models and args.data is None:
        raise UserError("--models must be with --data")
    if args.target and args.data is None:
        raise UserError("--target must be with --data")
    family = target_named(args.target).family if args.target else "generic"
    out, cache = Path(args.out), Path("out/sim")
    out.mkdir(parents=True, exist_ok=True)
    seeds = [args.only] if args.only is not None else list(range(args.seed, args.seed + args.specs))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        work = tasks(seeds, simulator=args.simulator, icarus=args.icarus)
        task = bar.add_task("specs", total=len(work))
        verdicts = run_jobs(
            work,
            kept=out / ("finished.jsonl" if args.only is None else f"only-{args.only}.jsonl"),
            cache=cache,
            record=args.record,
            jobs=args.jobs,
            resume=args.resume,
            progress=lambda done: bar.update(task, completed=done),
        )
        data = []
        if args.data is not None:
            models = args.models or ["eeg-2-2", "eeg-3-3"]
            data = models_on_data(models, args.data, family=family, cache=cache, jobs=args.jobs, bar=bar)
    figures = summary(args.only or args.seed, verdicts, data)
    print(text(figures))
    return figures


def text(figures):
    """The figures for people."""
    lines = [
        f"{figures['specs']} specs, {figures['runs']} runs, {figures['steps']} steps, {figures['records']} records: "
        f"{figures['mismatches']} mismatches",
        "simulators        " + ", ".join(f"{name} {count}" for name, count in figures["simulators"].items()),
    ]
    for entry in figures["data"]:
        speed = f"{entry['cycles_per_step']:.1f} cycles a step, {entry['steps_per_wall_second']:.0f} steps a second"
        lines.append(
            f"{entry['model']:<18}{entry['windows']} windows, {entry['steps']} steps: {entry['mismatches']} mismatches, {speed}"
        )
    for failure in figures["failures"]:
        lines += [f"seed {failure['seed']} ({failure['what']}) in {failure['simulator']}: {failure['command']}"]
        lines += [f"  {words}" for words in failure["differences"]]
    return "\n".join(lines)

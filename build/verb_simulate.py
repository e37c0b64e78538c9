"""`mubinn simulate`: the generated core on data, every signal compared with the golden model."""

HELP = """\
Run the Verilog of a folder of `mubinn generate` in its own testbench and compare every record of the golden trace, and
every result, exactly.

DATA is an EEGMAT folder, whose test part is used, or an .npz of windows, or the shipped eeg-sample. Without --data the
folder's own vectors are run. For a tagger DATA is a folder of sentences, and --windows says how many of its test part."""
EXAMPLE = """
mubinn simulate out/core
mubinn simulate out/core --data eeg-sample --stall 0.3 --seed 2
mubinn simulate out/core --data ../shared/data/eegmat --split time --jobs 2 --json
mubinn simulate out/core --simulator icarus --cocotb
mubinn simulate out/tagger --data ../shared/data/tagging/ud_english_ewt --windows 5"""


def add_arguments(parser):
    parser.add_argument("directory", metavar="DIR", help="folder of mubinn generate")
    parser.add_argument("--data", metavar="DATA", help="EEGMAT folder, .npz, or eeg-sample; default: DIR's vectors")
    parser.add_argument(
        "--split", metavar="SPLIT", help="time, block:K (K 0 to 4) or subject:K (K 0 to 5) for a folder; default: time"
    )
    parser.add_argument("--word-column", type=int, default=0, metavar="N", help="of column files for a tagger; default: 0")
    parser.add_argument("--simulator", default="verilator", help="verilator (default), icarus or amaranth")
    parser.add_argument("--cocotb", action="store_true", help="the bench in Python; without --data only")
    parser.add_argument("--windows", type=int, metavar="N", help="only the first N windows")
    parser.add_argument("--stall", type=float, default=0.0, help="share of stalled cycles on both streams, 0 to 0.95")
    parser.add_argument("--seed", type=int, default=1, help="of the stalls, 0 to 2147483647; default 1")
    parser.add_argument("--jobs", type=int, default=2, help="simulations at a time; default 2")


def run(args):
    from mubinn.model.artifact import load_model
    from mubinn.model.evaluate import load_test
    from mubinn.sim.simulate import SIMULATORS, simulate
    from rich.console import Console
    from rich.progress import Progress

    from .core_folder import read_manifest
    from .errors import UserError
    from .network_verbs import simulate_of
    from .reports import save_figures

    if args.simulator not in SIMULATORS:
        raise UserError(f"--simulator must be {', '.join(SIMULATORS[:-1])} or {SIMULATORS[-1]}, not {args.simulator}")
    if args.cocotb and (args.data is not None or args.simulator == "amaranth"):
        raise UserError("--cocotb must be without --data, on verilator or icarus")
    for name, low, high in (("windows", 1, 1 << 31), ("stall", 0, 0.95), ("seed", 0, (1 << 31) - 1), ("jobs", 1, 256)):
        value = getattr(args, name)
        if value is not None and not low <= value <= high:
            raise UserError(f"--{name} must be {low} to {high}, not {value}")
    if args.data is None and args.split is not None:
        raise UserError("--split must be left out without --data")
    manifest = read_manifest(args.directory)
    if manifest.get("kind") == "network":
        return simulate_of(args, manifest)
    windows = None
    if manifest["folding"]["contexts"] > 1 and args.data is not None:
        raise UserError("--data must be left out: the core has several contexts, whose own vectors are run")
    if args.data is not None:
        windows = load_test(load_model(f"{args.directory}/{manifest['model']}"), args.data, args.split)
        if windows.steps > manifest["spec"]["max_steps"]:
            limit = manifest["spec"]["max_steps"]
            raise UserError(f"{args.data}: x must have at most {limit} steps a window, not {windows.steps}")
    stalls = {"stall": args.stall, "seed": args.seed, "limit": args.windows}
    if args.cocotb:
        from mubinn.sim.cocotb_runner import simulate_cocotb

        found = simulate_cocotb(args.directory, simulator=args.simulator, **stalls)
    else:
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(args.simulator, total=None)
            found = simulate(
                args.directory,
                windows,
                simulator=args.simulator,
                jobs=args.jobs,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
                **stalls,
            )
    figures = {"data": args.data, "bench": "cocotb" if args.cocotb else "verilog"} | found.figures()
    save_figures(args.directory, "simulate", figures)
    print(text(figures))
    return figures


def text(figures):
    """The figures for people."""
    lines = [
        f"{figures['simulator']}: {figures['windows']} windows, {figures['steps']} steps",
        f"mismatches        {figures['mismatches']}",
        *(f"  {words}" for words in figures["differences"]),
    ]
    if figures["accuracy"] is not None:
        lines.append(f"accuracy          {figures['accuracy']:.4f}")
    if figures["cycles_per_step"] is not None:
        lines.append(
            f"cycles a step     {figures['cycles_per_step']:.1f}, {figures['ideal_cycles_per_step']} if nothing waited "
            f"(utilization {figures['utilization']:.3f})"
        )
    lines.append(f"{figures['steps_per_wall_second']:.0f} steps a second of wall time, {figures['seconds']:.1f} s")
    return "\n".join(lines)

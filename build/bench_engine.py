"""`mubinn bench engine`: cycles of a step in the circuit, against those predicted and those if nothing waited."""

HELP = """\
Run the presets, cores of the shipped models and small ones, in Amaranth's simulator and count the cycles between the ends
of their steps. The waiting settles after a few steps; what is compared is the mean over the last of them with the
prediction of `generate`. Beside it: the bits of the block RAMs that hold the weights, over the bits of the weights.

Exits 1 where a core takes another number of cycles than predicted."""
EXAMPLE = """
mubinn bench engine
mubinn bench engine --presets eeg-2-2@ice40-up5k eeg-3-3@ecp5-25k-plain --json"""

SETTLED = 6
"""Steps until the waiting repeats itself, as in `mubinn.model.timeline`."""


def add_arguments(parser):
    parser.add_argument("--presets", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--steps", type=int, default=12, help=f"steps to average over, behind the first {SETTLED}; default 12")


def run(args):
    from rich.console import Console
    from rich.progress import Progress

    from .errors import UserError
    from .presets import PRESETS, UNPLACED

    if not 1 <= args.steps <= 1000:
        raise UserError(f"--steps must be 1 to 1000, not {args.steps}")
    presets = PRESETS | UNPLACED
    for name in args.presets or ():
        if name not in presets:
            raise UserError(f"--presets must be among {', '.join(presets)}, not {name!r}")
    chosen = [presets[name] for name in args.presets or presets]
    with Progress(console=Console(stderr=True), transient=True) as bar:
        rows = [measured(preset, args.steps, bar) for preset in chosen]
    figures = {"ok": all(row["cycles_per_step"] == row["predicted_cycles_per_step"] for row in rows), "rows": rows}
    print(text(figures))
    return figures


def measured(preset, steps, bar):
    """One row: the preset's cycles as the circuit takes them."""
    from mubinn.hw import Lstm
    from mubinn.hw.rom_plan import block_count
    from mubinn.sim.stopwatch import step_cycles

    from .targets import target_named

    core = Lstm(preset.model_file().parameters, preset.folding, family=target_named(preset.target).family)
    task = bar.add_task(preset.name, total=SETTLED + steps + 1)
    cycles = step_cycles(core, SETTLED + steps + 1, progress=lambda done: bar.update(task, completed=done))[SETTLED:]
    mean = sum(cycles) / len(cycles)
    schedule = core.schedule
    ideal = schedule.ideal_cycles_per_step
    spec, folding, target = schedule.spec, preset.folding, target_named(preset.target)
    depth, width = schedule.groups * schedule.passes * schedule.words, 4 * folding.rows * folding.weight_planes * folding.lanes
    # The single-ported RAM of the UltraPlus is no block RAM.
    blocks = 0 if folding.weight_memory == "spram" else block_count(depth, width, target.family)
    weight_bits = 4 * spec.hidden_size * spec.columns * spec.weight_levels
    return {
        "name": preset.name,
        **vars(preset.folding),
        "latency_cycles": core.latency,
        "cycles_per_step": int(mean) if mean.is_integer() else mean,
        "predicted_cycles_per_step": core.predicted_cycles_per_step,
        "ideal_cycles_per_step": ideal,
        "utilization": ideal / mean,
        "weight_brams": blocks,
        "memory_ratio": blocks * target.bram_bits / weight_bits,
    }


def text(figures):
    """The table for people."""
    head = f"{'core':28} {'rows x lanes x planes':>21} {'ahead':>5} {'ideal':>6} {'predicted':>9} {'measured':>8}  ratio"
    lines = [f"{head}  block RAMs of weights"]
    for row in figures["rows"]:
        folding = f"{row['rows']} x {row['lanes']} x {row['weight_planes']}"
        lines.append(
            f"{row['name']:28} {folding:>21} {row['ahead']:5} {row['ideal_cycles_per_step']:6} "
            f"{row['predicted_cycles_per_step']:9} {row['cycles_per_step']:8}  {row['utilization']:.3f}  "
            f"{row['weight_brams']}, {row['memory_ratio']:.3f} of the bits"
        )
    return "\n".join(lines)

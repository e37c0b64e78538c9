"""`mubinn bench gates`: netlists after Yosys, cell by cell, against the golden model."""

HELP = """\
Map cores with Yosys, simulate the netlist with models of the chip's cells (Yosys' own, and sim/ecp5_cells.v for the ECP5
cells that it has none for), and compare every result with the golden model, with stalls on both streams.

A preset is a core and a chip. tiny@... is a small seeded core with every kind of the chip's cells, peephole@... and gru@...
are others of its size, all on random windows; the rest are shipped models on shipped EEG windows."""
EXAMPLE = """
mubinn bench gates --presets tiny@ice40-up5k tiny@ecp5-25k --simulator icarus
mubinn bench gates --windows 3 --json"""


def add_arguments(parser):
    parser.add_argument("--presets", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--windows", type=int, default=3, help="of each core; default 3")
    parser.add_argument("--stall", type=float, default=0.25, help="share of stalled cycles on both streams; default 0.25")
    parser.add_argument("--seed", type=int, default=1, help="of the stalls; default 1")
    parser.add_argument("--simulator", default="verilator", help="verilator (default) or icarus")
    parser.add_argument("--out", default="out/gates", metavar="DIR", help="for cores and netlists; default out/gates")


def run(args):
    from pathlib import Path

    from mubinn.sim.tools import BUILDERS
    from rich.console import Console

    from .errors import UserError
    from .gates import GATE_PRESETS, check_gates, make_core, target_of
    from .targets import target_named

    for name in args.presets or ():
        if name not in GATE_PRESETS:
            raise UserError(f"--presets must be among {', '.join(GATE_PRESETS)}, not {name!r}")
    for name, low, high in (("windows", 1, 36), ("stall", 0, 0.95), ("seed", 0, (1 << 31) - 1)):
        if not low <= getattr(args, name) <= high:
            raise UserError(f"--{name} must be {low} to {high}, not {getattr(args, name)}")
    if args.simulator not in BUILDERS:
        raise UserError(f"--simulator must be {' or '.join(BUILDERS)}, not {args.simulator}")
    rows, console = [], Console(stderr=True)
    for name in args.presets or GATE_PRESETS:
        folder = Path(args.out) / name
        with console.status(name) as status:
            make_core(name, folder, windows=args.windows)
            found = check_gates(
                folder,
                target_named(target_of(name)),
                name=name,
                windows=args.windows,
                stall=args.stall,
                seed=args.seed,
                simulator=args.simulator,
                progress=lambda stage, name=name, status=status: status.update(f"{name}: {stage}"),
            )
        rows.append(found.figures())
    figures = {"ok": all(row["ok"] for row in rows), "rows": rows}
    print(text(figures))
    return figures


def text(figures):
    """The table for people."""
    lines = [f"{'core':22} {'mapper':6} {'cells':>6} {'windows':>7} {'steps':>6} {'cycles':>9} {'mismatches':>10} seconds"]
    for row in figures["rows"]:
        lines.append(
            f"{row['name']:22} {row['mapper']:6} {row['cells']:6} {row['windows']:7} {row['steps']:6} {row['cycles']:9} "
            f"{row['mismatches']:10} {row['seconds']:8.1f}"
        )
        lines += [f"  {words}" for words in row["differences"]]
    return "\n".join(lines)

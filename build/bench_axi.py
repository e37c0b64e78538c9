"""`mubinn bench axi`: small cores on AXI, against cocotbext-axi."""

HELP = """\
Generate tiny cores with an AXI wrapper, with a head and without, one sample a beat and several, and run random windows through
them, with cocotbext-axi on every bus: stalls at random on both streams, early and missing tlast, resets in the middle of a
window, restarts over the registers, and the registers themselves. Every packet is compared with the golden model. Exits 1
where a packet is lost, doubled, invented, or wrong."""
EXAMPLE = "mubinn bench axi --windows 5000 --json"
TOTALS = ("windows", "steps", "words", "broken", "resets", "restarts", "mismatches")


def add_arguments(parser):
    parser.add_argument("--windows", type=int, default=5000, help="of all cores together, 75 to 1000000; default 5000")
    parser.add_argument("--simulator", choices=("verilator", "icarus"), default="verilator", help="default verilator")
    parser.add_argument("--stall", type=float, default=0.3, help="share of stalled cycles, 0 to 0.9; default 0.3")
    parser.add_argument("--seed", type=int, default=1, help="default 1")
    parser.add_argument("--out", default="out/axi", metavar="DIR", help="for the cores; default out/axi")


def run(args):
    from pathlib import Path

    from mubinn.sim.axi import simulate_axi
    from rich.console import Console

    from .axi_cores import AXI_CORES, make_axi_core
    from .errors import UserError

    if not 75 <= args.windows <= 1_000_000:
        raise UserError(f"--windows must be 75 to 1000000, not {args.windows}")
    if not 0 <= args.stall <= 0.9:
        raise UserError(f"--stall must be 0 to 0.9, not {args.stall:g}")
    if not 0 <= args.seed < 1 << 31:
        raise UserError(f"--seed must be 0 to {(1 << 31) - 1}, not {args.seed}")
    rows = []
    with Console(stderr=True).status("axi") as status:
        for name in AXI_CORES:
            status.update(name)
            folder, model = make_axi_core(name, Path(args.out) / name)
            settings = {"windows": -(-args.windows // len(AXI_CORES)), "seed": args.seed, "stall": args.stall}
            found = simulate_axi(folder, model, simulator=args.simulator, cache=Path(args.out) / "cache", **settings)
            rows.append({"core": name} | vars(found) | {"ok": found.ok})
    totals = {
        key: sum(row[key] for row in rows)
        for key in ("windows", "steps", "words", "broken", "resets", "restarts", "mismatches")
    }
    figures = {"ok": all(row["ok"] for row in rows), "seed": args.seed, "stall": args.stall} | totals | {"rows": rows}
    print(text(figures))
    return figures


def text(figures):
    """The table for people."""
    lines = []
    for row in figures["rows"]:
        lines.append(
            f"{row['core']}: {row['windows']} windows, {row['words']} words, {row['broken']} broken, {row['resets']} resets, "
            f"{row['restarts']} restarts, {row['mismatches']} differences"
        )
        lines += [f"  {difference}" for difference in row["differences"]]
    return "\n".join([*lines, f"{figures['windows']} windows, {figures['mismatches']} differences"])

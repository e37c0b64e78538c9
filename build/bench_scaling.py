"""`mubinn bench scaling`: size of either way of scaling on FPGA families."""

HELP = """\
The scaling of an LSTM 19 -> 100 with scales like learned ones, mapped by Yosys: a product for every activation and weight
plane, or the activation scales in look-ups and a product for every weight plane; with the fewest multipliers that keep up."""
EXAMPLE = """
mubinn bench scaling
mubinn bench scaling --targets ice40 --levels 2 --json"""

TARGETS = ("ice40", "ecp5")
LEVELS = (2, 3)


def add_arguments(parser):
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), help="default: ice40 ecp5")
    parser.add_argument("--levels", nargs="+", type=int, default=list(LEVELS), help="of activations and weights; default 2 3")
    parser.add_argument("--out", default="out/scaling", metavar="DIR", help="for netlists and logs; default out/scaling")


def run(args):
    from rich.console import Console

    from .errors import UserError
    from .scalings import measure
    from .tools import tool_version

    for name, values, allowed in (("targets", args.targets, TARGETS), ("levels", args.levels, LEVELS)):
        for value in values:
            if value not in allowed:
                raise UserError(f"--{name} must be {', '.join(map(str, allowed))}, not {value!r}")
    with Console(stderr=True).status("yosys") as status:
        found = measure(args.out, targets=args.targets, levels=args.levels, progress=status.update)
    figures = {"rows": [vars(row) for row in found], "tools": [tool_version("yosys")]}
    print(text(figures))
    return figures


def text(figures):
    """The table for people, in Markdown."""
    lines = [
        "| target | levels | rows x lanes x planes | scaling | multipliers | batch | latency | LUT4 | flip-flops | DSPs |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in figures["rows"]:
        folding = f"{row['rows']} x {row['lanes']} x {row['weight_planes']}"
        cells = (row["target"], f"({row['levels']},{row['levels']})", folding, row["scaling"], row["scale_mults"])
        cells += tuple(row[name] for name in ("batch_cycles", "latency", "luts", "flip_flops", "dsps"))
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join([*lines, "", ", ".join(figures["tools"])])

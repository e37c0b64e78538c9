"""`mubinn bench popcount`: LUTs of a dot product of bits on each FPGA family, by every way we know."""

HELP = """\
XNOR and popcount of some lanes, mapped by Yosys for each family: one sum left to Yosys, the plain component, the one made
of the family's cells, and distributed arithmetic (a few columns are one look-up in LUT RAM, for all activation planes
at once). Counted in LUTs a lane, and in LUTs a bit product (a lane and activation plane) with the scaling included."""
EXAMPLE = """
mubinn bench popcount
mubinn bench popcount --targets ecp5 xc7 --lanes 60 --levels 2 3 --json"""


def add_arguments(parser):
    parser.add_argument("--lanes", type=int, default=132, help="columns, 1 to 768; default 132")
    parser.add_argument("--targets", nargs="+", default=["ice40", "ecp5", "gowin", "xc7"], help="default: ice40 ecp5 gowin xc7")
    parser.add_argument("--levels", nargs="+", type=int, default=[1, 2, 3, 5], help="planes, 1 to 5; default 1 2 3 5")
    parser.add_argument("--out", default="out/popcount", metavar="DIR", help="for netlists and logs; default out/popcount")


def run(args):
    from rich.console import Console

    from .errors import UserError
    from .fabric import FABRICS
    from .popcounts import measure
    from .tools import tool_version

    for name, values, low, high in (("lanes", [args.lanes], 1, 768), ("levels", args.levels, 1, 5)):
        for value in values:
            if not low <= value <= high:
                raise UserError(f"--{name} must be {low} to {high}, not {value}")
    for target in args.targets:
        if target not in FABRICS:
            raise UserError(f"--targets must be {', '.join(FABRICS)}, not {target!r}")
    with Console(stderr=True).status("yosys") as status:
        found = measure(args.out, lanes=args.lanes, targets=args.targets, levels=args.levels, progress=status.update)
    rows = [row.figures() for row in found]
    for row in rows:
        rivals = [r for r in rows if (r["target"], r["activation_levels"]) == (row["target"], row["activation_levels"])]
        row["chosen"] = row is min(rivals, key=lambda r: r["luts_per_bit_product"])
    figures = {"rows": rows, "tools": [tool_version("yosys")]}
    print(text(figures))
    return figures


def text(figures):
    """The table for people, in Markdown."""
    lines = [
        "| target | A | strategy | LUTs | a lane | + shared | + scaling | DSPs of it | a bit product | |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in figures["rows"]:
        cells = (
            row["target"],
            row["activation_levels"],
            row["strategy"],
            row["luts"],
            f"{row['luts_per_lane']:.2f}",
            row["shared_luts"],
            row["scaling_luts"],
            row["scaling_dsps"],
            f"{row['luts_per_bit_product']:.2f}",
            "chosen" if row["chosen"] else "",
        )
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join([*lines, "", ", ".join(figures["tools"])])

"""`mubinn bench mutants`: whether the generated testbench finds faults."""

HELP = """\
Plant single faults in the Verilog of a core (another operator or comparison, a dropped inversion, a constant or slice off by
one, a stuck bit, swapped branches, a wrong shift, a bit of a weight) and run each through the testbench and the vectors that
`generate` writes, without options. Caught is a mismatch, a breach of the stream protocol, or no end.

A mutant that passes is given to Yosys: proven equivalent it is dropped and another is drawn. So is one where a search of many
times as many windows finds no difference either; where it does the mutant counts as missed. Exits 1 where one is missed.

Cores: head and stream, small and seeded, or a shipped model."""
EXAMPLE = """
mubinn bench mutants --count 30 --seed 1
mubinn bench mutants --core eeg-2-2 --simulator verilator --count 5 --json"""


def add_arguments(parser):
    parser.add_argument("--core", default="head", metavar="NAME", help="head (default), stream, or a shipped model")
    parser.add_argument("--count", type=int, default=30, help="faults that are not equivalent; default 30")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of faults; default 1")
    parser.add_argument("--simulator", default="icarus", help="icarus (default, faster for small cores) or verilator")
    parser.add_argument("--jobs", type=int, default=1, help="simulations at a time; default 1")
    parser.add_argument("--out", default="out/mutants", metavar="DIR", help="for cores and mutants; default out/mutants")


def run(args):
    from pathlib import Path

    from mubinn.sim.tools import BUILDERS
    from rich.console import Console
    from rich.progress import Progress

    from .errors import UserError
    from .mutants import Harness, make_core, plant

    for name, low, high in (("count", 1, 10000), ("seed", 0, (1 << 31) - 1), ("jobs", 1, 256)):
        if not low <= getattr(args, name) <= high:
            raise UserError(f"--{name} must be {low} to {high}, not {getattr(args, name)}")
    if args.simulator not in BUILDERS:
        raise UserError(f"--simulator must be {' or '.join(BUILDERS)}, not {args.simulator}")
    folder = Path(args.out) / args.core
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(args.core, total=args.count)
        make_core(args.core, folder)
        harness = Harness(folder, simulator=args.simulator)
        found = plant(
            harness,
            count=args.count,
            seed=args.seed,
            jobs=args.jobs,
            progress=lambda done: bar.update(task, completed=done),
        )
    figures = summary(args, found)
    print(text(figures))
    return figures


def summary(args, found):
    """What --json prints."""
    outcomes = [mutant.outcome for mutant in found]
    caught, missed = outcomes.count("caught"), outcomes.count("missed")
    return {
        "ok": missed == 0 and caught > 0,
        "core": args.core,
        "simulator": args.simulator,
        "seed": args.seed,
        "planted": caught + missed,
        "caught": caught,
        "dropped_equivalent": outcomes.count("equivalent"),
        "dropped_unobserved": outcomes.count("unobserved"),
        "dropped_invalid": outcomes.count("invalid"),
        "rows": [mutant.figures() for mutant in found],
    }


def text(figures):
    """The figures for people."""
    dropped = ", ".join(
        f"{figures[name]} {words}"
        for name, words in (
            ("dropped_equivalent", "proven equivalent"),
            ("dropped_unobserved", "without a difference in a longer search either"),
            ("dropped_invalid", "that do not compile"),
        )
    )
    lines = [f"{figures['core']}: {figures['caught']} of {figures['planted']} faults caught (drawn besides: {dropped})"]
    for row in figures["rows"]:
        lines.append(f"{row['outcome']:10} {row['kind']:16} line {row['line']}: {row['before']}  ->  {row['after']}")
        lines += [f"{'':11}{row['words']}"] if row["words"] else []
    return "\n".join(lines)

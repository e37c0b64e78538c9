"""`mubinn bench skip`: cycles that leaving out rows of g saves on data."""

HELP = """\
Cores with `generate --skip` on windows of DATA, in Verilator, every record compared: cycles of a step as they are, and if no
row were left out. A row of g is left out where the golden model's i is 0."""
EXAMPLE = """
mubinn bench skip eeg-3-3
mubinn bench skip ternary.safetensors --data ../shared/data/eegmat --weight-planes 3 --scale-mults 9 --json"""


def add_arguments(parser):
    parser.add_argument("models", nargs="+", metavar="MODEL", help="quantized model files, or eeg-1-1, eeg-2-2, eeg-3-3")
    parser.add_argument("--data", default="eeg-sample", metavar="DATA", help="EEGMAT folder, .npz, or eeg-sample, the default")
    parser.add_argument("--lanes", type=int, help="columns a cycle; default 96 or all")
    parser.add_argument("--weight-planes", type=int, default=1, help="weight planes a cycle; default 1")
    parser.add_argument("--scale-mults", type=int, help="multipliers that apply scales; default: as many as keep up")
    parser.add_argument("--target", metavar="CHIP", help="whose cells the core is made of; default: plain Verilog")
    parser.add_argument("--jobs", type=int, default=2, help="simulations at a time; default 2")
    parser.add_argument("--out", default="out/skip", metavar="DIR", help="for cores; default out/skip")


def run(args):
    from pathlib import Path

    from mubinn.model.artifact import load_model
    from mubinn.model.evaluate import load_test
    from rich.console import Console
    from rich.progress import Progress

    from .errors import UserError
    from .skipping import measure
    from .targets import target_named

    if args.jobs < 1:
        raise UserError(f"--jobs must be at least 1, not {args.jobs}")
    family = target_named(args.target).family if args.target else "generic"
    chosen = {name: getattr(args, name) for name in ("lanes", "weight_planes", "scale_mults")}
    rows = []
    with Progress(console=Console(stderr=True), transient=True) as bar:
        for name in args.models:
            model_file = load_model(name)
            windows = load_test(model_file, args.data, None)
            task = bar.add_task(name, total=len(windows))
            folder = Path(args.out) / Path(name).stem
            settings = {"family": family, "jobs": args.jobs, "progress": lambda n, _, t=task: bar.update(t, completed=n)}
            rows.append({"model": name} | measure(folder, model_file, windows, chosen, **settings))
    figures = {"ok": all(row["mismatches"] == 0 for row in rows), "data": args.data, "rows": rows}
    print(text(figures))
    return figures


def text(figures):
    """The table for people, in Markdown."""
    names = "model", "lanes x planes, multipliers", "windows", "steps", "i is 0", "cycles a step", "nothing left out"
    lines = [f"| {' | '.join((*names, 'saved', 'mismatches'))} |", "|---|---|---|---|---|---|---|---|---|"]
    for row in figures["rows"]:
        folding = f"{row['lanes']} x {row['weight_planes']}, {row['scale_mults']}"
        cells = (row["model"], folding, row["windows"], f"{row['steps']:,}", f"{100 * row['zero_share']:.1f} %")
        cells += (f"{row['cycles_per_step']:.1f}", row["full_cycles_per_step"], f"{100 * row['saved']:.1f} %")
        lines.append("| " + " | ".join(str(cell) for cell in (*cells, row["mismatches"])) + " |")
    return "\n".join(lines)

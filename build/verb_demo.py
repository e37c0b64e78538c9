"""`mubinn demo`: the whole way, from the shipped model to a placed core and a report."""

HELP = """\
The main job on shipped data: accuracy of the model, its Verilog, every signal of every shipped window compared in
simulation with the golden model, place and route, and an HTML report."""
EXAMPLE = """
mubinn demo
mubinn demo --model eeg-3-3 --target ecp5-25k -o out/demo-ecp5"""


def add_arguments(parser):
    parser.add_argument("-o", "--out", default="out/demo", metavar="DIR", help="folder to write; default out/demo")
    parser.add_argument("--model", default="eeg-2-2", help="shipped name or model file; default eeg-2-2")
    parser.add_argument("--data", default="eeg-sample", help="shipped name, .npz or EEGMAT folder; default eeg-sample")
    parser.add_argument("--target", default="ice40-up5k", help="ice40-up5k (default), ecp5-25k or ecp5-85k")
    parser.add_argument("--simulator", default="verilator", choices=("verilator", "icarus"))


def run(args):
    from rich.console import Console

    from .demo import demo

    console = Console(stderr=True)
    done = demo(
        args.out,
        model=args.model,
        data=args.data,
        target=args.target,
        simulator=args.simulator,
        progress=lambda line: console.print(line, highlight=False),
    )
    figures = done.figures()
    print(text(figures))
    return figures


def text(figures):
    """The headline for people."""
    rate = figures["real_time_factor"]
    return "\n".join(
        [
            f"model              {figures['model']}",
            f"accuracy           {figures['accuracy']:.4f}",
            f"mismatches         {figures['mismatches']} in {figures['windows_simulated']} windows",
            f"target             {figures['target']}",
            f"LUTs               {figures['luts']}",
            f"block RAMs         {figures['brams']}",
            f"multipliers        {figures['dsps']}",
            f"fmax               {figures['fmax_mhz']} MHz",
            f"steps a second     {figures['steps_per_second']:.0f}",
            f"real-time factor   {'-' if rate is None else rate}",
            f"report             {figures['report']}",
            f"{figures['seconds']:.0f} s",
        ]
    )

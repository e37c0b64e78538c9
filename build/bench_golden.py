"""`mubinn bench golden`: wall time of the golden model against torch.nn.LSTM of the same shape, in one process."""

import statistics

HELP = """\
Wall time of the golden model over a whole test set, against torch.nn.LSTM's float forward of the same shape and
batch in the same process. The two take turns; medians count. Exits 1 where the ratio is above the limit.

Without --data the samples are random numbers of the shape of EEGMAT's time split, 504 windows of 325 steps."""
EXAMPLE = """
mubinn bench golden
mubinn bench golden eeg-2-2 --data ../shared/data/eegmat --json"""


def add_arguments(parser):
    parser.add_argument("model", metavar="MODEL", nargs="?", default="eeg-2-2", help="quantized; default: eeg-2-2")
    parser.add_argument("--data", metavar="FOLDER", help="EEGMAT folder; its time split's test windows are used")
    parser.add_argument("--windows", type=int, default=504, help="random windows without --data; default: 504")
    parser.add_argument("--steps", type=int, default=325, help="their steps; default: 325")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each; default: 5")
    parser.add_argument("--limit", type=float, default=10.0, help="greatest ratio; default: 10")


def run(args):
    import numpy as np
    from mubinn.model.artifact import load_model
    from mubinn.model.evaluate import load_test

    from .errors import UserError

    for name, least in (("windows", 1), ("steps", 1), ("repeats", 1)):
        if getattr(args, name) < least:
            raise UserError(f"--{name} must be at least {least}, not {getattr(args, name)}")
    model_file = load_model(args.model)
    spec = model_file.spec
    if args.data is None:
        rng = np.random.default_rng(1)
        x = rng.integers(spec.x.low, spec.x.high + 1, (args.windows, args.steps, spec.input_size))
        data = "random samples, seed 1"
    else:
        x = model_file.quantize_input(load_test(model_file, args.data).x)
        data = args.data
    result = compare(model_file.model(), x, repeats=args.repeats)
    result = {"model": args.model, "data": data} | result | {"limit": args.limit, "ok": result["ratio"] <= args.limit}
    print(f"{args.model} on {data}: {result['windows']} windows of {result['steps']} steps, medians of {args.repeats}\n"
          f"golden model    {result['golden_s']:8.3f} s\n"
          f"torch.nn.LSTM   {result['torch_s']:8.3f} s   ({result['torch']}, {result['threads']} threads)\n"
          f"ratio           {result['ratio']:8.2f}     (at most {args.limit:g})")  # fmt: skip
    return result


def compare(model, x, *, repeats=5):
    """Seconds of `model.run(x)` and of torch.nn.LSTM's forward of the same shape, run in turns; a dict of medians."""
    import torch

    from .turns import seconds_in_turns

    spec = model.spec
    torch.manual_seed(1)
    network = torch.nn.LSTM(spec.input_size, spec.hidden_size, batch_first=True).eval()
    samples = torch.from_numpy(spec.x.real(x)).float()

    def golden():
        return model.run(x)

    def floats():
        with torch.inference_mode():
            return network(samples)

    of_golden, of_floats = seconds_in_turns([golden, floats], repeats)
    golden_s, torch_s = statistics.median(of_golden), statistics.median(of_floats)
    return {
        "windows": x.shape[0],
        "steps": x.shape[1],
        "golden_s": golden_s,
        "torch_s": torch_s,
        "ratio": golden_s / torch_s,
        "golden_runs_s": of_golden,
        "torch_runs_s": of_floats,
        "torch": f"torch {torch.__version__}",
        "threads": torch.get_num_threads(),
    }

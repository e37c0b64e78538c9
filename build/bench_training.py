"""`mubinn bench training`: a training step of the quantized LSTM against that of torch.nn.LSTM, in one process."""

import statistics

HELP = """\
Wall time of a training step, forward and backward, of the quantized LSTM in its last stage (weights, activations and c),
against torch.nn.LSTM in float of the same shape on the same batch. The two take turns; the ratio is that of the medians.
Exits 1 where it is above the limit. Needs torch."""
EXAMPLE = """
mubinn bench training
mubinn bench training --levels 2,2 --threads 1 --repeats 10 --json"""


def add_arguments(parser):
    parser.add_argument("--levels", default="3,3", metavar="A,W", help="of activations and weights, 1 to 5; default: 3,3")
    parser.add_argument("--batch", type=int, default=64, help="windows; default: 64")
    parser.add_argument("--steps", type=int, default=325, help="of a window; default: 325")
    parser.add_argument("--inputs", type=int, default=19, help="channels; default: 19")
    parser.add_argument("--hidden", type=int, default=100, help="units; default: 100")
    parser.add_argument("--gates", default="levels", choices=("levels", "ternary"), help="of i, f and o; default: levels")
    parser.add_argument("--repeats", type=int, default=7, help="steps of each; default: 7")
    parser.add_argument("--threads", type=int, help="of torch; default: as torch chooses")
    parser.add_argument("--limit", type=float, default=2.5, help="greatest ratio; default: 2.5")


def run(args):
    import torch

    from .errors import UserError
    from .verb_train import numbers

    for name in ("batch", "steps", "inputs", "hidden", "repeats"):
        if getattr(args, name) < 1:
            raise UserError(f"--{name} must be at least 1, not {getattr(args, name)}")
    levels = numbers(args, "levels", 2)
    if not all(1 <= level <= 5 for level in levels):
        raise UserError(f"--levels must be 1 to 5, not {args.levels}")
    if args.threads is not None:
        if args.threads < 1:
            raise UserError(f"--threads must be at least 1, not {args.threads}")
        torch.set_num_threads(args.threads)
    shape = (args.steps, args.batch, args.inputs)
    found = compare(shape, args.hidden, levels, ternary=args.gates == "ternary", repeats=args.repeats)
    found |= {"levels": list(levels), "gates": args.gates, "limit": args.limit, "ok": found["ratio"] <= args.limit}
    print(
        f"batch of {args.batch} windows of {args.steps} steps, {args.inputs} -> {args.hidden}, ({args.levels}), "
        f"{args.gates}, medians of {args.repeats}, {found['threads']} threads\n"
        f"quantized       {found['quantized_s']:8.3f} s   (fastest {min(found['quantized_runs_s']):.3f})\n"
        f"torch.nn.LSTM   {found['torch_s']:8.3f} s   (fastest {min(found['torch_runs_s']):.3f}; {found['torch']})\n"
        f"ratio           {found['ratio']:8.2f}     (at most {args.limit:g})"
    )
    return found


def compare(shape, hidden, levels, *, ternary=False, repeats=7, classes=2):
    """Seconds of a step, forward and backward, of both networks with a head over the mean h: a dict of medians.

    Parameters
    ----------
    shape : (steps, batch, input_size)
    hidden : int
    levels : (A, W)
    ternary : bool
        Of i, f and o.
    """
    import torch
    from mubinn.model.train.network import Classifier
    from mubinn.model.train.stages import STAGES
    from torch import nn

    from .turns import seconds_in_turns

    torch.manual_seed(1)
    x, y = torch.randn(shape), torch.randint(0, classes, shape[1:2])
    kinds = ("ternary", "ternary", "levels", "ternary") if ternary else ("levels",) * 4
    settings = {"activation_levels": levels[0], "weight_levels": levels[1], "gate_kinds": kinds}
    network = Classifier(shape[2], hidden, classes, **settings)
    for stage in STAGES[1:]:
        network.start(stage, x[:, :16])
    plain, head = nn.LSTM(shape[2], hidden), nn.Linear(hidden, classes)
    loss = nn.CrossEntropyLoss()

    def quantized():
        network.zero_grad(set_to_none=True)
        loss(network(x), y).backward()

    def floats():
        plain.zero_grad(set_to_none=True)
        head.zero_grad(set_to_none=True)
        loss(head(plain(x)[0].mean(0)), y).backward()

    of_ours, of_theirs = seconds_in_turns([quantized, floats], repeats)
    quantized_s, torch_s = statistics.median(of_ours), statistics.median(of_theirs)
    return {
        "quantized_s": quantized_s,
        "torch_s": torch_s,
        "ratio": quantized_s / torch_s,
        "quantized_runs_s": of_ours,
        "torch_runs_s": of_theirs,
        "torch": f"torch {torch.__version__}",
        "threads": torch.get_num_threads(),
    }

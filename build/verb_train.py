"""`mubinn train`: an LSTM classifier from windows of signals, in full precision or binarized, in a model file."""

import sys

HELP = """\
Train an LSTM classifier and binarize it: float weights first, then levels of the weights, of the activations, and c in
fixed point. The best epoch by a validation part of the training data is kept; the test part is only reported.

DATA is an EEGMAT folder, or an .npz of x [windows, steps, inputs] and y [windows]. Killed at any time, the same command
goes on where it was. Beside MODEL lies MODEL.jsonl, one JSON object an epoch. Needs torch: pip install 'mubinn[train]'."""
EXAMPLE = """
mubinn train --data ../shared/data/eegmat --preset mubinn2 --levels 3,3 -o model.safetensors
mubinn train --data ../shared/data/eegmat --preset qlrl --levels 3,2 --gates 'GI,GF,BI,BF,B(UVW)' -o ternary.safetensors
mubinn train --data windows.npz --preset fp -o fp.safetensors
mubinn train --data windows.npz --levels 2,2 --start fp.safetensors -o model.safetensors --json"""

STAGES = ("float", "weight", "activation", "cell")


def add_arguments(parser):
    from mubinn.model.train.config import TrainConfig as Default

    parser.add_argument("--data", required=True, metavar="DATA", help="EEGMAT folder or .npz")
    parser.add_argument("-o", "--out", required=True, metavar="MODEL", help="model file to write")
    parser.add_argument(
        "--preset",
        default=Default.preset,
        metavar="PRESET",
        help="fp, b_lstm, nazari2020, mubinn1, mubinn2 (default) or qlrl; docs/training.md says what they binarize",
    )
    parser.add_argument("--levels", default="2,2", metavar="A,W", help="of activations and weights, each 1 to 5, or fp for "
                        "plain numbers; or of x, h, gates and weights, biases: 4/3/4,3/2; default: 2,2")  # fmt: skip
    parser.add_argument("--gates", metavar="G,G,...", help="as the second paper names them: GI, GF, GO (Gumbel noise in "
                        "training), BI, BF, BO (0, 1/2 and 1), B(UVW) (weights by residuals); default: BI,BF with "
                        "qlrl")  # fmt: skip
    parser.add_argument("--gate-slope", default=Default.gate_slope, metavar="KIND", help="gradient through them: that of "
                        "sigma (default), or of the rounded gate, f * (1 - f): rounded")  # fmt: skip
    parser.add_argument(
        "--split", metavar="SPLIT", help="time, block:K (K 0 to 4) or subject:K (K 0 to 5) for a folder; default: time"
    )
    parser.add_argument("--peepholes", default=Default.peepholes, metavar="V", help="none (default) or diagonal")
    parser.add_argument("--seed", type=int, default=Default.seed, help="decides everything random; default: 0")
    parser.add_argument("--start", metavar="MODEL", help="start from this model's float weights, no float epochs then")
    parser.add_argument("--hidden", type=int, default=Default.hidden_size, metavar="N", help="units; default: 100")
    parser.add_argument("--pool", default=Default.pool, metavar="POOL", help="mean (default) or last")
    parser.add_argument("--decimation", type=int, default=Default.decimation, metavar="N", help="of a folder; default: 4")
    parser.add_argument("--epochs", metavar="F,W,A,C", help="of the stages float, weights, activations, cell, or F "
                        "alone; default: 12,2,24,1, with two levels 12, with one 24 of the weights, with qlrl 48 of the "
                        "activations")  # fmt: skip
    parser.add_argument("--input-copies", type=int, metavar="N", help="inputs that each channel is given to, each with a "
                        "learned threshold; default: 2 with three levels of x, 3 with two, 6 with one, as far as 256 "
                        "inputs allow")  # fmt: skip
    parser.add_argument("--batches", type=int, default=Default.batches, help="batches an epoch; default: 40")
    parser.add_argument("--batch-size", type=int, default=Default.batch_size, metavar="N", help="windows; default: 64")
    parser.add_argument("--lr", type=float, default=Default.lr, help=f"highest learning rate; default: {Default.lr:g}")
    parser.add_argument("--flip", action="store_true", help="every window with either sign: for signals whose polarity says "
                        "nothing, such as EEG")  # fmt: skip
    parser.add_argument("--surrogates", type=float, default=Default.surrogates, metavar="SHARE", help="of the windows, with "
                        "the phase of each frequency drawn anew; default: 0")  # fmt: skip
    parser.add_argument("--mixup", type=float, default=Default.mixup, metavar="B", help="mix windows and classes in full "
                        "precision, by shares of a Beta distribution of B and B; default: 0, none")  # fmt: skip
    parser.add_argument("--weight-decay", type=float, default=Default.weight_decay, metavar="D", help="default: 0.01")
    parser.add_argument("--distillation", type=float, default=Default.distillation, metavar="SHARE",
                        help="0 to 1: of the float parent's scores in the loss, in place of y; default: 0.5")  # fmt: skip
    parser.add_argument("--threads", type=int, default=1, help="of torch; other numbers may round otherwise; default: 1")


def run(args):
    import torch
    from mubinn.model.quantize.levels import parsed_levels
    from mubinn.model.train.config import TrainConfig, default_epochs
    from mubinn.model.train.loop import train
    from mubinn.model.zoo import data_path

    from .errors import UserError
    from .paths import command_line
    from .training_bar import training_bar

    levels = parsed_levels(args.levels)
    epochs = _epochs(args, default_epochs(args.preset, levels))
    if not 1 <= args.threads <= 256:
        raise UserError(f"--threads must be 1 to 256, not {args.threads}")
    config = TrainConfig(
        preset=args.preset,
        levels=levels,
        gates=None if args.gates is None else tuple(name for name in args.gates.split(",") if name),
        gate_slope=args.gate_slope,
        split=args.split or "time",
        peepholes=args.peepholes,
        seed=args.seed,
        hidden_size=args.hidden,
        input_copies=args.input_copies,
        pool=args.pool,
        decimation=args.decimation,
        batches=args.batches,
        batch_size=args.batch_size,
        lr=args.lr,
        flip=args.flip,
        surrogates=args.surrogates,
        mixup=args.mixup,
        weight_decay=args.weight_decay,
        distillation=args.distillation,
        **{f"{stage}_epochs": count for stage, count in zip(STAGES, epochs, strict=True)},
    )
    if args.split is not None and data_path(args.data).is_file():
        raise UserError("--split must be left out: an .npz has no splits")
    torch.set_num_threads(args.threads)
    with training_bar(validation) as show:
        command = command_line(["mubinn", "train", *sys.argv[2:]])
        result = train(config, args.data, args.out, start=args.start, command=command, progress=show)
    print(f"{result.model}: epoch {result.epoch + 1} kept, {result.seconds:.0f} s; log {result.log}")
    for name in ("validation", "test"):
        figures = getattr(result, name)
        if figures:
            print(f"{name:<11} {figures['windows']:5} windows  accuracy {figures['accuracy']:.4f}  AUC {figures['auc']:.4f}")
    return vars(result) | {"preset": config.preset, "levels": config.levels, "split": config.split, "seed": config.seed}


def validation(record):
    """What an epoch's line says of the validation part."""
    return f"validation {record['validation_accuracy']:.3f}  AUC {record['validation_auc']:.3f}"


def _epochs(args, default):
    """Of the stages; --epochs may be those of the first one alone."""
    if args.epochs is None:
        return default
    return (*numbers(args, "epochs", 1), *default[1:]) if "," not in args.epochs else numbers(args, "epochs", len(STAGES))


def numbers(args, name, count):
    """Integers from an option like 3,3."""
    from .errors import UserError

    text = getattr(args, name)
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        what = "an integer" if count == 1 else f"{count} integers with commas between them"
        raise UserError(f"--{name} must be {what}, not {text!r}")
    return numbers

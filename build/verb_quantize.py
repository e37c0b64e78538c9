"""`mubinn quantize`: a trained float LSTM becomes a model file, without training or with a little."""

HELP = """\
Binarize a trained LSTM with a dense head: from PyTorch (a state dict, .pt or .safetensors), ONNX, Keras (.keras), or a
full-precision model file.

The import is compared with the source framework's own output on random windows, to 1e-5, before anything is quantized. Scales
of x, h and the gates are fitted to what they are on windows of --calibrate, those of weights and biases to the tensors, by
alternating least squares; --finetune trains from there. What can't be honoured is refused by name."""
EXAMPLE = """
mubinn quantize lstm.pt --calibrate windows.npz --levels 4,4 --pool mean -o model.safetensors
mubinn quantize lstm.onnx --calibrate windows.npz --levels 3,3 -o model.safetensors
mubinn quantize eeg-fp --calibrate ../shared/data/eegmat --levels 4,4 -o model.safetensors
mubinn quantize eeg-fp --calibrate ../shared/data/eegmat --levels 2,2 --search 1.2 -o model.safetensors
mubinn quantize lstm.pt --calibrate windows.npz --levels 2,2 --finetune -o model.safetensors"""


def add_arguments(parser):
    parser.add_argument("source", metavar="SOURCE", help=".pt, .pth, .safetensors, .onnx or .keras; or eeg-fp")
    parser.add_argument("--calibrate", required=True, metavar="DATA", help="EEGMAT folder, whose training part is used, .npz, "
                        "or eeg-sample")  # fmt: skip
    parser.add_argument("-o", "--out", required=True, metavar="MODEL", help="model file to write")
    parser.add_argument("--levels", default="4,4", metavar="A,W", help="of activations and weights, 1 to 8; default: 4,4")
    parser.add_argument("--pool", choices=("mean", "last", "steps"), help="of the steps, which a state dict does not "
                        "say; steps: a class for each; default there: mean, and steps with two directions")  # fmt: skip
    parser.add_argument("--search", type=float, metavar="FACTOR", help="levels of x, h, the gates, weights and biases each "
                        "their own, for at most FACTOR (1 to 8) times the bit operations of --levels")  # fmt: skip
    parser.add_argument("--finetune", action="store_true", help="train it on --calibrate too, from these weights; one "
                        "layer in one direction, 1 to 5 levels")  # fmt: skip
    parser.add_argument("--epochs", metavar="W,A,C", help="of --finetune: with weights, activations and c quantized; "
                        "default: as of mubinn train")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of --finetune; default: 0")
    parser.add_argument("--max-steps", type=int, metavar="N", help="longest window that a core takes; default: 4096; with two "
                        "directions, whose core keeps a window, that of the calibration data")  # fmt: skip
    parser.add_argument("--like", metavar="MODEL", help="model file whose preprocessing this model wants; default: samples as "
                        "they are, or those of SOURCE if it is a model file")  # fmt: skip


def run(args):
    from rich.console import Console

    from .errors import UserError
    from .quantizing import quantize
    from .verb_train import numbers

    if args.max_steps is not None and not 1 <= args.max_steps <= 1 << 20:
        raise UserError(f"--max-steps must be 1 to {1 << 20}, not {args.max_steps}")
    levels = numbers(args, "levels", 2)
    if args.search is not None and not 1 <= args.search <= 8:
        raise UserError(f"--search must be 1 to 8, not {args.search:g}")
    if args.finetune:
        if args.max_steps:
            raise UserError("--max-steps must be left out with --finetune")
        return _finetuned(args, levels, None if args.epochs is None else numbers(args, "epochs", 3))
    if args.epochs is not None:
        raise UserError("--epochs must be with --finetune")
    with Console(stderr=True).status("quantize") as status:
        made = quantize(
            args.source,
            args.calibrate,
            args.out,
            levels=levels,
            pool=args.pool,
            like=args.like,
            max_steps=args.max_steps,
            search=args.search,
            progress=lambda done: status.update(f"search: {done} tried"),
        )
    checked = "" if made["import_error"] is None else f"; import differs from the source by {made['import_error']:.1e} at most"
    print(f"{args.out}: {made['parameters']} parameters, {_levels(args, made)}, {made['calibrated']} windows seen{checked}")
    agreement = made["agreement"]
    if agreement is not None:
        print(f"on these windows {100 * agreement:.1f} % of the classes are the float model's")
    return made


def _levels(args, made):
    """What the levels are, and what a search says of them."""
    if not args.search:
        return f"levels {args.levels}"
    found = ", ".join(f"{name} {count}" for name, count in made["levels"].items())
    errors = f"{made['score_error']:.3f} of their deviation, {made['uniform_score_error']:.3f} with {args.levels}"
    operations = f"{made['bit_operations']} of {made['most_bit_operations']} bit operations a step"
    return f"levels {found} (error of the scores {errors}; {operations})"


def _finetuned(args, levels, epochs):
    import sys

    from .finetuning import finetune
    from .paths import command_line
    from .training_bar import training_bar
    from .verb_train import validation

    with training_bar(validation) as show:
        command = command_line(["mubinn", "quantize", *sys.argv[2:]])
        made = finetune(args.source, args.calibrate, args.out, levels=levels, search=args.search, pool=args.pool,
                        like=args.like, epochs=epochs, seed=args.seed, command=command, progress=show)  # fmt: skip
    print(f"{args.out}: {_levels(args, made)}, epoch {made['epoch'] + 1} kept, {made['seconds']:.0f} s")
    for name in ("validation", "test"):
        if made[name]:
            print(f"{name:<11} {made[name]['windows']:5} windows  accuracy {made[name]['accuracy']:.4f}")
    return made

"""`mubinn quantize`: a trained float LSTM becomes a model file, without training."""

HELP = """\
Binarize a trained LSTM with a dense head: from PyTorch (a state dict, .pt or .safetensors), ONNX, Keras (.keras), or a
full-precision model file.

The import is compared with the source framework's own output on random windows, to 1e-5, before anything is quantized. Scales
of x, h and the gates are fitted to what they are on windows of --calibrate, those of weights and biases to the tensors, by
alternating least squares. What can't be honoured is refused by name."""
EXAMPLE = """
mubinn quantize lstm.pt --calibrate windows.npz --levels 4,4 --pool mean -o model.safetensors
mubinn quantize lstm.onnx --calibrate windows.npz --levels 3,3 -o model.safetensors
mubinn quantize eeg-fp --calibrate ../shared/data/eegmat --levels 4,4 -o model.safetensors"""


def add_arguments(parser):
    parser.add_argument("source", metavar="SOURCE", help=".pt, .pth, .safetensors, .onnx or .keras; or eeg-fp")
    parser.add_argument("--calibrate", required=True, metavar="DATA", help="EEGMAT folder, whose training part is used, .npz, "
                        "or eeg-sample")  # fmt: skip
    parser.add_argument("-o", "--out", required=True, metavar="MODEL", help="model file to write")
    parser.add_argument("--levels", default="4,4", metavar="A,W", help="of activations and weights, 1 to 8; default: 4,4")
    parser.add_argument("--pool", choices=("mean", "last", "steps"), help="of the steps, which a state dict does not "
                        "say; steps: a class for each; default there: mean, and steps with two directions")  # fmt: skip
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
    with Console(stderr=True).status("quantize"):
        made = quantize(
            args.source,
            args.calibrate,
            args.out,
            levels=numbers(args, "levels", 2),
            pool=args.pool,
            like=args.like,
            max_steps=args.max_steps,
        )
    checked = "" if made["import_error"] is None else f"; import differs from the source by {made['import_error']:.1e} at most"
    print(f"{args.out}: {made['parameters']} parameters, levels {args.levels}, {made['calibrated']} windows seen{checked}")
    agreement = made["agreement"]
    if agreement is not None:
        print(f"on these windows {100 * agreement:.1f} % of the classes are the float model's")
    return made

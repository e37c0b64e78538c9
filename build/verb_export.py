"""`mubinn export`: a quantized model as standard ONNX, which says what the circuit says."""

HELP = """\
Write a quantized model as ONNX of standard operators: onnxruntime gives the very integers of the golden model and the circuit.

Input x, float32 [windows, steps, channels], is what the model file takes. Outputs are int64: scores and label, of a window or
of every step; h where there is no head; scores alone before a CRF. The file is checked against the golden model in onnxruntime
on random windows, or on --data, and not written where they differ. Needs onnx and onnxruntime: pip install 'mubinn[import]'."""
EXAMPLE = """
mubinn export eeg-3-3 -o eeg.onnx
mubinn export model.safetensors --data ../shared/data/eegmat -o model.onnx"""

WINDOWS, STEPS = 32, 20
"""Of the random windows."""


def add_arguments(parser):
    parser.add_argument("model", metavar="MODEL", help="model file, or eeg-1-1, eeg-2-2, eeg-3-3")
    parser.add_argument("-o", "--out", required=True, metavar="FILE", help="ONNX file to write")
    parser.add_argument("--data", metavar="DATA", help="check on these windows: EEGMAT folder, .npz, or eeg-sample")
    parser.add_argument("--split", metavar="SPLIT", help="of a folder, as of mubinn eval")


def run(args):
    import numpy as np
    from mubinn.model.artifact import load_model
    from mubinn.model.evaluate import load_test
    from mubinn.model.network_file import is_network, load_network

    from .errors import ToolError, UserError
    from .paths import write_bytes

    try:
        from mubinn.model.quantize.source import SourceError
        from mubinn.model.quantize.to_onnx import differences, to_onnx
    except ModuleNotFoundError as error:
        raise UserError(f"mubinn export needs {error.name}: pip install 'mubinn[import]'") from None
    file = load_network(args.model) if is_network(args.model) else load_model(args.model)
    if args.data is None:
        if args.split is not None:
            raise UserError("--split must be with --data")
        x = _random(file)
    else:
        x = load_test(file, args.data, args.split).x
    try:
        model = to_onnx(file)
    except SourceError as error:
        raise UserError(f"{args.model}: {error}") from None
    found = differences(model, file, x)
    if found:
        raise ToolError(f"{args.out}: not written: onnxruntime differs from the golden model in {found} numbers")
    data = model.SerializeToString()
    write_bytes(args.out, data)
    windows, steps = np.shape(x)[:2]
    print(f"{args.out}: {len(data)} bytes; onnxruntime and the golden model agree on {windows} windows of {steps} steps")
    return {"file": args.out, "bytes": len(data), "windows": windows, "steps": steps, "differences": found}


def _random(file):
    """Samples of the size that the model is used to, and now and then far beyond, in its unit."""
    import numpy as np

    rng, spec = np.random.default_rng(1), getattr(file, "network", file).spec
    shape = (WINDOWS, min(STEPS, spec.max_steps), spec.input_size)
    x = rng.normal(0, 1, shape) * np.where(rng.random(shape) < 0.05, 20, 1)
    if file.preprocess is None:
        return x.astype(np.float32)
    channels, sources = file.preprocess.channels, file.preprocess.sources
    at = [channels.index(name) for name in sources]
    return (x[..., at] * np.array(file.preprocess.std)[at] + np.array(file.preprocess.mean)[at]).astype(np.float32)

"""From a framework's file to a trained model file: the import is where the training starts."""

import tempfile
from dataclasses import replace
from pathlib import Path

from mubinn.model.artifact import save_model
from mubinn.model.train.batches import load_training_data
from mubinn.model.train.config import TrainConfig, default_epochs
from mubinn.model.train.loop import train

from .errors import UserError
from .quantizing import FloatNetworkFile, calibration, imported, searched

__all__ = ["finetune"]


def finetune(source, data, out, *, levels=(4, 4), search=None, pool=None, like=None, epochs=None, seed=0, command="",
             progress=lambda event: None):  # fmt: skip
    """Import a float model of one layer and one direction and train it on `data` as `mubinn train --start` does, from its
    weights. Returns what `mubinn quantize --finetune --json` prints.

    Parameters
    ----------
    source, search, pool, like : as of `quantize`
    data : path or shipped name
        Training data, see `mubinn train`.
    levels : (A, W), each 1 to 5
    epochs : (weights, activations, cell) or None
    progress : see `train.loop.train`

    Raises UserError, TrainError.
    """
    floats, error = imported(source, pool=pool, like=like)
    if isinstance(floats, FloatNetworkFile):
        raise UserError(f"{source}: --finetune takes one layer in one direction with a head over the window")
    weights, found = floats.float_weights, {}
    if search:
        best, found = searched(floats, calibration(floats, data), levels, factor=search)
        levels = ((best.x, best.h, best.gates), (best.weights, best.bias))
    counts = default_epochs("mubinn2", levels)[1:] if epochs is None else epochs
    stages = ("weight_epochs", "activation_epochs", "cell_epochs")
    config = TrainConfig(
        levels=levels, hidden_size=weights.hidden_size, pool=weights.pool, seed=seed, float_epochs=0,
        input_copies=1,  # an imported network keeps its inputs
        decimation=floats.preprocess.decimation if floats.preprocess else TrainConfig.decimation,
        **dict(zip(stages, counts, strict=True)),
    )  # fmt: skip
    if floats.preprocess is None:
        # It was trained on samples as they are; the training normalises them, which takes other weights for the same network.
        theirs = load_training_data(data, decimation=config.decimation).preprocess
        n = len(theirs.channels)
        if n != weights.input_size:
            raise UserError(f"{data}: x must have the model's {weights.input_size} inputs, not {n}")
        floats = replace(floats, preprocess=replace(theirs, mean=(0.0,) * n, std=(1.0,) * n))
    with tempfile.TemporaryDirectory(prefix="mubinn-finetune-") as scratch:
        start = Path(scratch) / "fp.safetensors"
        save_model(start, floats)
        result = train(config, data, out, start=start, command=command, progress=progress)
    return {
        "model": str(out),
        "import_error": error,
        "epoch": result.epoch,
        "validation": result.validation,
        "test": result.test,
        "seconds": result.seconds,
    } | found

"""From a framework's file to a model file."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from mubinn.model.artifact import ModelFile, Preprocess, load_model, save_model
from mubinn.model.data import Windows
from mubinn.model.evaluate import evaluate, load_for
from mubinn.model.lstm import Model
from mubinn.model.network_file import NetworkFile, save_network
from mubinn.model.quantize.levels import OperandLevels
from mubinn.model.quantize.post import post_network, post_training
from mubinn.model.quantize.search import bit_operations, score_error, search_levels
from mubinn.model.quantize.source import SourceError, check, read_model
from mubinn.model.reference import run
from mubinn.model.reference_network import FloatNetwork, run_network
from mubinn.model.splits import time_split
from mubinn.model.zoo import MODELS
from safetensors import SafetensorError, safe_open

from .errors import UserError

__all__ = ["FloatNetworkFile", "calibration", "imported", "quantize", "searched"]

LEVELS = (1, 8)
MAX_STEPS = 4096
WINDOWS = 64
"""Of the calibration data, evenly spread."""


def quantize(source, data, out, *, levels=(4, 4), pool=None, like=None, max_steps=None, search=None,
             progress=lambda done: None):  # fmt: skip
    """Write the model file `out`. Returns what `mubinn quantize --json` prints.

    Parameters
    ----------
    source : path or shipped name
    data : path or shipped name
        Calibration windows.
    levels : (A, W)
    pool : "mean", "last", "steps" or None
    like : model file or None
    search : float or None
        Factor of `search_levels`.
    max_steps : int or None
        Steps of the longest window that a core takes. None: MAX_STEPS; with two directions, which keep a window, those of the
        calibration windows.

    Raises UserError.
    """
    low, high = LEVELS
    for level in levels:
        if not low <= level <= high:
            raise UserError(f"--levels must be {low} to {high}, not {level}")
    floats, error = imported(source, pool=pool, like=like)
    windows = calibration(floats, data)
    if isinstance(floats, FloatNetworkFile):
        if search:
            raise UserError(f"{source}: --search takes one layer in one direction with a head over the window")
        return _network(floats, windows, out, levels=levels, error=error, max_steps=max_steps)
    found = {}
    if search:
        levels, found = searched(floats, windows, levels, factor=search, progress=progress)
    longest = {"max_steps": max_steps or MAX_STEPS}
    parameters = post_training(floats.float_weights, floats.normalise(windows.x), levels=levels, **longest)
    # Nothing of where it came from: the same weights are the same file, whatever framework had them.
    card = {"method": "post-training", "calibration_windows": len(windows)}
    card["levels"] = asdict(levels) if search else list(levels)
    made = ModelFile(preset="mubinn2", parameters=parameters, float_weights=floats.float_weights,
                     preprocess=floats.preprocess, card=card)  # fmt: skip
    save_model(out, made)
    return {
        "model": str(out),
        "parameters": sum(int(tensor.size) for tensor in parameters.tensors().values()),
        "calibrated": len(windows),
        "import_error": error,
        "agreement": _agreement(made, windows),
    } | found


def searched(floats, windows, levels, *, factor=1.0, progress=lambda done: None):
    """(Levels for at most `factor` times the bit operations of uniform `levels`, what `quantize` says of them)."""
    weights, x = floats.float_weights, floats.normalise(windows.x)
    sizes, uniform, wanted = (weights.input_size, weights.hidden_size), OperandLevels.of(levels), run(weights, x)

    def error(tried):
        parameters = post_training(weights, x, levels=tried)
        spec = parameters.spec
        scores = Model(parameters).run(spec.x.quantize(x)).scores / 2.0 ** (spec.h_fraction + spec.head_fraction)
        return score_error(scores / (x.shape[1] if spec.pool == "mean" else 1), wanted)

    best, own, plain = search_levels(sizes, uniform, error, factor=factor, progress=progress)
    most = int(factor * bit_operations(uniform, *sizes))
    operations = {"bit_operations": bit_operations(best, *sizes), "most_bit_operations": most}
    return best, {"levels": asdict(best), "score_error": own, "uniform_score_error": plain} | operations


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatNetworkFile:
    """A FloatNetwork and how samples are normalised, with what `evaluate.load_for` asks of a ModelFile."""

    network: FloatNetwork
    preprocess: Preprocess | None

    @property
    def channel_count(self):
        return self.network.input_size if self.preprocess is None else len(self.preprocess.sources)

    def normalise(self, x):
        return np.asarray(x, dtype=np.float64) if self.preprocess is None else self.preprocess.apply(x)


def _network(floats, windows, out, *, levels, error, max_steps):
    """What `quantize` does where there are several layers, two directions or a head for every step."""
    x = floats.normalise(windows.x)
    kept = any(len(own) > 1 for own in floats.network.layers)
    network = post_network(floats.network, x, levels=levels, max_steps=max_steps or (windows.steps if kept else MAX_STEPS))
    card = {"method": "post-training", "levels": list(levels), "calibration_windows": len(windows)}
    save_network(out, NetworkFile(network=network, preprocess=floats.preprocess, card=card))
    trace = network.run(network.spec.x.quantize(x))
    found = trace.label if trace.tag is None else trace.tag
    return {
        "model": str(out),
        "parameters": sum(int(t.size) for layer in network.layers for p in layer.directions for t in p.tensors().values()),
        "calibrated": len(windows),
        "import_error": error,
        "agreement": float(np.mean(found == run_network(floats.network, x).argmax(axis=-1))),
    }


def imported(source, *, pool=None, like=None):
    """(full-precision ModelFile or FloatNetworkFile, greatest difference to the source framework or None)."""
    preprocess = None if like is None else load_model(like).preprocess
    if _is_ours(source):
        file = load_model(source)
        if file.float_weights is None:
            raise UserError(f"{source}: float_weights must be there: this model file has none")
        if pool not in (None, file.float_weights.pool):
            raise UserError(f"--pool must be {file.float_weights.pool}, as in {source}, not {pool}")
        return ModelFile(preset="fp", float_weights=file.float_weights, preprocess=preprocess or file.preprocess), None
    try:
        model = read_model(source, pool=pool)
        if isinstance(model.weights, FloatNetwork):
            return FloatNetworkFile(network=model.weights, preprocess=preprocess), check(model)
        return ModelFile(preset="fp", float_weights=model.weights, preprocess=preprocess), check(model)
    except SourceError as error:
        text = str(error)
        raise UserError(text if str(source) in text else f"{source}: {text}") from None


def _is_ours(source):
    if source in MODELS:
        return True
    path = Path(source)
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    try:
        with safe_open(path, framework="np") as file:
            return "mubinn" in (file.metadata() or {})
    except SafetensorError:
        return False


def calibration(model_file, data):
    """Windows to fit scales on, of the training part of an EEGMAT folder or of an .npz."""
    loaded = load_for(model_file, data)
    windows = loaded if isinstance(loaded, Windows) else time_split(loaded).train
    return windows.select(np.unique(np.linspace(0, len(windows) - 1, WINDOWS).round().astype(int)))


def _agreement(model_file, windows):
    """Share of the calibration windows with the float model's class, None without a head."""
    if not model_file.classes:
        return None
    found = evaluate(model_file, windows)
    return float(np.mean(found.label == found.float_label))

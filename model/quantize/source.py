"""What an import is: float weights, how the window becomes a class, and a check against the framework they came from."""

from dataclasses import dataclass

import numpy as np

from ..reference import FloatWeights, run
from ..reference_network import FloatNetwork, run_network

__all__ = ["TOLERANCE", "ImportedModel", "SourceError", "assembled", "check", "read_model"]

TOLERANCE = 1e-5
WINDOWS, STEPS = 3, 7
READERS = {".onnx": "from_onnx", ".keras": "from_keras", ".pt": "from_pytorch", ".pth": "from_pytorch",
           ".safetensors": "from_pytorch"}  # fmt: skip


class SourceError(ValueError):
    """A model that can't be imported. One line: the file, what in it, what is allowed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ImportedModel:
    """A float model and the framework's own answer.

    Parameters
    ----------
    weights : FloatWeights, or FloatNetwork of several layers, two directions or a head for every step
    scores : function of float32 [windows, steps, input_size] to float array [windows, classes] or [windows, steps, classes]
        The source framework's.
    softmax : bool
        Whether these scores are behind a softmax, which does not change the class.
    steps : int or None
        Steps of a window if the model takes no other number.
    """

    weights: FloatWeights | FloatNetwork
    scores: object
    softmax: bool = False
    steps: int | None = None


def assembled(path, layers, head_weight, head_bias, pool):
    """FloatWeights, or FloatNetwork, of layers [[{weight_ih, weight_hh, bias} of each direction]]. SourceError by name."""
    try:
        if len(layers) == len(layers[0]) == 1 and pool != "steps":
            return FloatWeights(**layers[0][0], head_weight=head_weight, head_bias=head_bias, pool=pool)
        directions = [tuple(FloatWeights(**own) for own in layer) for layer in layers]
        return FloatNetwork(layers=directions, head_weight=head_weight, head_bias=head_bias, pool=pool)
    except ValueError as error:
        raise SourceError(f"{path}: {error}") from error


def read_model(path, *, pool=None):
    """ImportedModel of a file, by its suffix. SourceError for what can't be honoured, by name."""
    from importlib import import_module
    from pathlib import Path

    path = Path(path)
    if path.suffix not in READERS:
        raise SourceError(f"{path}: must end in {', '.join(READERS)}")
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    try:
        return import_module(f".{READERS[path.suffix]}", __package__).read(path, pool=pool)
    except ModuleNotFoundError as error:
        raise SourceError(f"{path}: needs {error.name}: pip install 'mubinn[import]'") from None


def check(imported, *, seed=1):
    """Greatest difference between the source's scores and those of our float64 reference on random windows.

    Raises
    ------
    SourceError
        It is greater than TOLERANCE: then we do not understand the file.
    """
    shape = (WINDOWS, imported.steps or STEPS, imported.weights.input_size)
    x = np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)
    judge = run if isinstance(imported.weights, FloatWeights) else run_network
    ours, theirs = judge(imported.weights, x), np.asarray(imported.scores(x), dtype=np.float64)
    if imported.softmax:
        ours = np.exp(ours - ours.max(axis=-1, keepdims=True))
        ours /= ours.sum(axis=-1, keepdims=True)
    if theirs.shape != ours.shape:
        raise SourceError(f"scores must have shape {list(ours.shape)}, the source gives {list(theirs.shape)}")
    worst = float(np.abs(ours - theirs).max())
    if not worst <= TOLERANCE:
        rule = f"scores must be the source's to {TOLERANCE:g}"
        raise SourceError(f"{rule}, not off by {worst:.2g}: something in it is unknown to us")
    return worst

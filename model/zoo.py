"""Names of what the package ships: trained EEG models and a few windows of EEG. A verb takes such a name or a path."""

from importlib.resources import files
from pathlib import Path

__all__ = ["DATA", "MODELS", "data_path", "model_path"]

MODELS = ("eeg-fp", "eeg-1-1", "eeg-2-2", "eeg-3-3")
DATA = ("eeg-sample",)


def model_path(name):
    """Path of a shipped model, or `name` itself as a path. A file that bears such a name is reached as `./name`."""
    return _path(name, MODELS, ".safetensors")


def data_path(name):
    """Path of shipped windows, or `name` itself as a path."""
    return _path(name, DATA, ".npz")


def _path(name, names, suffix):
    return Path(str(files("mubinn.model") / "zoo" / f"{name}{suffix}")) if name in names else Path(name)

"""The transfer of a model for the core of a generated folder."""

from pathlib import Path

from mubinn.hw.lstm import Lstm
from mubinn.model.artifact import load_model
from mubinn.model.folding import Folding
from mubinn.model.spec import SpecError

from .core_folder import read_manifest
from .errors import UserError

__all__ = ["core_of", "transfer"]


def core_of(directory):
    """The Lstm of a generated folder. UserError where it is not a folder of one core that loads parameters."""
    manifest = read_manifest(directory)
    if "load" not in manifest:
        raise UserError(f"{directory}: the core loads nothing: make it with mubinn generate --loads weights or all")
    return Lstm(
        load_model(Path(directory) / manifest["model"]).model().parameters,
        Folding(**manifest["folding"]),
        family=manifest["family"],
        startup_cycles=manifest["startup_cycles"],
        loaded_bits=manifest["load"]["bits"],
    )


def transfer(directory, model_file):
    """Words that load a model into the core of a folder. UserError where it has no place there."""
    core = core_of(directory)
    try:
        return core.load_map.words(model_file.model().parameters)
    except SpecError as error:
        raise UserError(f"{directory}: {error}") from None

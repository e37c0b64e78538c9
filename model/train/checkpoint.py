"""Files of a run that survive `kill -9` at any moment: the checkpoint, and the log that never runs ahead of it."""

import json
import os
import pickle
from pathlib import Path

import torch

from .config import TrainError

__all__ = ["load_checkpoint", "save_checkpoint", "write_log"]

VERSION = 2


def _replace(path, write):
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch raises RuntimeError for a missing folder
        reason = getattr(error, "strerror", None) or "its folder must exist and be writable"
        raise TrainError(f"{path}: can't be written: {reason}") from error
    finally:
        temporary.unlink(missing_ok=True)


def save_checkpoint(path, *, key, state):
    """Write `state` (tensors, numbers, text, in dicts and lists) in place of the checkpoint before."""
    _replace(path, lambda temporary: torch.save({"version": VERSION, "key": key, "state": state}, temporary))


def load_checkpoint(path, *, key):
    """The state of a run with this `key`, or None where there is no checkpoint. TrainError for another run's."""
    path = Path(path)
    if not path.exists():
        return None
    try:
        found = torch.load(path, weights_only=True)
        version, other, state = found["version"], found["key"], found["state"]
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise TrainError(f"{path}: not a readable checkpoint, or damaged: delete it to start again") from error
    if version != VERSION or other != key:
        raise TrainError(f"{path}: belongs to a run with other settings or data: delete it to start again")
    return state


def write_log(path, records):
    """The run's records, one JSON object a line."""
    text = "".join(json.dumps(record) + "\n" for record in records)
    _replace(path, lambda temporary: temporary.write_text(text))

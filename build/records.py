"""Results of trainings kept in one file of lines, small enough for git: what was trained once need not be trained again."""

import base64
import json
import subprocess
import zlib
from importlib.metadata import version
from pathlib import Path

import numpy as np

from .errors import UserError
from .paths import write_text

__all__ = ["Record", "packed", "source", "unpacked"]

SHORTEST = 16
"""Lists of fewer integers stay as they are."""


class Record:
    """Results by name, each a line {"training", "result"} of a file.

    Parameters
    ----------
    path : path
        It need not exist.

    Raises UserError for a file that is something else.
    """

    def __init__(self, path):
        self.path, self.lines = Path(path), {}
        if not self.path.is_file():
            return
        for number, line in enumerate(self.path.read_text().splitlines(), 1):
            try:
                entry = json.loads(line)
                self.lines[entry["training"]] = unpacked(entry["result"])
            except (ValueError, KeyError, TypeError, zlib.error):
                raise UserError(f"{path}:{number}: must be a line of an earlier --record") from None

    def result(self, name):
        """Result of a training, None where it isn't there."""
        return self.lines.get(name)

    def keep(self, name, result):
        """Add a result, or put it in place of an older one, and write the file."""
        self.lines[name] = result
        entries = ({"training": key, "result": packed(one)} for key, one in sorted(self.lines.items()))
        text = "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in entries)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, text)


def packed(value):
    """`value` with every long list of integers, or of such lists of one length, as {"shape", "zlib"}."""
    if isinstance(value, dict):
        return {key: packed(one) for key, one in value.items()}
    array = _integers(value)
    if array is None:
        return value
    data = base64.b64encode(zlib.compress(array.astype("<i4").tobytes(), 9)).decode()
    return {"shape": list(array.shape), "zlib": data}


def _integers(value):
    """Array of a list that is to be packed."""
    if not isinstance(value, list) or len(value) < SHORTEST:
        return None
    try:
        array = np.array(value)
    except ValueError:  # lists of different lengths
        return None
    fits = array.dtype.kind == "i" and array.size and np.abs(array).max() < 1 << 31
    return array if fits else None


def unpacked(value):
    """What `packed` was given."""
    if not isinstance(value, dict):
        return value
    if set(value) == {"shape", "zlib"}:
        array = np.frombuffer(zlib.decompress(base64.b64decode(value["zlib"])), "<i4")
        return array.reshape(value["shape"]).tolist()
    return {key: unpacked(one) for key, one in value.items()}


def source():
    """The program that trains: its commit where it runs from a checkout, "changed" behind it where a program file differs, or
    else its version."""
    here = Path(__file__)

    def git(*arguments):
        return subprocess.run(["git", "-C", here.parent, *arguments], capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)  # an installed package may lie in somebody else's checkout
        commit = git("rev-parse", "--short=10", "HEAD")
        return f"{commit} changed" if git("status", "--porcelain", "--", ":(top)*.py") else commit
    except (OSError, subprocess.CalledProcessError):
        return version("mubinn")

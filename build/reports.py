"""Figures of the verbs, kept beside the core they are of, for the report page."""

import json
from pathlib import Path

from .errors import UserError
from .paths import write_text

__all__ = ["load_figures", "save_figures"]

FOLDER = "reports"


def save_figures(directory, name, figures):
    """Keep a verb's result as reports/NAME.json of a generated folder."""
    folder = Path(directory) / FOLDER
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: can't be written: {error.strerror}") from error
    write_text(folder / f"{name}.json", json.dumps(figures, indent=1, sort_keys=True) + "\n")


def load_figures(directory):
    """{name: figures} of everything kept there; UserError for a file that is not JSON."""
    found = {}
    for path in sorted((Path(directory) / FOLDER).glob("*.json")):
        try:
            found[path.stem] = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: not a report of mubinn: {error}") from None
    return found

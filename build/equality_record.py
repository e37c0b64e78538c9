"""Runs without a mismatch in a file for git: a long run goes on from there on another machine, as long as nothing has changed
that decides a verdict."""

import hashlib
import json
from pathlib import Path

from mubinn.sim.equality import NETWORKS, RELOAD, Verdict
from mubinn.sim.random_case import random_case
from mubinn.sim.random_network import random_network
from mubinn.sim.random_reload import random_reload

from .errors import UserError
from .paths import write_text

__all__ = ["load", "save", "version"]

READERS = ("data", "evaluate", "sample", "splits", "tag_score", "tagging", "windows", "zoo")
"""Of `model/`: what reads and judges data. Every case is drawn from its seed, none is read."""


def version():
    """Hash of everything that decides a verdict."""
    digest = hashlib.sha256()
    areas = Path(__file__).parent.parent
    for path in sorted(path for area in ("model", "hw", "sim") for path in (areas / area).glob("*")):
        if path.suffix in (".py", ".v") and not (path.parent.name == "model" and path.stem in READERS):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def load(path, version, work):
    """{(seed, simulator): Verdict} of the runs in `work` that are in a file of this version; none of a file that is not there.

    A line is [seed, simulator, steps, records, cycles]; what a case covers is drawn again from its seed. UserError for a file
    that is something else.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise UserError(f"{path}: can't be written: its folder does not exist")
    if not path.is_file():
        return {}
    try:
        head, *lines = map(json.loads, path.read_text().splitlines())
        lines = {(seed, simulator): counts for seed, simulator, *counts in lines if len(counts) == 3}
        same = head["version"] == version
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: must be an earlier --record of mubinn bench equality") from None
    return {item: _verdict(*item, *lines[item]) for item in work if item in lines} if same else {}


def save(path, version, found):
    """Write the clean ones of {(seed, simulator): Verdict}, in order."""
    lines = [json.dumps({"version": version})]
    for _, verdict in sorted(found.items()):
        if verdict.ok:
            lines.append(json.dumps([verdict.seed, verdict.simulator, verdict.steps, verdict.records, verdict.cycles]))
    write_text(path, "\n".join(lines) + "\n")


def _verdict(seed, simulator, steps, records, cycles):
    if simulator in NETWORKS:
        features = random_network(seed).features
        what = features[0]
    elif simulator == RELOAD:
        features = random_reload(seed).features
        what = features[1]
    else:
        case = random_case(seed)
        what, features = case.what, case.features
    return Verdict(seed=seed, simulator=simulator, what=what, steps=steps, records=records, cycles=cycles, mismatches=0,
                   features=tuple(features), differences=(), seconds=0.0)  # fmt: skip

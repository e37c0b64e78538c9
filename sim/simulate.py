"""Whole data sets through a generated core: chunks of windows, several at a time, compared with the golden model."""

import json
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from mubinn.hw.lstm import Lstm
from mubinn.model.artifact import load_model
from mubinn.model.folding import Folding

from .bench import build_bench, run_bench
from .case import first_windows, make_case
from .pysim import run_amaranth
from .vectors import LOAD_FILE, read_case, write_case

__all__ = ["SIMULATORS", "Simulation", "simulate", "together"]

SIMULATORS = ("verilator", "icarus", "amaranth")
CHUNK = {"verilator": 8, "icarus": 1, "amaranth": 1}
"""Windows of one run: enough to hide its start, few enough that a progress bar moves."""
CACHE = "out/sim"


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What a simulation found; all chunks together.

    Attributes
    ----------
    simulator : str
    windows, steps, mismatches, cycles : int
    labels : int64 [windows] or None
        Classes as the circuit gave them; None without a head, and where results are missing.
    accuracy : float or None
        Share of them that is right; None where the right ones are not known.
    cycles_per_step : float or None
        Measured between first and last step of the chunks; None where there is only one step.
    ideal_cycles_per_step : int
    differences : tuple of str
    seconds : float
        Wall time without building the simulation.
    """

    simulator: str
    windows: int
    steps: int
    mismatches: int
    cycles: int
    labels: np.ndarray | None
    accuracy: float | None
    cycles_per_step: float | None
    ideal_cycles_per_step: int
    differences: tuple
    seconds: float

    def figures(self):
        """Dict of what `mubinn simulate --json` prints."""
        measured = self.cycles_per_step
        names = "simulator windows steps mismatches accuracy cycles cycles_per_step ideal_cycles_per_step".split()
        return {"ok": self.mismatches == 0} | {name: getattr(self, name) for name in names} | {
            "utilization": self.ideal_cycles_per_step / measured if measured else None,
            "steps_per_wall_second": self.steps / self.seconds,
            "seconds": self.seconds,
            "differences": list(self.differences),
        }  # fmt: skip


def simulate(folder, windows=None, *, simulator="verilator", cache=CACHE, limit=None, stall=0.0, seed=1, jobs=2,
             progress=lambda done, total: None):  # fmt: skip
    """Run the core of a generated folder and compare every record of the golden trace, and every result, exactly.

    Parameters
    ----------
    folder : path
        Made by `mubinn generate`.
    windows : mubinn.model.data.Windows or None
        In microvolt; None for the vectors in the folder, in one run.
    simulator : str
        verilator or icarus: the folder's Verilog in its testbench; amaranth: the same core in Amaranth's own simulator.
    cache : path
        Folder for compiled models and scratch files.
    limit : int or None
        Only the first so many windows.
    stall : float
        Share of stalled cycles on both streams, 0 to 0.95. Chunk k has the seed `seed` + k.
    jobs : int
        Simulations at a time.
    progress : function of windows done and windows in all

    Raises SimulatorError.
    """
    folder = Path(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    model_file = load_model(folder / manifest["model"])
    model, cache = model_file.model(), Path(cache)
    command = None
    if simulator != "amaranth":
        command = build_bench(folder, manifest, simulator=simulator, cache=cache)
    one = partial(_one, manifest, model, command, simulator, stall)
    started = time.monotonic()
    if windows is None:
        vectors = folder / manifest["vectors"]["folder"]
        chunks, y = [one(seed, vectors, limit)], None
    else:
        x, y = model_file.quantize_input(windows.x[:limit]), windows.y[:limit]
        size = min(CHUNK[simulator], -(-len(x) // jobs))
        load = folder / manifest["vectors"]["folder"] / LOAD_FILE
        chunks = _in_chunks(one, manifest, model, x, load=load, cache=cache, size=size, seed=seed, jobs=jobs, progress=progress)
    return together(chunks, y, simulator, manifest, time.monotonic() - started)


def _one(manifest, model, command, simulator, stall, seed, vectors, limit=None, first=0, case=None):
    """One run: (BenchResult, labels). Amaranth's simulator takes the case itself, or reads it."""
    stalls = {"stall_in": stall, "stall_out": stall, "seed": seed}
    if command is None:
        case = case or first_windows(read_case(vectors, manifest), limit)
        core = Lstm(
            model.parameters,
            Folding(**manifest["folding"]),
            family=manifest["family"],
            startup_cycles=manifest["startup_cycles"],
            loaded_bits=manifest.get("load", {}).get("bits"),
        )
        result = run_amaranth(core, case, **stalls)
        return result, case.expected.get("label") if result.ok else None
    with tempfile.NamedTemporaryFile("r", prefix="mubinn-", suffix=".results") as results:
        stalls |= {"windows": limit, "first": first, "results": results.name}
        result = run_bench(command, vectors, simulator=simulator, **stalls)
        return result, _labels(results.read(), manifest)


def _in_chunks(one, manifest, model, x, *, load, cache, size, seed, jobs, progress):
    starts, done, found = range(0, len(x), size), 0, {}

    def chunk(number, first):
        case = make_case(model, x[first : first + size])
        scratch = Path(tempfile.mkdtemp(prefix=".vectors-", dir=cache))
        try:
            write_case(scratch, manifest, case)
            if load.is_file():
                shutil.copy(load, scratch)
            return one(seed + number, scratch, first=first, case=case)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    cache.mkdir(parents=True, exist_ok=True)
    pool = ThreadPoolExecutor(jobs)
    try:
        waiting = {pool.submit(chunk, number, first): first for number, first in enumerate(starts)}
        for future in as_completed(waiting):
            first = waiting[future]
            found[first] = future.result()
            done += min(size, len(x) - first)
            progress(done, len(x))
    finally:
        pool.shutdown(cancel_futures=True)
    return [found[first] for first in starts]


def _labels(text, manifest):
    """Classes in the payloads of results, None without a head."""
    field = manifest["result"]["fields"].get("label")
    if field is None:
        return None
    mask = (1 << field["bits"]) - 1
    return np.array([int(line, 16) >> field["lsb"] & mask for line in text.split()], dtype=np.int64)


def together(chunks, y, simulator, manifest, seconds):
    """Simulation of runs, (BenchResult, labels or None) pairs."""
    results = [result for result, _ in chunks]
    labels = [np.asarray(labels).reshape(-1) for _, labels in chunks if labels is not None]
    windows = sum(result.windows for result in results)
    labels = np.concatenate(labels) if labels and sum(map(len, labels)) == windows else None
    spans = [(result.span_cycles, result.steps - 1) for result in results if result.steps > 1]
    steps = sum(between for _, between in spans)
    return Simulation(
        simulator=simulator,
        windows=windows,
        steps=sum(result.steps for result in results),
        mismatches=sum(result.mismatches for result in results),
        cycles=sum(result.cycles for result in results),
        labels=labels,
        accuracy=None if y is None or labels is None else float(np.mean(labels == y)),
        cycles_per_step=sum(span for span, _ in spans) / steps if steps else None,
        ideal_cycles_per_step=manifest["ideal_cycles_per_step"],
        differences=tuple(words for result in results for words in result.differences[:4])[:20],
        seconds=seconds,
    )

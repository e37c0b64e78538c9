"""The core on AXI against cocotbext-axi: windows, stalls, resets, restarts, registers."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .case import early_last, join, make_case, missing_last
from .cell_models import verilog_sources
from .cocotb_runner import run_bench_module
from .simulate import CACHE
from .vectors import write_case

__all__ = ["EPISODES", "AxiResult", "random_windows", "run_axi", "simulate_axi"]

EPISODES = ("whole", "cut", "restart")
"""All windows and the counters; a reset in the middle; a restart over the registers."""


@dataclass(frozen=True, kw_only=True)
class AxiResult:
    """Attributes
    ----------
    simulator : str
    windows, steps, words : int
        Windows whose packets were compared, steps of all windows sent, words compared.
    broken, resets, restarts : int
    mismatches : int
    differences : tuple of str
    seconds : float
    """

    simulator: str
    windows: int
    steps: int
    words: int
    broken: int
    resets: int
    restarts: int
    mismatches: int
    differences: tuple
    seconds: float

    @property
    def ok(self):
        return self.mismatches == 0 and self.windows > 0 and self.words > 0


def random_windows(model, count, rng, *, per_beat=1, broken=0.2):
    """Case of windows of 1 to 6 steps, some of them broken, the last one whole. An early `tlast` is on no step's last beat."""
    spec, cases = model.spec, []
    before = (spec.input_size - 1) // per_beat * per_beat
    for number in range(count):
        steps = int(rng.integers(1, min(6, spec.max_steps) + 1))
        x = spec.x.quantize(rng.normal(0, 1, (steps, spec.input_size)))
        draw = rng.random() if number < count - 1 else 1
        if draw < broken / 2 and before:
            channel = int(rng.integers(1, before + 1))
            cases.append(early_last(model, x, (steps - 1) * spec.input_size + channel))
        elif draw < broken and spec.max_steps <= 8:
            cases.append(missing_last(model, spec.x.quantize(rng.normal(0, 1, (spec.max_steps, spec.input_size)))))
        else:
            cases.append(make_case(model, x[None]))
    return join(cases)


def simulate_axi(folder, model, *, windows, seed=1, per_episode=25, stall=0.3, simulator="verilator", cache=CACHE):
    """Run at least so many random windows through a folder that has an AXI wrapper.

    Parameters
    ----------
    folder : path
        Generated with `axi=True`.
    model : mubinn.model.lstm.Model
        Its golden model.
    windows, per_episode : int
        Windows of all episodes, and of one.
    stall : float
        Share of the cycles in which a side waits.

    Returns
    -------
    AxiResult

    Raises
    ------
    SimulatorError
        A tool is missing, the build failed, or the bench did not run to its end.
    """
    rng = np.random.default_rng(seed)
    per_beat = json.loads((Path(folder) / "manifest.json").read_text())["axi"]["samples_per_beat"]
    counts = [min(per_episode, windows - start) for start in range(0, windows, per_episode)]
    cases = [random_windows(model, count, rng, per_beat=per_beat) for count in counts]
    return run_axi(folder, cases, stall=stall, seed=seed, simulator=simulator, cache=cache)


def run_axi(folder, cases, *, stall, seed, simulator, cache=CACHE):
    """Run an episode of each case. See `simulate_axi`."""
    folder = Path(folder).absolute()
    manifest = json.loads((folder / "manifest.json").read_text())
    with tempfile.TemporaryDirectory(prefix="mubinn-axi-") as work:
        vectors = [Path(work) / str(number) for number in range(len(cases))]
        for path, case in zip(vectors, cases, strict=True):
            path.mkdir()
            write_case(path, manifest, case)
        settings = {"folder": str(folder), "vectors": [str(path) for path in vectors], "stall": stall, "seed": seed,
                    "episodes": EPISODES}  # fmt: skip
        found = run_bench_module(
            "mubinn.sim.bench_axi",
            settings,
            sources=[*verilog_sources(folder, manifest), folder / manifest["axi"]["verilog"]],
            top=manifest["axi"]["top"],
            simulator=simulator,
            cache=cache,
        )
    return AxiResult(**found | {"differences": tuple(found["differences"])})

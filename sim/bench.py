"""Runs the generated Verilog testbench and reads what it found; no Python while it runs."""

import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .cell_models import verilog_sources
from .tools import BUILDERS, SimulatorError

__all__ = ["BenchResult", "build_bench", "run_bench", "run_default"]

_LINE = re.compile(r"^MUBINN_TB (.*?)((?:\w+=-?\d+ ?)*)(PASS|FAIL)$", re.MULTILINE)
_COUNTS = """windows steps samples records results mismatches missing extra unsent protocol cycles span""".split()


@dataclass(frozen=True, kw_only=True)
class BenchResult:
    """What a bench counted.

    Attributes
    ----------
    simulator : str
    windows, steps, samples, records, results : int
        Of the case; records are those seen, all signals together.
    mismatches : int
        Records that differ, are missing or too many, samples not taken, and breaches of the stream protocol: 0 when the
        circuit is the golden model.
    cycles : int
        From the end of reset to the end of the bench.
    span_cycles : int
        From the first step's first h to the last step's, steps - 1 steps.
    differences : tuple of str
        The first of them in words.
    seconds : float
    """

    simulator: str
    windows: int
    steps: int
    samples: int
    records: int
    results: int
    mismatches: int
    cycles: int
    span_cycles: int
    differences: tuple
    seconds: float

    @property
    def ok(self):
        return self.mismatches == 0 and self.steps > 0 and self.records > 0


def build_bench(folder, manifest, *, simulator, cache, runtime_cache=None, quick=False):
    """Command that runs the testbench of a generated folder; caches and `quick` as of `tools.build_verilator`.

    SimulatorError for a missing or failing simulator.
    """
    sources = [*verilog_sources(folder, manifest), Path(folder) / manifest["testbench"]]
    build = BUILDERS[simulator]
    return build(sources, f"{manifest['top']}_tb", cache=cache, runtime_cache=runtime_cache, quick=quick)


def run_bench(command, vectors, *, simulator, stall_in=0.0, stall_out=0.0, seed=1, windows=None, reset_at=None,
              results=None, first=0, limit_s=None):  # fmt: skip
    """Run a built testbench on the vectors in a folder.

    Parameters
    ----------
    command : list of str
        From `build_bench`.
    vectors : path
    stall_in, stall_out : float
        Share of cycles, 0 to 0.95, in which the bench offers no sample, or takes no result.
    seed : int
        Of the stalls.
    windows : int or None
        Only the first so many.
    reset_at : int or None
        Cycle of a reset, after which everything starts again.
    results : path or None
        File for the payloads of the results, in hexadecimal.
    first : int
        Number of the first window, for the words of a difference.
    limit_s : float or None
        Wall time after which the run is stopped.

    Raises
    ------
    SimulatorError
        The bench did not end with its line, whatever its exit code.
    """
    arguments = {
        "vectors": Path(vectors).absolute(),
        "stall_in": _percent("stall_in", stall_in),
        "stall_out": _percent("stall_out", stall_out),
        "seed": seed,
        "windows": windows,
        "reset_at": -1 if reset_at is None else reset_at,
        "results": results and Path(results).absolute(),
        "first": first,
    }
    options = [f"+{name}={value}" for name, value in arguments.items() if value is not None]
    return _run([*command, *options], simulator=simulator, limit_s=limit_s)


def run_default(command, vectors, *, simulator, limit_s=None):
    """BenchResult of a built testbench as anybody runs it, without options: its own stalls and reset."""
    return _run([*command, f"+vectors={Path(vectors).absolute()}"], simulator=simulator, limit_s=limit_s)


def _run(line, *, simulator, limit_s):
    started = time.monotonic()
    try:
        done = subprocess.run(
            line,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SimulatorError(f"{simulator}: the bench did not end within {limit_s} s") from None
    except OSError as error:
        raise SimulatorError(f"{line[0]}: {error.strerror}") from error
    return _parse(done.stdout, simulator=simulator, exit_code=done.returncode, errors=done.stderr,
                  seconds=time.monotonic() - started)  # fmt: skip


def _percent(name, share):
    if not 0 <= share <= 0.95:
        raise ValueError(f"{name} must be 0 to 0.95, not {share}")
    return round(100 * share)


def _parse(output, *, simulator, exit_code, errors, seconds):
    found = _LINE.search(output)
    if found is None:
        said = (errors + output).strip().splitlines()
        raise SimulatorError(
            f"{simulator}: the bench did not finish (exit code {exit_code}): {said[-1][:300] if said else 'no output'}"
        )
    counts = {key: int(value) for key, value in (pair.split("=") for pair in found[2].split())}
    if set(counts) != set(_COUNTS):
        raise SimulatorError(f"{simulator}: {found[1].strip() or 'the last line of the bench lacks its counts'}")
    wrong = sum(counts.pop(name) for name in ("mismatches", "missing", "extra", "unsent", "protocol"))
    if (found[3] == "PASS") != (wrong == 0 and counts["steps"] > 0):
        raise SimulatorError(f"{simulator}: {found[3]} does not agree with the counts: {found[0]}")
    words = output[: found.start()].strip().splitlines()
    return BenchResult(
        simulator=simulator,
        mismatches=wrong,
        span_cycles=counts.pop("span"),
        differences=tuple(line.strip() for line in words),
        seconds=seconds,
        **counts,
    )

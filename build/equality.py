"""Many random cases in parallel processes, kept as they end, and whole test sets through the Verilog of models."""

import json
import multiprocessing
import signal
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path

from mubinn.hw.axi import AxiCore
from mubinn.hw.lstm import Lstm
from mubinn.hw.network import NetworkCore
from mubinn.model.artifact import load_model
from mubinn.model.evaluate import load_test
from mubinn.model.folding import Schedule
from mubinn.model.lstm import Model
from mubinn.sim.cell_models import cell_models
from mubinn.sim.equality import NETWORKS, RELOAD, Verdict, chosen_simulator, run_network_seed, run_reload_seed, run_seed
from mubinn.sim.random_case import random_case
from mubinn.sim.random_network import random_network
from mubinn.sim.simulate import simulate
from mubinn.sim.testbench import testbench
from mubinn.sim.tools import SimulatorError, find, verilator_root

from . import equality_record, network
from .core_folder import STARTUP_CYCLES, convert
from .generate import describe, generate, memory_images

__all__ = ["installed", "models_on_data", "run_jobs", "run_one", "summary", "tasks", "write_bench", "write_network_bench"]

NETWORK_SHARE = 4
"""Every fourth seed is the seed of a network too, one in three of those in Verilog."""
WIDEST_IN_ICARUS = 200
"""Most products added in one expression: of more, Icarus can take a quarter of an hour for what Amaranth does in seconds."""
RELOAD_SHARE = 8
"""And every eighth of a core that loads one model after another."""


def tasks(seeds, *, simulator=None, icarus=0):
    """(seed, simulator) of every run, the cheap ones of the seeds in Icarus too."""
    found = installed()
    cases = {seed: random_case(seed) for seed in seeds}
    work = [(seed, simulator or chosen_simulator(case, installed=found)) for seed, case in cases.items()]
    if icarus:
        cheap = sorted(seeds, key=lambda seed: cases[seed].cost)[: max(icarus, len(cases) // 2)]
        every = max(1, len(cheap) // icarus)
        work += [(seed, "icarus") for seed in cheap[::every][:icarus] if (seed, "icarus") not in work]
    if simulator is None:
        for number in (seed // NETWORK_SHARE for seed in seeds if seed % NETWORK_SHARE == 0):
            in_verilog = "icarus" in found and number % 3 == 0 and _widest_sum(random_network(number)) <= WIDEST_IN_ICARUS
            work.append((number, NETWORKS[in_verilog]))
        work += [(seed // RELOAD_SHARE, RELOAD) for seed in seeds if seed % RELOAD_SHARE == 0]
    return work


def _widest_sum(case):
    """Products that a layer of a RandomNetwork adds in a cycle, of the layer that adds most."""
    layers = zip(case.network.layers, case.foldings, strict=True)
    cores = [pair for layer, foldings in layers for pair in zip(layer.directions, foldings, strict=True)]
    return max(4 * f.rows * f.weight_planes * f.lanes * Schedule(p.spec, f).levels for p, f in cores)


def installed():
    """Which of the simulators of Verilog are there."""
    found = []
    for name, check in (("verilator", verilator_root), ("icarus", lambda: [find("iverilog"), find("vvp")])):
        try:
            check()
        except SimulatorError:
            continue
        found.append(name)
    if "icarus" in found and find_spec("cocotb") and find_spec("cocotbext"):
        found.append("axi")
    return found


def write_bench(case, folder):
    """The core's Verilog and its testbench in a new folder, as `generate` writes them; returns the manifest.

    What a single run has no use for is left out: wrapper, memory images, model file and vectors of `generate`'s own.
    """
    name = "mubinn_lstm"
    core = Lstm(case.parameters, case.folding, family=case.family, startup_cycles=STARTUP_CYCLES)
    manifest = describe(core, Model(case.parameters), name=name, images=memory_images(core))
    (folder / "vectors").mkdir(parents=True)
    (folder / manifest["verilog"]).write_text(convert(core, name, case.family))
    if manifest["cells"]:
        (folder / manifest["cells"]).write_text(cell_models(case.family))
    (folder / manifest["testbench"]).write_text(testbench(manifest))
    if case.axi:
        bus = AxiCore(name, core, samples_per_beat=case.axi)
        manifest["axi"] = {"verilog": f"{name}_axi.v", "top": f"{name}_axi"} | bus.description()
        (folder / manifest["axi"]["verilog"]).write_text(convert(bus, f"{name}_axi"))
        (folder / "manifest.json").write_text(json.dumps(manifest))
    return manifest


def write_network_bench(case, folder):
    """`write_bench` of a RandomNetwork."""
    name = "mubinn_network"
    core = NetworkCore(
        case.network, case.foldings, head_mults=case.head_mults, family=case.family, startup_cycles=STARTUP_CYCLES
    )
    manifest = network.describe(core, name=name)
    (folder / "vectors").mkdir(parents=True)
    (folder / manifest["verilog"]).write_text(convert(core, name, case.family))
    if manifest["cells"]:
        (folder / manifest["cells"]).write_text(cell_models(case.family))
    (folder / manifest["testbench"]).write_text(testbench(manifest))
    return manifest


def run_one(seed, simulator, cache):
    """Verdict of one run. Whatever goes wrong in it is its result: the other runs go on."""
    try:
        if simulator == "amaranth":
            return run_seed(seed, simulator=simulator, folder=None, manifest=None, cache=cache)
        if simulator == RELOAD:
            return run_reload_seed(seed)
        if simulator == "network":
            return run_network_seed(seed, simulator=simulator, folder=None, manifest=None, cache=cache)
        with tempfile.TemporaryDirectory(prefix="mubinn-equality-") as scratch:
            folder = Path(scratch) / "core"
            if simulator in NETWORKS:
                manifest = write_network_bench(random_network(seed), folder)
                return run_network_seed(seed, simulator=simulator, folder=folder, manifest=manifest, cache=cache)
            case = random_case(seed)
            manifest = write_bench(replace(case, axi=case.axi or int(simulator == "axi")), folder)
            return run_seed(seed, simulator=simulator, folder=folder, manifest=manifest, cache=cache)
    except Exception as error:
        if isinstance(error, SimulatorError) and "is not installed" in str(error):
            raise
        return Verdict(
            seed=seed, simulator=simulator, what="error", steps=0, records=0, cycles=0, mismatches=1, features=(),
            differences=(f"{type(error).__name__}: {error}",), seconds=0.0,
        )  # fmt: skip


def run_jobs(work, *, kept, cache, record=None, jobs=2, resume=False, progress=lambda done: None):
    """Verdicts of the runs, in their order. Each is kept in the file `kept` as soon as it is there, and in `record`, see
    `equality_record`, when all are, or an interruption comes."""
    kept = Path(kept)
    version = equality_record.version()
    found = {} if record is None else equality_record.load(record, version, work)
    if resume and kept.is_file():
        for line in kept.read_text().splitlines():
            entry = json.loads(line)
            if entry.pop("version") == version:
                verdict = Verdict(**entry | {name: tuple(entry[name]) for name in ("features", "differences")})
                found[verdict.seed, verdict.simulator] = verdict
    elif kept.is_file():
        kept.unlink()
    left = [item for item in work if item not in found]
    done = len(work) - len(left)
    progress(done)
    # Spawned, not forked: the progress bar has a thread.
    # An interruption reaches this process alone; the runs under way end by themselves.
    pool = ProcessPoolExecutor(
        min(jobs, max(1, len(left))),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        with open(kept, "a") as log:
            for future in as_completed([pool.submit(run_one, *item, cache) for item in left]):
                verdict = future.result()
                found[verdict.seed, verdict.simulator] = verdict
                log.write(json.dumps(asdict(verdict) | {"version": version}) + "\n")
                log.flush()
                done += 1
                progress(done)
    finally:
        pool.shutdown(cancel_futures=True)
        if record is not None:
            equality_record.save(record, version, found)
    return [found[item] for item in work]


def models_on_data(models, data, *, family, cache, jobs, bar):
    """Figures of all test windows through each model's Verilog, of the family's cells, in Verilator."""
    found = []
    for name in models:
        model_file = load_model(name)
        windows = load_test(model_file, data)
        task = bar.add_task(name, total=len(windows))
        with tempfile.TemporaryDirectory(prefix="mubinn-equality-") as scratch:
            folder = Path(scratch) / "core"
            generate(model_file, folder, family=family)
            result = simulate(
                folder,
                windows,
                simulator="verilator",
                cache=cache,
                jobs=jobs,
                progress=lambda done, total, task=task: bar.update(task, completed=done),
            )
        found.append({"model": name, "data": str(data), "family": family} | result.figures())
    return found


def _kind(verdict):
    """Seeds of cores, of networks and of reloads are counted apart."""
    return "network" if verdict.simulator in NETWORKS else RELOAD if verdict.simulator == RELOAD else "core"


def summary(seed, verdicts, data):
    """What `mubinn bench equality --json` prints."""
    failures = [verdict for verdict in verdicts if not verdict.ok]
    # A spec counts once, however often it ran.
    specs = {(verdict.seed, _kind(verdict)) for verdict in verdicts}
    covered = {(verdict.seed, _kind(verdict), feature) for verdict in verdicts for feature in verdict.features}
    # A case that was drawn for AXI runs there only where it is small enough for Icarus.
    covered = {(seed, kind, feature) for seed, kind, feature in covered if feature != "axi"}
    covered |= {(verdict.seed, "core", "axi") for verdict in verdicts if verdict.simulator == "axi"}
    covered |= {(verdict.seed, "", f"simulator {verdict.simulator}") for verdict in verdicts if verdict.steps}
    coverage = Counter(feature for _, _, feature in covered)
    wrong = sum(verdict.mismatches for verdict in verdicts) + sum(entry["mismatches"] for entry in data)
    return {
        "ok": not failures and wrong == 0,
        "seed": seed,
        "specs": len(specs),
        "runs": len(verdicts),
        "steps": sum(verdict.steps for verdict in verdicts) + sum(entry["steps"] for entry in data),
        "records": sum(verdict.records for verdict in verdicts),
        "mismatches": wrong,
        "simulators": dict(sorted(Counter(verdict.simulator for verdict in verdicts).items())),
        "coverage": dict(sorted(coverage.items())),
        "data": data,
        "failures": [
            {
                "seed": verdict.seed,
                "simulator": verdict.simulator,
                "what": verdict.what,
                "mismatches": verdict.mismatches,
                "differences": list(verdict.differences[:5]),
                "command": f"mubinn bench equality --only {verdict.seed} --simulator {verdict.simulator}",
            }
            for verdict in failures
        ],
    }

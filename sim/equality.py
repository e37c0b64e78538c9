"""One random case through one simulator, as often as you like: the long proof that the circuit is the golden model."""

import time
from dataclasses import dataclass

from mubinn.hw.lstm import Lstm

from .axi import EPISODES, run_axi
from .bench import build_bench, run_bench
from .network_bench import run_network
from .network_case import network_case
from .pysim import run_amaranth
from .random_case import random_case
from .random_network import random_network
from .random_reload import random_reload
from .reload import run_reload
from .vectors import write_case

__all__ = ["NETWORKS", "RELOAD", "Verdict", "chosen_simulator", "run_network_seed", "run_reload_seed", "run_seed"]

NETWORKS = ("network", "network-verilog")
"""In place of a simulator: the network of the seed, in Amaranth's simulator, or its Verilog in Icarus."""

RELOAD = "reload"
"""In place of a simulator: the seed's models one after another into one core, in Amaranth's simulator."""

_AMARANTH_COST = 6.5e6
"""Above this cost Amaranth's simulator needs longer than Verilator to compile and run: 3 to 4 seconds of a core."""
_ICARUS_COST = 1.5e6
"""Up to this cost Icarus, which compiles in 0.1 s, ends before Verilator has compiled."""
_VERILOG_SHARE = 4
"""One seed in so many goes through Verilog whatever it costs."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one seed gave.

    Attributes
    ----------
    seed : int
    simulator, what : str
    steps, records, cycles, mismatches : int
    features : tuple of str
        What the case covers.
    differences : tuple of str
        In words, or what went wrong; empty where all is equal.
    seconds : float
    """

    seed: int
    simulator: str
    what: str
    steps: int
    records: int
    cycles: int
    mismatches: int
    features: tuple
    differences: tuple
    seconds: float

    @property
    def ok(self):
        return self.mismatches == 0 and self.records > 0 and self.steps > 0


def chosen_simulator(case, *, installed):
    """The one that ends first by what was measured; every fourth seed through Verilog, so that small cores are seen there too.

    Parameters
    ----------
    case : RandomCase
    installed : container of str
        verilator, icarus, and axi (cocotbext-axi on Icarus), or fewer; Amaranth's simulator is always there.
    """
    in_verilog = case.seed % _VERILOG_SHARE == 0
    # Icarus takes a hundred times as long where many products are added in one expression.
    tiny = case.cost <= _ICARUS_COST and case.schedule.levels <= 4 and case.schedule.scale_slots <= 12
    if case.axi and tiny and "axi" in installed:
        return "axi"
    if in_verilog and tiny and "icarus" in installed:
        return "icarus"
    return "verilator" if "verilator" in installed and (in_verilog or case.cost > _AMARANTH_COST) else "amaranth"


def run_seed(seed, *, simulator, folder, manifest, cache):
    """Run the case of a seed.

    Parameters
    ----------
    seed : int
    simulator : str
        amaranth, verilator, icarus or axi.
    folder, manifest
        But for amaranth: the generated folder of the case's core, where its vectors are written to.
    cache : path
        Folder for what all compiled models share; the model itself goes where the core is.
    """
    started, case = time.monotonic(), random_case(seed)
    if simulator == "amaranth":
        result = run_amaranth(Lstm(case.parameters, case.folding, family=case.family), case.case, **case.run_settings())
    elif simulator == "axi":
        stall = min(0.5, case.stall_in, case.stall_out)
        found = run_axi(folder, [case.case] * len(EPISODES), stall=stall, seed=seed, simulator="icarus", cache=folder.parent)
        return _verdict(seed, simulator, case.what, case.features, found, started, records=found.words, cycles=0)
    else:
        write_case(folder / "vectors", manifest, case.case)
        command = build_bench(folder, manifest, simulator=simulator, cache=folder.parent, runtime_cache=cache, quick=True)
        result = run_bench(command, folder / "vectors", simulator=simulator, **case.run_settings())
    return _verdict(seed, simulator, case.what, case.features, result, started)


def run_network_seed(seed, *, simulator, folder, manifest, cache):
    """Run the network of a seed. As `run_seed`, with a simulator of NETWORKS; folder and manifest for its Verilog."""
    started, case = time.monotonic(), random_network(seed)
    if simulator == "network":
        found = run_network(case)
        more = {"mismatches": len(found.differences)}
    else:
        write_case(folder / "vectors", manifest, network_case(case.network, case.windows))
        command = build_bench(folder, manifest, simulator="icarus", cache=folder.parent, runtime_cache=cache, quick=True)
        stalls = {"stall_in": case.stall_in, "stall_out": case.stall_out, "seed": seed, "reset_at": case.reset_at}
        found = run_bench(command, folder / "vectors", simulator="icarus", **stalls)
        more = {}
    return _verdict(seed, simulator, case.features[0], case.features, found, started, **more)


def run_reload_seed(seed):
    """Load the models of a seed, right and broken, into its core while windows go through it."""
    started, case = time.monotonic(), random_reload(seed)
    found = run_reload(case.core(), case.models, seed=seed, **case.stalls)
    return _verdict(seed, RELOAD, case.features[1], case.features, found, started)


def _verdict(seed, simulator, what, features, found, started, **more):
    """Verdict of what a run found; `more` has the counts that it names otherwise."""
    counts = {
        name: more[name] if name in more else getattr(found, name) for name in ("steps", "records", "cycles", "mismatches")
    }
    about = {"seed": seed, "simulator": simulator, "what": what, "features": features, "differences": found.differences}
    return Verdict(**about, **counts, seconds=time.monotonic() - started)

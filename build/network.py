"""A network becomes a folder, as a single core does: Verilog, test vectors, testbench, manifest."""

import hashlib
import json
import time
from pathlib import Path

import numpy as np
from mubinn.hw.network import NetworkCore
from mubinn.model.network_file import load_network, save_network
from mubinn.sim.bench import build_bench, run_bench
from mubinn.sim.cell_models import CELL_MODELS
from mubinn.sim.network_case import describe_network, network_case
from mubinn.sim.vectors import write_case

from .constraints import CLOCK_MHZ
from .core_folder import MANIFEST, STARTUP_CYCLES, check_name, versions, write_surroundings, write_verilog
from .generate import Generated, default_folding
from .paths import new_folder

__all__ = ["describe", "generate_network", "sentences_case", "simulate_network"]

SEED = 1
MOST_STEPS = 12
"""Of a window of the vectors."""


def generate_network(network_file, out, *, foldings=None, head_mults=1, family="generic", name="mubinn_network",
                     clock_mhz=CLOCK_MHZ):  # fmt: skip
    """Write the folder `out`.

    Parameters
    ----------
    network_file : NetworkFile
    out : path
        New, empty, or a folder made by `generate` before.
    foldings : sequence of sequence of Folding, or None
        One for each direction of each layer; None for the defaults.
    head_mults, family, name, clock_mhz
        As NetworkCore and `generate`.

    Raises UserError, SpecError.
    """
    started = time.monotonic()
    check_name(name)
    network = network_file.network
    foldings = foldings or [[default_folding(p.spec) for p in layer.directions] for layer in network.layers]
    core = NetworkCore(network, foldings, head_mults=head_mults, family=family, startup_cycles=STARTUP_CYCLES)
    manifest, case = describe(core, name=name), network_case(network, _windows(network))
    with new_folder(out, marker=MANIFEST) as folder:
        write_verilog(folder, core, name, sample_bits=network.spec.x.bits)
        save_network(folder / "model.safetensors", network_file)
        write_surroundings(folder, manifest, case, clock_mhz=clock_mhz)
    return Generated(directory=Path(out), manifest=manifest, seconds=time.monotonic() - started)


def describe(core, *, name):
    """The manifest of a NetworkCore, see `generate.describe`; of `kind` network."""
    network = core.network
    every = [p for layer in network.layers for p in layer.directions]
    cores = core.cores
    weight_bits = sum(p.spec.weight_bits for p in every)
    words = sum(len(c.weights.words) * c.weights.layout.size for c in cores)
    return {
        "format_version": 1,
        "kind": "network",
        "head": network.kind,
        "name": name,
        "top": name,
        "verilog": f"{name}.v",
        "cells": f"{name}_cells.v" if core.family in CELL_MODELS else None,
        "family": core.family,
        "wrapper": f"{name}_bytes.v",
        "testbench": f"{name}_tb.v",
        "model": "model.safetensors",
        "layers": [[json.loads(p.spec.to_json()) for p in layer.directions] for layer in network.layers],
        "folding": [vars(c.schedule.folding).copy() for c in cores],
        "parameters": sum(int(t.size) for p in every for t in p.tensors().values()),
        "weight_bits": weight_bits,
        "memory_bits": words,
        "ideal_cycles_per_step": max(c.schedule.ideal_cycles_per_step for c in cores),
        "predicted_cycles_per_step": core.predicted_cycles_per_step,
        "latency_cycles": core.latency,
        "startup_cycles": core.startup_cycles,
        "versions": versions(),
    } | describe_network(core)


def _windows(network):
    """A few windows of seeded samples, some of them broken, a whole one behind each."""
    spec, rng = network.spec, np.random.default_rng(SEED)

    def window(steps):
        return spec.x.quantize(rng.normal(0, 1, (min(steps, network.max_steps), spec.input_size)))

    found = [(window(steps), None) for steps in (5, 1, 3)]
    found.append((rng.integers(spec.x.low, spec.x.high + 1, (min(4, network.max_steps), spec.input_size)), None))
    if spec.input_size > 1:
        x = window(3)
        found += [(x, (len(x) - 1) * spec.input_size + 1), (window(4), None)]
    if network.max_steps <= MOST_STEPS:
        found += [(window(network.max_steps), 0), (window(4), None)]
    return found


def sentences_case(network_file, sentences):
    """Case of sentences, lists of words, each a window."""
    return network_case(network_file.network, [(network_file.vocabulary.sentence(words)[0], None) for words in sentences])


def simulate_network(folder, manifest, *, sentences=None, windows=None, simulator="verilator", stall=0.0, seed=1,
                     cache="out/sim"):  # fmt: skip
    """BenchResult of a generated network in its testbench: on its own vectors, on sentences (lists of words), or on windows
    (integers [steps, input_size] in the format of x)."""
    folder, cache = Path(folder), Path(cache)
    command = build_bench(folder, manifest, simulator=simulator, cache=cache)
    vectors = folder / manifest["vectors"]["folder"]
    if sentences is not None:
        file = load_network(folder / manifest["model"])
        vectors = cache / f"sentences-{hashlib.sha256(json.dumps(sentences).encode()).hexdigest()[:16]}"
        vectors.mkdir(parents=True, exist_ok=True)
        write_case(vectors, manifest, sentences_case(file, sentences))
    elif windows is not None:
        network = load_network(folder / manifest["model"]).network
        vectors = cache / f"windows-{hashlib.sha256(b''.join(x.tobytes() for x in windows)).hexdigest()[:16]}"
        vectors.mkdir(parents=True, exist_ok=True)
        write_case(vectors, manifest, network_case(network, [(x, None) for x in windows]))
    return run_bench(command, vectors, simulator=simulator, stall_in=stall, stall_out=stall, seed=seed)

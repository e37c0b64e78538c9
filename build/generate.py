"""A model becomes a folder: Verilog, memory images, test vectors, testbench and a manifest that says what it all is."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from mubinn.hw.axi import AxiCore
from mubinn.hw.constants import widest
from mubinn.hw.lstm import Lstm
from mubinn.model.artifact import ModelFile, save_model
from mubinn.model.folding import Folding, Schedule
from mubinn.sim.case import make_case
from mubinn.sim.cell_models import CELL_MODELS
from mubinn.sim.default_case import SEED, default_case
from mubinn.sim.interleave import interleaved
from mubinn.sim.signals import describe_streams

from .constraints import CLOCK_MHZ
from .core_folder import MANIFEST, STARTUP_CYCLES, check_name, versions, write_surroundings, write_verilog
from .paths import new_folder

__all__ = ["Generated", "default_folding", "describe", "generate", "memory_images"]


@dataclass(frozen=True, kw_only=True)
class Generated:
    """What `generate` made; `figures` are the keys of `mubinn generate --json`."""

    directory: Path
    manifest: dict
    seconds: float

    def figures(self):
        m = self.manifest
        keys = ("verilog", "top", "parameters", "memory_bits", "weight_bits", "ideal_cycles_per_step")
        return {"directory": str(self.directory)} | {k: m[k] for k in keys} | {"seconds": round(self.seconds, 2)}


def generate(model_file: ModelFile, out, *, folding=None, family="generic", name="mubinn_lstm", x=None, axi=0,
             clock_mhz=CLOCK_MHZ, also=()):  # fmt: skip
    """Write the folder `out`.

    Parameters
    ----------
    model_file : ModelFile
        A quantized model.
    out : path
        New, empty, or a folder made by `generate` before.
    folding : Folding
    family : str
        Whose cells the Verilog is made of, see Lstm. `generic` has none; the others come with models of theirs for simulators.
    name : str
        Verilog module, and prefix of every other module.
    x : integer array [windows, steps, input_size] or None
        Samples for the test vectors; those of `mubinn.sim.default_case` if None.
    axi : int
        Samples of a beat of the AXI4-Stream wrapper, 1 to 64, or 0 for no such wrapper.
    clock_mhz : float
        What the constraints ask for.
    also : sequence of ModelFile
        Others that a core whose folding loads all must have room for.

    Raises
    ------
    UserError, SpecError, ArtifactError
    """
    started = time.monotonic()
    check_name(name)
    model = model_file.model()
    spec, folding = model.spec, folding or default_folding(model.spec)
    bits = None
    if folding.loads == "all":
        bits = widest([model.parameters, *(own.model().parameters for own in also)], Schedule(spec, folding))
    core = Lstm(model.parameters, folding, family=family, startup_cycles=STARTUP_CYCLES, loaded_bits=bits)
    case = vectors_of(model, core.schedule.folding) if x is None else make_case(model, x)
    images = memory_images(core)
    manifest = describe(core, model, name=name, images=images)
    bus = AxiCore(name, core, samples_per_beat=axi) if axi else None
    if bus is not None:
        manifest["axi"] = {"verilog": f"{name}_axi.v", "top": f"{name}_axi"} | bus.description()
    load = core.load_map.words(model.parameters) if core.load_map else None
    with new_folder(out, marker=MANIFEST) as folder:
        write_verilog(folder, core, name, sample_bits=spec.x.bits, loads=load is not None, bus=bus)
        for image, (words, width) in images.items():
            digits = -(-width // 4)
            (folder / f"{name}_{image}.hex").write_text("".join(f"{word:0{digits}x}\n" for word in words))
        save_model(folder / "model.safetensors", model_file)
        write_surroundings(folder, manifest, case, clock_mhz=clock_mhz, load=load)
    return Generated(directory=Path(out), manifest=manifest, seconds=time.monotonic() - started)


def vectors_of(model, folding):
    """Case of the vectors that a folder gets without data; of several contexts one for each."""
    seeds = range(SEED, SEED + folding.contexts)
    cases = [default_case(model, rows=folding.rows, seed=seed) for seed in seeds]
    return cases[0] if len(cases) == 1 else interleaved(cases, model.spec)


def default_folding(spec, *, scaling="gamma", skip=False, weight_planes=1):
    """One row of 24 lanes, or fewer where the LSTM is smaller, and as few multipliers as keep up with the dot products. With
    `skip` four times as many lanes."""
    lanes = min(96 if skip else 24, spec.columns)
    settings = {"rows": 1, "lanes": lanes, "weight_planes": weight_planes, "scaling": scaling, "skip": skip}
    first = Schedule(spec, Folding(**settings))
    most = first.gate_rows * first.batch_items  # one multiplier a product of a batch
    # Beyond one a gate, multipliers count only in whole multiples of the gates.
    for scale_mults in (1, 2, *range(4, most + 1, 4)) if not skip else range(1, most + 1):
        folding = Folding(**settings, scale_mults=scale_mults)
        schedule = Schedule(spec, folding)
        if 2 * schedule.batch_cycles <= schedule.words:
            break
    return folding


def memory_images(core):
    """{name: (words, bits of a word)} of the initialised memories."""
    spec = core.spec
    images = {
        "weights": (core.weights.words, core.weights.layout.size),
        "bias": (core.preactivation.words, 4 * spec.bias_levels),
    }
    if spec.cell_kind == "peephole":
        images["peephole"] = (core.activation.words, 4 * spec.peephole_levels)
    if core.head is not None:
        images["head"] = (core.head.words, spec.head_bits)
    return images


def describe(core, model, *, name, images):
    """The manifest: names, shapes, figures, ports, and where in the hierarchy each signal of the golden trace is."""
    spec, schedule = core.spec, core.schedule
    contexts = schedule.folding.contexts
    state = contexts * spec.hidden_size * (spec.cell_levels or spec.cell.bits)
    if spec.cell_kind == "peephole":
        state += contexts * spec.hidden_size * spec.cell.bits
    return (
        {
            "format_version": 1,
            "name": name,
            "top": name,
            "verilog": f"{name}.v",
            "cells": f"{name}_cells.v" if core.family in CELL_MODELS else None,
            "family": core.family,
            "wrapper": f"{name}_bytes.v",
            "testbench": f"{name}_tb.v",
            "model": "model.safetensors",
            "spec": json.loads(spec.to_json()),
            "folding": vars(schedule.folding).copy(),
            "parameters": sum(int(t.size) for t in model.parameters.tensors().values()),
            "weight_bits": spec.weight_bits,
            "memory_bits": sum(len(words) * width for words, width in images.values()) + core.store.memory_bits + state,
            "ideal_cycles_per_step": schedule.ideal_cycles_per_step,
            "predicted_cycles_per_step": core.predicted_cycles_per_step,
            "latency_cycles": core.latency,
            "startup_cycles": core.startup_cycles,
            "versions": versions(),
        }
        | _loads(core)
        | describe_streams(core)
    )


def _loads(core):
    """What a core that loads parameters is like."""
    if core.load_map is None:
        return {}
    about = {"words": core.load_map.word_count, "identity": core.load_map.identity, "bits": core.loaded_bits}
    return {"load": about | {"starts_loaded": core.loader.starts_loaded}}

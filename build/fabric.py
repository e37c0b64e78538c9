"""Size of single components on FPGA families: RTLIL of a component, Yosys' count of its cells."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Const, Value
from mubinn.hw.cells import Fabric

from .errors import ToolError
from .paths import write_text
from .tools import run_tool, tool_version

__all__ = ["FABRICS", "Size", "rtlil_of", "size_of"]

FABRICS = {
    "ice40": "synth_ice40 -dsp -top top",
    # Wide multiplexers cost popcounts more than they save. abc in place of synth_ecp5's abc9, on which Yosys 0.70 of PyPI ends
    # without a message for some of these netlists; where both work the counts are the same within a LUT.
    "ecp5": "synth_ecp5 -nowidelut -top top -run begin:map_luts; abc -dress -lut 4; clean; "
    "synth_ecp5 -nowidelut -top top -run map_cells:check",
    "gowin": "synth_gowin -nowidelut -noiopads -top top",
    "xc7": "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top top",
}
"""Yosys commands of each family."""

_LUTS = {
    "ice40": {"SB_LUT4": 1},
    # A CCU2C is two LUT4s with carry. 16 x 4 bits of RAM are four LUTs and the two whose inputs become the write port.
    "ecp5": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
    # A RAM16SDP4 keeps the other four LUTs of its tile from being used.
    "gowin": {f"LUT{k}": 1 for k in range(1, 5)} | {"ALU": 1, "RAM16SDP4": 8},
    # A LUT6_2 is one LUT with both its outputs; a RAM32M or RAM64M is the four LUTs of a slice.
    "xc7": {f"LUT{k}": 1 for k in range(1, 7)} | {"INV": 1, "LUT6_2": 1, "SRL16E": 1, "RAM32M": 4, "RAM64M": 4},
}
_DSPS = ("SB_MAC16", "MULT18X18D", "MULT9X9", "MULT18X18", "MULT36X36", "DSP48E1")
_KNOWN = {
    "ice40": ("SB_CARRY", "SB_DFF"),
    "ecp5": ("TRELLIS_FF",),
    "gowin": ("DFF", "GND", "VCC"),
    "xc7": ("CARRY4", "FDRE", "FDSE", "MUXF"),
}
"""Cells that are no LUTs, by how their names begin."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """LUTs as a place-and-route tool would use them, and Yosys' count of every kind of cell."""

    luts: int
    dsps: int
    cells: dict


def rtlil_of(component, name, platform=None):
    """RTLIL text of a component; a stream that is never held back has no ready port."""
    ports = {}
    for path, _, port in component.signature.flatten(component):
        value = Value.cast(port)
        if not isinstance(value, Const):
            ports["__".join(map(str, path))] = (value, None)
    return rtlil.convert(component, name=name, platform=platform, ports=ports, emit_src=False)


def size_of(component, family, directory, *, limit_s=600):
    """Map a component to a family in `directory`; the same netlist is not mapped a second time by the same Yosys.

    Raises
    ------
    ToolError
        Yosys failed, or used a cell that is not counted here.
    """
    directory, kept = Path(directory), Path(directory) / "mapped.json"
    netlist = rtlil_of(component, "top", Fabric(family))
    # A $scopeinfo is a submodule's name, no cell.
    script = f"read_rtlil top.il; {FABRICS[family]}; delete t:$scopeinfo; tee -q -o stat.json stat -json"
    key = hashlib.sha256("\n".join((netlist, script, tool_version("yosys"))).encode()).hexdigest()
    if not kept.exists() or json.loads(kept.read_text())["key"] != key:
        (directory / "top.il").write_text(netlist)
        run_tool("yosys", ["-q", "-p", script], cwd=directory, log="yosys.log", limit_s=limit_s)
        try:
            cells = json.loads((directory / "stat.json").read_text())["design"]["num_cells_by_type"]
        except (OSError, ValueError, KeyError) as error:
            raise ToolError(f"yosys did not report its cells: {directory / 'stat.json'}: {error}") from error
        write_text(kept, json.dumps({"key": key, "cells": cells}))
    cells = json.loads(kept.read_text())["cells"]
    luts = _LUTS[family]
    for kind in cells:
        if kind not in luts and kind not in _DSPS and not kind.startswith(_KNOWN[family]):
            raise ToolError(f"{family}: cell {kind} is not counted; log: {directory / 'yosys.log'}")
    return Size(
        luts=sum(luts.get(kind, 0) * count for kind, count in cells.items()),
        dsps=sum(cells.get(kind, 0) for kind in _DSPS),
        cells=cells,
    )

"""Where the LUTs of a mapped core are: the cells of Yosys' flat netlist, counted by the part of the core they belong to."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

from .errors import ToolError

__all__ = ["census"]

_RESOURCES = {
    "SB_RAM40_4K": "brams", "DP16KD": "brams", "PDPW16KD": "brams", "TRELLIS_DPR16X4": "lut_rams",
    "SB_MAC16": "dsps", "MULT18X18D": "dsps",
}  # fmt: skip
_OUTPUTS = {"O", "CO", "Z", "Q", "S0", "S1", "COUT", "F", "DO"}


def census(folder, manifest, family):
    """{part: {"luts", "brams", "dsps"}} of the netlist core.json; luts as nextpnr packs them.

    Parts are the submodules of the core, `top` for what is between them, `bytes` for the byte-wide bus.
    """
    folder = Path(folder)
    try:
        module = json.loads((folder / "core.json").read_text())["modules"][f"{manifest['top']}_bytes"]
    except (OSError, ValueError, KeyError) as error:
        raise ToolError(f"{folder / 'core.json'}: not a netlist of yosys: {error}") from error
    cells = {name: cell for name, cell in module["cells"].items() if cell["type"] != "$scopeinfo"}
    parts = _parts(cells, _lines(folder.parents[1], manifest))
    counts = defaultdict(Counter)
    packed = _ice40 if family == "ice40" else _ecp5
    for name, luts in packed(cells).items():
        counts[parts[name]]["luts"] += luts
    for name, cell in cells.items():
        if cell["type"] in _RESOURCES:
            counts[parts[name]][_RESOURCES[cell["type"]]] += 1
    return {part: dict(count) for part, count in counts.items()}


def _lines(folder, manifest):
    """{file: [(first line, part)]} of the modules of the Verilog files."""
    found = {manifest["wrapper"]: [(1, "bytes")]}
    starts = found[manifest["verilog"]] = []
    for number, line in enumerate((folder / manifest["verilog"]).read_text().splitlines(), 1):
        if line.startswith("module "):
            path = re.match(r"module \\?([^ (]+)", line)[1].removeprefix(manifest["top"]).split(".")
            starts.append((number, path[1] if len(path) > 1 else "top"))
    return found


def _parts(cells, lines):
    """{cell: part}: by the line of Verilog it comes from, or else by what it drives, or what drives it."""
    users, parts = defaultdict(list), {}
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            if port not in _OUTPUTS:
                for bit in bits:
                    users[bit].append(name)

    def by_line(cell):
        for place in cell["attributes"].get("src", "").split("|"):
            match = re.match(r"(?:.*/)?([^/]+\.v):(\d+)\.", place)
            if match and match[1] in lines:
                return [part for start, part in lines[match[1]] if start <= int(match[2])][-1]
        return None

    def by_name(name):
        path = name.split(".")
        return path[1].split("$")[0] if len(path) > 2 and path[0] == "core" else None

    known = {part for starts in lines.values() for _, part in starts}

    def part_of(name, trail=()):
        if name not in parts:
            cell = cells[name]
            # Memories and multipliers keep their names; what logic is called after may be far away.
            part = by_name(name) if cell["type"] in _RESOURCES else by_line(cell)
            if part is None and "DFF" not in cell["type"] and len(trail) < 200 and name not in trail:
                for port, bits in cell["connections"].items():
                    if port in _OUTPUTS:
                        for user in (u for bit in bits for u in users[bit]):
                            part = part or part_of(user, (*trail, name))
            if part is None:
                part = by_name(name)
            if part is None and trail:
                return None
            parts[name] = part if part in known else "top"
        return parts[name]

    for name in cells:
        part_of(name)
    return parts


def _drivers(cells, kinds):
    """{bit: cell} of what cells of some kinds drive."""
    return {
        bit: name
        for name, cell in cells.items()
        if cell["type"].startswith(kinds)
        for port, bits in cell["connections"].items()
        if port in _OUTPUTS
        for bit in bits
        if not isinstance(bit, str)
    }


def _fanout(cells):
    return Counter(
        bit
        for cell in cells.values()
        for port, bits in cell["connections"].items()
        if port not in _OUTPUTS
        for bit in bits
        if not isinstance(bit, str)
    )


def _ice40(cells):
    """Logic cells: a LUT with the flip-flop that it alone drives and the carry beside it, and what stays alone."""
    fanout, luts = _fanout(cells), _drivers(cells, ("SB_LUT4",))
    carries = {cell["connections"]["CI"][0]: name for name, cell in cells.items() if cell["type"] == "SB_CARRY"}
    counts, beside = Counter(), set()
    for name, cell in cells.items():
        if cell["type"] == "SB_LUT4":
            counts[name] += 1
            pins = cell["connections"]
            carry = carries.get(pins["I3"][0])
            if carry is not None and carry not in beside:
                ports = cells[carry]["connections"]
                if {str(ports["I0"][0]), str(ports["I1"][0])} <= {str(pins["I1"][0]), str(pins["I2"][0]), "0", "1", "x"}:
                    beside.add(carry)
        elif cell["type"].startswith("SB_DFF"):
            bit = cell["connections"]["D"][0]
            counts[name] += not (bit in luts and fanout[bit] == 1)
    for name, cell in cells.items():
        if cell["type"] == "SB_CARRY":
            counts[name] += name not in beside
    chained = _drivers(cells, ("SB_CARRY",))
    for name, cell in cells.items():
        # A chain that begins with a net, or ends in logic, takes a cell to get in or out.
        if cell["type"] == "SB_CARRY":
            start = cell["connections"]["CI"][0]
            counts[name] += not isinstance(start, str) and start not in chained
    return counts


def _ecp5(cells):
    """TRELLIS_COMBs: a LUT, half a CCU2C, a quarter of a LUT RAM; chains take a CCU2C to get in and to get out."""
    counts = Counter()
    carries = [cell["connections"] for cell in cells.values() if cell["type"] == "CCU2C"]
    into = {ports["CIN"][0] for ports in carries}
    outs = {ports["COUT"][0] for ports in carries if ports["COUT"]}
    fanout = _fanout(cells)
    for name, cell in cells.items():
        if cell["type"] == "LUT4":
            counts[name] = 1
        elif cell["type"] == "TRELLIS_DPR16X4":
            counts[name] = 4
        elif cell["type"] == "CCU2C":
            start, end = (cell["connections"][port] for port in ("CIN", "COUT"))
            counts[name] = 2 + 2 * (start[0] not in outs) + 2 * bool(end and fanout[end[0]] and end[0] not in into)
    return counts

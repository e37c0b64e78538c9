"""The coefficients of the estimate, measured: small seeded cores are mapped, and every part's LUTs are counted."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from mubinn.model.folding import Schedule
from scipy.optimize import lsq_linear

from .area import Area
from .census import census
from .errors import ToolError
from .folding_cases import folding_case
from .generate import generate
from .paths import write_text
from .synth import _mapped
from .targets import TARGETS
from .tools import run_tool, tool_version
from .widths import Widths

__all__ = ["calibrate", "counted_case", "fitted"]

CALIBRATED = ("ice40-up5k", "ecp5-25k")
FIRST_SEED, SEEDS = 1001, 14
READ_AHEAD = (1005, 1011, 1019)
"""Seeds of iCE40 cores that read four groups ahead, which no core of `folding_case` does there: queues of flip-flops."""

LIMIT_S = 900
RIDGE = 0.003
BOUNDS = {
    # A LUT4 holds 16 bits of a ROM, and multiplexers stand behind it.
    "rom": (0.7, 2),
    # A flip-flop of a memory, and its share of the multiplexers.
    "bits": (1, 2.5),
    "waiting_bits": (1, 2.5),
    "lut_rams": (4, 7),
    "waiting_lut_rams": (4, 7),
    # A multiplexer between the blocks of a memory, and one for sums of groups read ahead.
    "muxes": (0, 1),
    "waiting_muxes": (0, 1),
    "ahead": (0.5, 1.5),
    "lanes": (1, 6),
    "adders": (0, 2),
    # Of factored scales: LUT4s by construction, a few of which are constants or merge, and adders.
    "looked_up": (0.6, 1.5),
    "added": (0.7, 1.5),
    # Of a multiplier's bit: the counts that wait for it, its operand, and the sum behind it.
    "counts": (0.5, 2.5),
    "dots": (1, 5),
    "totals": (1, 2.5),
    "ring": (0, 2),
    "codes": (0, 2),
}
"""What a coefficient can be, where few of the cores tell: LUTs of one. The middle stands where none does."""

HOMES = {"weights": "dots"}
"""Part whose numbers tell how large another one is."""


def counted_case(case, out):
    """Counts of a core's parts, and what nextpnr packs it into: kept in `out`, found again for the same netlist and tools."""
    folder = Path(out) / case.name
    kept = Path(out) / f"{case.name}.json"
    target = TARGETS[case.target]
    made = generate(case.model_file, folder, folding=case.folding, family=target.family)
    key = [made.manifest["sha256"][made.manifest["verilog"]], tool_version("yosys"), tool_version(target.program)]
    if kept.exists() and (found := json.loads(kept.read_text()))["key"] == key:
        return found
    work = folder / "synth" / target.name
    work.mkdir(parents=True, exist_ok=True)
    cells = _mapped(work, made.manifest, target, LIMIT_S)
    packed = _packed(work, target)
    parts = census(work, made.manifest, target.family)
    found = {"key": key, "cells": cells, "packed": packed, "parts": parts}
    write_text(kept, json.dumps(found, sort_keys=True))
    return found


def _packed(work, target):
    """Cells that nextpnr makes of a netlist, before it places them."""
    arguments = [*target.options, "--json", "core.json", "--pack-only"]
    log = run_tool(target.program, arguments, cwd=work, log="pack.log", limit_s=LIMIT_S)
    counts = {}
    for ours, theirs in target.cells.items():
        match = re.search(rf"{theirs}:\s*(\d+)/", log)
        if match is None:
            raise ToolError(f"{target.program} did not report {ours} ({theirs}): {work / 'pack.log'}")
        counts[ours] = int(match[1])
    return counts


def calibrate(out, *, seeds=SEEDS, progress=lambda name: None):
    """Measure the seeded cores in `out` and fit: the content of area.json."""
    counted = {}
    for case, found in gather(out, seeds=seeds, progress=progress):
        counted.setdefault(TARGETS[case.target].family, []).append((case, found))
    tools = sorted({tool for cases in counted.values() for _, found in cases for tool in found["key"][1:]})
    families = {family: fitted(cases, family) for family, cases in counted.items()}
    cores = {family: [case.name for case, _ in cases] for family, cases in counted.items()}
    return {"tools": tools, "cores": cores, "families": families}


def gather(out, *, seeds=SEEDS, progress=lambda name: None):
    """(case, its counts) of every core, one chip after the other."""
    for number in range(seeds):
        for target in CALIBRATED:
            # Every fourth has many lanes, what the sizes of large cores depend on most.
            case = folding_case(FIRST_SEED + number, target, size="wide" if number % 4 == 3 else "small")
            progress(case.name)
            yield case, counted_case(case, out)
    for seed in READ_AHEAD[: max(1, seeds // 3)]:
        case = folding_case(seed, "ice40-up5k", size="small")
        case = replace(case, name=case.name.replace("@", "-ahead@"), folding=replace(case.folding, ahead=4))
        progress(case.name)
        yield case, counted_case(case, out)


def fitted(cases, family):
    """{part: {what it grows with: LUTs of one}} of a family: least squares within BOUNDS.

    A core counts by what its error is of all its LUTs. What nextpnr makes of them beyond Yosys' is spread over the parts.
    """
    rows = {}
    for case, found in cases:
        packed, counted = found["packed"]["luts"], sum(count.get("luts", 0) for count in found["parts"].values())
        numbers = Area(Widths(case.model_file.parameters), Schedule(case.spec, case.folding), family).parts()
        luts = dict.fromkeys(numbers, 0)
        for part, count in found["parts"].items():
            # Small parts without numbers of their own, delays for instance, are between the others.
            luts[part if part in luts else HOMES.get(part, "top")] += count.get("luts", 0) * packed / counted
        for part, values in numbers.items():
            rows.setdefault(part, []).append((values, luts[part], 1 / packed))
    return {part: _least_squares(found) for part, found in rows.items()}


def _least_squares(rows):
    names = sorted({name for values, _, _ in rows for name in values})
    matrix = np.array([[values.get(name, 0) * weight for name in names] for values, _, weight in rows])
    scale = np.abs(matrix).max(axis=0)
    scale[scale == 0] = 1
    low, high = np.array([BOUNDS.get(name, (0, np.inf)) for name in names]).T * scale
    middle = np.where(np.isinf(high), 0, (low + high) / 2)
    # What is hardly seen in the cores, or the same in all of them, stays near the middle.
    stays = np.eye(len(names)) * RIDGE
    aims = np.concatenate([[luts * weight for _, luts, weight in rows], middle * RIDGE])
    found = lsq_linear(np.vstack([matrix / scale, stays]), aims, bounds=(low, high), method="bvls").x / scale
    return {name: round(float(value), 4) for name, value in zip(names, found, strict=True) if value > 1e-6}

"""The coefficients of the estimate, measured: small seeded cores are mapped, and every part's LUTs are counted."""

import json
import re
from pathlib import Path

import numpy as np
from mubinn.model.folding import Schedule
from scipy.optimize import nnls

from .area import Area, Widths
from .census import census
from .errors import ToolError
from .folding_cases import folding_case
from .generate import generate
from .paths import write_text
from .synth import _mapped
from .targets import TARGETS
from .tools import run_tool, tool_version

__all__ = ["calibrate", "counted_case", "fitted"]

CALIBRATED = ("ice40-up5k", "ecp5-25k")
FIRST_SEED, SEEDS = 1001, 14
LIMIT_S = 900
RIDGE = 0.003
UNSEEN = {"waiting_bits": 1.7, "waiting_lut_rams": 6, "bits": 1.7, "lut_rams": 6, "ahead": 1, "rom": 2, "codes": 1, "adders": 1}
"""LUTs of what no core of a family has, so that a choice does not think it free."""


def counted_case(case, out):
    """Counts of a core's parts, and what nextpnr packs it into: kept in `out`, found again for the same netlist and tools."""
    folder = Path(out) / case.name
    kept = Path(out) / f"{case.name}.json"
    target = TARGETS[case.target]
    made = generate(case.model_file, folder, folding=case.folding)
    key = [made.manifest["sha256"][made.manifest["verilog"]], tool_version("yosys"), tool_version(target.program)]
    if kept.exists() and (found := json.loads(kept.read_text()))["key"] == key:
        return found
    work = folder / "synth" / target.name
    work.mkdir(parents=True, exist_ok=True)
    cells = _mapped(work, made.manifest, target, LIMIT_S)
    packed = _packed(work, target)
    parts = census(work, made.manifest, case.target.split("-")[0])
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
        counted.setdefault(case.target.split("-")[0], []).append((case, found))
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


def fitted(cases, family):
    """Coefficients of a family: for each part the least squares of what its LUTs fall short of, none of them negative.

    A core counts by what its error is of all its LUTs. `packing` is what nextpnr makes of a LUT counted.
    """
    rows = {}
    for case, found in cases:
        weight = 1 / found["packed"]["luts"]
        numbers = Area(Widths(case.model_file.parameters), Schedule(case.spec, case.folding), family).parts()
        luts = dict.fromkeys(numbers, 0)
        for part, count in found["parts"].items():
            # Small parts without numbers of their own, delays for instance, are between the others.
            luts[part if part in luts else "top"] += count.get("luts", 0)
        for part, values in numbers.items():
            rows.setdefault(part, []).append((values, luts[part], weight))
    packing = [found["packed"]["luts"] / sum(p.get("luts", 0) for p in found["parts"].values()) for _, found in cases]
    parts = {part: _least_squares(found) for part, found in rows.items()}
    return {"packing": round(float(np.median(packing)), 4), "parts": parts}


def _least_squares(rows):
    names = sorted({name for values, _, _ in rows for name, value in values.items() if value})
    matrix = np.array([[values.get(name, 0) * weight for name in names] for values, _, weight in rows])
    scale = np.abs(matrix).max(axis=0)
    # What is hardly seen in the cores, or the same in all of them, stays small: a thousandth of a core's size.
    ridge = np.eye(len(names)) * RIDGE
    aims = np.array([luts * weight for _, luts, weight in rows] + [0] * len(names))
    found, _ = nnls(np.vstack([matrix / scale, ridge]), aims)
    unseen = {name for values, _, _ in rows for name in values} - set(names)
    assumed = {name: UNSEEN[name] for name in sorted(unseen & set(UNSEEN))}
    return assumed | {name: round(float(value), 4) for name, value in zip(names, found / scale, strict=True) if value}

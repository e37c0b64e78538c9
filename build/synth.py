"""Synthesis, place and route of a generated folder."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

from .core_folder import read_manifest
from .errors import HopelessError, ToolError, UserError
from .paths import write_text
from .targets import LOAD_PINS, ROUTERS, TARGETS, Target
from .tools import run_tool, tool_version

__all__ = ["Synthesis", "synthesize"]

REPORT = "report.json"

ROUTER2_ROUNDS = 500
"""Rounds of router2 after which it has no end: full chips took some 50."""


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """Figures of one run; counts and fmax are nextpnr's after routing.

    `luts` are logic cells on iCE40 (a LUT, a flip-flop or both) and LUT4s on ECP5. `steps_per_second` is fmax over the core's
    cycles per step, waits included.
    """

    target: str
    luts: int
    ffs: int
    brams: int
    dsps: int
    fmax_mhz: float
    clock_mhz: float
    timing_met: bool
    cycles_per_step: int
    steps_per_second: float
    critical_path: list
    seed: int
    router: str
    tools: list
    seconds: float

    def figures(self):
        return vars(self).copy()


def synthesize(
    directory, target: Target, *, clock_mhz=None, seed=1, seeds=1, router=None, allow_timing_fail=False, limit_s=1800,
    progress=None,
):  # fmt: skip
    """Yosys and nextpnr on the core behind its byte-wide bus, so that it fits the package's pins.

    Parameters
    ----------
    directory : path
        Folder of `generate`.
    target : Target
    clock_mhz : float or None
        Clock to reach; the target's own if None.
    seed : int
        Of the placer.
    seeds : int
        So many seeds from `seed` on are tried until one meets the clock; if none does, the fastest is reported.
    router : str or None
        router1 or router2. If None the target's own, and the other one where router2 gets no further.
    allow_timing_fail : bool
        Only if a person asked for it: report a core that misses the clock instead of failing.
    limit_s : float
        Limit of each tool.
    progress : callable or None
        Called with the name of each stage.

    Raises
    ------
    UserError
        The design does not fit: says what overflows and which target would hold it.
    ToolError
        A tool is missing, failed, ran out of time, missed the clock, or did not report a figure.
    """
    started = time.monotonic()
    manifest = read_manifest(directory)
    if manifest["family"] not in ("generic", target.family):
        made_for = f"{directory} is made of {manifest['family']} cells"
        raise UserError(f"--target must be of the family {manifest['family']}, not {target.name}: {made_for}")
    clock_mhz = target.clock_mhz if clock_mhz is None else clock_mhz
    work = Path(directory) / "synth" / target.name
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{work}: can't be written: {error.strerror}") from error
    say = progress or (lambda stage: None)
    say("yosys")
    cells = _mapped(work, manifest, target, limit_s)
    _check_fit(manifest, target, cells)
    settings = {"clock_mhz": clock_mhz, "router": router, "limit_s": limit_s, "loads": "load" in manifest}
    fmax, seed, router, report = _fastest(work, target, range(seed, seed + seeds), say, **settings)
    write_text(work / REPORT, json.dumps(report))
    used = {ours: report["utilization"].get(theirs, {}).get("used") for ours, theirs in target.cells.items()}
    for name, count in used.items():
        if count is None:
            raise ToolError(f"{target.program} did not report {name} ({target.cells[name]}): {work / REPORT}")
    if fmax < clock_mhz and not allow_timing_fail:
        raise ToolError(f"{target.name}: clock must reach {clock_mhz:g} MHz, got {fmax:.2f} MHz; log: {work / 'nextpnr.log'}")
    cycles = manifest["predicted_cycles_per_step"]
    return Synthesis(
        target=target.name,
        luts=used["luts"],
        ffs=used["ffs"] if "ffs" in used else cells["ffs"],
        brams=used["brams"],
        dsps=used["dsps"],
        fmax_mhz=round(fmax, 2),
        clock_mhz=clock_mhz,
        timing_met=fmax >= clock_mhz,
        cycles_per_step=cycles,
        steps_per_second=round(fmax * 1e6 / cycles, 1),
        critical_path=_critical_path(report),
        seed=seed,
        router=router,
        tools=[tool_version("yosys"), tool_version(target.program)],
        seconds=round(time.monotonic() - started, 1),
    )


def _mapped(work, manifest, target, limit_s):
    """Yosys: the netlist core.json, and the counts of its cells."""
    top = f"{manifest['top']}_bytes"
    sources = f"../../{manifest['verilog']} ../../{manifest['wrapper']}"
    script = f"read_verilog {sources}; {target.synth} -top {top} -json core.json; tee -q -o stat.json stat -json"
    run_tool("yosys", ["-q", "-p", script], cwd=work, log="yosys.log", limit_s=limit_s)
    return _cells(work / "stat.json")


def _fastest(work, target, seeds, say, *, clock_mhz, **settings):
    """(fmax in MHz, seed, router, report) of the first placement that meets the clock, or if none does of the fastest, whose
    output lies in core.out."""
    best = None
    for seed in seeds:
        say(f"nextpnr, seed {seed}")
        report, router = _placed(work, target, clock_mhz=clock_mhz, seed=seed, **settings)
        fmax = min(clock["achieved"] for clock in report["fmax"].values())
        if best is None or fmax > best[0]:
            best = fmax, seed, router, report
            (work / "core.out").replace(work / "best.out")
        if fmax >= clock_mhz:
            break
    (work / "best.out").replace(work / "core.out")
    return best


def _placed(work, target, *, clock_mhz, seed, router, limit_s, loads=False):
    """nextpnr: the placed and routed design core.out. Its report, and the name of its router."""
    if target.constraints:
        pins = {port: pin for port, pin in target.pins.items() if loads or port not in LOAD_PINS}
        write_text(work / "pins.pcf", "".join(f"set_io {port} {pin}\n" for port, pin in pins.items()))
    if router is not None:
        return _routed(work, target, clock_mhz, seed, router, limit_s), router
    for router in sorted(ROUTERS, key=lambda name: name != target.router):
        try:
            return _routed(work, target, clock_mhz, seed, router, limit_s), router
        except HopelessError as error:
            hopeless = error
    raise hopeless


def _routed(work, target, clock_mhz, seed, router, limit_s):
    arguments = [*target.options, "--json", "core.json", target.output, "core.out", "--report", REPORT]
    arguments += ["--freq", f"{clock_mhz:g}", "--seed", str(seed), "--router", router]
    if target.constraints:
        arguments += [target.constraints, "pins.pcf"]
    # nextpnr exits 1 for a missed clock although it has written everything; the report tells.
    (work / REPORT).unlink(missing_ok=True)
    log = run_tool(target.program, arguments, cwd=work, log="nextpnr.log", limit_s=limit_s, accept=(0, 1), hopeless=_goes_round)
    return _report(work / REPORT, log, work / "nextpnr.log", target)


def _goes_round(log):
    """Why router2 has no end: now and then two nets take a wire from each other for ever."""
    rounds = re.findall(r"iter=(\d+) wires=\d+ overused=(\d+)", log)
    if rounds and int(rounds[-1][0]) > ROUTER2_ROUNDS:
        return (
            f"{rounds[-1][1]} wires still have two nets after {rounds[-1][0]} rounds of router2: try another --seed or --router"
        )
    return None


_KINDS = {
    "luts": ("SB_LUT4", "LUT4", "CCU2C"),
    "brams": ("SB_RAM40_4K", "DP16KD"),
    "dsps": ("SB_MAC16", "MULT18X18D"),
}


def _cells(path):
    """Counts after Yosys: luts, ffs, brams, dsps."""
    try:
        kinds = json.loads(path.read_text())["design"]["num_cells_by_type"]
    except (OSError, ValueError, KeyError) as error:
        raise ToolError(f"yosys did not report its cells: {path}: {error}") from error
    counts = {ours: sum(kinds.get(kind, 0) for kind in theirs) for ours, theirs in _KINDS.items()}
    counts["ffs"] = sum(n for kind, n in kinds.items() if kind.startswith(("SB_DFF", "TRELLIS_FF")))
    return counts


def _check_fit(manifest, target, cells):
    over = [
        f"{cells[kind]} {label} of {target.capacity[kind]}"
        for kind, label in (("brams", "block RAMs"), ("luts", "LUTs"), ("dsps", "multipliers"))
        if cells[kind] > target.capacity[kind]
    ]
    if not over:
        return
    bits = cells["brams"] * target.bram_bits
    larger = [
        t.name
        for t in TARGETS.values()
        if t.capacity["brams"] * t.bram_bits >= bits
        and t.capacity["luts"] >= cells["luts"]
        and t.capacity["dsps"] >= cells["dsps"]
        and t.name != target.name
    ]
    memory = f"; its weights alone are {manifest['weight_bits']} bits" if cells["brams"] > target.capacity["brams"] else ""
    would = f"would fit: {', '.join(larger)}, or fewer levels, lanes or multipliers" if larger else "no target is larger"
    raise UserError(f"{target.name}: the design needs {', '.join(over)}{memory}; {would}")


def _report(path, log, log_path, target):
    try:
        report = json.loads(path.read_text())
        if report["fmax"]:
            return report
    except (OSError, ValueError, KeyError):
        pass
    errors = [line.strip() for line in log.splitlines() if "ERROR" in line] or ["no figures reported"]
    raise ToolError(f"{target.program} failed: {errors[0]}; log: {log_path}")


def _critical_path(report):
    """Where the slowest register-to-register path begins and ends, and its delay in ns."""
    paths = [p for p in report.get("critical_paths", ()) if p["from"].startswith("posedge") and p["to"].startswith("posedge")]
    result = []
    for path in paths:
        steps = path["path"]
        delay = sum(step["delay"] for step in steps)
        result.append({"from": steps[0]["from"]["cell"], "to": steps[-1]["to"]["cell"], "delay_ns": round(delay, 2)})
    return sorted(result, key=lambda p: -p["delay_ns"])[:1]

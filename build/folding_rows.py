"""Seeded cores placed, routed and simulated, beside what was predicted of them."""

import json

from mubinn.hw.lstm import Lstm
from mubinn.sim.stopwatch import step_cycles

from .estimate import Estimator
from .folding_cases import folding_case
from .generate import generate
from .paths import write_text
from .synth import synthesize
from .targets import TARGETS
from .tools import tool_version

__all__ = ["measured_rows"]

CHIPS = ("ice40-up5k", "ecp5-25k")
SETTLED, STEPS = 6, 12
"""Steps until the waiting repeats itself, and those averaged over, as `mubinn.model.timeline` does."""


def measured_rows(specs, seed, out, *, say=lambda text: None):
    """A row for each seed, the chips in turn, as they are done. See `mubinn bench folding`."""
    out.mkdir(parents=True, exist_ok=True)
    for number in range(seed, seed + specs):
        case = folding_case(number, CHIPS[(number - 1) % len(CHIPS)])
        yield _row(case, _measured(case, out, say))


def _measured(case, out, say):
    """Placed counts and cycles of a core, kept in `out` for the same Verilog and tools."""
    kept, target = out / f"{case.name}.json", TARGETS[case.target]
    made = generate(case.model_file, out / case.name, folding=case.folding)
    key = [made.manifest["sha256"][made.manifest["verilog"]], tool_version("yosys"), tool_version(target.program)]
    found = json.loads(kept.read_text()) if kept.exists() else {}
    if found.get("key") != key:
        say(f"{case.name} place and route")
        # How fast it is is not the question here.
        placed = synthesize(out / case.name, target, allow_timing_fail=True).figures()
        found = {"key": key, "placed": placed}
        write_text(kept, json.dumps(found, sort_keys=True))
    if "cycles_per_step" not in found:
        say(f"{case.name} simulation")
        core = Lstm(case.model_file.parameters, case.folding)
        cycles = step_cycles(core, SETTLED + STEPS + 1)[SETTLED:]
        found["cycles_per_step"] = sum(cycles) / len(cycles)
        write_text(kept, json.dumps(found, sort_keys=True))
    return found


def _row(case, found):
    spec, folding = case.spec, case.folding
    predicted = Estimator(case.model_file.parameters, TARGETS[case.target])(folding).figures()
    actual = {name: found["placed"][name] for name in ("luts", "brams", "dsps")}
    actual["cycles_per_step"] = found["cycles_per_step"]
    head = f", {spec.classes} classes" if spec.classes else ""
    levels = f"({max(spec.input_levels, spec.hidden_levels)},{spec.weight_levels})"
    return {
        "name": case.name,
        "target": case.target,
        "spec": f"{spec.input_size} -> {spec.hidden_size} {levels}{head}",
        "folding": f"{folding.rows} x {folding.lanes} x {folding.weight_planes}, {folding.scale_mults} * "
        f"{'' if not folding.ahead else f', +{folding.ahead}'}".rstrip(" *"),
        **{f"predicted_{name}": value for name, value in predicted.items()},
        **{f"placed_{name}": actual[name] for name in ("luts", "brams", "dsps")},
        "measured_cycles_per_step": actual["cycles_per_step"],
        "error_percent": {name: _error(value, actual[name]) for name, value in predicted.items()},
        "fmax_mhz": found["placed"]["fmax_mhz"],
    }


def _error(predicted, actual):
    """In percent of what was measured; of one block where there is none of it."""
    return round(100 * (predicted - actual) / max(1, actual), 2)

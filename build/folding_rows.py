"""Seeded cores placed, routed and simulated, beside what was predicted of them."""

import json

from mubinn.hw.lstm import Lstm
from mubinn.sim.stopwatch import step_cycles

from .calibrate import LIMIT_S, counted_case
from .estimate import Estimator
from .folding_cases import folding_case
from .paths import write_text
from .synth import _placed
from .targets import TARGETS

__all__ = ["measured_rows"]

CHIPS = ("ice40-up5k", "ecp5-25k")
SETTLED, STEPS, EARLY = 6, 12, 6
"""Steps until the waiting repeats itself, and those averaged over, as `mubinn.model.timeline` does. Where the last three of
`EARLY` steps take as long as each other, that is it."""


def measured_rows(specs, seed, out, *, pack_only=False, say=lambda text: None):
    """A row for each seed, the chips in turn, as they are done. See `mubinn bench folding`."""
    out.mkdir(parents=True, exist_ok=True)
    for number in range(seed, seed + specs):
        case = folding_case(number, CHIPS[(number - 1) % len(CHIPS)])
        found = counted_case(case, out)
        kept = out / f"{case.name}.json"
        if not pack_only and "placed" not in found:
            say(f"{case.name} place and route")
            found["placed"] = _placed_counts(case, out)
            write_text(kept, json.dumps(found, sort_keys=True))
        if "cycles_per_step" not in found:
            say(f"{case.name} simulation")
            found["cycles_per_step"] = _cycles(case)
            write_text(kept, json.dumps(found, sort_keys=True))
        yield _row(case, found)


def _cycles(case):
    """Cycles of a step in the circuit, once the waiting has settled."""

    def measured(steps):
        core = Lstm(case.model_file.parameters, case.folding, family=TARGETS[case.target].family)
        return step_cycles(core, steps + 1)

    cycles = measured(EARLY)
    if len(set(cycles[-3:])) > 1:
        cycles = measured(SETTLED + STEPS)[SETTLED:]
        return sum(cycles) / len(cycles)
    return cycles[-1]


def _placed_counts(case, out):
    """What nextpnr reports of the netlist after place and route, and its fmax; how fast it is is not the question here."""
    target = TARGETS[case.target]
    work = out / case.name / "synth" / target.name
    report, _ = _placed(work, target, clock_mhz=target.clock_mhz, seed=1, router=None, limit_s=LIMIT_S)
    counts = {ours: report["utilization"][theirs]["used"] for ours, theirs in target.cells.items()}
    return counts | {"fmax_mhz": round(min(clock["achieved"] for clock in report["fmax"].values()), 2)}


def _row(case, found):
    spec, folding = case.spec, case.folding
    predicted = Estimator(case.model_file.parameters, TARGETS[case.target])(folding).figures()
    counts = found.get("placed", found["packed"])
    actual = {name: counts[name] for name in ("luts", "brams", "dsps")}
    actual["cycles_per_step"] = found["cycles_per_step"]
    head = f", {spec.classes} classes" if spec.classes else ""
    levels = f"({max(spec.input_levels, spec.hidden_levels)},{spec.weight_levels})"
    return {
        "name": case.name,
        "target": case.target,
        "spec": f"{spec.input_size} -> {spec.hidden_size} {levels}{head}",
        "folding": f"{folding.rows} x {folding.lanes} x {folding.weight_planes}, {folding.scale_mults} {folding.scaling}, "
        f"{folding.ahead}",
        **{f"predicted_{name}": value for name, value in predicted.items()},
        **{f"placed_{name}": actual[name] for name in ("luts", "brams", "dsps")},
        "measured_cycles_per_step": actual["cycles_per_step"],
        "error_percent": {name: _error(value, actual[name]) for name, value in predicted.items()},
        "routed": "placed" in found,
        "fmax_mhz": counts.get("fmax_mhz"),
    }


def _error(predicted, actual):
    """In percent of what was measured; of one block where there is none of it."""
    return round(100 * (predicted - actual) / max(1, actual), 2)

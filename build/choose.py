"""The folding for a goal: the smallest core that keeps up, or the fastest that fits."""

from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from itertools import product
from math import floor

from mubinn.model.folding import SCALINGS, Folding, Schedule
from mubinn.model.spec import SpecError

from .errors import UserError
from .estimate import Estimate, Estimator

__all__ = ["MARGIN", "NEARLY", "Choice", "candidates", "fastest", "smallest"]

MARGIN = {"luts": 0.85, "brams": 1.0, "dsps": 1.0}
"""Share of a chip that a chosen core may fill: the estimate of LUTs errs, and a router needs room."""

NEARLY = 1.01
"""Cores whose steps take up to so many times the fewest cycles are as fast: what the clock turns out to be differs by more."""

AHEAD = (1, 2, 4, 8, 16, 32, 64)
NAMES = {"luts": "LUTs", "brams": "block RAMs", "dsps": "multipliers"}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A folding, what it takes, and how fast it is.

    Attributes
    ----------
    estimate : Estimate
    target : str
    clock_mhz : float
        That `steps_per_second` is for.
    """

    estimate: Estimate
    target: str
    clock_mhz: float

    @property
    def folding(self):
        return self.estimate.folding

    @property
    def steps_per_second(self):
        return self.clock_mhz * 1e6 / self.estimate.cycles_per_step

    def figures(self):
        speed = {"target": self.target, "clock_mhz": self.clock_mhz, "steps_per_second": round(self.steps_per_second, 1)}
        return {f"estimated_{name}": value for name, value in self.estimate.figures().items()} | speed


def smallest(parameters, target, *, steps_per_second, clock_mhz=None, fixed=None, measured=None):
    """Choice of the fewest LUTs whose steps are fast enough; UserError says the best there is where none is.

    Parameters
    ----------
    parameters : Parameters
    target : Target
    steps_per_second : float
        Inside a window, when neither side stalls.
    clock_mhz : float or None
        The clock assumed; the target's own if None.
    fixed : dict
        Fields of Folding that are not free.
    measured : dict
        See `Estimator`.
    """
    search = _Search(parameters, target, clock_mhz, fixed, measured)
    # By the division of Choice.steps_per_second, or rounding could refuse the very rate that a choice was said to reach.
    cycles = floor(search.clock_mhz * 1e6 / steps_per_second)
    cycles += search.clock_mhz * 1e6 / (cycles + 1) >= steps_per_second
    # The cycles with waits take longest to find out, so they come last, the smallest cores first; only where they are too
    # many, groups read ahead are worth their memory.
    waiting = [(_size(found), found) for found in search.areas(slowest=cycles) if search.over(found) is None]
    heapify(waiting)
    while waiting:
        _, found = heappop(waiting)
        estimate = search.timed(found)
        if estimate.cycles_per_step <= cycles:
            return search.choice(estimate)
        for other in search.ahead_of(found):
            if search.over(other) is None:
                heappush(waiting, (_size(other), other))
    best = fastest(parameters, target, clock_mhz=clock_mhz, fixed=fixed, measured=measured)
    raise UserError(
        f"--steps-per-second must be at most {int(best.steps_per_second)} on {target.name} at {search.clock_mhz:g} MHz, not "
        f"{steps_per_second:g}: that is the best that fits, {_words(best)}"
    )


def fastest(parameters, target, *, clock_mhz=None, fixed=None, measured=None):
    """Choice of the smallest of those with nearly (`NEARLY`) the fewest cycles a step; UserError where nothing fits. See
    `smallest`."""
    search, best = _Search(parameters, target, clock_mhz, fixed, measured), None
    areas, timed = search.areas(), []
    fitting = [found for found in areas if search.over(found) is None]
    for found in sorted(fitting, key=lambda found: (found.cycles_per_step, *_size(found))):
        if best is not None and found.cycles_per_step > best * NEARLY:
            break
        others = [found] if found.folding.ahead else [found, *search.ahead_of(found)]
        for other in others:
            if search.over(other) is not None:
                continue
            timed.append(search.timed(other))
            best = timed[-1].cycles_per_step if best is None else min(best, timed[-1].cycles_per_step)
            if timed[-1].cycles_per_step == found.cycles_per_step:
                break  # nothing waits any more
    if best is None:
        least = min(areas, key=lambda found: (search.excess(found), *_size(found)))
        raise UserError(f"no folding fits {target.name}: the smallest needs {search.over(least)}")
    return search.choice(min((found for found in timed if found.cycles_per_step <= best * NEARLY), key=_size))


def candidates(spec, fixed=None, *, most=None):
    """Foldings worth a look: of those of as many cycles each time the one with the fewest rows, lanes, planes, multipliers.

    Parameters
    ----------
    spec : LstmSpec
    fixed : dict
        Fields of Folding that are not free.
    most : int or None
        XNORs of a cycle at most.
    """
    fixed = dict(fixed or {})
    columns, levels = spec.columns, max(spec.input_levels, spec.hidden_levels)
    # Lanes that divide the x columns keep x and h apart by themselves.
    aligned = {lanes for lanes in range(1, spec.input_size + 1) if spec.input_size % lanes == 0}
    lane_counts = sorted(_least(columns) | aligned)
    # Of one activation plane there is nothing to factor out.
    scalings = SCALINGS if levels > 1 else SCALINGS[:1]
    for rows in _free(fixed, "rows", _least(spec.hidden_size)):
        for planes in _free(fixed, "weight_planes", _least(spec.weight_levels)):
            for lanes in _free(fixed, "lanes", lane_counts):
                if most is not None and 4 * rows * planes * lanes * levels > most:
                    continue
                size = {"rows": rows, "lanes": lanes, "weight_planes": planes}
                for head, scaling in product(
                    _free(fixed, "head_mults", _of_head(spec, **size)), _free(fixed, "scaling", scalings)
                ):
                    own = size | {"scaling": scaling, "head_mults": head}
                    for mults in _free(fixed, "scale_mults", _multipliers(spec, **own)):
                        yield Folding(
                            **own, scale_mults=mults, ahead=fixed.get("ahead") or 0, contexts=fixed.get("contexts") or 1
                        )


class _Search:
    def __init__(self, parameters, target, clock_mhz, fixed, measured):
        self.target, self.clock_mhz = target, target.clock_mhz if clock_mhz is None else clock_mhz
        self.estimator = Estimator(parameters, target, measured=measured)
        self.spec, self.fixed = parameters.spec, fixed

    def areas(self, *, slowest=None):
        """Estimates of all candidates, their cycles without waits; those not slower than `slowest` cycles."""
        found, spec = [], self.spec
        # No family counts a pair of bits in less than a LUT; the smallest folding stays to say what is missing.
        most = max(self.target.capacity["luts"], 4 * max(spec.input_levels, spec.hidden_levels))
        for folding in candidates(spec, self.fixed, most=most):
            try:
                schedule = Schedule(spec, folding)
            except SpecError:
                if self.fixed:
                    raise
                continue  # wider than any memory
            if slowest is None or schedule.ideal_cycles_per_step <= slowest:
                found.append(self.estimator(folding, waits=False))
        return found

    def ahead_of(self, estimate):
        """Estimates of the same folding with groups read ahead, none where it has some or must not have any."""
        folding, found = estimate.folding, []
        if folding.ahead or "ahead" in (self.fixed or {}):
            return found
        for ahead in AHEAD:
            other = replace(folding, ahead=ahead)
            if Schedule(self.spec, other).ahead != ahead:
                break  # more groups than there are, or scaling could not follow
            found.append(self.estimator(other, waits=False))
        return found

    def timed(self, estimate):
        return self.estimator(estimate.folding)

    def choice(self, estimate):
        return Choice(estimate=estimate, target=self.target.name, clock_mhz=self.clock_mhz)

    def excess(self, estimate):
        """Greatest share of the chip's room that the estimate takes."""
        return max(getattr(estimate, name) / self._room(name) for name in MARGIN)

    def over(self, estimate):
        """What does not fit, in words, or None."""
        over = [name for name in MARGIN if getattr(estimate, name) > self._room(name)]
        return ", ".join(f"{getattr(estimate, name)} {NAMES[name]} of {self._room(name)}" for name in over) or None

    def _room(self, name):
        return int(self.target.capacity[name] * MARGIN[name])


def _size(estimate):
    # The folding itself at the end: the same goal has the same answer.
    return estimate.luts, estimate.brams, estimate.dsps, *vars(estimate.folding).values()


def _least(total):
    """The smallest number for each way to cut `total` into equal pieces, the last one smaller."""
    return {-(-total // pieces) for pieces in range(1, total + 1)}


def _free(fixed, name, values):
    return [fixed[name]] if fixed.get(name) is not None else sorted(values)


def _of_head(spec, *, rows, lanes, weight_planes):
    """Numbers of the head's multipliers, up to where it keeps up with the dot products."""
    found = []
    for mults in sorted(_least(spec.classes)) or [1]:
        found.append(mults)
        own = Folding(rows=rows, lanes=min(lanes, spec.columns), weight_planes=weight_planes, head_mults=mults)
        schedule = Schedule(spec, own)
        if schedule.cell_share <= schedule.words:
            break
    return found


def _multipliers(spec, **own):
    """Numbers of multipliers that save cycles of scaling, up to where scaling keeps up with the dot products."""
    rows = own["rows"]
    own["lanes"] = min(own["lanes"], spec.columns)
    products = Schedule(spec, Folding(**own)).batch_items
    counts = sorted(_least(4 * rows) | {4 * rows * k for k in _least(products)})
    for number, mults in enumerate(counts):
        schedule = Schedule(spec, Folding(**own, scale_mults=mults))
        if 2 * schedule.batch_cycles <= max(schedule.words, schedule.cell_share):
            return counts[: number + 2]  # one more: the last h codes come sooner
    return counts


def _words(choice):
    folding, estimate = choice.folding, choice.estimate
    return (
        f"{folding.rows} x {folding.lanes} x {folding.weight_planes} with {folding.scale_mults} multipliers "
        f"({folding.scaling}) and {folding.head_mults} of the head, {estimate.cycles_per_step:g} cycles a step"
    )

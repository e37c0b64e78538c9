"""LUTs, block RAMs, multipliers and cycles of a core before anything is built."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mubinn.hw.lstm import Lstm
from mubinn.hw.popcount import XnorDot
from mubinn.model.folding import Schedule
from mubinn.model.timeline import Timeline

from .area import Area
from .errors import UserError
from .widths import Widths

__all__ = ["AREA", "Estimate", "Estimator", "coefficients"]

AREA = "area.json"
"""Coefficients of `mubinn bench folding --calibrate`, package data."""


@cache
def coefficients():
    """{family: {part: {number of `Area`: LUTs of one}}}"""
    try:
        return json.loads(files(__package__).joinpath(AREA).read_text())["families"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{AREA}: not coefficients of mubinn bench folding --calibrate: {error!r}") from error


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a folding of an LSTM takes. `luts` are logic cells on iCE40, LUT4s on ECP5; `parts` says where they are."""

    folding: object
    luts: int
    brams: int
    dsps: int
    cycles_per_step: float
    parts: dict

    def figures(self):
        return {name: getattr(self, name) for name in ("luts", "brams", "dsps", "cycles_per_step")}


class Estimator:
    """Estimates of one LSTM's foldings on one family.

    Parameters
    ----------
    parameters : Parameters
    target : Target
    measured : dict
        See `coefficients`.
    """

    def __init__(self, parameters, target, *, measured=None):
        self.parameters, self.spec = parameters, parameters.spec
        self.family = target.family
        self.measured = (measured or coefficients())[self.family]
        self._widths, self._times, self._dots = Widths(parameters), {}, {}

    def __call__(self, folding, *, waits=True):
        """Estimate of a folding, its cycles with or without `waits`; SpecError where it is larger than the LSTM."""
        schedule = Schedule(self.spec, folding)
        area = Area(self._widths, schedule, self.family)
        parts = {
            part: sum(self.measured.get(part, {}).get(name, 0) * number for name, number in numbers.items())
            for part, numbers in area.parts().items()
        }
        return Estimate(
            folding=folding,
            luts=round(sum(parts.values())),
            brams=area.brams(),
            dsps=area.dsps(),
            cycles_per_step=self.cycles(schedule) if waits else schedule.ideal_cycles_per_step,
            parts={part: round(luts) for part, luts in parts.items()},
        )

    def cycles(self, schedule):
        """Cycles of a step, waits included: exact, as the manifest has them."""
        # The stages between counts and h take as long whatever the folding; of the stages before, all but rows, planes,
        # multipliers and the way of scaling are in the dot product itself.
        f = schedule.folding
        key = (f.rows, f.scale_mults, f.weight_planes, f.scaling, bool(schedule.ahead))
        if key not in self._times:
            timeline = Lstm(self.parameters, f, family=self.family).timeline()
            self._times[key] = timeline.counted - self._dot_latency(schedule), timeline.scaled, timeline.finished
        before, scaled, finished = self._times[key]
        counted = before + self._dot_latency(schedule)
        timeline = Timeline(schedule=schedule, parts=schedule.parts, counted=counted, scaled=scaled, finished=finished)
        return max(timeline.period(), schedule.ideal_cycles_per_step)

    def _dot_latency(self, schedule):
        key = schedule.folding.lanes
        if key not in self._dots:
            self._dots[key] = XnorDot(key, split=schedule.split, family=self.family).latency
        return self._dots[key]

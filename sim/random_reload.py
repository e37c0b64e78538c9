"""Seeded cores that load other models: three models of one spec, and how they come."""

from dataclasses import dataclass, replace

import numpy as np
from mubinn.hw.constants import widest
from mubinn.hw.lstm import Lstm
from mubinn.model.folding import Folding, Schedule

from .random_case import random_case
from .random_parameters import random_parameters

__all__ = ["RandomReload", "random_reload"]

MODELS = 3
MOST_WORDS = 250
DEEPEST = 4
"""Levels of gates: more have many thresholds to load."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RandomReload:
    """A core by its folding, the models, and the stalls of its streams."""

    seed: int
    models: tuple
    folding: Folding
    family: str
    stalls: dict
    features: tuple

    def core(self):
        """With the first model in it."""
        schedule, bits = Schedule(self.models[0].spec, self.folding), None
        if self.folding.loads == "all":
            bits = widest(self.models, schedule)
        return Lstm(self.models[0], self.folding, family=self.family, loaded_bits=bits)


def random_reload(seed):
    """The core of the random case of the seed, or of the next that is small enough, with something to load."""
    rng, case = np.random.default_rng([seed, 6]), random_case(seed)
    number = seed
    while not _fits(case):
        number += 1
        case = random_case(number)
    loads, banks = str(rng.choice(["weights", "all", "all"])), int(rng.integers(1, 3))
    scaling = "gamma" if loads == "all" else case.folding.scaling
    folding = replace(case.folding, loads=loads, load_banks=banks, scaling=scaling)
    family = case.family
    if loads == "weights" and banks == 1 and _holds(case.spec, folding) and rng.random() < 0.3:
        folding, family = replace(folding, weight_memory="spram"), "ice40"
    scales = str(rng.choice(["ordered", "ordered", "wild", "power_of_two", "greatest", "zero"]))
    others = [random_parameters(case.spec, rng, scales=scales) for _ in range(MODELS - 1)]
    if loads == "weights":
        others = [replace(case.parameters, wx_codes=p.wx_codes, wh_codes=p.wh_codes) for p in others]
    stalls = {f"stall_{name}": float(rng.choice([0.0, 0.1, 0.3, 0.6])) for name in ("in", "out", "load")}
    features = ["reload", f"reload of {loads}", f"reload into {banks} banks", *[f"reload of a {case.spec.cell_kind}"]]
    if folding.weight_memory == "spram":
        features.append("spram")
    return RandomReload(
        seed=seed,
        models=(case.parameters, *others),
        folding=folding,
        family=family,
        stalls=stalls,
        features=tuple(features),
    )


def _fits(case):
    """A core that Amaranth's simulator runs through some transfers in seconds."""
    spec = case.spec
    folding = replace(case.folding, scaling="gamma")
    schedule = Schedule(spec, folding)
    columns = -(-4 * folding.rows * folding.lanes * folding.weight_planes // 32)
    words = schedule.groups * schedule.passes * schedule.words * columns
    words += 4 * schedule.passes * schedule.batch_cycles * schedule.scale_slots * schedule.scale_parallel
    small = words < MOST_WORDS and case.cost / case.case.steps < 2e5 and max(schedule.scale_slots, schedule.levels) <= 8
    return (
        small
        and not folding.skip
        and case.folding.contexts == 1
        and spec.gate_levels <= DEEPEST
        and schedule.scale_parallel <= 4
    )


def _holds(spec, folding):
    """Whether SPRAM can have the weights."""
    word = 4 * folding.rows * folding.lanes * folding.weight_planes
    schedule = Schedule(spec, folding)
    return word <= 64 and schedule.groups * schedule.passes * schedule.words <= 1 << 14

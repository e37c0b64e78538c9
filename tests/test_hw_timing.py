"""Cycles of a step: the timeline against the hardware, to the cycle, for foldings that wait, read ahead, or never wait."""

import numpy as np
import pytest
from model_cases import random_parameters
from mubinn.hw import Lstm
from mubinn.model.folding import SCALINGS, Folding, Schedule
from mubinn.model.spec import LstmSpec, SpecError
from mubinn.sim.stopwatch import step_cycles

STEPS = 9
SEEDS = [*range(1, 21), *range(22, 26)]  # of 21 the beats of x take longest, which no timeline knows


def random_case(seed):
    rng = np.random.default_rng(seed)
    spec = LstmSpec(
        input_size=int(rng.integers(1, 6)),
        hidden_size=int(rng.integers(2, 24)),
        classes=int(rng.choice([0, 2])),
        weight_levels=int(rng.integers(1, 4)),
        input_levels=int(rng.integers(1, 3)),
        hidden_levels=int(rng.integers(1, 3)),
    )
    folding = Folding(
        rows=int(rng.integers(1, min(4, spec.hidden_size) + 1)),
        lanes=int(rng.integers(1, spec.columns + 1)),
        weight_planes=int(rng.integers(1, spec.weight_levels + 1)),
        scale_mults=int(rng.integers(1, 20)),
        ahead=int(rng.integers(0, 5)),
        scaling=str(rng.choice(SCALINGS)),
    )
    return spec, folding


@pytest.mark.parametrize("seed", SEEDS)
def test_steps_take_the_predicted_cycles(seed):
    spec, folding = random_case(seed)
    core = Lstm(random_parameters(spec, seed), folding, family=("generic", "ecp5", "ice40")[seed % 3])
    assert core.schedule.ideal_cycles_per_step == core.schedule.groups * core.schedule.group_cycles  # the beats don't decide
    timeline = core.timeline()
    predicted = []
    for _ in range(STEPS):
        timeline.step()
        predicted.append(timeline.cycle)
    assert step_cycles(core, STEPS) == np.diff(predicted).tolist()


@pytest.mark.parametrize("head_mults, cycles", [(1, 5), (2, 3), (3, 2), (5, 1)])
def test_the_head_takes_several_classes_a_cycle(head_mults, cycles):
    """One word and plane a unit: the head alone decides how many cycles a unit takes."""
    spec = LstmSpec(input_size=4, hidden_size=30, classes=5, input_levels=1, hidden_levels=1, weight_levels=1)
    folding = Folding(rows=2, lanes=34, scale_mults=16, head_mults=head_mults)
    core = Lstm(random_parameters(spec, 1), folding, family="ecp5")
    assert core.schedule.ideal_cycles_per_step == max(30, 30 * cycles)
    assert step_cycles(core, 2 * STEPS)[-STEPS:] == [core.predicted_cycles_per_step] * STEPS


@pytest.mark.parametrize("family", ["generic", "ecp5"])
def test_the_output_buffer_has_room_for_late_parts(family):
    """Half as long as whole groups, they follow each other twice as fast, so twice as many units are under way."""
    spec = LstmSpec(input_size=4, hidden_size=40, classes=0, input_levels=1, hidden_levels=1, weight_levels=1)
    core = Lstm(random_parameters(spec, 1), Folding(lanes=23, scale_mults=8, ahead=36), family=family)
    assert [(part.slots, part.late) for part in core.schedule.parts] == [(1, False), (1, True), (2, False)]
    assert core.predicted_cycles_per_step == 80
    assert step_cycles(core, 2 * STEPS)[-STEPS:] == [core.predicted_cycles_per_step] * STEPS


def test_both_ways_of_scaling_are_timed():
    assert {random_case(seed)[1].scaling for seed in SEEDS} == set(SCALINGS)


def test_scaling_has_two_names():
    with pytest.raises(SpecError, match=r"^scaling must be gamma or factored, not 'dsp'$"):
        Folding(scaling="dsp")


def test_a_weight_word_has_a_greatest_width():
    spec = LstmSpec(input_size=19, hidden_size=100, weight_levels=2)
    with pytest.raises(SpecError, match=r"weight_planes must be at most 32768, the bits of a weight word, not 95200$"):
        Schedule(spec, Folding(rows=100, lanes=119, weight_planes=2))

"""The whole core in Amaranth's simulator: corners, random specs, broken windows, resets, planted faults."""

import dataclasses

import numpy as np
import pytest
from model_cases import random_samples
from mubinn.hw.lstm import Lstm
from mubinn.model.folding import SCALINGS
from mubinn.model.parameters import Parameters
from mubinn.sim.case import Case, make_case
from mubinn.sim.pysim import run_amaranth
from mubinn.sim.random_case import CORNERS, random_case
from sim_cores import FOLDINGS, broken_windows, model_file

QUICK_CORNERS = (1, 2, 4, 6, 8, 10, 14, 17, 18, 22)
RANDOM = (24, 28, 38, 40)
NEVER_WAITING = (311, 357, 370)
"""Several windows of a single step under way at once, in cores without a head: once they were counted wrong."""


@pytest.mark.parametrize("seed", QUICK_CORNERS, ids=lambda seed: CORNERS[seed - 1]["what"].replace(" ", "-"))
def test_corner(seed):
    case = random_case(seed)
    result = run_amaranth(Lstm(case.parameters, case.folding, family=case.family), case.case, **case.run_settings())
    assert result.ok, result.differences


@pytest.mark.parametrize("seed", RANDOM + NEVER_WAITING)
def test_random_core(seed):
    case = random_case(seed)
    result = run_amaranth(Lstm(case.parameters, case.folding, family=case.family), case.case, **case.run_settings())
    assert result.ok, result.differences


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("seed", [42, 46, 48])
def test_every_way_of_scaling(seed, scaling):
    case = random_case(seed)
    folding = dataclasses.replace(case.folding, scaling=scaling)
    result = run_amaranth(Lstm(case.parameters, folding), case.case, **case.run_settings())
    assert result.ok, result.differences


def test_random_cases_repeat():
    a, b = random_case(77), random_case(77)
    assert a.spec == b.spec and a.folding == b.folding and a.run_settings() == b.run_settings()
    assert np.array_equal(a.case.samples, b.case.samples)
    assert all(np.array_equal(v, b.parameters.tensors()[k]) for k, v in a.parameters.tensors().items())


@pytest.mark.parametrize("kind", ["head", "stream"])
@pytest.mark.parametrize("stall", [0.0, 0.4], ids=["full-speed", "stalls"])
def test_windows_after_broken_ones_are_right(kind, stall):
    model = model_file(kind).model()
    core = Lstm(model.parameters, FOLDINGS[kind])
    result = run_amaranth(core, broken_windows(model), stall_in=stall, stall_out=stall, reset_at=170)
    assert result.ok, result.differences
    assert result.windows == 5


def changed(parameters):
    """The parameters with one weight bit flipped."""
    codes = parameters.wx_codes.copy()
    codes[5, 1] ^= 1
    return Parameters(spec=parameters.spec, **parameters.tensors() | {"wx_codes": codes})


def test_one_wrong_weight_bit_is_seen():
    model = model_file("head").model()
    case = make_case(model, random_samples(model.spec, 1))
    result = run_amaranth(Lstm(changed(model.parameters), FOLDINGS["head"]), case)
    assert not result.ok and result.mismatches > 0
    assert result.differences[0].startswith("z differs first at window 0, step 0, unit 1, gate f: got ")


@pytest.mark.parametrize("results", [2, 4], ids=["more-than-expected", "fewer-than-expected"])
def test_the_number_of_results_counts(results):
    model = model_file("head").model()
    case = make_case(model, random_samples(model.spec, 1))

    def resized(arrays):
        names = ("label", "error", "scores")
        return arrays | {name: np.resize(arrays[name], (results, *arrays[name].shape[1:])) for name in names}

    case = Case(**vars(case) | {"expected": resized(case.expected), "undefined": resized(case.undefined)})
    result = run_amaranth(Lstm(model.parameters, FOLDINGS["head"]), case)
    assert result.mismatches == 3
    assert f"label has 3 records, {results} expected" in result.differences


def test_measured_cycles_are_those_of_the_bench():
    model = model_file("head").model()
    core = Lstm(model.parameters, FOLDINGS["head"])
    result = run_amaranth(core, make_case(model, random_samples(model.spec, 1, steps=6)))
    per_step = result.span_cycles / (result.steps - 1)
    assert core.schedule.ideal_cycles_per_step <= per_step <= core.schedule.ideal_cycles_per_step + core.latency
    assert dataclasses.asdict(result)["samples"] == 3 * 6 * 3

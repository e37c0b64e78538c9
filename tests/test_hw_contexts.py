"""Streams that share a core: each as if it had the core to itself, and no wait for h with two of them."""

import json

import numpy as np
import pytest
from mubinn.build import cli, equality
from mubinn.build.choose import smallest
from mubinn.build.targets import TARGETS
from mubinn.hw.axi import AxiCore
from mubinn.hw.lstm import Lstm
from mubinn.hw.network import NetworkCore
from mubinn.model.artifact import ModelFile, save_model
from mubinn.model.folding import Folding
from mubinn.model.lstm import Model
from mubinn.model.network import Layer, Network
from mubinn.model.spec import LstmSpec, SpecError
from mubinn.sim.case import make_case
from mubinn.sim.interleave import interleaved
from mubinn.sim.pysim import run_amaranth
from mubinn.sim.random_case import CORNERS, random_case
from mubinn.sim.random_parameters import random_parameters
from mubinn.sim.stopwatch import step_cycles
from sim_cores import scratch

SEVERAL = [seed for seed, corner in enumerate(CORNERS, start=1) if "contexts" in corner]


@pytest.mark.parametrize("seed", [*SEVERAL, 69])
def test_the_circuit_is_a_golden_model_for_each(seed):
    case = random_case(seed)
    assert case.folding.contexts > 1 and "contexts" in case.features
    found = run_amaranth(Lstm(case.parameters, case.folding, family=case.family), case.case, **case.run_settings())
    assert found.ok, found.differences


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEVERAL[::2])
def test_and_its_verilog(seed):
    verdict = equality.run_one(seed, "icarus", scratch() / "cache")
    assert verdict.ok, verdict.differences


def small(classes, units=5):
    spec = LstmSpec(input_size=2, hidden_size=units, classes=classes)
    return Model(random_parameters(spec, np.random.default_rng(1)))


def test_records_of_a_step_are_together():
    model = small(0)
    rng = np.random.default_rng(2)
    x = [model.spec.x.quantize(rng.normal(0, 1, (windows, steps, 2))) for windows, steps in ((1, 4), (2, 2))]
    cases = [make_case(model, windows) for windows in x]
    both = interleaved(cases, model.spec)
    assert both.samples[:4, 0].tolist() == [*x[0][0, 0].tolist(), *x[1][0, 0].tolist()]
    assert both.samples[:, 1].nonzero()[0].tolist() == [7, 13, 15]
    for k, case in enumerate(cases):
        mine = both.expected["context"][:, 0] == k
        for name in ("h", "last", "error"):
            assert np.array_equal(both.expected[name][mine], case.expected[name])
        steps = both.expected["z"].reshape(8, 5, 4)[k::2]
        assert np.array_equal(steps.reshape(-1, 4), case.expected["z"])
    with pytest.raises(ValueError, match=r"cases must have as many steps, not \[4, 2\]"):
        interleaved([cases[0], make_case(model, x[1][:1])], model.spec)


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("contexts", [1, 2, 3])
def test_two_leave_nothing_to_wait_for(contexts, rows):
    """A step of one waits for its own h; steps of another fill that time."""
    parameters = small(0, units=20).parameters
    folding = Folding(rows=rows, lanes=22, weight_planes=2, scale_mults=16 * rows, contexts=contexts)
    core = Lstm(parameters, folding)
    cycles = step_cycles(core, 31)[18:]
    ideal = core.schedule.ideal_cycles_per_step
    assert np.mean(cycles) == core.predicted_cycles_per_step
    assert (np.mean(cycles) == ideal) == (contexts > 1)


def test_a_goal_keeps_the_contexts():
    parameters = small(2).parameters
    chosen = smallest(parameters, TARGETS["ecp5-25k"], steps_per_second=1000, fixed={"contexts": 3})
    assert chosen.folding.contexts == 3


def test_what_has_no_contexts_refuses_them():
    model, several = small(0), Folding(contexts=2, lanes=7)
    with pytest.raises(ValueError, match="core must have 1 context, not 2"):
        AxiCore("core", Lstm(model.parameters, several))
    with pytest.raises(ValueError, match="foldings must have 1 context, not 2"):
        NetworkCore(Network(layers=[Layer(forward=model.parameters)]), [[several]])


def test_the_number_has_a_range():
    with pytest.raises(SpecError, match=r"^contexts must be 1 to 16, not 17$"):
        Folding(contexts=17)


def test_a_generated_core_of_three(tmp_path, capsys):
    parameters = small(2).parameters
    save_model(tmp_path / "m", ModelFile(preset="mubinn2", parameters=parameters))
    assert cli.main(["generate", str(tmp_path / "m"), "-o", str(tmp_path / "core"), "--contexts", "3"]) == 0
    manifest = json.loads((tmp_path / "core" / "manifest.json").read_text())
    assert manifest["folding"]["contexts"] == 3 and "context" in manifest["result"]["fields"]
    capsys.readouterr()
    assert cli.main(["simulate", str(tmp_path / "core"), "--simulator", "icarus", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mismatches"] == 0
    for command, message in (
        (["simulate", str(tmp_path / "core"), "--data", "eeg-sample"], "--data must be left out"),
        (["generate", str(tmp_path / "m"), "-o", str(tmp_path / "x"), "--contexts", "2", "--axi"], "--axi must be left out"),
    ):
        assert cli.main(command) == 1
        assert message in capsys.readouterr().err

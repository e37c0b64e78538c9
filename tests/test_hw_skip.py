"""Gates one after another, rows of g left out where i is 0: the same results, in the cycles that are left."""

import json
from dataclasses import replace

import numpy as np
import pytest
from mubinn.build import cli, equality
from mubinn.build.generate import default_folding, generate
from mubinn.build.skipping import measure, zero_share
from mubinn.hw.lstm import Lstm
from mubinn.model.artifact import ModelFile, save_model
from mubinn.model.evaluate import load_test
from mubinn.model.folding import Folding, Schedule
from mubinn.model.lstm import Model
from mubinn.model.spec import LstmSpec, SpecError
from mubinn.sim.case import make_case
from mubinn.sim.pysim import run_amaranth
from mubinn.sim.random_case import random_case
from mubinn.sim.random_parameters import random_parameters
from mubinn.sim.simulate import simulate
from mubinn.sim.stopwatch import step_cycles
from sim_cores import scratch

SEEDS = [49, 51, 59, 61, 103]
TERNARY = ("ternary", "ternary", "levels", "levels")


@pytest.mark.parametrize("seed", SEEDS)
def test_the_circuit_is_the_golden_model(seed):
    case = random_case(seed)
    assert case.folding.skip and "skip" in case.features
    found = run_amaranth(Lstm(case.parameters, case.folding, family=case.family), case.case, **case.run_settings())
    assert found.ok, found.differences


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS[:3])
def test_and_its_verilog(seed):
    verdict = equality.run_one(seed, "icarus", scratch() / "cache")
    assert verdict.ok, verdict.differences


def model(kinds=TERNARY, *, seed=1, units=6, classes=2, bias=None, **changes):
    """A random model; with a bias all pre-activations of i are that many units of z beyond anything."""
    spec = LstmSpec(input_size=3, hidden_size=units, classes=classes, gate_kinds=kinds, **changes)
    p = random_parameters(spec, np.random.default_rng(seed), scales="ordered")
    if bias is not None:
        scales, codes = p.bias_scales.copy(), p.bias_codes.copy()
        scales[0] = 1 << 14
        codes[:units] = (1 << spec.bias_levels) - 1 if bias > 0 else 0
        p = replace(p, bias_scales=scales, bias_codes=codes)
    return Model(p)


def windows(of, count=3, steps=5, seed=2):
    spec = of.spec
    return np.random.default_rng(seed).integers(spec.x.low, spec.x.high + 1, size=(count, steps, spec.input_size))


def folding_of(of, **changes):
    return replace(Folding(lanes=of.spec.columns, scale_mults=2, skip=True), **changes)


@pytest.mark.parametrize("family", ["generic", "ice40", "ecp5"])
@pytest.mark.parametrize("bias", [-1, 1, None])
@pytest.mark.parametrize("units, classes", [(1, 0), (1, 1), (6, 0), (6, 5)])
def test_all_rows_of_g_and_none(units, classes, bias, family):
    of = model(units=units, classes=classes, bias=bias)
    x = windows(of)
    codes = of.run(x, record=("gate_code",)).gate_code[:, :, 0]
    if bias is not None:
        assert (codes == (0 if bias < 0 else 2)).all()
    core = Lstm(of.parameters, folding_of(of), family=family)
    found = run_amaranth(core, make_case(of, x), stall_in=0.2, stall_out=0.2)
    assert found.ok, found.differences


@pytest.mark.parametrize("number", range(12))
def test_nothing_left_out_takes_the_predicted_cycles(number):
    rng = np.random.default_rng(number)
    units, levels = int(rng.integers(1, 20)), int(rng.integers(1, 4))
    spec_levels = {name: levels for name in ("input_levels", "hidden_levels", "weight_levels", "bias_levels")}
    of = model(("levels",) * 4, seed=number, units=units, classes=int(rng.integers(0, 4)), **spec_levels)
    scales = of.parameters.gate_scales.copy()
    scales[0] = 100, 50  # i is never 0
    folding = folding_of(
        of,
        lanes=int(rng.integers(1, of.spec.columns + 1)),
        weight_planes=int(rng.integers(1, levels + 1)),
        scale_mults=int(rng.integers(1, 10)),
    )
    core = Lstm(replace(of.parameters, gate_scales=scales), folding, family=("generic", "ice40", "ecp5")[number % 3])
    assert step_cycles(core, 9)[-3:] == [core.predicted_cycles_per_step] * 3


def test_what_is_left_out_is_saved():
    """A row of g becomes as many cycles as the head takes for a unit."""
    none, every = model(bias=1, units=12), model(bias=-1, units=12)
    folding = folding_of(none, lanes=4, scale_mults=1)
    full, least = (step_cycles(Lstm(of.parameters, folding), 9)[-1] for of in (none, every))
    schedule = Schedule(none.spec, folding)
    core = Lstm(none.parameters, folding)
    assert full == core.predicted_cycles_per_step
    rows = schedule.spec.hidden_size * (schedule.group_cycles - schedule.unit_interval)
    # The next step waits as long for the last h whether or not its row was read, or longer where units end closer together.
    assert full - rows <= least <= full - rows + core.latency
    assert least < 0.85 * full


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"rows": 2}, "rows must be 1 with skip, not 2"),
        ({"contexts": 2}, "contexts must be 1 with skip, not 2"),
        ({"ahead": 1}, "ahead must be 0 with skip, not 1"),
        ({"loads": "all"}, "loads must be none with skip, not all"),
        ({"skip": 1}, "skip must be true or false, not 1"),
    ],
)
def test_foldings_that_can_not_be(changes, message):
    with pytest.raises(SpecError, match=message):
        Folding(**{"skip": True} | changes)


def test_cells_that_it_is_not_for():
    for kind in ("peephole", "gru"):
        spec = LstmSpec(input_size=2, hidden_size=3, cell_kind=kind)
        with pytest.raises(SpecError, match=f"skip must be false for the cell {kind}"):
            Folding(lanes=4, skip=True).checked(spec)


def test_default_folding():
    spec = LstmSpec(input_size=20, hidden_size=100)
    folding = default_folding(spec, skip=True)
    assert (folding.lanes, folding.rows, folding.skip) == (96, 1, True)
    schedule = Schedule(spec, folding)
    assert schedule.ideal_cycles_per_step == 4 * 100 * schedule.group_cycles


def test_the_measurement(tmp_path):
    of = model(units=8)
    file = ModelFile(preset="mubinn2", parameters=of.parameters)
    path = tmp_path / "data.npz"
    x = windows(of, count=4, steps=6) / (1 << of.spec.x.fraction)
    np.savez(path, x=x.astype(np.float32), y=np.zeros(4, dtype=np.int64))
    data = load_test(file, path)
    row = measure(tmp_path / "core", file, data, {"lanes": 4, "weight_planes": 1, "scale_mults": None}, jobs=1)
    codes = of.run(file.quantize_input(data.x), record=("gate_code",)).gate_code[:, :, 0]
    assert row["zero_share"] == zero_share(file, data) == np.mean(codes == 0) > 0
    assert row["mismatches"] == 0 and row["steps"] == 24
    assert row["ideal_cycles_per_step"] < row["full_cycles_per_step"]
    assert 0 < row["saved"] == 1 - row["cycles_per_step"] / row["full_cycles_per_step"] < 0.25


def test_from_the_command_line(tmp_path, capsys):
    path = tmp_path / "model.safetensors"
    save_model(path, ModelFile(preset="mubinn2", parameters=model().parameters))
    core = tmp_path / "core"
    assert cli.main(["generate", str(path), "-o", str(core), "--skip", "--json"]) == 0
    capsys.readouterr()
    manifest = json.loads((core / "manifest.json").read_text())
    assert manifest["folding"]["skip"] and {tap["name"] for tap in manifest["taps"]}.isdisjoint({"z", "gate_code"})
    assert simulate(core, simulator="icarus", cache=scratch() / "cache", stall=0.1).mismatches == 0
    for more in (["--rows", "2"], ["--fastest", "--target", "ecp5-25k"]):
        assert cli.main(["generate", str(path), "-o", str(core), "--skip", *more]) == 1
    assert cli.main(["bench", "skip", "eeg-9-9"]) == 1


def test_one_unit_of_one_channel_in_verilog(tmp_path):
    spec = LstmSpec(input_size=1, hidden_size=1, classes=0, gate_kinds=TERNARY)
    file = ModelFile(preset="mubinn2", parameters=random_parameters(spec, np.random.default_rng(1)))
    generate(file, tmp_path / "core", folding=Folding(lanes=1, skip=True))
    assert simulate(tmp_path / "core", simulator="icarus", cache=scratch() / "cache", stall=0.1).mismatches == 0

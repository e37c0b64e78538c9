"""The core on AXI against cocotbext-axi, and faults in the wrapper that the bench must see."""

import json

import pytest
from mubinn.build import cli
from mubinn.build.axi_cores import AXI_CORES, make_axi_core
from mubinn.hw import AxiCore, Lstm
from mubinn.hw.axi_lite import REGISTERS
from mubinn.model.folding import Folding
from mubinn.model.lstm import Model
from mubinn.model.spec import LstmSpec
from mubinn.sim.axi import random_windows, simulate_axi
from mubinn.sim.random_parameters import random_parameters
from numpy.random import default_rng
from sim_cores import scratch


@pytest.mark.parametrize("name", AXI_CORES)
def test_every_packet_is_the_golden_models(name, tmp_path):
    folder, model = make_axi_core(name, tmp_path / "core")
    found = simulate_axi(folder, model, windows=75, seed=3, per_episode=15, simulator="icarus", cache=scratch() / "cache")
    assert found.ok, found.differences
    # Whole, cut, restart, whole, cut: what was cut off is sent again.
    assert found.windows >= 60 and found.resets == 2 and found.restarts == 1 and found.broken > 0


@pytest.mark.slow
def test_verilator_sees_the_same(tmp_path):
    folder, model = make_axi_core("head", tmp_path / "core")
    settings = {"windows": 60, "seed": 4, "per_episode": 20, "cache": scratch() / "cache"}
    icarus, verilator = (simulate_axi(folder, model, simulator=name, **settings) for name in ("icarus", "verilator"))
    assert icarus.ok and verilator.ok
    assert (icarus.windows, icarus.words, icarus.broken) == (verilator.windows, verilator.words, verilator.broken)


@pytest.mark.parametrize(
    "before, after",
    [
        # A window more is counted as broken; a beat is taken where there is no room.
        ("assign broken = ", "assign broken = 1'h1 | "),
        ("assign s_axis_tready = ", "assign s_axis_tready = beat_full | "),
    ],
)
def test_a_fault_in_the_wrapper_is_seen(before, after, tmp_path):
    folder, model = make_axi_core("head", tmp_path / "core")
    path = folder / json.loads((folder / "manifest.json").read_text())["axi"]["verilog"]
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))
    found = simulate_axi(folder, model, windows=30, per_episode=30, simulator="icarus", cache=tmp_path / "cache")
    assert not found.ok and found.mismatches > 0


def test_registers_are_documented_in_the_manifest(tmp_path):
    folder, model = make_axi_core("head-2", tmp_path / "core")
    axi = json.loads((folder / "manifest.json").read_text())["axi"]
    assert axi["addresses"] == REGISTERS and axi["samples_per_beat"] == 2 and axi["sample_bytes"] == 2
    # Three classes, of one word each, and the label.
    assert axi["result_words"] == 4 and axi["registers"]["format"] == 3 | 4 << 8 | 2 << 16 | 12 << 24
    assert axi["registers"]["shape"] == 3 | 2 << 16 and (folder / axi["verilog"]).is_file()
    assert model.spec.classes == 3


def test_no_early_last_on_a_steps_last_beat():
    spec = LstmSpec(input_size=4, hidden_size=1, classes=2, max_steps=4)
    model = Model(random_parameters(spec, default_rng(1)))
    case = random_windows(model, 200, default_rng(1), per_beat=2)
    at, early = 0, 0
    for _, samples, _ in case.windows.tolist():
        at += samples
        if samples % 4:
            early += 1
            assert samples % 4 <= 2 and case.samples[at - 1, 1] == 1
    assert early > 5


@pytest.mark.parametrize("count", [0, 65])
def test_samples_per_beat_out_of_range(count):
    core = Lstm(random_parameters(LstmSpec(input_size=1, hidden_size=1), default_rng(1)), Folding(lanes=1))
    with pytest.raises(ValueError, match=rf"^samples_per_beat must be 1 to 64, not {count}$"):
        AxiCore("core", core, samples_per_beat=count)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["bench", "axi", "--windows", "1"], "--windows must be 75 to 1000000, not 1"),
        (["bench", "axi", "--stall", "1"], "--stall must be 0 to 0.9, not 1"),
        (["bench", "axi", "--seed", "-1"], "--seed must be 0 to 2147483647, not -1"),
        (["generate", "eeg-1-1", "-o", "x", "--axi", "--samples-per-beat", "65"], "--samples-per-beat must be 1 to 64, not 65"),
    ],
)
def test_bad_options_are_one_line(capsys, arguments, message):
    assert cli.main(arguments) == 1
    assert capsys.readouterr().err == f"mubinn: error: {message}\n"


def test_a_broken_window_before_a_restart_is_not_the_one_that_was_cut():
    """Seed 1210: its packet, complete, looks like one that a restart cut short; the window behind it was."""
    from mubinn.build.equality import run_one

    verdict = run_one(1210, "axi", scratch() / "cache")
    assert (verdict.mismatches, verdict.steps) == (0, 78)

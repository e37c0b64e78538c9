"""Data through a generated core, and the two verbs that do it."""

import json

import numpy as np
import pytest
from mubinn.build.cli import main
from mubinn.model.data import Windows, save_windows
from mubinn.sim.simulate import simulate
from sim_cores import copy_of, core, model_file, plant_fault, scratch


def eeg_windows(count=5, steps=4):
    rng = np.random.default_rng(1)
    x = rng.normal(0.5, 8, (count, steps, 3)).astype(np.float32)
    unknown = np.full(count, -1)
    return Windows(x=x, y=np.arange(count) % 2, subject=unknown, start=unknown, fs=125.0)


@pytest.fixture
def data(tmp_path):
    save_windows(tmp_path / "data.npz", eeg_windows())
    return str(tmp_path / "data.npz")


def called(capsys, *argv):
    code = main([*argv, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("simulator", ["verilator", "amaranth"])
def test_labels_are_the_golden_models(simulator):
    folder, _ = core("head")
    windows, steps = eeg_windows(), []
    found = simulate(folder, windows, simulator=simulator, cache=scratch() / "cache", stall=0.2, limit=4,
                     progress=lambda done, total: steps.append((done, total)))  # fmt: skip
    file = model_file("head")
    golden = file.model().run(file.quantize_input(windows.x[:4]))
    assert found.mismatches == 0 and found.labels.tolist() == golden.label.tolist()
    assert found.accuracy == (golden.label == windows.y[:4]).mean()
    assert (found.windows, found.steps) == (4, 16)
    assert steps[-1] == (4, 4) and len(steps) > 1


def test_verb_on_data(capsys, data, tmp_path, monkeypatch):
    folder, _ = copy_of("head", tmp_path / "core")
    monkeypatch.chdir(tmp_path)
    code, figures = called(capsys, "simulate", str(folder), "--data", data, "--simulator", "icarus")
    assert code == 0 and figures["mismatches"] == 0
    for key in ("simulator windows steps mismatches accuracy cycles_per_step ideal_cycles_per_step utilization "
                "steps_per_wall_second").split():  # fmt: skip
        assert figures[key] is not None, key
    assert json.loads((folder / "reports" / "simulate.json").read_text())["windows"] == 5


def test_verb_on_the_folders_own_vectors(capsys, tmp_path, monkeypatch):
    folder, _ = copy_of("stream", tmp_path / "core")
    monkeypatch.chdir(tmp_path)
    settings = ("--simulator", "amaranth", "--windows", "2", "--stall", "0.3")
    code, figures = called(capsys, "simulate", str(folder), *settings)
    assert code == 0 and (figures["windows"], figures["steps"], figures["accuracy"]) == (2, 10, None)


def test_a_fault_makes_exit_code_1(tmp_path):
    folder, manifest = copy_of("head", tmp_path / "core")
    plant_fault(folder, manifest)
    found = simulate(folder, eeg_windows(), simulator="icarus", cache=tmp_path / "cache")
    assert found.mismatches > 0 and found.figures()["ok"] is False
    assert any(words.startswith("z differs first at window 3, step 0, unit ") for words in found.differences)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--simulator", "vcs"], "--simulator must be verilator, icarus or amaranth, not vcs"),
        (["--stall", "1"], "--stall must be 0 to 0.95, not 1.0"),
        (["--windows", "0"], "--windows must be 1 to 2147483648, not 0"),
        (["--jobs", "0"], "--jobs must be 1 to 256, not 0"),
        (["--split", "time"], "--split must be left out without --data"),
        (["--cocotb", "--simulator", "amaranth"], "--cocotb must be without --data, on verilator or icarus"),
    ],
)
def test_bad_arguments_are_one_line(argv, message, capsys):
    folder, _ = core("head")
    assert main(["simulate", str(folder), *argv]) == 1
    assert capsys.readouterr().err.strip() == f"mubinn: error: {message}"


def test_changed_verilog_is_refused(capsys, tmp_path):
    folder, manifest = copy_of("head", tmp_path / "core")
    plant_fault(folder, manifest)
    assert main(["simulate", str(folder)]) == 1
    assert "sha256 differs from manifest.json" in capsys.readouterr().err


def test_missing_folder_and_missing_simulator(capsys, tmp_path, monkeypatch):
    assert main(["simulate", str(tmp_path)]) == 1
    assert "make the folder with mubinn generate" in capsys.readouterr().err
    folder, _ = core("head")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["simulate", str(folder), "--simulator", "icarus"]) == 1
    line = "iverilog is not installed: apt-get install -y --no-install-recommends iverilog"
    assert capsys.readouterr().err.strip() == f"mubinn: error: {line}"


def test_equality_verb(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argv = ("bench", "equality", "--specs", "2", "--seed", "1", "--icarus", "1", "--simulator", "amaranth")
    code, figures = called(capsys, *argv)
    assert code == 0 and figures["mismatches"] == 0 and figures["failures"] == []
    assert (figures["seed"], figures["specs"], figures["runs"]) == (1, 2, 3)
    assert figures["simulators"] == {"amaranth": 2, "icarus": 1}
    assert figures["steps"] > 50 and figures["coverage"]["shape corner"] == 2
    code, again = called(capsys, *argv, "--resume")
    assert code == 0 and again == figures


def test_a_failure_says_how_to_repeat_it():
    from mubinn.build.equality import summary
    from mubinn.sim.equality import Verdict

    verdict = Verdict(seed=9, simulator="amaranth", what="tiny", steps=4, records=9, cycles=99, mismatches=2,
                      features=("tiny",), differences=("z differs first at window 0, ...",), seconds=0.1)  # fmt: skip
    figures = summary(1, [verdict], [])
    assert figures["ok"] is False and figures["mismatches"] == 2
    assert figures["failures"][0]["command"] == "mubinn bench equality --only 9 --simulator amaranth"

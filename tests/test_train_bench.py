"""`mubinn bench accuracy`: its plan, its pairing and its interval, on made-up results."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from mubinn.build.accuracy import Method, compare, interval, text
from mubinn.build.accuracy_files import SHIPPED, picture, ship
from mubinn.build.bench_accuracy import plan
from mubinn.build.cli import main
from mubinn.build.errors import ToolError
from mubinn.model.artifact import ModelFile, load_model, save_model
from mubinn.model.reference import FloatWeights

SUBJECTS, WINDOWS, STEPS = 12, 10, 20


def write(out, split, seed, name, right):
    """Result file of a training that classified `right` [subjects] windows of every subject correctly."""
    label, subject, start = [], [], []
    for s, count in enumerate(right):
        label += [1] * count + [0] * (WINDOWS - count)
        subject += [s] * WINDOWS
        start += [STEPS * k // 2 for k in range(WINDOWS)]
    folder = out / split.replace(":", "-") / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    found = {"test_label": label, "test_y": [1] * len(label), "test_subject": subject, "test": {"auc": 0.75}}
    found |= {"test_start": start, "steps": STEPS, "validation": {"accuracy": 0.5}}
    (folder / f"{name}.json").write_text(json.dumps(found))


TWO = [Method("2,2"), Method("1,1")]


@pytest.fixture
def results(tmp_path):
    """Two seeds: full precision has 8 of 10 right, (2,2) one less for every other subject, (1,1) five less."""
    for seed in (0, 1):
        write(tmp_path, "time", seed, "fp", [8] * SUBJECTS)
        write(tmp_path, "time", seed, "2-2", [8 - k % 2 for k in range(SUBJECTS)])
        write(tmp_path, "time", seed, "1-1", [3] * SUBJECTS)
    return tmp_path


def test_differences_are_paired_and_judged(results):
    found = compare(results, ["time"], [0, 1], TWO)
    two, one = found["rows"]
    assert two["accuracy"] == pytest.approx(75) and two["difference"] == pytest.approx(-5)
    assert one["difference"] == pytest.approx(-50)
    assert not two["ok"] and not found["ok"]
    assert found["fp"]["accuracy"] == pytest.approx(80) and found["subjects"] == SUBJECTS
    assert "MISSED" in text(found)


def test_full_precision_alone_can_be_asked_for(results, capsys):
    found = compare(results, ["time"], [0, 1], [])
    assert found["fp"]["validation_accuracy"] == 50 and found["ok"] and not found["rows"] and "  50.00" in text(found)
    assert main(["bench", "accuracy", "--data", "nowhere", "--seeds", "0", "--levels", "--out", str(results)]) == 0
    assert "fp " in capsys.readouterr().out


def test_windows_apart_are_every_second_and_have_limits_of_their_own(tmp_path):
    # Of ten windows, each half over the next, the even ones count: five right of five, four, and three.
    for name, right in (("fp", 9), ("3-3", 7), ("qlrl-3-3", 9), ("mubinn1-3-3", 5), ("b_lstm-1-1", 3)):
        for fold in range(2):
            write(tmp_path, f"block:{fold}", 0, name, [right] * SUBJECTS)
    methods = [Method(text) for text in ("3,3", "qlrl:3,3", "mubinn1:3,3", "b_lstm:1,1")]
    found = compare(tmp_path, ["block:0", "block:1"], [0], methods, apart=True)
    assert [row["accuracy"] for row in found["rows"]] == pytest.approx([80, 100, 60, 40]) and found["fp"]["accuracy"] == 100
    assert [row.get("ok") for row in found["rows"]] == [False, True, None, None] and not found["ok"]
    differences = {(pair["levels"], pair["minus"]): pair["difference"] for pair in found["pairs"]}
    assert differences == pytest.approx(
        {("3,3", "mubinn1:3,3"): 20, ("mubinn1:3,3", "b_lstm:1,1"): 20, ("qlrl:3,3", "3,3"): 20}
    )
    lines = text(found)
    assert "windows side by side" in lines and "-0.5, -2.0 MISSED" in lines and "mubinn1:3,3 minus b_lstm:1,1" in lines
    # All windows: no limits.
    assert all("limit" not in row for row in compare(tmp_path, ["block:0", "block:1"], [0], methods)["rows"])


def test_the_interval_decides_too(tmp_path):
    """A mean of -0.4 points is enough, an interval far below is not."""
    for k, name in enumerate(("fp", "3-3")):
        write(tmp_path, "block:0", 0, name, [5 + k * (-1 if s % 2 else 1) * 4 for s in range(SUBJECTS)])
    row = compare(tmp_path, ["block:0"], [0], [Method("3,3")], apart=True)["rows"][0]
    assert row["difference"] >= -0.5 and row["difference_interval"][0] < -2 and not row["ok"]


def test_the_verb_uses_what_is_there(results, capsys):
    command = ["bench", "accuracy", "--data", "nowhere", "--seeds", "0,1", "--levels", "2,2", "--out", str(results)]
    assert main([*command, "--json"]) == 1  # the difference is beyond its limit
    found = json.loads(capsys.readouterr().out)
    assert found["rows"][0]["difference"] == pytest.approx(-5)
    assert json.loads((results / "time.json").read_text()) == found


def test_a_failed_training_is_one_line(tmp_path, capsys):
    command = ["bench", "accuracy", "--data", str(tmp_path / "none"), "--seeds", "0", "--out", str(tmp_path / "out")]
    assert main(command) == 1
    assert "fp.log: mubinn train exited with 1, the log says why" in capsys.readouterr().err
    assert "no such file or folder" in (tmp_path / "out/time/seed-0/fp.log").read_text()


def test_all_start_from_full_precision_of_their_split_and_seed(tmp_path):
    methods = [Method("1,1"), Method("mubinn1:2,2"), Method("3,3")]
    jobs = plan("data", ["time", "subject:3"], [0], methods, tmp_path)
    assert [job.name for job in jobs] == ["fp", "1-1", "mubinn1-2-2", "3-3"] * 2
    for full, *others in (jobs[:4], jobs[4:]):
        assert full.start is None and full.model == full.folder / "fp.safetensors"
        for job in others:
            assert job.start is full and job.options[job.options.index("--start") + 1] == str(full.model)
            assert job.folder == full.folder
    assert {job.folder.parent.name for job in jobs} == {"time", "subject-3"}
    jobs = plan("data", ["time"], [0], [Method("1,1")], tmp_path, more=["--mixup", "1"])
    assert all(job.options[job.options.index("--mixup") + 1] == "1" for job in jobs)


def test_a_result_of_other_options_is_not_taken(results):
    (full,) = plan("data", ["time"], [0], [], results)
    made = full.found()  # nothing says what it was made with
    full.write(made | {"options": list(full.options)})
    assert full.found() == made | {"options": list(full.options)}
    (other,) = plan("data", ["time"], [0], [], results, more=["--mixup", "1"])
    with pytest.raises(ToolError, match=r"fp.json: is of other options:.*choose another --out"):
        other.found()


def test_files_are_named_by_preset_and_levels(tmp_path):
    _, *second = plan("data", ["time"], [0], [Method("1,1"), Method("mubinn1:2,2"), Method("3,3")], tmp_path)
    assert "--preset" not in second[0].options and second[1].options[second[1].options.index("--preset") + 1] == "mubinn1"


def test_the_interval_covers_what_a_normal_sample_would():
    rng = np.random.default_rng(3)
    low, high = interval(rng.normal(2.0, 1.0, (400, 1)), draws=2000)
    # 1.96 standard errors of 1 / 20 to each side
    assert low < 2.1 and high > 1.9 and high - low == pytest.approx(2 * 1.96 / 20, rel=0.15)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seeds", "a"], "--seeds must be integers with commas between them, not 'a'"),
        (["--jobs", "0"], "--jobs must be 1 to 64, not 0"),
        (["--split", "subject", "--folds", "7"], "--folds must be 1 to 6, not 7"),
        (["--split", "block", "--folds", "6"], "--folds must be 1 to 5, not 6"),
        (
            ["--levels", "lstm:1,1"],
            "--levels must be pairs A,W, each 1 to 5 or fp, behind b_lstm, nazari2020, mubinn1, mubinn2, qlrl and "
            "a colon or alone, not 'lstm:1,1'",
        ),
    ],
)
def test_bad_options(options, message, capsys):
    assert main(["bench", "accuracy", "--data", "d", *options]) == 1
    assert message in capsys.readouterr().err


def test_the_picture_shows_every_row(results):
    found = compare(results, ["time"], [0, 1], TWO)
    root = ElementTree.fromstring(picture([found, found | {"split": "subject"}]))
    assert len(root.findall("{*}circle")) == 6
    assert {"time split", "subject split"} <= {text.text for text in root.findall("{*}text")}


def test_shipped_models_carry_what_was_measured(results, tmp_path):
    rng = np.random.default_rng(1)
    units = FloatWeights(weight_ih=rng.normal(size=(8, 3)), weight_hh=rng.normal(size=(8, 2)), bias=np.zeros(8),
                         head_weight=rng.normal(size=(2, 2)), head_bias=np.zeros(2))  # fmt: skip
    for name in SHIPPED:
        model_file = ModelFile(preset="fp", float_weights=units, card={"seed": 0})
        save_model(results / f"time/seed-0/{name}.safetensors", model_file)
    found = compare(results, ["time"], [0, 1], TWO)
    ship(results, tmp_path, [found])
    card = load_model(tmp_path / "eeg-2-2.safetensors").card
    assert card["seed"] == 0 and card["time split"]["difference"] == -5.0 and "ODC-By" in card["origin of the data"]
    assert json.loads((tmp_path / "eeg-2-2.card.json").read_text()) == card
    assert load_model(tmp_path / "eeg-fp.safetensors").card["time split"]["accuracy"] == 80.0


def test_a_training_step_is_measured(capsys):
    """Its figures, and the exit code of the limit; the time itself is no test."""
    sizes = ["--batch", "4", "--steps", "6", "--inputs", "3", "--hidden", "5", "--repeats", "2"]
    command = ["bench", "training", *sizes, "--json"]
    assert main([*command, "--limit", "1e9"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] and len(found["quantized_runs_s"]) == len(found["torch_runs_s"]) == 2
    assert found["ratio"] == found["quantized_s"] / found["torch_s"] and found["levels"] == [3, 3]
    assert main([*command, "--limit", "0"]) == 1
    for bad in (["--batch", "0"], ["--levels", "6,1"], ["--threads", "0"]):
        assert main([*command, *bad]) == 1

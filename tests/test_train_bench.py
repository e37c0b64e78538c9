"""`mubinn bench accuracy`: its plan, its pairing and its interval, on made-up results."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from mubinn.build.accuracy_files import SHIPPED, picture, ship
from mubinn.build.bench_accuracy import compare, interval, plan, text
from mubinn.build.cli import main
from mubinn.model.artifact import ModelFile, load_model, save_model
from mubinn.model.reference import FloatWeights

SUBJECTS, WINDOWS = 12, 10


def write(out, split, seed, name, right):
    """Result file of a training that classified `right` [subjects] windows of every subject correctly."""
    label, subject = [], []
    for s, count in enumerate(right):
        label += [1] * count + [0] * (WINDOWS - count)
        subject += [s] * WINDOWS
    folder = out / split.replace(":", "-") / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    found = {"test_label": label, "test_y": [1] * len(label), "test_subject": subject, "test": {"auc": 0.75}}
    (folder / f"{name}.json").write_text(json.dumps(found))


@pytest.fixture
def results(tmp_path):
    """Two seeds: full precision has 8 of 10 right, (2,2) one less for every other subject, (1,1) five less."""
    for seed in (0, 1):
        write(tmp_path, "time", seed, "fp", [8] * SUBJECTS)
        write(tmp_path, "time", seed, "2-2", [8 - k % 2 for k in range(SUBJECTS)])
        write(tmp_path, "time", seed, "1-1", [3] * SUBJECTS)
    return tmp_path


def test_differences_are_paired_and_judged(results):
    found = compare(results, ["time"], [0, 1], ["2,2", "1,1"])
    two, one = found["rows"]
    assert two["accuracy"] == pytest.approx(75) and two["difference"] == pytest.approx(-5)
    assert one["difference"] == pytest.approx(-50)
    assert not two["ok"] and not found["ok"]
    assert found["fp"]["accuracy"] == pytest.approx(80) and found["subjects"] == SUBJECTS
    assert "MISSED" in text(found)


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
    first, second = plan("data", ["time", "subject:3"], [0], ["1,1", "2,2", "3,3"], tmp_path)
    assert len(first) == 2 and len(second) == 6
    for job in second:
        assert job.options[job.options.index("--start") + 1] == str(job.folder / "fp.safetensors")
    assert {job.folder.parent.name for job in first} == {"time", "subject-3"}


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
        (["--folds", "7"], "--folds must be 1 to 6, not 7"),
    ],
)
def test_bad_options(options, message, capsys):
    assert main(["bench", "accuracy", "--data", "d", *options]) == 1
    assert message in capsys.readouterr().err


def test_the_picture_shows_every_row(results):
    found = compare(results, ["time"], [0, 1], ["2,2", "1,1"])
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
    found = compare(results, ["time"], [0, 1], ["2,2", "1,1"])
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

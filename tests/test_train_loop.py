"""The training run: kept epochs, resumed runs, files, and what a user can do wrong."""

import json

import numpy as np
import pytest
from small_training import config, two_classes

torch = pytest.importorskip("torch")

from mubinn.build.cli import main  # noqa: E402
from mubinn.model.artifact import load_model  # noqa: E402
from mubinn.model.data import DataError  # noqa: E402
from mubinn.model.evaluate import evaluate, load_test  # noqa: E402
from mubinn.model.train.batches import load_training_data  # noqa: E402
from mubinn.model.train.config import TrainError  # noqa: E402
from mubinn.model.train.loop import train  # noqa: E402
from mubinn.model.train.run import Run  # noqa: E402

OF_LEVELS = "levels must be A,W, each 1 to 5 or fp, or X/H/GATES,WEIGHTS/BIASES of 1 to 8, not "


@pytest.fixture
def windows(tmp_path):
    return two_classes(tmp_path / "windows.npz")


def folder(path):
    """A folder of a name of its own: the temporary files must not decide the result."""
    path.mkdir()
    return path


@pytest.mark.parametrize("levels", [(1, 1), (2, 3)])
def test_a_run_writes_a_model_that_eval_reads(windows, tmp_path, levels):
    result = train(config(levels=levels), windows, tmp_path / "m.safetensors", command="mubinn train")
    model_file = load_model(result.model)
    assert model_file.spec.input_levels == levels[0] and model_file.spec.weight_levels == levels[1]
    assert model_file.card["command"] == "mubinn train" and "not a medical device" in model_file.card["intended use"]
    figures = evaluate(model_file, load_test(model_file, windows)).figures()
    assert figures["windows"] == 60 and figures["float_accuracy"] is not None
    assert result.test is None and result.validation["windows"] == 8
    records = [json.loads(line) for line in result.log.read_text().splitlines()]
    assert [r["stage"] for r in records[:-1]] == ["float", "float", "weights", "activations", "activations", "cell"]
    assert len(records[-1]["cell"]["drift"]) == 15 and len(records[-1]["cell"]["unchanged"]) == 14
    assert not list(tmp_path.glob("*.checkpoint")) and not list(tmp_path.glob(".*"))


def test_a_run_whose_inputs_share_channels(windows, tmp_path):
    result = train(config(levels=(1, 2), input_copies=2), windows, tmp_path / "m.safetensors")
    model_file = load_model(result.model)
    assert (model_file.input_size, model_file.channel_count) == (6, 3)
    mean = np.array(model_file.preprocess.mean).reshape(2, 3)
    assert (mean[0] < mean[1]).all()  # each copy has a threshold of its own
    assert evaluate(model_file, load_test(model_file, windows)).figures()["windows"] == 60


def test_it_learns(windows, tmp_path):
    rate = config(preset="fp", float_epochs=10, weight_epochs=0, activation_epochs=0, cell_epochs=0, batches=15, lr=0.02)
    result = train(rate, windows, tmp_path / "fp.safetensors")
    assert evaluate(load_model(result.model), load_test(load_model(result.model), windows)).figures()["accuracy"] > 0.9


class Stop(Exception):
    """Stands for kill -9: nothing of the run's own code follows it."""


@pytest.mark.parametrize("stop_at", [(1, 2), (3, 1), (5, 3)])
def test_an_interrupted_run_ends_with_the_same_bytes(windows, tmp_path, stop_at):
    whole = train(config(), windows, folder(tmp_path / "whole") / "m.safetensors")
    out = folder(tmp_path / "again") / "m.safetensors"

    def interrupt(event):
        if (event.get("epoch"), event.get("batch")) == stop_at:
            raise Stop

    with pytest.raises(Stop):
        train(config(), windows, out, progress=interrupt)
    assert not out.exists()
    train(config(), windows, out)
    assert out.read_bytes() == whole.model.read_bytes()
    assert (tmp_path / "again/m.safetensors.jsonl").read_text() == whole.log.read_text()


def test_another_seed_is_another_model(windows, tmp_path):
    one, two = (train(config(seed=s), windows, tmp_path / f"{s}.safetensors") for s in (0, 1))
    assert one.model.read_bytes() != two.model.read_bytes()


def test_starting_from_a_float_model_skips_the_float_epochs(windows, tmp_path):
    parent = train(config(preset="fp"), windows, tmp_path / "fp.safetensors")
    child = train(config(), windows, tmp_path / "m.safetensors", start=parent.model)
    assert len(child.log.read_text().splitlines()) == 5
    weights = [load_model(result.model).float_weights for result in (parent, child)]
    assert np.array_equal(weights[0].weight_hh, weights[1].weight_hh)


def test_full_precision_has_as_many_epochs_as_the_stages(windows, tmp_path):
    result = train(config(preset="fp"), windows, tmp_path / "fp.safetensors")
    assert len(result.log.read_text().splitlines()) == 6 and result.cell is None


def test_another_runs_checkpoint_is_refused(windows, tmp_path):
    out = tmp_path / "m.safetensors"

    def interrupt(event):
        if event.get("epoch") == 1:
            raise Stop

    with pytest.raises(Stop):
        train(config(), windows, out, progress=interrupt)
    with pytest.raises(TrainError, match=r"checkpoint: belongs to a run with other settings or data: delete it"):
        train(config(seed=3), windows, out)
    (tmp_path / "m.safetensors.checkpoint").write_bytes(b"damaged")
    with pytest.raises(TrainError, match=r"checkpoint: not a readable checkpoint, or damaged: delete it"):
        train(config(), windows, out)


def test_validation_is_the_last_part_of_every_class(windows):
    data = load_training_data(windows)
    everything = np.load(windows)
    assert len(data.validation) == 8 and np.array_equal(data.validation.x, everything["x"][-8:])
    train_x = np.stack([samples for samples, _ in data.sources])
    assert len(train_x) == 50 and np.array_equal(train_x, everything["x"][:50])
    assert np.allclose(data.preprocess.mean, train_x.mean(axis=(0, 1)), atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "lstm"}, r"^preset must be fp, b_lstm, nazari2020, mubinn1, mubinn2 or qlrl, not 'lstm'$"),
        ({"preset": "b_lstm"}, r"^levels must be 1,1 with preset b_lstm, not 2,2$"),
        ({"preset": "mubinn1", "gates": ("BI",)}, r"^gates must be left out with preset mubinn1$"),
        ({"gates": ("BG",)}, r"^gates must be of GI, GF, GO, BI, BF, BO, B\(UVW\), each once, not 'BG'$"),
        ({"gates": ("BI", "BI")}, r"^gates must be of GI, .*, each once, not 'BI,BI'$"),
        ({"preset": "fp", "gates": ("BI",)}, r"^gates must be of GI, GF, GO with preset fp, not 'BI'$"),
        (
            {"levels": (2, "fp"), "gates": ("B(UVW)",)},
            r"^gates must not name B\(UVW\) with weights of plain numbers, levels",
        ),
        ({"preset": "qlrl", "gates": ("GI",)}, r"^gates must name BI, BF or BO with preset qlrl$"),
        ({"gate_slope": "none"}, r"^gate_slope must be sigma or rounded, not 'none'$"),
        ({"levels": (0, 1)}, r"^levels must be A,W, each 1 to 5 or fp, .* not \(0, 1\)$"),
        ({"levels": (1, 6)}, r"^levels must be A,W, each 1 to 5 or fp, .* not \(1, 6\)$"),
        ({"levels": ((2, 2), 3)}, r"^levels must be .* not \(\(2, 2\), 3\)$"),
        ({"levels": ((2, 9, 2), 3)}, r"^levels must be .* not \(\(2, 9, 2\), 3\)$"),
        ({"levels": 3}, r"^levels must be A,W, each 1 to 5 or fp, .* not 3$"),
        ({"split": "subject:6"}, r"^split must be time, block:K \(K 0 to 4\) or subject:K \(K 0 to 5\), not 'subject:6'$"),
        ({"pool": "max"}, r"^pool must be mean or last, not 'max'$"),
        ({"seed": 1.5}, r"^seed must be an integer, not 1.5$"),
        ({"batches": 0}, r"^batches must be 1 to 1000000, not 0$"),
        ({"lr": float("nan")}, r"^lr must be 1e-07 to 1, not nan$"),
        ({"activation_epochs": 0, "cell_epochs": 0}, r"^activation_epochs \+ cell_epochs must be at least 1, not 0$"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(TrainError, match=message):
        config(**changes)


def test_bad_files(windows, tmp_path):
    with pytest.raises(TrainError, match=r"m: can't be written: its folder does not exist$"):
        train(config(), windows, tmp_path / "no/m")
    with pytest.raises(DataError, match=r"none.npz: no such file or folder$"):
        train(config(), tmp_path / "none.npz", tmp_path / "m")
    other = train(config(preset="fp", hidden_size=5), windows, tmp_path / "five.safetensors")
    with pytest.raises(TrainError, match=r"^start's hidden_size must be 6, not 5$"):
        train(config(), windows, tmp_path / "m", start=other.model)
    few = tmp_path / "few.npz"
    np.savez(few, x=np.random.default_rng(1).standard_normal((8, 4, 2)), y=np.arange(8) % 2)
    with pytest.raises(DataError, match=r"few.npz: y must have at least 7 windows of every class, not 4 of class 0$"):
        train(config(), few, tmp_path / "m")
    with pytest.raises(TrainError, match=r"^epochs must be at least 1 in all, not 0$"):
        train(config(preset="fp", float_epochs=0, weight_epochs=0, activation_epochs=0, cell_epochs=0), windows, tmp_path / "m")


def test_the_verb_prints_one_object(windows, tmp_path, capsys):
    options = "--hidden 6 --epochs 1,1,1,1 --batches 2 --batch-size 8 --levels 1,2 --json".split()
    assert main(["train", "--data", str(windows), "-o", str(tmp_path / "m.safetensors"), *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["levels"] == [1, 2] and found["test"] is None and 0 <= found["validation"]["accuracy"] <= 1
    assert load_model(tmp_path / "m.safetensors").card["seed"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--levels", "3"],
            OF_LEVELS + "'3'",
        ),
        (["--epochs", "many"], "--epochs must be an integer, not 'many'"),
        (["--epochs", "1,1"], "--epochs must be 4 integers with commas between them, not '1,1'"),
        (["--threads", "0"], "--threads must be 1 to 256, not 0"),
        (
            ["--levels", "2,many"],
            OF_LEVELS + "'2,many'",
        ),
        (
            ["--levels", "2,9"],
            OF_LEVELS + "'2,9'",
        ),
        (["--split", "subject:0"], "--split must be left out: an .npz has no splits"),
    ],
)
def test_the_verb_says_what_is_wrong(windows, tmp_path, capsys, options, message):
    assert main(["train", "--data", str(windows), "-o", str(tmp_path / "m"), *options]) == 1
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1 and message in error[0]


def test_a_core_has_room_for_so_many_inputs():
    assert config(levels=(1, 2), input_copies=None).for_channels(100).input_copies == 2
    assert config(preset="fp", input_copies=None).for_channels(300).input_copies == 1
    with pytest.raises(TrainError, match=r"^input_copies must be 1 to 2 for 100 channels, not 3$"):
        config(levels=(1, 2), input_copies=3).for_channels(100)


def test_epochs_of_the_first_stage_alone(windows, tmp_path):
    out = tmp_path / "m.safetensors"
    options = ["--preset", "fp", "--hidden", "4", "--batches", "1", "--batch-size", "4", "--epochs", "3"]
    assert main(["train", "--data", str(windows), "-o", str(out), *options]) == 0
    config = load_model(out).card["config"]
    assert [config[f"{stage}_epochs"] for stage in ("float", "weight", "activation", "cell")] == [3, 2, 24, 1]


@pytest.mark.parametrize("beyond", [float("inf"), float("nan")])
def test_a_batch_whose_gradient_overflows_is_passed_over(windows, monkeypatch, beyond):
    """Network and average stay as they were before it."""

    def run_with(norms):
        run = Run(config(preset="fp"), load_training_data(windows), None)
        run.progress = lambda event: None
        norms = iter(norms)
        monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda parameters, most: torch.tensor(next(norms)))
        run.epoch(0)
        return run

    assert run_with((1.0, 2.0, 3.0)).records[0]["gradient_norm"] == 2.0
    passed = run_with((1.0, beyond, beyond))
    assert passed.records[0]["gradient_norm"] == float(np.finfo(np.float32).max)
    (step,) = {int(state["step"]) for state in passed.optimizer.state.values()}
    assert step == 1
    with pytest.raises(TrainError, match=r"^lr must be smaller: the gradient of no batch is finite in epoch 0$"):
        run_with((beyond,) * 3)

"""`mubinn eval` and its library: figures by hand, data that fits or not, and the bench of the golden model."""

import json
from dataclasses import replace

import numpy as np
import pytest
from model_cases import random_model_file
from mubinn.build import cli
from mubinn.model import evaluate as library
from mubinn.model import reference
from mubinn.model.artifact import Preprocess, save_model
from mubinn.model.data import Windows, decimate, load_eegmat
from mubinn.model.evaluate import auc, balanced_accuracy, confusion, evaluate, load_for, load_test
from mubinn.model.splits import block_split, subject_split, time_split
from mubinn.model.zoo import data_path
from recordings import NAMES, says, write_eegmat


def windows(seed=1, *, n=10, steps=6, inputs=3, classes=2, fs=125.0):
    rng = np.random.default_rng(seed)
    return Windows(x=rng.normal(0, 8, (n, steps, inputs)).astype(np.float32), y=np.arange(n) % classes,
                   subject=np.full(n, -1), start=np.full(n, -1), fs=fs)  # fmt: skip


def write_npz(path, w, **more):
    np.savez(path, x=w.x, y=w.y, **({} if w.fs is None else {"fs": w.fs}), **more)
    return path


# Figures by hand -----------------------------------------------------------------------------------------------------


def test_confusion_by_hand():
    assert confusion([0, 0, 1, 1, 1], np.array([0, 1, 1, 1, 0]), 3).tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]


def test_balanced_accuracy_by_hand():
    assert balanced_accuracy([0, 0, 0, 1], [0, 0, 1, 1]) == pytest.approx((2 / 3 + 1) / 2)
    assert balanced_accuracy([2, 2], [2, 0]) == 0.5


def test_auc_by_hand():
    scores = np.array([[0, 1], [0, 2], [0, 3], [0, 4]])
    assert auc([0, 0, 1, 1], scores) == 1.0
    assert auc([1, 1, 0, 0], scores) == 0.0
    assert auc([0, 1, 0, 1], scores) == 0.75  # pairs won: 2>1, 4>1, 4>3 of 4
    assert auc([0, 1], np.zeros((2, 2))) == 0.5  # a tie counts half
    assert auc([0, 0], np.zeros((2, 2))) is None and auc([0], np.zeros((1, 1))) is None
    assert auc([0, 1, 2], np.eye(3)) == 1.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_auc_counts_pairs(seed):
    rng = np.random.default_rng(seed)
    y, scores = rng.integers(0, 2, 50), rng.integers(-4, 5, (50, 2))
    margin = scores[:, 1] - scores[:, 0]
    pairs = [(a > b) + (a == b) / 2 for a in margin[y == 1] for b in margin[y == 0]]
    assert auc(y, scores) == pytest.approx(np.mean(pairs))


# The library ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_evaluate_is_golden_and_reference(batch):
    m, w, calls = random_model_file(1, classes=3), windows(n=9, classes=3), []
    found = evaluate(m, w, batch=batch, progress=lambda done, total: calls.append((done, total)))
    golden = m.model().run(m.quantize_input(w.x))
    floats = reference.run(m.float_weights, (w.x.astype(np.float64) - 0.5) / 8).argmax(1)
    assert (found.label == golden.label).all() and (found.scores == golden.scores).all()
    assert (found.float_label == floats).all()
    figures = found.figures()
    assert figures["windows"] == 9 and figures["accuracy"] == np.mean(golden.label == w.y)
    assert figures["float_accuracy"] == np.mean(floats == w.y)
    assert figures["agreement"] == np.mean(floats == golden.label)
    assert np.sum(figures["confusion"]) == 9 and np.trace(figures["confusion"]) == (golden.label == w.y).sum()
    assert calls[-1] == (9, 9) and figures["seconds"] > 0


def test_evaluate_full_precision():
    figures = evaluate(random_model_file(1, preset="fp"), windows()).figures()
    assert figures["agreement"] == 1.0 and figures["accuracy"] == figures["float_accuracy"]


def test_evaluate_without_float_parent():
    figures = evaluate(replace(random_model_file(1), float_weights=None), windows()).figures()
    assert figures["float_accuracy"] is None and figures["agreement"] is None and figures["accuracy"] is not None


def test_evaluate_refuses():
    with says("classes must be at least 1 to judge labels: this model has no head"):
        evaluate(random_model_file(1, classes=0), windows())
    with says("y must be 0 to 1, the model's classes, not 2"):
        evaluate(random_model_file(1), windows(classes=3))
    with says("x must have the model's 3 inputs, not 4"):
        evaluate(random_model_file(1), windows(inputs=4))
    with says("x must have at most the model's 5 steps a window, not 6"):
        evaluate(random_model_file(1, max_steps=5), windows())


def test_npz_is_all_test(tmp_path):
    path = write_npz(tmp_path / "w.npz", windows())
    assert (load_test(random_model_file(1), path).x == windows().x).all()
    with says(f"{path}: split must be left out: all windows of an .npz are test windows"):
        load_test(random_model_file(1), path, "time")


def test_npz_that_does_not_fit(tmp_path):
    m = random_model_file(1)
    path = write_npz(tmp_path / "w.npz", windows(fs=500.0))
    with says(f"{path}: fs must be the model's 125 Hz, not 500"):
        load_for(m, path)
    path = write_npz(tmp_path / "w.npz", windows(inputs=2))
    with says(f"{path}: x must have the model's 3 inputs, not 2"):
        load_for(m, path)
    assert len(load_for(m, write_npz(tmp_path / "w.npz", windows(fs=None)))) == 10


def eeg_model(channels, **changes):
    """A model of EEGMAT's channels, in the names of the written files."""
    n = len(channels)
    preprocess = Preprocess(channels=channels, fs=125, decimation=4, mean=(0,) * n, std=(50,) * n)
    return replace(random_model_file(1, input_size=n), preprocess=replace(preprocess, **changes))


def test_folder_is_decimated_and_split(tmp_path):
    write_eegmat(tmp_path, samples=26_000, people=2)
    m = eeg_model(tuple(name for name in NAMES if name != "A2-A1"))
    r = decimate(load_eegmat(tmp_path), 4)
    for split, want in ((None, time_split(r).test), ("time", time_split(r).test),
                        ("subject:2", subject_split(r, 2).test), ("block:3", block_split(r, 3).test)):  # fmt: skip
        got = load_test(m, tmp_path, split)
        assert got.fs == 125 and (got.x == want.x).all() and (got.y == want.y).all()
    for split in ("subject:6", "subject:-1", "subject:", "subject", "random", "subject:²", "block:5"):
        with says(f"split must be time, block:K (K 0 to 4) or subject:K (K 0 to 5), not {split!r}"):
            load_test(m, tmp_path, split)
    assert load_test(eeg_model(NAMES), tmp_path).x.shape[2] == 20


def test_folder_that_does_not_fit(tmp_path):
    write_eegmat(tmp_path, samples=4000, people=1)
    names = tuple(name for name in NAMES if name != "A2-A1")
    with says(f"{tmp_path}: fs must be the model's 100 Hz, not 125"):
        load_for(eeg_model(names, fs=100.0), tmp_path)
    other = ("Fp1", *names[1:])
    with says(f"{tmp_path}: channels must be the model's {', '.join(other)}, not {', '.join(names)}"):
        load_for(eeg_model(other), tmp_path)


def test_library_offers_what_it_says():
    assert all(hasattr(library, name) for name in library.__all__)


# The verb ------------------------------------------------------------------------------------------------------------


def test_verb(tmp_path, capsys):
    save_model(tmp_path / "m", random_model_file(1))
    write_npz(tmp_path / "w.npz", windows())
    argv = ["eval", str(tmp_path / "m"), "--data", str(tmp_path / "w.npz")]
    assert cli.main([*argv, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    want = evaluate(random_model_file(1), windows()).figures()
    assert {"windows", "accuracy", "balanced_accuracy", "auc", "float_accuracy", "agreement"} <= set(figures)
    assert all(figures[name] == want[name] for name in want if name != "seconds")
    assert (figures["model"], figures["preset"]) == (str(tmp_path / "m"), "mubinn2")
    assert cli.main(argv) == 0
    out = capsys.readouterr().out
    assert f"accuracy            {want['accuracy']:.4f}\n" in out and "10 windows" in out


def test_verb_on_the_shipped_windows(tmp_path, capsys):
    with np.load(data_path("eeg-sample")) as z:
        count, inputs = z["x"].shape[0], z["x"].shape[2]
    save_model(tmp_path / "m", random_model_file(1, input_size=inputs))
    assert cli.main(["eval", str(tmp_path / "m"), "--data", "eeg-sample", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["windows"] == count


def test_verb_tells_of_another_split(tmp_path, capsys):
    write_eegmat(tmp_path, samples=26_000, people=2)
    m = eeg_model(tuple(name for name in NAMES if name != "A2-A1"))
    save_model(tmp_path / "m", replace(m, card={"config": {"split": "time"}}))
    argv = ["eval", str(tmp_path / "m"), "--data", str(tmp_path), "--json", "--split"]
    text = "trained on the split time, whose training part may hold test windows of subject:0"
    assert cli.main([*argv, "subject:0"]) == 0
    assert json.loads(capsys.readouterr().out)["note"] == text
    assert cli.main([*argv, "time"]) == 0
    assert "note" not in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("bad", ["model", "data", "samples"])
def test_verb_refuses_in_one_line(tmp_path, capsys, bad):
    model, data = tmp_path / "m", tmp_path / "w.npz"
    save_model(model, random_model_file(1))
    write_npz(data, windows())
    if bad == "model":
        model.write_bytes(model.read_bytes()[:-1])
        text = f"{model}: not a readable safetensors file, or damaged"
    elif bad == "data":
        data.unlink()
        text = f"{data}: no such file"
    else:
        w = windows()
        w.x[1, 2, 0] = np.nan
        write_npz(data, w)
        text = f"{data}: x must be finite in float32, which window 1, step 2, input 0 is not"
    assert cli.main(["eval", str(model), "--data", str(data)]) == 1
    assert capsys.readouterr() == ("", f"mubinn: error: {text}\n")


# bench golden --------------------------------------------------------------------------------------------------------


def test_bench_golden(tmp_path, capsys):
    pytest.importorskip("torch")
    save_model(tmp_path / "m", random_model_file(1))
    argv = ["bench", "golden", str(tmp_path / "m"), "--windows", "5", "--steps", "7", "--repeats", "3", "--json"]
    assert cli.main([*argv, "--limit", "1e9"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["windows"], found["steps"], found["ok"]) == (5, 7, True)
    assert found["data"] == "random samples, seed 1"
    assert found["ratio"] == found["golden_s"] / found["torch_s"] > 0
    assert len(found["golden_runs_s"]) == len(found["torch_runs_s"]) == 3
    assert cli.main([*argv, "--limit", "1e-9"]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_bench_golden_refuses(tmp_path, capsys):
    save_model(tmp_path / "m", random_model_file(1))
    assert cli.main(["bench", "golden", str(tmp_path / "m"), "--repeats", "0"]) == 1
    assert capsys.readouterr().err == "mubinn: error: --repeats must be at least 1, not 0\n"
    save_model(tmp_path / "fp", random_model_file(1, preset="fp"))
    assert cli.main(["bench", "golden", str(tmp_path / "fp")]) == 1
    assert capsys.readouterr().err.startswith("mubinn: error: preset must be a quantized one, not fp")

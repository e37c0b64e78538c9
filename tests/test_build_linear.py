"""The linear model on band power: its features, its minimum, its choice of penalty, its verb."""

import json

import numpy as np
import pytest
from mubinn.build.cli import main
from mubinn.build.linear import BANDS, PENALTIES, band_power, fit, judge
from mubinn.model.data import load_eegmat
from mubinn.model.splits import Split, named_split
from mubinn.model.windows import Windows
from recordings import write_eegmat

FS, STEPS = 100.0, 260


def tones(hertz, y, *, seed=0, noise=0.1):
    """Windows of one channel: a sine of the given frequency each, of any phase, with noise."""
    rng = np.random.default_rng(seed)
    hertz, y = np.asarray(hertz, float), np.asarray(y, np.int64)
    t = np.arange(STEPS) / FS
    x = np.sin(2 * np.pi * (hertz[:, None] * t + rng.random((len(y), 1)))) + noise * rng.normal(size=(len(y), STEPS))
    return Windows(x=x[..., None].astype(np.float32), y=y, subject=np.arange(len(y)), start=np.arange(len(y)) * STEPS, fs=FS)


@pytest.mark.parametrize("band", range(len(BANDS)))
def test_a_tone_is_in_its_band(band):
    low, high = BANDS[band]
    found = band_power(tones([(low + high) / 2], [0]))
    assert found.shape == (1, len(BANDS)) and found[0].argmax() == band


def test_power_is_of_each_channel_whatever_its_mean():
    one, two = tones([6.0], [0]), tones([20.0], [0], seed=1)
    both = Windows(x=np.concatenate([one.x, two.x + 1000], axis=2), y=one.y, subject=one.subject, start=one.start, fs=FS)
    found = band_power(both).reshape(len(BANDS), 2)
    np.testing.assert_allclose(found[:, 0], band_power(one)[0])
    np.testing.assert_allclose(found[:, 1], band_power(two)[0], rtol=1e-3)


def test_the_weights_are_at_the_minimum_of_loss_and_penalty():
    """No direction leads down from them; the loss is written anew."""
    rng = np.random.default_rng(3)
    y = np.arange(80) % 2
    windows = tones(rng.uniform(2, 38, 80) * (1 - y) + 10 * y, y)
    model, penalty = fit(windows, windows)
    features = band_power(windows)
    columns = np.column_stack([(features - features.mean(0)) / features.std(0), np.ones(80)])
    regression = model[-1]
    weights = np.append(regression.coef_, regression.intercept_)

    def loss(weights):
        right = 1 / (1 + np.exp(-(2 * y - 1) * (columns @ weights)))
        return -np.log(right).mean() + penalty / 2 * (weights[:-1] ** 2).sum()

    for direction in rng.normal(size=(50, len(weights))):
        assert loss(weights + 1e-3 * direction) > loss(weights)


def test_a_flat_channel_has_no_say():
    y = np.arange(40) % 2
    one = tones(np.where(y, 10, 20), y)
    both = Windows(x=np.concatenate([one.x, np.ones_like(one.x)], axis=2), y=y, subject=one.subject, start=one.start, fs=FS)
    model, _ = fit(both, both)
    weights = model[-1].coef_.reshape(len(BANDS), 2)
    assert weights[:, 0].any() and not weights[:, 1].any()


def test_the_penalty_is_what_the_validation_part_likes():
    rng = np.random.default_rng(4)
    told = tones(np.where(np.arange(60) % 2, 10, 20), np.arange(60) % 2)
    assert fit(told, told)[1] == min(PENALTIES)
    chance = tones(rng.uniform(2, 38, 60), rng.integers(2, size=60), seed=5)
    assert fit(chance, tones(rng.uniform(2, 38, 60), rng.integers(2, size=60), seed=6))[1] == max(PENALTIES)


def test_only_windows_side_by_side_are_judged():
    y = np.arange(40) % 2
    windows = tones(np.where(y, 10, 20), y)
    shifted = Windows(x=windows.x, y=1 - y, subject=windows.subject, start=windows.start + STEPS // 2, fs=FS)
    parts = {k: np.concatenate([getattr(windows, k), getattr(shifted, k)]) for k in ("x", "y", "subject", "start")}
    split = Split(train=windows, validation=windows, test=Windows(**parts, fs=FS), spans=np.zeros((0, 4), np.int64))
    found = judge([split, split])
    assert found["right"].all() and found["auc"] == 1 and found["penalties"] == 2 * [min(PENALTIES)]
    assert found["subject"].tolist() == 2 * list(range(40))


def test_the_verb_judges_a_folder(tmp_path, capsys):
    write_eegmat(tmp_path, samples=26000)
    assert main(["bench", "linear", "--data", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["windows"] == 8 * 2 * 4 and found["subjects"] == 8 and len(found["penalties"]) == 1
    recordings = load_eegmat(tmp_path)
    own = judge([named_split(recordings, "time")])
    assert found["accuracy"] == pytest.approx(100 * own["right"].mean()) and found["auc"] == own["auc"]
    low, high = found["accuracy_interval"]
    assert low <= found["accuracy"] <= high


def test_a_folder_without_recordings_is_one_line(tmp_path, capsys):
    assert main(["bench", "linear", "--data", str(tmp_path)]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1

"""Recordings to windows: decimation, cutting, normalisation."""

import numpy as np
import pytest
from mubinn.model import data
from mubinn.model.splits import time_split
from recordings import noise, recordings, says


def test_recordings_refuse():
    x = np.zeros((2, 2, 3, 5), np.float32)
    with says("x must be [4 subjects, conditions, 3 channels, samples], not [2, 2, 3, 5]"):
        data.Recordings(x=x, subjects=np.arange(4), channels=("a", "b", "c"), fs=125.0)
    with says("fs must be a finite number above 0 Hz, not nan"):
        data.Recordings(x=x, subjects=np.arange(2), channels=("a", "b", "c"), fs=float("nan"))


# Decimation


@pytest.mark.parametrize("hz, passes", [(5, True), (30, True), (80, False), (120, False), (200, False)])
def test_decimation_passes_below_and_stops_above_the_new_nyquist(hz, passes):
    samples = np.arange(5000)
    tone = (10 * np.sin(2 * np.pi * hz * samples / 500)).astype(np.float32)
    before = data.Recordings(x=tone[None, None, None] + 7, subjects=np.arange(1), channels=("a",), fs=500.0)
    after = data.decimate(before)
    assert after.fs == 125 and after.x.shape == (1, 1, 1, 1250) and after.x.dtype == np.float32
    inner = after.x[0, 0, 0, 20:-20]
    want = tone[80:-80:4] + 7 if passes else np.full(len(inner), 7)  # zero phase: the very samples
    assert np.abs(inner - want).max() < 0.1  # 1 % of the tone, 40 dB


def test_decimation_factor():
    r = recordings(subjects=1, samples=40)
    assert data.decimate(r, 1) is r
    with says("factor must be at least 1, not 0"):
        data.decimate(r, 0)
    with pytest.raises(TypeError):
        data.decimate(r, 2.5)


# Windows and splits


def test_cut_by_hand():
    r = recordings(subjects=2, samples=10)
    w = data.cut(r, [0, 4], 3)
    assert w.x.shape == (8, 3, 2) and len(w) == 8 and w.steps == 3 and w.fs == 125
    assert w.x[1].tolist() == [[4, 4], [5, 5], [6, 6]]
    assert w.subject.tolist() == [100] * 4 + [101] * 4
    assert w.y.tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert w.start.tolist() == [0, 4] * 4
    some = w.select(w.y == 1)
    assert len(some) == 4 and some.subject.tolist() == [100, 100, 101, 101] and some.start.tolist() == [0, 4, 0, 4]
    assert data.cut(r, [5], 3, subjects=[1]).subject.tolist() == [101, 101]
    with says("starts must be 0 to 7, not 8"):
        data.cut(r, [0, 8], 3)
    with says("starts must be 0 to 7, not -1"):
        data.cut(r, [-1], 3)
    for steps in (0, 11):
        with says(f"steps must be 1 to 10, the samples of a recording, not {steps}"):
            data.cut(r, [0], steps)


# Normalisation


def test_normalisation():
    windows = time_split(noise(subjects=2)).train
    n = data.Normalisation.fit(windows)
    assert n.mean.dtype == n.std.dtype == np.float64 and n.mean.shape == (2,)
    y = n.apply(windows.x)
    assert y.dtype == np.float32
    assert np.allclose(y.mean(axis=(0, 1)), 0, atol=1e-4) and np.allclose(y.std(axis=(0, 1)), 1, atol=1e-4)
    by_hand = data.Normalisation(mean=np.array([1.0, -2.0]), std=np.array([2.0, 0.5]))
    assert by_hand.apply([[3, -2], [1, 0]]).tolist() == [[1, 0], [0, 4]]
    with says("x must end in 2 channels, not [4, 3]"):
        by_hand.apply(np.zeros((4, 3)))
    with says("x must hold at least 1 window to normalise, not 0"):
        data.Normalisation.fit(windows.select(slice(0, 0)))
    windows.x[:, :, 1] = 5
    with says("x must vary in every channel: channel 1 is constant"):
        data.Normalisation.fit(windows)

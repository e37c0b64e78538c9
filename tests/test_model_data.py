"""Readers, splits and window files: every message with its text, every split without a shared sample."""

import hashlib
import io
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from mubinn.model import data
from mubinn.model.data import DataError
from mubinn.model.sample import ATTRIBUTION, SCALE_UV, make_sample
from mubinn.model.splits import time_split

ROOT = Path(__file__).parents[1]
EEGMAT = Path(os.environ.get("MUBINN_EEGMAT", ROOT / "../shared/data/eegmat"))
SAMPLE = ROOT / "model/zoo/eeg-sample.npz"
needs_eegmat = pytest.mark.skipif(not EEGMAT.is_dir(), reason="EEGMAT is not here (MUBINN_EEGMAT)")
NAMES = (*(f"E{k}" for k in range(7)), "A2-A1", *(f"E{k}" for k in range(8, 20)))  # A2-A1 in the middle on purpose


def says(text):
    return pytest.raises(DataError, match="^" + re.escape(text) + "$")


def encode(codes, order):
    """int16 -> the two bytes of its `order`-th difference; the first samples are differences to 0."""
    d = codes.astype(np.int64)
    for _ in range(order):
        d = np.diff(d, axis=-1, prepend=0)
    d %= 1 << 16
    return (d >> 8).astype(np.uint8), (d & 255).astype(np.uint8)


def write_eegmat(folder, *, seed=1, samples=60, people=2, **changes):
    """Four files of the coded format; `changes` replace keys of the second one (None leaves the key out)."""
    rng, truth = np.random.default_rng(seed), []
    for number, name in enumerate(data.EEGMAT_FILES):
        shape = (people, 2, 20, samples)
        codes = rng.integers(-(1 << 15), 1 << 15, shape).astype(np.int16)
        codes[0, 0, 0, :2] = -(1 << 15), (1 << 15) - 1
        hi, lo = encode(codes, 5)
        z = {
            "hi": hi,
            "lo": lo,
            "order": np.int64(5),
            "scale_uV": rng.uniform(0.001, 0.01, shape[:3]),
            "offset_uV": rng.uniform(-1, 1, shape[:3]),
            "subjects": np.arange(people) + number * people,
            "conditions": np.array(["rest", "task"]),
            "channels": np.array(NAMES),
            "fs": np.float64(500),
        }
        truth.append((codes * z["scale_uV"][..., None] + z["offset_uV"][..., None]).astype(np.float32))
        if number == 1:
            z = {key: value for key, value in (z | changes).items() if value is not None}
        np.savez(folder / name, **z)
    return np.concatenate(truth)


def recordings(*, subjects=12, samples=7750, fs=125.0, channels=2):
    """Every sample of a channel holds its own index, so a window tells where it came from."""
    x = np.broadcast_to(np.arange(samples, dtype=np.float32), (subjects, 2, channels, samples))
    names = tuple(f"E{k}" for k in range(channels))
    return data.Recordings(x=x, subjects=np.arange(subjects) + 100, channels=names, fs=fs)


def noise(seed=1, **sizes):
    plain = recordings(**sizes)
    x = np.random.default_rng(seed).normal(3, 20, plain.x.shape).astype(np.float32)
    return data.Recordings(x=x, subjects=plain.subjects, channels=plain.channels, fs=plain.fs)


# Reading EEGMAT


def test_decode_round_trip(tmp_path):
    truth = write_eegmat(tmp_path)
    full = data.load_eegmat(tmp_path, channels=20)
    assert full.x.dtype == np.float32 and full.fs == 500 and full.channels == NAMES
    assert np.array_equal(full.x, truth)
    assert full.subjects.tolist() == list(range(8))
    scalp = data.load_eegmat(tmp_path)
    assert scalp.channels == NAMES[:7] + NAMES[8:]
    assert np.array_equal(scalp.x, np.delete(truth, 7, axis=2))


def test_decode_by_hand():
    z = {
        "hi": np.zeros((1, 2, 20, 3), np.uint8),
        "lo": np.zeros((1, 2, 20, 3), np.uint8),
        "order": np.int64(1),
        "scale_uV": np.full((1, 2, 20), 0.5),
        "offset_uV": np.full((1, 2, 20), 10.0),
        "subjects": np.arange(1),
        "channels": np.array(NAMES),
        "fs": np.float64(500),
    }
    z["hi"][0, 0, 0], z["lo"][0, 0, 0] = (0, 255, 1), (4, 250, 0)  # differences 4, -6, 256: samples 4, -2, 254
    assert data._decode(Path("f"), z, 20)[0][0, 0, 0].tolist() == [12.0, 9.0, 137.0]


SHAPE = (2, 2, 20, 60)


@pytest.mark.parametrize(
    "changes, text",
    [
        (
            {"order": None},
            "order is missing; it must hold hi, lo, order, scale_uV, offset_uV, subjects, channels, fs",
        ),
        (
            {"hi": np.zeros((2, 2, 20), np.uint8)},
            "hi must be [subjects, 2 conditions, 20 channels, samples], not [2, 2, 20]",
        ),
        (
            {"hi": np.zeros((2, 3, 20, 60), np.uint8)},
            "hi must be [subjects, 2 conditions, 20 channels, samples], not [2, 3, 20, 60]",
        ),
        (
            {"hi": np.zeros((0, 2, 20, 60), np.uint8)},
            "hi must be [subjects, 2 conditions, 20 channels, samples], not [0, 2, 20, 60]",
        ),
        ({"lo": np.zeros((2, 2, 20, 59), np.uint8)}, "lo must have the shape [2, 2, 20, 60], not [2, 2, 20, 59]"),
        ({"scale_uV": np.ones((2, 2, 19))}, "scale_uV must have the shape [2, 2, 20], not [2, 2, 19]"),
        ({"offset_uV": np.ones(2)}, "offset_uV must have the shape [2, 2, 20], not [2]"),
        ({"subjects": np.arange(3)}, "subjects must have the shape [2], not [3]"),
        ({"channels": np.array(NAMES[:3])}, "channels must have the shape [20], not [3]"),
        ({"order": np.arange(2)}, "order must have the shape [], not [2]"),
        ({"hi": np.zeros(SHAPE, np.int8)}, "hi must be uint8, not int8"),
        ({"lo": np.zeros(SHAPE, np.uint16)}, "lo must be uint8, not uint16"),
        ({"order": np.float64(5)}, "order must be integer, not float64"),
        ({"subjects": np.array(["a", "b"])}, "subjects must be integer, not <U1"),
        ({"scale_uV": np.ones((2, 2, 20), bool)}, "scale_uV must be float, not bool"),
        ({"offset_uV": np.ones((2, 2, 20), int)}, "offset_uV must be float, not int64"),
        ({"order": np.int64(16)}, "order must be 0 to 15, not 16"),
        ({"order": np.int64(-1)}, "order must be 0 to 15, not -1"),
        ({"scale_uV": np.full((2, 2, 20), np.nan)}, "scale_uV must be finite"),
        ({"offset_uV": np.full((2, 2, 20), np.inf)}, "offset_uV must be finite"),
        ({"channels": np.array([f"E{k}" for k in range(20)])}, "channels must hold A2-A1"),
        ({"fs": np.float64(0)}, "fs must be one finite number above 0, not 0.0"),
        ({"fs": np.ones(2)}, "fs must be one finite number above 0, not an array [2]"),
        ({"fs": np.float64(250)}, "samples, channels and fs must be the same in all 4 files"),
    ],
)
def test_eegmat_refuses(tmp_path, changes, text):
    write_eegmat(tmp_path, **changes)
    with says(f"{tmp_path / data.EEGMAT_FILES[1]}: {text}"):
        data.load_eegmat(tmp_path)


def test_eegmat_refuses_the_folder(tmp_path):
    with says(f"{tmp_path / 'none'}: no such folder"):
        data.load_eegmat(tmp_path / "none")
    with says(f"{tmp_path / 'eegmat_s00-08.npz'}: no such file"):
        data.load_eegmat(tmp_path)
    with says("channels must be 19 (scalp) or 20 (with A2-A1), not 18"):
        data.load_eegmat(tmp_path, channels=18)
    write_eegmat(tmp_path, people=1, samples=8)
    os.replace(tmp_path / "eegmat_s27-35.npz", tmp_path / "eegmat_s18-26.npz")
    write = (tmp_path / "eegmat_s18-26.npz").read_bytes()
    (tmp_path / "eegmat_s27-35.npz").write_bytes(write)
    with says(f"{tmp_path}: subjects must be different in all files, not [0, 1, 3, 3]"):
        data.load_eegmat(tmp_path)
    (tmp_path / "eegmat_s18-26.npz").write_bytes(write[: len(write) // 2])
    with says(f"{tmp_path / 'eegmat_s18-26.npz'}: not a readable .npz file, or damaged"):
        data.load_eegmat(tmp_path)


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


# Window files


def test_save_and_load(tmp_path):
    windows = time_split(noise(subjects=2)).test
    data.save_windows(tmp_path / "a.npz", windows)
    back = data.load_windows(tmp_path / "a.npz")
    for name in ("x", "y", "subject", "start"):
        assert np.array_equal(getattr(back, name), getattr(windows, name)), name
        assert getattr(back, name).dtype == getattr(windows, name).dtype, name
    assert back.fs == 125
    data.save_windows(tmp_path / "b", windows)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "b"]


def test_save_in_units(tmp_path):
    path, windows = tmp_path / "a.npz", time_split(noise(subjects=1)).test
    data.save_windows(path, windows, scale_uV=0.25, attribution="whose it is")
    with np.load(path) as z:
        assert z["x"].dtype == np.int16 and z["attribution"].item() == "whose it is"
    assert np.abs(data.load_windows(path).x - windows.x).max() <= 0.125
    kept = path.read_bytes()
    windows.x[0, 0, 0] = 40000.4
    with says(f"{path}: x must stay within +-32767 units of 1 uV, not 40000"):
        data.save_windows(path, windows, scale_uV=1)
    with says(f"{path}: scale_uV must be one finite number above 0, not 0"):
        data.save_windows(path, windows, scale_uV=0)
    with says(f"{tmp_path / 'none' / 'a.npz'}: can't be written: No such file or directory"):
        data.save_windows(tmp_path / "none" / "a.npz", windows)
    assert path.read_bytes() == kept and [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_load_of_the_least_file(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(24, dtype=np.int8).reshape(2, 3, 4), y=np.array([1, 0], np.uint8))
    w = data.load_windows(tmp_path / "a.npz")
    assert w.x.dtype == np.float32 and w.x[1, 2, 3] == 23 and w.y.tolist() == [1, 0] and w.y.dtype == np.int64
    assert w.subject.tolist() == w.start.tolist() == [-1, -1] and w.fs is None


X = np.zeros((2, 3, 4), np.float32)
HUGE = np.full((2, 3, 4), 1e300)


def broken(value):
    x = X.copy()
    x[1, 2, 3] = value
    return x


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"x": None}, "x is missing; it must hold x, y"),
        ({"y": None}, "y is missing; it must hold x, y"),
        ({"x": X[0]}, "x must have 3 dimensions [windows, steps, input_size], not 2"),
        ({"x": X[:, :0]}, "x must have at least 1 window, step and input, not [2, 0, 4]"),
        ({"x": X.astype(bool)}, "x must be float or integer, not bool"),
        ({"x": X.astype(complex)}, "x must be float or integer, not complex128"),
        ({"x": broken(np.nan)}, "x must be finite in float32, which window 1, step 2, input 3 is not"),
        ({"x": broken(-np.inf)}, "x must be finite in float32, which window 1, step 2, input 3 is not"),
        ({"x": HUGE}, "x must be finite in float32, which window 0, step 0, input 0 is not"),
        (
            {"x": HUGE, "scale_uV": np.float64(1e300)},
            "x must be finite in float32, which window 0, step 0, input 0 is not",
        ),
        ({"x": X.astype(object)}, "must hold plain numbers, not Python objects"),
        ({"y": np.arange(3)}, "y must have one entry for each of the 2 windows, not the shape [3]"),
        ({"y": np.zeros((2, 1), int)}, "y must have one entry for each of the 2 windows, not the shape [2, 1]"),
        ({"y": np.zeros(2)}, "y must be integer, not float64"),
        ({"y": np.array([0, -1])}, "y must be 0 to 2**63 - 1, not -1"),
        ({"y": np.array([0, 1 << 63], np.uint64)}, "y must be 0 to 2**63 - 1, not 9223372036854775808"),
        ({"subject": np.arange(3)}, "subject must have one entry for each of the 2 windows, not the shape [3]"),
        ({"start": np.array([-2, 0])}, "start must be -1 to 2**63 - 1, not -2"),
        ({"fs": np.float64(np.nan)}, "fs must be one finite number above 0, not nan"),
        ({"fs": np.array("fast")}, "fs must be one finite number above 0, not fast"),
        ({"scale_uV": np.float64(-1)}, "scale_uV must be one finite number above 0, not -1.0"),
    ],
)
def test_load_refuses(tmp_path, changes, text):
    path = tmp_path / "data.npz"
    z = {"x": X, "y": np.array([0, 1])} | changes
    np.savez(path, **{key: value for key, value in z.items() if value is not None})
    with says(f"{path}: {text}"):
        data.load_windows(path)


def test_load_refuses_what_is_no_npz(tmp_path):
    path = tmp_path / "data.npz"
    with says(f"{path}: no such file"):
        data.load_windows(path)
    for content in (b"", b"PK\x03\x04", b"x,y\n1,2\n", bytes(100)):
        path.write_bytes(content)
        with says(f"{path}: not a readable .npz file, or damaged"):
            data.load_windows(path)
    with open(path, "wb") as file:
        np.save(file, X)
    with says(f"{path}: must be an .npz of x, y, not a single array"):
        data.load_windows(path)
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("x", b"no array")
        z.writestr("y", b"no array")
    with says(f"{path}: x must be an array"):
        data.load_windows(path)


@pytest.mark.parametrize("compressed", [False, True], ids=["stored", "compressed"])
def test_damage_is_always_a_data_error_or_harmless(tmp_path, compressed):
    memory, rng, path = io.BytesIO(), np.random.default_rng(7), tmp_path / "data.npz"
    (np.savez_compressed if compressed else np.savez)(memory, x=X, y=np.array([0, 1]))
    whole, refused = memory.getvalue(), 0
    for _ in range(400):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), 3):
            content[place] = rng.integers(0, 256)
        path.write_bytes(content[: len(content) if rng.random() < 0.8 else rng.integers(0, len(content))])
        try:
            data.load_windows(path)
        except DataError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 200


# Hash and sample


def test_sha256(tmp_path):
    file = tmp_path / "b.npz"
    file.write_bytes(b"abc")
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    assert data.sha256(file) == abc
    (tmp_path / "a.npz").write_bytes(b"abc")
    (tmp_path / "readme.txt").write_bytes(b"not data")
    assert data.sha256(tmp_path) == hashlib.sha256(f"{abc}  a.npz\n{abc}  b.npz\n".encode()).hexdigest()
    (tmp_path / "empty").mkdir()
    with says(f"{tmp_path / 'empty'}: must hold at least 1 .npz file, not 0"):
        data.sha256(tmp_path / "empty")
    with says(f"{tmp_path / 'none'}: no such file or folder"):
        data.sha256(tmp_path / "none")


def test_sample_in_the_package():
    assert SAMPLE.stat().st_size < 500_000
    with np.load(SAMPLE, allow_pickle=False) as z:
        assert z["attribution"].item() == ATTRIBUTION and z["x"].dtype == np.int16
    w = data.load_windows(SAMPLE)
    assert w.x.shape == (36, 325, 19) and w.fs == 125 and w.subject.tolist() == list(range(36))
    assert np.bincount(w.y).tolist() == [18, 18]
    for fold in range(6):
        assert w.y[fold::6].sum() == 3
    assert w.start.min() >= 6200


@needs_eegmat
def test_real_data(tmp_path):
    r = data.decimate(data.load_eegmat(EEGMAT))
    assert r.x.shape == (36, 2, 19, 7750) and r.fs == 125
    test = time_split(r).test
    assert len(test) == 504
    made = data.load_windows(make_sample(EEGMAT, tmp_path / "sample.npz"))
    kept = data.load_windows(SAMPLE)
    # Not by bytes: another scipy may round a sample differently.
    assert np.abs(made.x - kept.x).max() <= SCALE_UV and np.array_equal(made.y, kept.y)
    for k in range(36):
        (at,) = np.flatnonzero((test.subject == kept.subject[k]) & (test.y == kept.y[k]) & (test.start == kept.start[k]))
        assert np.abs(test.x[at] - kept.x[k]).max() <= SCALE_UV

"""Window files: what is written comes back, every refusal with its text, and damage of any kind."""

import hashlib
import io
import zipfile

import numpy as np
import pytest
from mubinn.model import data
from mubinn.model.data import DataError
from mubinn.model.splits import time_split
from recordings import noise, says


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

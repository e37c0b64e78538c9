"""The reader of EEGMAT's coded files: every message with its text, and the sample that the package ships."""

import os
from pathlib import Path

import numpy as np
import pytest
from mubinn.model import data
from mubinn.model.sample import ATTRIBUTION, SCALE_UV, make_sample
from mubinn.model.splits import time_split
from recordings import NAMES, says, write_eegmat

ROOT = Path(__file__).parents[1]
EEGMAT = Path(os.environ.get("MUBINN_EEGMAT", ROOT / "../shared/data/eegmat"))
SAMPLE = ROOT / "model/zoo/eeg-sample.npz"
needs_eegmat = pytest.mark.skipif(not EEGMAT.is_dir(), reason="EEGMAT is not here (MUBINN_EEGMAT)")


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

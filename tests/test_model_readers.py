"""Recordings that MNE reads become labelled windows, to the sample."""

import json
import warnings

import numpy as np
import pytest
from mubinn.build import cli
from mubinn.model.windows import DataError, load_windows

mne = pytest.importorskip("mne")
pytest.importorskip("edfio")
from mubinn.model.readers.raw import read_windows  # noqa: E402

FS, SECONDS = 100.0, 20
NAMES = ["Fz", "Cz", "Pz"]
pytestmark = pytest.mark.filterwarnings("ignore")


def signal(seed=1):
    """Volts, slow enough for any filter: [channels, samples]."""
    return np.random.default_rng(seed).normal(0, 30e-6, (len(NAMES), int(FS * SECONDS)))


def recording(path, annotations=(), codes=(), seed=1):
    kinds, values, names = ["eeg"] * len(NAMES), signal(seed), list(NAMES)
    if codes:
        stimulus = np.zeros((1, values.shape[1]))
        for sample, code in codes:
            stimulus[0, sample : sample + 3] = code
        kinds, values, names = [*kinds, "stim"], np.concatenate([values, stimulus]), [*names, "STI"]
    raw = mne.io.RawArray(values, mne.create_info(names, FS, kinds), verbose="error")
    if annotations:
        raw.set_annotations(mne.Annotations(*zip(*annotations, strict=True)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".fif":
            raw.save(path, verbose="error")
        else:
            mne.export.export_raw(path, raw, physical_range=(-300, 300), verbose="error")
    return path


MARKS = [(1.0, 2.0, "rest"), (5.0, 4.5, "task"), (12.0, 0.5, "task"), (15.0, 1.0, "blink"), (19.5, 2.0, "rest")]


@pytest.mark.parametrize("name", ["a_raw.fif", "a.edf"])
def test_windows_are_cut_to_the_sample(name, tmp_path):
    """Two of the first, four of the second, one of the third though it is shorter, none of the one that has no end."""
    path = recording(tmp_path / name, annotations=MARKS)
    found = read_windows([path], labels={"rest": 0, "task": 1}, seconds=1.0)
    assert found.start.tolist() == [100, 200, 500, 600, 700, 800, 1200]
    assert found.y.tolist() == [0, 0, 1, 1, 1, 1, 1] and set(found.subject) == {0} and found.fs == FS
    values = signal() * 1e6
    for x, start in zip(found.x, found.start, strict=True):
        # EDF has 16 bits for 600 microvolts.
        assert np.abs(x - values[:, start : start + 100].T).max() < (0.01 if name == "a.edf" else 1e-3)


def test_codes_of_a_stimulus_channel(tmp_path):
    path = recording(tmp_path / "a_raw.fif", codes=[(150, 1), (700, 2), (1200, 1)])
    found = read_windows([path], labels={"1": 0, "2": 1}, seconds=0.5, offset=0.1, channels=["Pz", "Fz"])
    assert found.start.tolist() == [160, 710, 1210] and found.y.tolist() == [0, 1, 0]
    assert np.allclose(found.x[1], signal()[[2, 0], 710:760].T * 1e6, atol=1e-3)


def test_rates_and_bands(tmp_path):
    path = recording(tmp_path / "a_raw.fif", annotations=MARKS)
    slow = read_windows([path], labels={"task": 0}, seconds=1.0, fs=50.0, filter_hz=(None, 10.0))
    assert slow.x.shape[1:] == (50, 3) and slow.start.tolist()[:2] == [250, 300] and slow.fs == 50
    assert slow.x.std() < 0.7 * read_windows([path], labels={"task": 0}, seconds=1.0).x.std()


def test_several_files_from_the_command_line(tmp_path, capsys):
    paths = [recording(tmp_path / f"{seed}_raw.fif", annotations=MARKS, seed=seed) for seed in (1, 2)]
    out = tmp_path / "windows.npz"
    capsys.readouterr()
    command = ["windows", *map(str, paths), "--labels", "rest=0,task=1", "--seconds", "1", "-o", str(out), "--json"]
    assert cli.main(command) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["windows"] == 14 and said["classes"] == {"0": 4, "1": 10}
    windows = load_windows(out)
    assert windows.subject.tolist() == [0] * 7 + [1] * 7 and np.array_equal(windows.y[:7], windows.y[7:])


def test_what_can_not_be_read_is_one_line(tmp_path, capsys):
    path = recording(tmp_path / "a_raw.fif", annotations=MARKS)
    (tmp_path / "b.edf").write_bytes(b"no recording")
    for file, settings, message in (
        (path, {"labels": {"sleep": 0}}, "events must be sleep; it has blink, rest, task"),
        (path, {"labels": {"rest": 0}, "channels": ["Oz"]}, "channel Oz is not in it; it has Fz, Cz, Pz"),
        (path, {"labels": {"blink": 0}, "seconds": 30.0}, "no window of 30 s lies in it whole"),
        (tmp_path / "b.edf", {"labels": {"rest": 0}}, "MNE can't read it"),
        (tmp_path / "c.edf", {"labels": {"rest": 0}}, "no such file"),
        (tmp_path / "a.vhdr", {"labels": {"rest": 0}}, "must end in .edf, .bdf, .fif"),
    ):
        with pytest.raises(DataError, match=message):
            read_windows([file], **{"seconds": 1.0} | settings)
    base = ["windows", str(path), "-o", str(tmp_path / "o.npz"), "--seconds", "1"]
    for more in (["--labels", "rest"], ["--labels", "rest=x"], ["--labels", "rest=0", "--band", "9,3"],
                 ["--labels", "rest=0", "--band", "a"], ["--labels", "sleep=0"]):  # fmt: skip
        assert cli.main([*base, *more]) == 1
        error = capsys.readouterr().err.strip()
        assert error.startswith("mubinn: error: ") and "\n" not in error
    assert not (tmp_path / "o.npz").exists()

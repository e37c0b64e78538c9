"""Recordings: the reader of EEGMAT. What concerns windows alone is in `windows`, the splits are in `splits`.

A *recording* is one subject under one condition; a *window* is a piece of it that the network classifies.  All
values are microvolts until `Normalisation.apply`.  What a user can cause (a wrong folder, a damaged file, a split
that leaves nothing) is a `DataError` of one line; nothing here unpickles.
"""

import math
import operator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import signal

from .windows import DataError, Windows, load_windows, positive_scalar, read_npz, save_windows, sha256

__all__ = [
    "DataError",
    "Normalisation",
    "Recordings",
    "Windows",
    "cut",
    "decimate",
    "load_eegmat",
    "load_windows",
    "save_windows",
    "sha256",
]

EEGMAT_FILES = tuple(f"eegmat_s{first:02}-{first + 8:02}.npz" for first in (0, 9, 18, 27))
EEGMAT_KEYS = ("hi", "lo", "order", "scale_uV", "offset_uV", "subjects", "channels", "fs")
REFERENCE = "A2-A1"  # the one channel of EEGMAT that is no scalp electrode
WINDOW_S = 2.6  # the paper's 1300 steps at 500 Hz


@dataclass(frozen=True, kw_only=True, eq=False)
class Recordings:
    """Continuous recordings of equal length.

    Attributes
    ----------
    x : float32 [subjects, conditions, channels, samples], microvolt
    subjects : int64 [subjects], the subjects' numbers, all different
    channels : tuple of str, names in the order of `x`
    fs : float, samples a second in Hz, above 0
    """

    x: np.ndarray
    subjects: np.ndarray
    channels: tuple
    fs: float

    def __post_init__(self):
        if self.x.ndim != 4 or self.x.shape[0] != len(self.subjects) or self.x.shape[2] != len(self.channels):
            raise DataError(
                f"x must be [{len(self.subjects)} subjects, conditions, {len(self.channels)} channels, samples], "
                f"not {list(self.x.shape)}"
            )
        if not (math.isfinite(self.fs) and self.fs > 0):
            raise DataError(f"fs must be a finite number above 0 Hz, not {self.fs}")


def load_eegmat(folder, *, channels=19):
    """EEGMAT in microvolts, bit-exact against the source's int16 samples.

    Parameters
    ----------
    folder : path of the four `eegmat_s??-??.npz`
    channels : 19 (the scalp) or 20 (with A2-A1)

    Returns
    -------
    Recordings
        [36 subjects, 2 conditions (0 rest, 1 mental arithmetic), channels, 31000 samples] at 500 Hz with the whole
        data; a folder of the same format with other numbers of subjects and samples is read too.

    Raises DataError for a missing folder or file, missing keys, and shapes that don't agree.
    """
    if channels not in (19, 20):
        raise DataError(f"channels must be 19 (scalp) or 20 (with {REFERENCE}), not {channels}")
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    parts, subjects, first = [], [], None
    for name in EEGMAT_FILES:
        path = folder / name
        z = read_npz(path, EEGMAT_KEYS)
        part, names, fs = _decode(path, z, channels)
        form = (part.shape[3], names, fs)
        first = first or form
        if form != first:
            raise DataError(f"{path}: samples, channels and fs must be the same in all {len(EEGMAT_FILES)} files")
        parts.append(part)
        subjects.append(z["subjects"].astype(np.int64))
    subjects = np.concatenate(subjects)
    if len(np.unique(subjects)) != len(subjects):
        raise DataError(f"{folder}: subjects must be different in all files, not {subjects.tolist()}")
    return Recordings(x=np.concatenate(parts), subjects=subjects, channels=first[1], fs=first[2])


def _decode(path, z, channels):
    """One coded file: float32 [subjects, 2, channels, samples], the channels' names, the rate."""
    shape, names = z["hi"].shape, tuple(str(name) for name in np.atleast_1d(z["channels"]))
    if len(shape) != 4 or shape[1:3] != (2, 20) or 0 in shape:
        raise DataError(f"{path}: hi must be [subjects, 2 conditions, 20 channels, samples], not {list(shape)}")
    for key, want in (("lo", shape), ("scale_uV", shape[:3]), ("offset_uV", shape[:3]), ("subjects", shape[:1]),
                      ("channels", shape[2:3]), ("order", ())):  # fmt: skip
        if z[key].shape != want:
            raise DataError(f"{path}: {key} must have the shape {list(want)}, not {list(z[key].shape)}")
    for key, kinds, text in (("hi", "B", "uint8"), ("lo", "B", "uint8"), ("order", "bhilqBHILQ", "integer"),
                             ("subjects", "bhilqBHILQ", "integer"), ("scale_uV", "efd", "float"),
                             ("offset_uV", "efd", "float")):  # fmt: skip
        if z[key].dtype.char not in kinds:
            raise DataError(f"{path}: {key} must be {text}, not {z[key].dtype}")
    if not 0 <= z["order"] <= 15:
        raise DataError(f"{path}: order must be 0 to 15, not {z['order']}")
    for key in ("scale_uV", "offset_uV"):
        if not np.isfinite(z[key]).all():
            raise DataError(f"{path}: {key} must be finite")
    if REFERENCE not in names:
        raise DataError(f"{path}: channels must hold {REFERENCE}")
    keep = [k for k, name in enumerate(names) if channels == 20 or name != REFERENCE]
    out = np.empty((shape[0], 2, len(keep), shape[3]), np.float32)
    for s in range(shape[0]):  # subject by subject: the float64 product of a whole file would take 90 MB
        code = ((z["hi"][s][:, keep].astype(np.uint16) << 8) | z["lo"][s][:, keep]).view(np.int16)
        for _ in range(int(z["order"])):
            code = np.cumsum(code, axis=-1, dtype=np.int16)  # modulo 2**16, as it was coded
        out[s] = code * z["scale_uV"][s][:, keep, None] + z["offset_uV"][s][:, keep, None]
    return out, tuple(names[k] for k in keep), positive_scalar(path, "fs", z["fs"])


def decimate(recordings, factor=4):
    """Recordings at `fs / factor`, low-passed first by a zero-phase FIR filter (10 new samples to each side).

    The filter reaches 10 new samples over a border of a split; on the default grid the splits leave out far more.
    Factor 1 returns the recordings unchanged.  Raises DataError for a factor below 1.
    """
    factor = operator.index(factor)
    if factor < 1:
        raise DataError(f"factor must be at least 1, not {factor}")
    if factor == 1:
        return recordings
    # Subject by subject for memory.  "mean": a constant offset must not ring at the ends.
    x = np.stack([signal.resample_poly(one, 1, factor, axis=-1, padtype="mean") for one in recordings.x])
    return Recordings(x=x.astype(np.float32), subjects=recordings.subjects, channels=recordings.channels,
                      fs=recordings.fs / factor)  # fmt: skip


def cut(recordings, starts, steps, *, subjects=None):
    """Windows of `steps` samples at the same `starts` of every recording; label = condition.

    Order: subject, condition, start.  `subjects` are indices into `recordings`, None for all.  Raises DataError for
    a window that leaves the recording.
    """
    steps, samples = operator.index(steps), recordings.x.shape[3]
    starts = np.asarray(starts, dtype=np.int64).reshape(-1)
    if not 1 <= steps <= samples:
        raise DataError(f"steps must be 1 to {samples}, the samples of a recording, not {steps}")
    for start in starts:
        if not 0 <= start <= samples - steps:
            raise DataError(f"starts must be 0 to {samples - steps}, not {start}")
    chosen = np.arange(len(recordings.x)) if subjects is None else np.asarray(subjects, dtype=np.int64)
    conditions, channels = recordings.x.shape[1:3]
    x = np.empty((len(chosen), conditions, len(starts), steps, channels), np.float32)
    for k, start in enumerate(starts):
        x[:, :, k] = recordings.x[chosen, :, :, start : start + steps].swapaxes(2, 3)
    s, c, k = (index.reshape(-1) for index in np.indices(x.shape[:3]))
    return Windows(x=x.reshape(-1, steps, channels), y=c.astype(np.int64), subject=recordings.subjects[chosen][s],
                   start=starts[k], fs=recordings.fs)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Normalisation:
    """Zero mean and unit deviation per channel, with the statistics of the training part.

    Attributes
    ----------
    mean, std : float64 [channels], in the unit of the data; std above 0
    """

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def fit(cls, windows):
        """Statistics over all windows and steps; raises DataError for no window or a channel without variation."""
        if not len(windows):
            raise DataError("x must hold at least 1 window to normalise, not 0")
        mean, std = windows.x.mean(axis=(0, 1), dtype=np.float64), windows.x.std(axis=(0, 1), dtype=np.float64)
        for channel in np.flatnonzero(~(std > 0)):
            raise DataError(f"x must vary in every channel: channel {channel} is constant")
        return cls(mean=mean, std=std)

    def apply(self, x):
        """(x - mean) / std in float64, returned as float32; `x` is [..., channels]."""
        x = np.asarray(x)
        if x.shape[-1:] != self.mean.shape:
            raise DataError(f"x must end in {len(self.mean)} channels, not {list(x.shape)}")
        return ((x - self.mean) / self.std).astype(np.float32)

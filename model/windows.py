"""Windows and their file: what the verbs take as data, checked to the last number. Nothing here unpickles."""

import hashlib
import math
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["DataError", "Windows", "load_windows", "positive_scalar", "read_npz", "save_windows", "sha256"]

# What numpy's and zipfile's readers raise on a damaged or foreign file; the last three come from damaged headers.
DAMAGED = (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError,
           MemoryError, SyntaxError, TypeError)  # fmt: skip


class DataError(ValueError):
    """Data that can't be used.  The text is one line: the file, the field, what is allowed and what was found."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """Labelled windows of equal length.

    Attributes
    ----------
    x : float32 [n, steps, channels], microvolt
    y : int64 [n], label (the condition), at least 0
    subject : int64 [n], the subject's number, -1 where unknown
    start : int64 [n], first sample in the recording at rate `fs`, -1 where unknown
    fs : float or None, steps a second in Hz, None where unknown
    """

    x: np.ndarray
    y: np.ndarray
    subject: np.ndarray
    start: np.ndarray
    fs: float | None

    def __len__(self):
        return len(self.y)

    @property
    def steps(self):
        """Steps of a window."""
        return self.x.shape[1]

    def select(self, which):
        """The windows at `which`: a boolean mask [n], indices, or a slice."""
        return Windows(x=self.x[which], y=self.y[which], subject=self.subject[which], start=self.start[which],
                       fs=self.fs)  # fmt: skip


def read_npz(path, wanted, optional=()):
    """The arrays of an .npz as a dict; every way to fail is a DataError."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        # Opened here: numpy leaves a file that is no zip open.
        with open(path, "rb") as file:
            z = np.load(file, allow_pickle=False)
            if not isinstance(z, np.lib.npyio.NpzFile):
                raise DataError(f"{path}: must be an .npz of {', '.join(wanted)}, not a single array")
            with z:
                for key in wanted:
                    if key not in z.files:
                        raise DataError(f"{path}: {key} is missing; it must hold {', '.join(wanted)}")
                arrays = {key: z[key] for key in (*wanted, *optional) if key in z.files}
    except DataError:
        raise
    except DAMAGED as error:
        if "Object arrays" in str(error):
            raise DataError(f"{path}: must hold plain numbers, not Python objects") from error
        raise DataError(f"{path}: not a readable .npz file, or damaged") from error
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray):  # numpy hands out a member that is no .npy as bytes
            raise DataError(f"{path}: {key} must be an array")
    return arrays


def positive_scalar(path, name, value):
    """A finite number above 0."""
    if value.shape != () or value.dtype.kind not in "iuf" or not (np.isfinite(value) and value > 0):
        found = value if value.shape == () else f"an array {list(value.shape)}"
        raise DataError(f"{path}: {name} must be one finite number above 0, not {found}")
    return float(value)


def load_windows(path):
    """Windows from an .npz file, checked; nothing in it is unpickled.

    Keys: `x` [windows, steps, input_size] float or integer, finite; `y` [windows] integer, at least 0.  Optional:
    `subject`, `start` [windows] integer, at least -1 (unknown); `fs` in Hz; `scale_uV`, the microvolts of one unit
    of `x`, which is multiplied by it.  Other keys are ignored.  Raises DataError.
    """
    z = read_npz(path, ("x", "y"), ("subject", "start", "fs", "scale_uV"))
    x = z["x"]
    if x.ndim != 3:
        raise DataError(f"{path}: x must have 3 dimensions [windows, steps, input_size], not {x.ndim}")
    if 0 in x.shape:
        raise DataError(f"{path}: x must have at least 1 window, step and input, not {list(x.shape)}")
    if x.dtype.kind not in "iuf":
        raise DataError(f"{path}: x must be float or integer, not {x.dtype}")
    scale = positive_scalar(path, "scale_uV", z["scale_uV"]) if "scale_uV" in z else 1.0
    with np.errstate(over="ignore", invalid="ignore"):  # found by the next check, with its place
        x = x.astype(np.float32) if scale == 1 else (x * np.float64(scale)).astype(np.float32)
    for window, step, channel in np.argwhere(~np.isfinite(x))[:1]:
        raise DataError(f"{path}: x must be finite in float32, which window {window}, step {step}, input {channel} "
                        "is not")  # fmt: skip
    values = {}
    for name, least in (("y", 0), ("subject", -1), ("start", -1)):
        value = z.get(name, np.full(len(x), -1))
        if value.shape != (len(x),):
            raise DataError(f"{path}: {name} must have one entry for each of the {len(x)} windows, "
                            f"not the shape {list(value.shape)}")  # fmt: skip
        if value.dtype.kind not in "iu":
            raise DataError(f"{path}: {name} must be integer, not {value.dtype}")
        if value.min() < least or value.max() > np.iinfo(np.int64).max:
            worst = value.min() if value.min() < least else value.max()
            raise DataError(f"{path}: {name} must be {least} to 2**63 - 1, not {worst}")
        values[name] = value.astype(np.int64)
    return Windows(x=x, **values, fs=positive_scalar(path, "fs", z["fs"]) if "fs" in z else None)


def save_windows(path, windows, *, scale_uV=None, attribution=None):
    """Write `windows` for `load_windows`; the same windows give the same bytes, and a failure leaves no half file.

    Parameters
    ----------
    path : its folder must exist
    scale_uV : None stores float32; a number above 0 stores int16 in units of that many microvolts, rounded half to
        even (an error of at most scale_uV / 2), never clipped
    attribution : text stored beside the data, or None

    Raises DataError for values beyond int16 and for a path that can't be written.
    """
    path, arrays = Path(path), {"x": windows.x.astype(np.float32)}
    if scale_uV is not None:
        if not (math.isfinite(scale_uV) and scale_uV > 0):
            raise DataError(f"{path}: scale_uV must be one finite number above 0, not {scale_uV}")
        units = np.rint(windows.x / np.float64(scale_uV))
        # Written so that NaN fails too.
        if units.size and not np.abs(units).max() <= 32767:
            raise DataError(f"{path}: x must stay within +-32767 units of {scale_uV} uV, not {np.abs(units).max():.0f}")
        arrays = {"x": units.astype(np.int16), "scale_uV": np.float64(scale_uV)}
    arrays |= {"y": windows.y, "subject": windows.subject, "start": windows.start}
    if windows.fs is not None:
        arrays["fs"] = np.float64(windows.fs)
    if attribution is not None:
        arrays["attribution"] = np.array(attribution)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)  # numpy dates every member 1980-01-01
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(f"{path}: can't be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def sha256(path):
    """Hash of the data as hex digits: of a file its content; of a folder every .npz in it, names and contents.

    A folder's hash is over the lines `<sha256 of the content>  <name>` in the order of the names, so that
    `cd folder; LC_ALL=C sha256sum *.npz | sha256sum` says the same.  Raises DataError where there is nothing to hash.
    """
    path = Path(path)
    if path.is_file():
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder")
    files = sorted(file for file in path.glob("*.npz") if not file.name.startswith("."))
    if not files:
        raise DataError(f"{path}: must hold at least 1 .npz file, not 0")
    return hashlib.sha256("".join(f"{sha256(file)}  {file.name}\n" for file in files).encode()).hexdigest()

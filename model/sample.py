"""The small piece of EEGMAT that the package carries, so that every verb runs without a download."""

from pathlib import Path

import numpy as np
from mubinn.model.data import decimate, load_eegmat, save_windows
from mubinn.model.splits import time_split

__all__ = ["ATTRIBUTION", "SCALE_UV", "make_sample"]

ATTRIBUTION = (
    "From EEGMAT 1.0.0, PhysioNet: I. Zyma, S. Tukaev, I. Seleznov, K. Kiyono, A. Popov, M. Chernykh, O. Shpenkov, "
    "Electroencephalograms during mental arithmetic task performance, Data 4(1):14, 2019; A. Goldberger et al., "
    "PhysioBank, PhysioToolkit, and PhysioNet, Circulation 101(23), 2000. Licence: Open Data Commons Attribution "
    "(ODC-By) 1.0. Changed: low-passed and decimated to 125 Hz, cut into windows, rounded to scale_uV."
)
SCALE_UV = 0.03125  # 1/32 uV a unit: +-1024 uV in int16, rounding far below the amplifier's noise


def make_sample(folder, path):
    """Write the sample from EEGMAT in `folder` to `path`; returns the Path.

    One test window of the time split a subject (2.6 s at 125 Hz, 19 channels), all of them unseen in training there.
    Subject i has condition (i + i // 6) % 2, so both conditions are equally frequent overall and in every one of the 6
    subject folds, and test window i % 7 of its recording.  `x` is int16 in units of `SCALE_UV`.  Raises DataError.
    """
    test = time_split(decimate(load_eegmat(folder))).test
    chosen = []
    for i, subject in enumerate(np.unique(test.subject)):
        of_recording = np.flatnonzero((test.subject == subject) & (test.y == (i + i // 6) % 2))
        chosen.append(of_recording[i % len(of_recording)])
    save_windows(path, test.select(np.array(chosen)), scale_uV=SCALE_UV, attribution=ATTRIBUTION)
    return Path(path)

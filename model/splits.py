"""Leak-free splits of recordings into windows that train, validate and test."""

import operator
from dataclasses import dataclass

import numpy as np

from .data import WINDOW_S, DataError, Windows, cut

__all__ = [
    "BLOCKS",
    "FOLDS",
    "SPLITS",
    "Split",
    "block_split",
    "named_split",
    "split_fold",
    "split_names",
    "subject_split",
    "time_split",
]

BLOCKS = 5
FOLDS = 6
SPLITS = f"time, block:K (K 0 to {BLOCKS - 1}) or subject:K (K 0 to {FOLDS - 1})"
"""What `named_split` knows, for messages."""
VALIDATION_WINDOWS = 3
"""Of a recording, in a split into blocks."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Three sets of windows that share no sample.

    Attributes
    ----------
    train, validation, test : Windows
        On the regular grid.  `validation` may be empty.
    spans : int64 [k, 4]
        Where training may crop windows of its own: (subject index, condition index, first, last), indices into
        `Recordings.x`, samples first .. last - 1; a crop `x[s, c, :, a:a + steps]` has first <= a <= last - steps.
    """

    train: Windows
    validation: Windows
    test: Windows
    spans: np.ndarray


def _grid(recordings, stride):
    """Steps of a window (2.6 s), and the starts k * stride * steps (rounded down) of all windows that fit."""
    steps, samples = round(WINDOW_S * recordings.fs), recordings.x.shape[3]
    if not 0 < stride <= 1:
        raise DataError(f"stride must be above 0 and at most 1 window, not {stride}")
    if samples < steps or stride * steps < 1:
        raise DataError(f"recordings of {samples} samples hold no grid of {steps}-step windows, {WINDOW_S} s each")
    count = int((samples - steps) / (stride * steps)) + 1
    return steps, (np.arange(count) * (stride * steps)).astype(np.int64)


def _spans(recordings, subjects, first, last):
    return np.array([(s, c, first, last) for s in subjects for c in range(recordings.x.shape[1])], np.int64)


def time_split(recordings, *, stride=0.5, train_part=0.8, validation_part=0.15):
    """Split every recording in time: its beginning trains, its end tests.

    Parameters
    ----------
    stride : distance of the windows, 0 < stride <= 1 window; 0.5 is the 650-sample grid at 500 Hz
    train_part : part of a recording before the test windows, 0 < train_part < 1
    validation_part : last part *of the train part* that validates, 0 <= validation_part < 1; 0 for none

    Train windows and spans end a whole window before the validation part begins.  504 test windows with the whole
    of EEGMAT.  Raises DataError for parts out of range or too short for one window.
    """
    if not 0 < train_part < 1:
        raise DataError(f"train_part must be between 0 and 1, not {train_part}")
    if not 0 <= validation_part < 1:
        raise DataError(f"validation_part must be at least 0 and below 1, not {validation_part}")
    steps, starts = _grid(recordings, stride)
    border = round(recordings.x.shape[3] * train_part)
    validation = border - round(border * validation_part)
    last = validation - steps if validation < border else border  # one window's gap
    parts = {
        "train": starts[starts + steps <= last],
        "validation": starts[(starts >= validation) & (starts + steps <= border)],
        "test": starts[starts >= border],
    }
    for name, part in parts.items():
        if not len(part) and (name != "validation" or validation_part):
            raise DataError(f"the {name} part holds no window of {steps} samples: change train_part, validation_part")
    spans = _spans(recordings, range(len(recordings.x)), 0, last)
    return Split(**{name: cut(recordings, part, steps) for name, part in parts.items()}, spans=spans)


def subject_split(recordings, fold, *, folds=FOLDS, stride=0.5, validation_subjects=5):
    """Hold out whole subjects: the subject at index i tests in fold i % folds.

    Parameters
    ----------
    fold : 0 .. folds - 1
    folds : 2 .. number of subjects
    stride : distance of the windows, 0 < stride <= 1 window
    validation_subjects : training subjects that validate instead, 0 for none: the first ones of the next fold,
        then of the one after it, so that every fold validates on others

    Every part has the whole grid of its subjects.  Raises DataError for numbers out of range.
    """
    count, fold, folds, validation_subjects = map(operator.index, (len(recordings.x), fold, folds, validation_subjects))
    if not 2 <= folds <= count:
        raise DataError(f"folds must be 2 to {count}, the number of subjects, not {folds}")
    if not 0 <= fold < folds:
        raise DataError(f"fold must be 0 to {folds - 1}, not {fold}")
    # Rotated so that the held-out fold comes first; sorted() keeps the subjects of a fold in order.
    order = sorted(range(count), key=lambda i: (i - fold) % folds)
    tests = sum(i % folds == fold for i in order)
    if not 0 <= validation_subjects < count - tests:
        raise DataError(f"validation_subjects must be 0 to {count - tests - 1}, not {validation_subjects}")
    test, validation, train = np.split(np.array(order), [tests, tests + validation_subjects])
    steps, starts = _grid(recordings, stride)
    train = np.sort(train)
    parts = {"train": train, "validation": np.sort(validation), "test": test}
    spans = _spans(recordings, train, 0, recordings.x.shape[3])
    return Split(**{name: cut(recordings, starts, steps, subjects=part) for name, part in parts.items()}, spans=spans)


def block_split(recordings, fold, *, folds=BLOCKS):
    """Hold out a block of every recording: the windows side by side from its start, in `folds` blocks, each tested once.

    A window is left out on either side of the block. The longer one of what remains gives its far end, VALIDATION_WINDOWS
    and a window between, for validation; the rest trains, wherever a window of its own fits. With the whole of EEGMAT the
    folds test 1656 windows.

    Raises DataError for numbers out of range or recordings too short.
    """
    fold, folds = operator.index(fold), operator.index(folds)
    if not 0 <= fold < folds:
        raise DataError(f"fold must be 0 to {folds - 1}, not {fold}")
    steps, starts = _grid(recordings, 1)
    if len(starts) < 4 * folds:
        raise DataError(f"recordings must hold at least {4 * folds} windows of {steps} samples for {folds} blocks, "
                        f"not {len(starts)}")  # fmt: skip
    test = np.array_split(np.arange(len(starts)), folds)[fold]
    before, after = (0, int(test[0]) - 1), (int(test[-1]) + 2, len(starts))
    if before[1] - before[0] > after[1] - after[0]:
        validation, before = np.arange(VALIDATION_WINDOWS), (VALIDATION_WINDOWS + 1, before[1])
    else:
        validation, after = np.arange(after[1] - VALIDATION_WINDOWS, after[1]), (after[0], after[1] - VALIDATION_WINDOWS - 1)
    train = [span for span in (before, after) if span[1] > span[0]]
    half, every = _grid(recordings, 0.5)[1], range(len(recordings.x))
    inside = [half[(half >= a * steps) & (half + steps <= b * steps)] for a, b in train]
    parts = {"train": np.concatenate(inside), "validation": starts[validation], "test": starts[test]}
    spans = np.concatenate([_spans(recordings, every, a * steps, b * steps) for a, b in train])
    return Split(**{name: cut(recordings, part, steps) for name, part in parts.items()}, spans=spans)


def split_fold(name):
    """(kind, fold) of the name of a split: time, block:K or subject:K. DataError for any other."""
    kind, _, fold = str(name).partition(":")
    most = {"block": BLOCKS, "subject": FOLDS}.get(kind, 0)
    if name == "time":
        return "time", 0
    if fold.isascii() and fold.isdigit() and int(fold) < most:
        return kind, int(fold)
    raise DataError(f"split must be {SPLITS}, not {name!r}")


def split_names(kind):
    """Names of the splits of a kind, time, block or subject, which together test everything that it tests."""
    return {
        "time": ["time"],
        "block": [f"block:{k}" for k in range(BLOCKS)],
        "subject": [f"subject:{k}" for k in range(FOLDS)],
    }[kind]


def named_split(recordings, name):
    """Split of Recordings by its name, see `split_fold`."""
    kind, fold = split_fold(name)
    if kind == "time":
        return time_split(recordings)
    return block_split(recordings, fold) if kind == "block" else subject_split(recordings, fold)

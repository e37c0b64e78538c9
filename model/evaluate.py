"""How well a model classifies: its test windows, its classes, and what to count about them."""

import time
from dataclasses import dataclass

import numpy as np

from . import reference
from .data import REFERENCE, DataError, Windows, decimate, load_eegmat, load_windows
from .splits import named_split
from .zoo import data_path

__all__ = ["Evaluation", "auc", "balanced_accuracy", "confusion", "evaluate", "load_for", "load_test"]


def load_for(model_file, path):
    """What a path or shipped name holds for a model: Recordings at the model's rate from an EEGMAT folder, Windows from
    an .npz. DataError where channels or rate are not the model's."""
    path, preprocess = data_path(path), model_file.preprocess
    if path.is_dir():
        names = preprocess.sources if preprocess else ()
        recordings = load_eegmat(path, channels=20 if REFERENCE in names else 19)
        recordings = decimate(recordings, preprocess.decimation if preprocess else 1)
        if preprocess and recordings.channels != names:
            found = ", ".join(recordings.channels)
            raise DataError(f"{path}: channels must be the model's {', '.join(names)}, not {found}")
        fs, inputs = recordings.fs, len(recordings.channels)
    else:
        recordings = load_windows(path)
        fs, inputs = recordings.fs, recordings.x.shape[2]
    wanted = model_file.channel_count
    if inputs != wanted:
        raise DataError(f"{path}: x must have the model's {wanted} inputs, not {inputs}")
    if preprocess and fs is not None and not np.isclose(fs, preprocess.fs, rtol=1e-6, atol=0):
        raise DataError(f"{path}: fs must be the model's {preprocess.fs:g} Hz, not {fs:g}")
    return recordings


def load_test(model_file, path, split=None):
    """Windows to judge a model on: the test part of an EEGMAT folder (`split` None means "time"), or all of an .npz.

    Raises DataError, also for a split of an .npz.
    """
    loaded = load_for(model_file, path)
    if not isinstance(loaded, Windows):
        return named_split(loaded, split or "time").test
    if split is not None:
        raise DataError(f"{path}: split must be left out: all windows of an .npz are test windows")
    return loaded


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """Result of `evaluate`.

    Attributes
    ----------
    y, label : int64 [n]
        True class, and the model's: the golden model's, or the float one's for full precision.
    scores : [n, classes]
        Golden integers, or floats for full precision.
    float_label : int64 [n], or None where the file has no float network
    seconds : float
        Wall time of the model that gave `label`.
    """

    y: np.ndarray
    label: np.ndarray
    scores: np.ndarray
    float_label: np.ndarray | None
    seconds: float

    def figures(self):
        """Dict of what `mubinn eval --json` prints; a figure that can't be had is None."""
        float_label = self.float_label
        return {
            "windows": len(self.y),
            "accuracy": float((self.label == self.y).mean()),
            "balanced_accuracy": balanced_accuracy(self.y, self.label),
            "auc": auc(self.y, self.scores),
            "float_accuracy": None if float_label is None else float((float_label == self.y).mean()),
            "agreement": None if float_label is None else float((self.label == float_label).mean()),
            "confusion": confusion(self.y, self.label, self.scores.shape[1]).tolist(),
            "seconds": self.seconds,
        }


def evaluate(model_file, windows, *, batch=128, progress=lambda done, total: None):
    """Run a model and its float parent over windows in microvolt.

    `progress` is called with the windows done and their number after every batch. Raises DataError for windows that
    the model can't take and for a model without a head.
    """
    if not model_file.classes:
        raise DataError("classes must be at least 1 to judge labels: this model has no head")
    if windows.y.max() >= model_file.classes:
        raise DataError(f"y must be 0 to {model_file.classes - 1}, the model's classes, not {windows.y.max()}")
    if windows.x.shape[2] != model_file.channel_count:
        raise DataError(f"x must have the model's {model_file.channel_count} inputs, not {windows.x.shape[2]}")
    golden = None if model_file.parameters is None else model_file.model()
    if golden and windows.steps > golden.spec.max_steps:
        raise DataError(f"x must have at most the model's {golden.spec.max_steps} steps a window, not {windows.steps}")
    scores, float_scores, seconds = [], [], 0.0
    for first in range(0, len(windows), batch):
        x = windows.x[first : first + batch]
        start = time.perf_counter()
        if golden:
            scores.append(golden.run(model_file.quantize_input(x)).scores)
            seconds += time.perf_counter() - start
        if model_file.float_weights is not None:
            float_scores.append(reference.run(model_file.float_weights, model_file.normalise(x)))
            seconds += 0.0 if golden else time.perf_counter() - start
        progress(min(first + batch, len(windows)), len(windows))
    float_label = np.concatenate(float_scores).argmax(1) if float_scores else None
    scores = np.concatenate(scores or float_scores)
    return Evaluation(y=windows.y, label=scores.argmax(1), scores=scores, float_label=float_label, seconds=seconds)


def confusion(y, label, classes):
    """Counts, int64 [true class, predicted class]."""
    return np.bincount(np.asarray(y) * classes + label, minlength=classes * classes).reshape(classes, classes)


def balanced_accuracy(y, label):
    """Mean over the classes that occur in y of the share classified right."""
    y, label = np.asarray(y), np.asarray(label)
    return float(np.mean([(label[y == k] == k).mean() for k in np.unique(y)]))


def auc(y, scores):
    """Area under the ROC curve, ties counted half; the mean over one class against the rest beyond two. None when a
    class has no window, or every window."""
    y, scores = np.asarray(y), np.asarray(scores)
    classes = scores.shape[1]
    if classes < 2:
        return None
    # Two classes: the margin of class 1. More: the margin to the best other class.
    values = []
    for k in (1,) if classes == 2 else range(classes):
        margin = scores[:, k] - np.delete(scores, k, axis=1).max(1)
        yes, no = margin[y == k], np.sort(margin[y != k])
        if not len(yes) or not len(no):
            return None
        wins = np.searchsorted(no, yes, "left") + np.searchsorted(no, yes, "right")
        values.append(wins.sum() / (2 * len(yes) * len(no)))
    return float(np.mean(values))

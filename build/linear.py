"""A linear model on log band power: what a network must beat before it is worth a chip.  Needs scikit-learn."""

import numpy as np
from mubinn.model.evaluate import auc

__all__ = ["BANDS", "PENALTIES", "band_power", "fit", "judge"]

BANDS = ((1, 4), (4, 8), (8, 13), (13, 30), (30, 40))
"""Delta, theta, alpha, beta and the beginning of gamma, in Hz: from the first to below the second."""
PENALTIES = (10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4)
"""Half of one of these times the squared weights is added to the mean loss; strongest first."""
SILENT = 1e-12
"""Least power, so that the logarithm of a flat channel is finite."""


def band_power(windows):
    """Logarithm of the mean power in each of BANDS of each channel, float64 [windows, bands * channels].

    A window loses its mean and is weighted by Hann's window. `windows.fs` must be known, and hold a bin in every band.
    """
    x = windows.x.astype(np.float64)
    x -= x.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(x * np.hanning(windows.steps)[:, None], axis=1)) ** 2
    frequency = np.fft.rfftfreq(windows.steps, 1 / windows.fs)
    bands = [power[:, (frequency >= low) & (frequency < high)].mean(axis=1) for low, high in BANDS]
    return np.log(np.maximum(np.concatenate(bands, axis=1), SILENT))


def fit(train, validation):
    """(model, its penalty): logistic regression of `train`, Windows of two classes, with the penalty of least loss on
    `validation`.  The model has scikit-learn's methods and takes what `band_power` gives."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, judged = band_power(train), band_power(validation)
    found = []
    for penalty in PENALTIES:
        # scikit-learn weighs the sum of the losses, not the penalty.
        regression = LogisticRegression(C=1 / (penalty * len(train)), tol=1e-8, max_iter=10_000)
        model = make_pipeline(StandardScaler(), regression).fit(features, train.y)
        found.append((log_loss(validation.y, model.predict_proba(judged), labels=model.classes_), model, penalty))
    return min(found, key=lambda one: one[0])[1:]


def judge(splits):
    """Fit and test on every one of some Splits.

    Returns a dict: right and subject, arrays over the test windows that lie side by side, of all splits one behind another,
    auc, its mean over splits, and penalties.
    """
    right, subject, areas, penalties = [], [], [], []
    for split in splits:
        model, penalty = fit(split.train, split.validation)
        test = split.test.select(split.test.start % split.test.steps == 0)
        scores = model.predict_proba(band_power(test))
        right.append(scores.argmax(1) == test.y)
        subject.append(test.subject)
        areas.append(auc(test.y, scores))
        penalties.append(penalty)
    return {
        "right": np.concatenate(right),
        "subject": np.concatenate(subject),
        "auc": float(np.mean(areas)),
        "penalties": penalties,
    }

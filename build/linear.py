"""A linear model on log band power: what a network must beat before it is worth a chip."""

import numpy as np

__all__ = ["BANDS", "PENALTIES", "Linear", "band_power", "fit", "judge"]

BANDS = ((1, 4), (4, 8), (8, 13), (13, 30), (30, 40))
"""Delta, theta, alpha, beta and the beginning of gamma, in Hz: from the first to below the second."""
PENALTIES = (1.0, 0.1, 0.01, 0.001)
"""Halves of these times the squared weights are added to the mean loss; strongest first."""
NEWTON_STEPS = 50
TINY = 1e-12


def band_power(windows):
    """Logarithm of the mean power in each of BANDS of each channel, float64 [windows, bands * channels].

    A window loses its mean and is weighted by Hann's window. `windows.fs` must be known, and hold a bin in every band.
    """
    x = windows.x.astype(np.float64)
    x -= x.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(x * np.hanning(windows.steps)[:, None], axis=1)) ** 2
    frequency = np.fft.rfftfreq(windows.steps, 1 / windows.fs)
    bands = [power[:, (frequency >= low) & (frequency < high)].mean(axis=1) for low, high in BANDS]
    return np.log(np.maximum(np.concatenate(bands, axis=1), TINY))


class Linear:
    """Logistic regression of two classes on features of zero mean and unit deviation.

    Parameters
    ----------
    features : float64 [n, k]
    y : int [n], 0 or 1
    penalty : above 0, for the weights, not for the bias
    """

    def __init__(self, features, y, penalty):
        self.mean, deviation = features.mean(0), features.std(0)
        self.deviation = np.where(deviation > 0, deviation, 1)
        self.weights = _newton(self._columns(features), y, penalty)

    def _columns(self, features):
        return np.column_stack([(features - self.mean) / self.deviation, np.ones(len(features))])

    def margin(self, features):
        """Log odds of class 1, float64 [n]."""
        return self._columns(features) @ self.weights


def _newton(columns, y, penalty):
    """The minimum of the penalized loss, which is convex: Newton's steps, halved while they don't go down."""
    ridge = np.full(columns.shape[1], penalty)
    ridge[-1] = 0

    def value(weights):
        return _loss(columns @ weights, y) + (ridge * weights**2).sum() / 2

    weights = np.zeros(columns.shape[1])
    for _ in range(NEWTON_STEPS):
        odds = 1 / (1 + np.exp(-np.clip(columns @ weights, -500, 500)))
        gradient = columns.T @ (odds - y) / len(y) + ridge * weights
        curvature = (columns.T * (odds * (1 - odds))) @ columns / len(y) + np.diag(ridge + TINY)
        step, now = np.linalg.solve(curvature, gradient), value(weights)
        while value(weights - step) > now and np.abs(step).max() > TINY:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def _loss(margin, y):
    """Mean of the logistic loss."""
    return float(np.logaddexp(0, np.where(np.asarray(y) == 1, -margin, margin)).mean())


def fit(train, validation):
    """(Linear, its penalty) of two sets of Windows: the penalty with the least loss on `validation`."""
    features, judged = band_power(train), band_power(validation)
    models = [Linear(features, train.y, penalty) for penalty in PENALTIES]
    losses = [_loss(model.margin(judged), validation.y) for model in models]
    best = int(np.argmin(losses))
    return models[best], PENALTIES[best]


def judge(splits):
    """Fit and test on every one of some Splits.

    Returns a dict: right and subject, arrays over the test windows that lie side by side, of all splits one behind another,
    auc, its mean over splits, and penalties.
    """
    from mubinn.model.evaluate import auc

    right, subject, areas, penalties = [], [], [], []
    for split in splits:
        model, penalty = fit(split.train, split.validation)
        test = split.test.select(split.test.start % split.test.steps == 0)
        margin = model.margin(band_power(test))
        right.append((margin > 0) == (test.y == 1))
        subject.append(test.subject)
        areas.append(auc(test.y, np.column_stack([np.zeros(len(test)), margin])))
        penalties.append(penalty)
    return {
        "right": np.concatenate(right),
        "subject": np.concatenate(subject),
        "auc": float(np.mean(areas)),
        "penalties": penalties,
    }

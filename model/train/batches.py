"""What a run trains, validates and tests on: leak-free parts, normalised, and the batches of an epoch."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..artifact import Preprocess
from ..data import DataError, Normalisation, Windows, decimate, load_eegmat, load_windows
from ..splits import named_split
from ..zoo import data_path

__all__ = ["TrainingData", "load_training_data", "with_new_phases"]

VALIDATION_PART = 0.15


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """Parts of a data set that share no sample, and how a sample is normalised.

    Attributes
    ----------
    validation : Windows
    test : Windows or None
        None for an .npz, all of which may be used for training.
    preprocess : Preprocess
    normalisation : Normalisation
        Statistics of the training part only, of every channel once.
    classes : int
    cuts : (array [..., samples] a row, starts low, starts high, label) a source
        Where training windows come from; `crop` reads it.
    steps : int
        Steps of a window.
    copies : int
        How often `preprocess` names every channel; see `shared`.
    """

    validation: Windows
    test: Windows | None
    preprocess: Preprocess
    normalisation: Normalisation
    classes: int
    steps: int
    sources: list = field(repr=False)
    copies: int = 1

    def shared(self, copies):
        """The same data with every channel given to `copies` inputs."""
        once = self.preprocess
        many = replace(once, channels=once.channels * copies, mean=once.mean * copies, std=once.std * copies)
        return replace(self, preprocess=many, copies=copies)

    def batch(self, rng, size, *, noise, gain, flip=False, surrogates=0.0):
        """(x float32 [steps, size, inputs] normalised and disturbed, y int64 [size]); rng decides everything."""
        starts = [len(samples) - self.steps + 1 for samples, _ in self.sources]
        if min(starts) == max(starts):
            chosen = rng.integers(len(starts), size=size)
        else:  # every window as likely as any other
            chosen = rng.choice(len(starts), size=size, p=np.array(starts) / sum(starts))
        norm = self.normalisation
        x, y = np.empty((size, self.steps, len(norm.mean)), np.float32), np.empty(size, np.int64)
        for k, source in enumerate(chosen):
            samples, label = self.sources[source]
            start = rng.integers(len(samples) - self.steps + 1)
            x[k], y[k] = samples[start : start + self.steps], label
        x = norm.apply(x)
        if surrogates:
            chosen = rng.random(size) < surrogates
            x[chosen] = with_new_phases(rng, x[chosen])
        if gain:
            x *= np.exp(gain * rng.standard_normal((size, 1, x.shape[2]), dtype=np.float32))
        if noise:
            x += noise * rng.standard_normal(x.shape, dtype=np.float32)
        if flip:
            x *= rng.choice(np.array([-1, 1], np.float32), size=(size, 1, 1))
        return np.ascontiguousarray(np.tile(x, self.copies).swapaxes(0, 1)), y


def with_new_phases(rng, x):
    """Windows x [windows, steps, channels] with the phase of each frequency shifted at random, in all channels alike: powers
    and what channels have in common stay, shapes in time go.

    J. Schwabedal et al., Addressing class imbalance in classification problems of noisy signals by using Fourier transform
    surrogates, 2018.
    """
    steps = x.shape[1]
    spectrum = np.fft.rfft(x, axis=1)
    phases = rng.uniform(0, 2 * np.pi, (len(x), spectrum.shape[1], 1))
    phases[:, 0] = 0
    if steps % 2 == 0:  # the highest frequency has only a sign
        phases[:, -1] = 0
    return np.fft.irfft(spectrum * np.exp(1j * phases), steps, axis=1).astype(x.dtype)


def load_training_data(path, *, split="time", decimation=4):
    """TrainingData of an EEGMAT folder under one of its splits, or of an .npz of windows.

    An .npz has no continuous recordings to cut from, so its windows are taken as they are; the last 15 % of every class
    in the file's order validate, and the window before them is left out.
    """
    path = data_path(path)
    if Path(path).is_dir():
        recordings = decimate(load_eegmat(path), decimation)
        parts = named_split(recordings, split)
        sources = [(recordings.x[s, c, :, first:last].T, int(c)) for s, c, first, last in parts.spans]
        channels, fs, train, validation, test = recordings.channels, recordings.fs, parts.train, parts.validation, parts.test
    else:
        windows, decimation, test = load_windows(path), 1, None
        train, validation = _last_part(path, windows)
        sources = list(zip(train.x, train.y.tolist(), strict=True))
        channels = tuple(f"input {k}" for k in range(windows.x.shape[2]))
        fs = windows.fs or 1.0  # the file does not say
    norm = Normalisation.fit(train)
    preprocess = Preprocess(channels=channels, fs=fs, decimation=decimation, mean=tuple(norm.mean), std=tuple(norm.std))
    return TrainingData(validation=validation, test=test, preprocess=preprocess, normalisation=norm,
                        classes=int(train.y.max()) + 1, steps=train.steps, sources=sources)  # fmt: skip


def _last_part(path, windows):
    train, validation = [], []
    for label in range(int(windows.y.max()) + 1):
        which = np.flatnonzero(windows.y == label)
        count = int(len(which) * VALIDATION_PART)
        if not count or len(which) < count + 2:
            raise DataError(f"{path}: y must have at least 7 windows of every class, not {len(which)} of class {label}")
        train.append(which[: -count - 1])
        validation.append(which[-count:])
    if len(train) < 2:
        raise DataError(f"{path}: y must have at least 2 classes, not 1")
    return windows.select(np.sort(np.concatenate(train))), windows.select(np.sort(np.concatenate(validation)))

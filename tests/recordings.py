"""Recordings for tests: of the coded format, of noise, and of samples that hold their own index."""

import numpy as np
from messages import refusal
from mubinn.model import data
from mubinn.model.data import DataError

NAMES = (*(f"E{k}" for k in range(7)), "A2-A1", *(f"E{k}" for k in range(8, 20)))  # A2-A1 in the middle on purpose

says = refusal(DataError)


def encode(codes, order):
    """int16 -> the two bytes of its `order`-th difference; the first samples are differences to 0."""
    d = codes.astype(np.int64)
    for _ in range(order):
        d = np.diff(d, axis=-1, prepend=0)
    d %= 1 << 16
    return (d >> 8).astype(np.uint8), (d & 255).astype(np.uint8)


def write_eegmat(folder, *, seed=1, samples=60, people=2, **changes):
    """Four files of the coded format; `changes` replace keys of the second one (None leaves the key out)."""
    rng, truth = np.random.default_rng(seed), []
    for number, name in enumerate(data.EEGMAT_FILES):
        shape = (people, 2, 20, samples)
        codes = rng.integers(-(1 << 15), 1 << 15, shape).astype(np.int16)
        codes[0, 0, 0, :2] = -(1 << 15), (1 << 15) - 1
        hi, lo = encode(codes, 5)
        z = {
            "hi": hi,
            "lo": lo,
            "order": np.int64(5),
            "scale_uV": rng.uniform(0.001, 0.01, shape[:3]),
            "offset_uV": rng.uniform(-1, 1, shape[:3]),
            "subjects": np.arange(people) + number * people,
            "conditions": np.array(["rest", "task"]),
            "channels": np.array(NAMES),
            "fs": np.float64(500),
        }
        truth.append((codes * z["scale_uV"][..., None] + z["offset_uV"][..., None]).astype(np.float32))
        if number == 1:
            z = {key: value for key, value in (z | changes).items() if value is not None}
        np.savez(folder / name, **z)
    return np.concatenate(truth)


def recordings(*, subjects=12, samples=7750, fs=125.0, channels=2):
    """Every sample of a channel holds its own index, so a window tells where it came from."""
    x = np.broadcast_to(np.arange(samples, dtype=np.float32), (subjects, 2, channels, samples))
    names = tuple(f"E{k}" for k in range(channels))
    return data.Recordings(x=x, subjects=np.arange(subjects) + 100, channels=names, fs=fs)


def noise(seed=1, **sizes):
    plain = recordings(**sizes)
    x = np.random.default_rng(seed).normal(3, 20, plain.x.shape).astype(np.float32)
    return data.Recordings(x=x, subjects=plain.subjects, channels=plain.channels, fs=plain.fs)

"""A training run of a second: windows, and a configuration that learns little from them."""

import numpy as np
from mubinn.model.train.config import TrainConfig

SMALL = {
    "hidden_size": 6,
    "float_epochs": 2,
    "weight_epochs": 1,
    "activation_epochs": 2,
    "cell_epochs": 1,
    "batches": 3,
    "batch_size": 8,
}


def two_classes(path):
    """Windows of two classes that differ in the amplitude of one input, written to `path`."""
    rng = np.random.default_rng(1)
    y = np.arange(60) % 2
    x = 10 * rng.standard_normal((60, 15, 3))
    x[..., 1] *= 1 + 2 * y[:, None]
    np.savez(path, x=x.astype(np.float32), y=y)
    return path


def config(**changes):
    return TrainConfig(**(SMALL | changes))

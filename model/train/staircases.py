"""The golden model's integer staircases as look-up tables of the training's recurrence."""

import numpy as np
import torch

from ..binarize import encode, signs
from ..spec import LstmSpec
from .recurrence import Staircase

__all__ = ["gate_staircase", "output_staircase"]

HALF = np.array([0.5, 0.5, 0.0, 0.5])[:, None]


def gate_staircase(integers, reach, *, z, activation_fraction, width):
    """From the pre-activations to the decoded gates i f g o, by table and encoder.

    Parameters
    ----------
    integers : int64 [4, levels]
        Scales at `activation_fraction`.
    reach : float array [4]
        Gates farther than this from their offset get no gradient.
    z : Fixed
        Format of the pre-activations.
    width : int
        Units.
    """
    spec = LstmSpec(input_size=1, hidden_size=1, z=z, activation_fraction=activation_fraction)
    domain = np.arange(z.low, z.high + 1)
    values = np.stack([table(domain) for table in spec.gate_tables])
    v = z.real(domain)
    sigma, tanh = 1 / (1 + np.exp(-v)), np.tanh(v)
    smooth = np.stack([sigma, sigma, tanh, sigma])
    slopes = np.stack([sigma * (1 - sigma)] * 2 + [1 - tanh**2, sigma * (1 - sigma)])
    slopes *= np.abs(smooth - HALF) <= np.asarray(reach)[:, None] + 1e-6
    return _staircase(values, integers, spec.gate_offsets, slopes, activation_fraction, z.low, z.fraction, width)


def output_staircase(integers, fraction, reach, *, width):
    """From o * tanh(c) to the decoded h: scales int64 [levels] at `fraction`."""
    domain = np.arange(-1 << fraction, (1 << fraction) + 1)
    slopes = (np.abs(domain) <= reach * (1 << fraction)).astype(np.float64)
    return _staircase(domain[None], integers[None], [0], slopes[None], fraction, -1 << fraction, fraction, width)


def _staircase(values, scales, offsets, slopes, fraction, low, low_fraction, width):
    """Rows of integer values, encoded and decoded at `fraction`."""
    codes = [encode(row, s, offset) for row, s, offset in zip(values, scales, offsets, strict=True)]
    plus = signs(np.stack(codes), scales.shape[1])
    decoded = (np.array(offsets)[:, None] + (plus * scales[:, None, :]).sum(-1)) / (1 << fraction)
    return Staircase(
        torch.from_numpy(decoded).float(),
        torch.from_numpy(np.moveaxis(plus, -1, 0).copy()).float(),
        torch.from_numpy(slopes).float(),
        low=low,
        fraction=low_fraction,
        width=width,
    )

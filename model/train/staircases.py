"""The golden model's integer staircases as look-up tables of the training's recurrence."""

from functools import lru_cache

import numpy as np
import torch

from ..binarize import encode, signs
from ..gates import gate_formats
from ..spec import LstmSpec
from .recurrence import Staircase

__all__ = ["ROUNDING", "gate_staircase", "output_staircase"]

HALF = (0.5, 0.5, 0.0, 0.5)
ROUNDING = (0.5, 1.0)
"""r and c of Round & Clip for which the gates are 0, 1/2 and 1."""


def gate_staircase(integers, reach, *, kinds=("levels",) * 4, slope="sigma", rounding=ROUNDING, z, activation_fraction, width,
                   device=None):  # fmt: skip
    """From the pre-activations to the decoded gates i f g o, by table and encoder.

    Parameters
    ----------
    integers : int64 [4, levels]
        Scales at `activation_fraction`, 0 for gates without levels.
    reach : float array [4]
        Gates of levels farther than this from their offset get no gradient.
    kinds : sequence of 4 str
        Of GATE_KINDS.
    slope : "sigma" or "rounded"
        Gradient of ternary gates, see QuantLstm.
    rounding : (r, c)
        Of ternary gates: min(round(sigma / r) * r, c), ties up. Other than ROUNDING it is sigma itself that is rounded, not its
        table, and no chip has it.
    z : Fixed
        Format of the pre-activations.
    width : int
        Units.
    """
    reach = np.asarray(reach, dtype=np.float64).tobytes()
    key = (integers.tobytes(), integers.shape, reach, tuple(kinds), slope, rounding, z, activation_fraction, width, device)
    return _gate_staircase(*key)


@lru_cache(maxsize=8)  # the tables of gates without levels never change
def _gate_staircase(integers, shape, reach, kinds, slope, rounding, z, activation_fraction, width, device):
    integers, reach = np.frombuffer(integers, np.int64).reshape(shape), np.frombuffer(reach)
    spec = LstmSpec(input_size=1, hidden_size=1, z=z, activation_fraction=activation_fraction, gate_kinds=kinds,
                    gate_levels=integers.shape[1], bias_fraction=z.fraction)  # fmt: skip
    v = z.real(np.arange(z.low, z.high + 1))
    sigma, tanh = 1 / (1 + np.exp(-v)), np.tanh(v)
    rows = []
    for gate, smooth, half, row_reach in zip(
        gate_formats(spec, integers), (sigma, sigma, tanh, sigma), HALF, reach, strict=True
    ):
        decoded = gate.values[gate.codes] / spec.one
        if gate.kind == "ternary" and rounding != ROUNDING:
            step, most = rounding
            decoded = np.minimum(np.floor(sigma / step + 0.5) * step, most)
        steepness = 1 - tanh**2 if smooth is tanh else sigma * (1 - sigma)
        plus = np.zeros((len(v), integers.shape[1]))
        if gate.kind == "levels":
            plus = signs(gate.codes, integers.shape[1])
            steepness = steepness * (np.abs(smooth - half) <= row_reach + 1e-6)
        elif gate.kind == "ternary" and slope == "rounded":
            steepness = decoded * (1 - decoded)
        rows.append((decoded, plus, steepness))
    return _staircase(*map(np.stack, zip(*rows, strict=True)), low=z.low, fraction=z.fraction, width=width, device=device)


def output_staircase(integers, fraction, reach, *, width, device=None):
    """From o * tanh(c) to the decoded h: scales int64 [levels] at `fraction`."""
    low = -1 << fraction
    domain = np.arange(low, -low + 1)
    slopes = (np.abs(domain) <= reach * (1 << fraction)).astype(np.float64)
    plus = signs(encode(domain, integers), len(integers))
    decoded = (plus * integers).sum(-1) / (1 << fraction)
    return _staircase(decoded[None], plus[None], slopes[None], low=low, fraction=fraction, width=width, device=device)


def _staircase(decoded, plus, slopes, *, low, fraction, width, device):
    """Of arrays [rows, entries], the signs with a last axis of levels."""
    tensors = (
        torch.from_numpy(np.ascontiguousarray(a)).float().to(device) for a in (decoded, np.moveaxis(plus, -1, 0), slopes)
    )
    return Staircase(*tensors, low=low, fraction=fraction, width=width)

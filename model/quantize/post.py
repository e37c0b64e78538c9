"""Post-training binarization: scales by alternating least squares on weights and on what calibration data make of the rest."""

import numpy as np

from ..binarize import signs
from ..fixed import Fixed, round_half_up
from ..parameters import Parameters
from ..scales import fit_scales, integer_scales
from ..spec import LstmSpec

__all__ = ["post_training"]

ALPHA_BITS = BETA_BITS = 8
X_BITS, HEAD_BITS, ACTIVATION_FRACTION = 12, 8, 10
Z, CELL = Fixed(bits=12, fraction=8), Fixed(bits=16, fraction=11)
H_FRACTION_MOST = 12


def post_training(weights, x, *, levels, max_steps=4096):
    """Parameters of a float model.

    Scales of x, h and the gates approximate what they are on the calibration windows; those of weights and biases, one set a
    gate, the tensors themselves, each with its nearest code.

    Parameters
    ----------
    weights : FloatWeights
    x : float array [windows, steps, input_size]
        Normalised samples, a few dozen windows of all kinds.
    levels : (A, W)
        Of activations and weights, 1 to 8 each.
    max_steps : int
    """
    activation_levels, weight_levels = levels
    x = np.asarray(x, dtype=np.float64)
    seen = _trace(weights, x)
    x_scales, x_fraction = integer_scales(fit_scales(x, activation_levels), bits=ALPHA_BITS, most_fraction=_fraction(x))
    h_scales, h_fraction = integer_scales(
        fit_scales(seen["h"], activation_levels), bits=ALPHA_BITS, most_fraction=H_FRACTION_MOST
    )
    tensors = {"x_scales": x_scales, "h_scales": h_scales, "gate_scales": _gate_scales(seen["gates"], activation_levels)}
    fractions = {}
    for name, tensor in (("wx", weights.weight_ih), ("wh", weights.weight_hh), ("bias", weights.bias)):
        rows = np.asarray(tensor, dtype=np.float64).reshape(4, -1)
        scales, fraction = integer_scales(np.stack([fit_scales(row, weight_levels) for row in rows]), bits=BETA_BITS)
        codes = np.stack([_nearest(row, own / (1 << fraction)) for row, own in zip(rows, scales, strict=True)])
        tensors |= {f"{name}_scales": scales, f"{name}_codes": codes.reshape(np.shape(tensor))}
        fractions[f"{name}_fraction"] = fraction
    head = {}
    if weights.classes:
        weight = weights.head_weight.astype(np.float64)
        most = max(float(np.abs(weight).max()), 1e-9)
        fraction = min(max(int(np.floor(np.log2(((1 << HEAD_BITS - 1) - 1) / most))), 0), 24)
        tensors["head_weight"] = round_half_up(weight * (1 << fraction))
        tensors["head_bias"] = round_half_up(weights.head_bias.astype(np.float64) * float(1 << fraction + h_fraction))
        head = {"classes": weights.classes, "pool": weights.pool, "head_bits": HEAD_BITS, "head_fraction": fraction}
    spec = LstmSpec(
        input_size=weights.input_size,
        hidden_size=weights.hidden_size,
        max_steps=max_steps,
        input_levels=activation_levels,
        hidden_levels=activation_levels,
        gate_levels=activation_levels,
        weight_levels=weight_levels,
        bias_levels=weight_levels,
        x=Fixed(bits=X_BITS, fraction=x_fraction),
        z=Z,
        cell=CELL,
        h_fraction=h_fraction,
        activation_fraction=ACTIVATION_FRACTION,
        **head,
        **fractions,
    )
    return Parameters(spec=spec, **tensors)


def _fraction(x):
    """Finest binary point at which the samples seen have room."""
    most = max(float(np.abs(x).max(initial=0.0)), 1e-9)
    return int(np.clip(np.floor(np.log2(((1 << X_BITS - 1) - 1) / most)), 0, X_BITS))


def _sigma(v):
    return 0.5 * (1.0 + np.tanh(0.5 * v))


def _trace(weights, x):
    """h [values] and gates i, f, g, o [4][values] of the float model."""
    wx, wh = weights.weight_ih.astype(np.float64).T, weights.weight_hh.astype(np.float64).T
    bias, found = weights.bias.astype(np.float64), {"h": [], "gates": [[], [], [], []]}
    h = c = np.zeros((len(x), weights.hidden_size))
    for step in x.transpose(1, 0, 2):
        z = np.split(step @ wx + h @ wh + bias, 4, axis=1)
        gates = [np.tanh(own) if k == 2 else _sigma(own) for k, own in enumerate(z)]
        c = gates[1] * c + gates[0] * gates[2]
        h = gates[3] * np.tanh(c)
        found["h"].append(h)
        for kept, own in zip(found["gates"], gates, strict=True):
            kept.append(own)
    return {"h": np.stack(found["h"]), "gates": [np.stack(own) for own in found["gates"]]}


def _gate_scales(gates, levels):
    """Integer scales, those of the sigmoid gates around 1/2 and no more than 1/2 in all."""
    one = 1 << ACTIVATION_FRACTION
    found = np.stack([round_half_up(fit_scales(own - (k != 2) / 2, levels) * one) for k, own in enumerate(gates)])
    for row in (0, 1, 3):
        found[row, 0] -= max(0, found[row].sum() - one // 2)
    return found


def _nearest(values, scales):
    """Codes of the nearest of all sums."""
    sums = signs(np.arange(1 << len(scales)), len(scales)) @ scales
    order = np.argsort(sums, kind="stable")
    middles = (sums[order][1:] + sums[order][:-1]) / 2
    return order[np.searchsorted(middles, values, side="right")]

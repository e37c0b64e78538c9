"""Post-training binarization: scales by alternating least squares on weights and on what calibration data make of the rest."""

import numpy as np

from ..binarize import signs
from ..fixed import Fixed, round_half_up
from ..network import Layer, Network, StepHead
from ..parameters import Parameters
from ..scales import fit_scales, integer_scales
from ..spec import LstmSpec
from .levels import OperandLevels

__all__ = ["post_network", "post_training"]

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
    levels : (A, W), or OperandLevels
        Of activations and weights, 1 to 8 each, or of every kind of tensor.
    max_steps : int
    """
    levels = _each(levels)
    seen = _trace(weights, np.asarray(x, dtype=np.float64))
    head = None if not weights.classes else (weights.head_weight, weights.head_bias, weights.pool)
    return _parameters(weights, seen["gates"], levels, _x_scales(x, levels), _h_scales(seen["h"], levels), max_steps, head)


def post_network(network, x, *, levels, max_steps=4096):
    """The golden Network of a float one, layer after layer: each is fitted to what it sees in the float network.

    Layers behind the first read the codes of the layer before as they are, so both directions of a layer share their scales
    of h.

    Parameters
    ----------
    network : FloatNetwork
    x, levels, max_steps
        As of `post_training`.
    """
    levels = _each(levels)
    x, layers, scales = np.asarray(x, dtype=np.float64), [], _x_scales(x, levels)
    for k, own in enumerate(network.layers):
        seen = [_trace(own[0], x)] + [_trace(weights, x[:, ::-1]) for weights in own[1:]]
        h_scales = _h_scales(np.stack([part["h"] for part in seen]), levels)
        pooled = k == len(network.layers) - 1 and network.pool != "steps"
        head = (network.head_weight, network.head_bias, network.pool) if pooled else None
        parts = [
            _parameters(weights, part["gates"], levels, scales, h_scales, max_steps, head)
            for weights, part in zip(own, seen, strict=True)
        ]
        layers.append(Layer(forward=parts[0], backward=parts[1] if len(parts) > 1 else None))
        outputs = [seen[0]["h"]] + [part["h"][::-1] for part in seen[1:]]
        x, scales = np.concatenate(outputs, axis=2).swapaxes(0, 1), h_scales
    if network.pool != "steps":
        return Network(layers=layers)
    weight, bias, _ = _head(network.head_weight, network.head_bias, scales[1])
    return Network(layers=layers, head=StepHead(weight=weight, bias=bias, weight_bits=HEAD_BITS))


def _each(levels):
    return levels if isinstance(levels, OperandLevels) else OperandLevels.of(levels)


def _x_scales(x, levels):
    """(integer scales, binary point) of samples."""
    x = np.asarray(x, dtype=np.float64)
    return integer_scales(fit_scales(x, levels.x), bits=ALPHA_BITS, most_fraction=_fraction(x))


def _h_scales(h, levels):
    """(integer scales, binary point) of h."""
    return integer_scales(fit_scales(h, levels.h), bits=ALPHA_BITS, most_fraction=H_FRACTION_MOST)


def _head(weight, bias, h_fraction):
    """(weight, bias, binary point of the weight) of a dense head, integers."""
    weight = weight.astype(np.float64)
    most = max(float(np.abs(weight).max()), 1e-9)
    fraction = min(max(int(np.floor(np.log2(((1 << HEAD_BITS - 1) - 1) / most))), 0), 24)
    return (
        round_half_up(weight * (1 << fraction)),
        round_half_up(bias.astype(np.float64) * float(1 << fraction + h_fraction)),
        fraction,
    )


def _parameters(weights, gates, levels, x, h, max_steps, head):
    """Parameters of one direction of a layer.

    Parameters
    ----------
    gates : as of `_trace`
    x, h : (integer scales, binary point)
    head : (weight, bias, pool) or None
    """
    (x_scales, x_fraction), (h_scales, h_fraction) = x, h
    tensors = {"x_scales": x_scales, "h_scales": h_scales, "gate_scales": _gate_scales(gates, levels.gates)}
    fields = {}
    for name, tensor in (("wx", weights.weight_ih), ("wh", weights.weight_hh), ("bias", weights.bias)):
        rows, count = np.asarray(tensor, dtype=np.float64).reshape(4, -1), levels.bias if name == "bias" else levels.weights
        scales, fraction = integer_scales(np.stack([fit_scales(row, count) for row in rows]), bits=BETA_BITS)
        codes = np.stack([_nearest(row, own / (1 << fraction)) for row, own in zip(rows, scales, strict=True)])
        tensors |= {f"{name}_scales": scales, f"{name}_codes": codes.reshape(np.shape(tensor))}
        fields[f"{name}_fraction"] = fraction
    if head is not None:
        weight, bias, pool = head
        tensors["head_weight"], tensors["head_bias"], fields["head_fraction"] = _head(weight, bias, h_fraction)
        fields |= {"classes": len(bias), "pool": pool, "head_bits": HEAD_BITS}
    spec = LstmSpec(
        input_size=weights.input_size,
        hidden_size=weights.hidden_size,
        max_steps=max_steps,
        input_levels=len(x_scales),
        hidden_levels=len(h_scales),
        gate_levels=levels.gates,
        weight_levels=levels.weights,
        bias_levels=levels.bias,
        x=Fixed(bits=X_BITS, fraction=x_fraction),
        z=Z,
        cell=CELL,
        h_fraction=h_fraction,
        activation_fraction=ACTIVATION_FRACTION,
        **fields,
    )
    return Parameters(spec=spec, **tensors)


def _fraction(x):
    """Finest binary point at which the samples seen have room."""
    most = max(float(np.abs(x).max(initial=0.0)), 1e-9)
    return int(np.clip(np.floor(np.log2(((1 << X_BITS - 1) - 1) / most)), 0, X_BITS))


def _sigma(v):
    return 0.5 * (1.0 + np.tanh(0.5 * v))


def _trace(weights, x):
    """h [steps, windows, units] and gates i, f, g, o, four such arrays, of the float model."""
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

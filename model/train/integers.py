"""From the network in training to the golden model's integers."""

import numpy as np

from ..fixed import Fixed, round_half_up
from ..parameters import Parameters
from ..spec import LstmSpec

__all__ = ["integer_head", "integer_parameters"]

X_BITS = 12
HEAD_BITS = 8
MAX_STEPS = 4096


def integer_parameters(network, *, max_steps=MAX_STEPS):
    """Parameters of the golden model: every scale rounded once, every weight and bias a code, the head in HEAD_BITS bits.
    A layer without a head gives parameters without one.

    Any stage may be asked; before "activations" the scales of the activations are not fitted yet.
    """
    units = network.lstm.hidden_size
    network.fit_residuals()  # an average of weights has scales of its own
    x_scales, x_fraction = network.x_scales.integers()
    h_scales, h_fraction = network.h_scales.integers()
    tensors = {"x_scales": x_scales[0], "h_scales": h_scales[0], "gate_scales": network.gate_integers()}
    fractions = {}
    for name, tensor, scales in network.named_weights():
        integers, fraction = scales.integers()
        rows = tensor.detach().reshape(4, units, -1).double().cpu().numpy()
        codes = [_encode(r, s / (1 << fraction)) for r, s in zip(rows, integers, strict=True)]
        fractions[f"{name}_fraction"] = fraction
        tensors[f"{name}_codes"] = np.stack(codes).reshape(tensor.shape)
        tensors[f"{name}_scales"] = integers
    if network.peepholes == "full":
        raise ValueError("peepholes must be diagonal, not full: no core has matrices there")
    if network.peepholes == "diagonal":
        tensors["peephole_codes"] = tensors["peephole_codes"].reshape(-1)
        fractions |= {"cell_kind": "peephole", "peephole_levels": network.v_scales.levels}
    widest = max(tensors["wx_scales"].shape[1], tensors["wh_scales"].shape[1])
    for name in ("wx_scales", "wh_scales"):  # both have as many levels in the chip; those that are not there count 0
        tensors[name] = np.pad(tensors[name], ((0, 0), (0, widest - tensors[name].shape[1])))
    head = {}
    if hasattr(network, "head"):
        tensors["head_weight"], tensors["head_bias"], head["head_fraction"] = integer_head(network.head, h_fraction)
        head |= {"classes": network.head.out_features, "pool": network.pool, "head_bits": HEAD_BITS}
    spec = LstmSpec(
        input_size=network.lstm.input_size,
        hidden_size=units,
        max_steps=max_steps,
        input_levels=network.x_scales.levels,
        hidden_levels=network.h_scales.levels,
        gate_levels=network.levels.gates,
        gate_kinds=network.gate_kinds,
        weight_levels=widest,
        bias_levels=network.bias_scales.levels,
        x=Fixed(bits=X_BITS, fraction=x_fraction),
        z=network.z_format,
        cell=network.cell_format,
        h_fraction=h_fraction,
        activation_fraction=network.activation_fraction,
        **head,
        **fractions,
    )
    return Parameters(spec=spec, **tensors)


def integer_head(head, h_fraction):
    """(weight, bias, fraction of the weight) of a dense head over h with this binary point."""
    weight = head.weight.detach().double().cpu().numpy()
    largest = max(float(np.abs(weight).max()), 1e-9)
    fraction = min(max(int(np.floor(np.log2(((1 << HEAD_BITS - 1) - 1) / largest))), 0), 24)
    bias = head.bias.detach().double().cpu().numpy()
    return round_half_up(weight * (1 << fraction)), round_half_up(bias * float(1 << fraction + h_fraction)), fraction


def _encode(values, scales):
    """Greedy codes of latent floats, as the forward pass of the training takes them."""
    residual, code = values.copy(), np.zeros(values.shape, dtype=np.uint8)
    for level, scale in enumerate(scales):
        positive = residual >= 0
        code |= positive.astype(np.uint8) << np.uint8(level)
        residual -= np.where(positive, scale, -scale)
    return code

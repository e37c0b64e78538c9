"""Golden cells beside the plain LSTM: with peepholes, and the GRU. Integers only, one rounding each."""

import numpy as np

from .binarize import codebook, encode
from .fixed import saturate, shift_half_up

__all__ = ["CELLS", "gru", "peephole"]


def peephole(p, pre, z, c_before):
    """Eq. 4-8 of Quantization Loss Re-Learning with diagonal V; V * c joins the sums exactly, before their one rounding.

    Parameters
    ----------
    p : Parameters
    pre : int64 [N, 4, hidden_size]
        Sums of x part, h part and bias.
    z : int64 [N, 4, hidden_size]
        The same, rounded: what a gate without V * c takes.
    c_before : int64 [N, hidden_size] or None
        None before a window's first step.

    Returns
    -------
    (signals, sums) : dicts of arrays, see `Model.step` and `Model.sums`
    """
    spec, v = p.spec, p.peepholes()
    pre, z = pre.copy(), z.copy()
    if c_before is not None:
        for gate in (0, 1):
            pre[:, gate] += v[gate] * c_before << spec.peephole_shift
            z[:, gate] = saturate(shift_half_up(pre[:, gate], spec.z_shift), spec.z.bits)
    i, f, g = (_value(p, gate, z[:, gate]) for gate in range(3))
    products, c = _state(p, i, f, g, c_before)
    pre[:, 3] += v[3] * c << spec.peephole_shift
    z[:, 3] = saturate(shift_half_up(pre[:, 3], spec.z_shift), spec.z.bits)
    tanh_c = spec.cell_table(saturate(shift_half_up(v[2] * c, spec.peephole_fraction), spec.cell.bits))
    product = _value(p, 3, z[:, 3]) * tanh_c
    h_raw = saturate(shift_half_up(product, spec.h_shift_down), spec.h_bits)
    gate_code = np.stack([_code(p, gate, z[:, gate]) for gate in range(4)], axis=1)
    signals = {"z": z, "gate_code": gate_code, "c": c, "tanh_c": tanh_c, "h_raw": h_raw}
    return signals, {"z": pre, "c": products, "h": product}


def gru(p, pre, z, c_before):
    """GRU as PyTorch has it: n = tanh(x part + r * h part), h = (1 - z) * n + z * h.

    The rows are those of r, z, n's x part, n's h part (with its bias). r meets the rounded h part, one more rounding follows.
    As z is 1/2 plus or minus its levels, halves, or a plain number, 1 - z has a code too. Parameters and results as of
    `peephole`; c is h before it is encoded, the fourth gate's code is 0.
    """
    spec = p.spec
    r, update = _value(p, 0, z[:, 0]), _value(p, 1, z[:, 1])
    total = (z[:, 2] << spec.activation_fraction) + r * z[:, 3]
    new = saturate(shift_half_up(total, spec.activation_fraction), spec.z.bits)
    products, c = _state(p, spec.one - update, update, _value(p, 2, new), c_before)
    down = spec.cell.fraction - spec.h_fraction
    h_raw = saturate(shift_half_up(c, down) if down >= 0 else c << -down, spec.h_bits)
    code = [_code(p, 0, z[:, 0]), _code(p, 1, z[:, 1]), _code(p, 2, new), np.zeros_like(_code(p, 2, new))]
    return {"z": z, "gate_code": np.stack(code, axis=1), "c": c, "h_raw": h_raw}, {"z": pre, "c": products, "h": c}


def _state(p, i, f, g, c_before):
    """Eq. 5: (exact sum, c), which is the decoded code where c has levels."""
    spec = p.spec
    products = i * g << spec.ig_shift
    if c_before is not None:
        products = products + (f * c_before << spec.fc_shift)
    c = saturate(shift_half_up(products, spec.cell_shift), spec.cell.bits)
    return products, codebook(p.cell_scales)[encode(c, p.cell_scales)] if spec.cell_levels else c


def _code(p, gate, z):
    return p.gates[gate].codes[z - p.spec.z.low]


def _value(p, gate, z):
    return p.gates[gate].values[_code(p, gate, z)]


CELLS = {"peephole": peephole, "gru": gru}
"""Cells by `LstmSpec.cell_kind`."""

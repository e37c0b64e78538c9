"""The recurrence of an LSTM with peepholes, Eq. 4-8 of Quantization Loss Re-Learning, step by step in autograd.

Slower than `recurrence`, which knows the plain cell alone: every operation is one of torch's, and its gradient too.
"""

import torch

__all__ = ["PEEPHOLES", "peephole_recurrence"]

PEEPHOLES = ("none", "diagonal", "full")
"""V of the paper: not there, a number a unit as in every library, or the paper's matrices, which no core has."""


def peephole_recurrence(zx, wh, v, *, gate_scales=None, h_scales=None, gates=None, outputs=None, cell=None, cell_limit=16.0):
    """h of every step, and c without a gradient.

    Parameters
    ----------
    v : tensor [4, hidden] or [4, hidden, hidden]
        V of i and f, on c of the step before; of C, inside tanh; of o, on c of this step. Quantized already if it is to be.
    zx, wh, gate_scales, h_scales, gates, outputs, cell, cell_limit
        As of `recurrence`.

    Returns
    -------
    (h, c), each [steps, batch, hidden]
    """
    units = wh.shape[1]
    v_i, v_f, v_c, v_o = v.unbind(0)
    h = c = None
    h_steps, c_steps = [], []
    for step in zx.unbind(0):
        z_i, z_f, z_g, z_o = (step if h is None else step + h @ wh.t()).split(units, dim=1)
        if c is not None:
            z_i, z_f = z_i + _times(v_i, c), z_f + _times(v_f, c)
        i, f, g = (_gate(z, k, gates, gate_scales) for k, z in enumerate((z_i, z_f, z_g)))
        c = i * g if c is None else f * c + i * g
        c = _held(c, cell) if cell else c.clamp(-cell_limit, cell_limit)
        o = _gate(z_o + _times(v_o, c), 3, gates, gate_scales)
        inside = _times(v_c, c)
        h = o * torch.tanh(_held(inside, cell) if cell else inside)
        h = _stairs(h, outputs, 0, h_scales) if outputs else h
        h_steps.append(h)
        c_steps.append(c.detach())
    return torch.stack(h_steps), torch.stack(c_steps)


def _times(v, c):
    return c @ v.t() if v.dim() == 2 else v * c


def _held(c, cell):
    """c in a fixed-point format, its gradient straight through."""
    one = float(1 << cell.fraction)
    with torch.no_grad():
        held = (c * one + 0.5).floor_().clamp_(cell.low, cell.high).div_(one)
    return c + (held - c).detach()


def _gate(z, row, gates, scales):
    if gates is None:
        return torch.tanh(z) if row == 2 else torch.sigmoid(z)
    return _stairs(z, gates, row, None if scales is None else scales[row])


def _stairs(v, stairs, row, scales):
    """One row of a Staircase: its value, the scales' gradient by their signs, the input's by its slope."""
    entries = len(stairs.values) // stairs.rows
    with torch.no_grad():
        # A NaN finds a place too, and comes out again by the slope.
        place = (v * stairs.gain + (0.5 - stairs.low)).nan_to_num(0.0).clamp_(0, entries - 1).long() + row * entries
    value = stairs.values[place]
    if not torch.is_grad_enabled():
        return value
    slope = v * stairs.slopes[place]
    result = value + (slope - slope.detach())
    if scales is not None and scales.requires_grad:
        levelled = sum(signs[place] * scale for signs, scale in zip(stairs.signs, scales, strict=True))
        result = result + (levelled - levelled.detach())
    return result

"""One LSTM layer through a whole window as a single autograd function, quantized or not.

The loop over the steps holds only what depends on the step before. The forward pass looks gates and h up in the golden
model's integer staircases; the backward pass multiplies by factors computed for all steps at once, so a step costs one
matrix product and a handful of element-wise operations. Gradients pass the staircases straight through.
"""

from dataclasses import dataclass

import torch

__all__ = ["Staircase", "recurrence"]


@dataclass(frozen=True)
class Staircase:
    """A quantizer as a look-up: `values[(v * 2**fraction).round() - low]`, and the sign of every level for its gradient.

    Parameters
    ----------
    values : float tensor [rows, entries]
        Decoded values; one row, or a row a gate.
    signs : float tensor [levels, rows, entries]
        +1 or -1 of each level.
    low : int
        Input of entry 0 in units of 2**-fraction.
    fraction : int
    reach : float tensor [rows]
        Inputs of the quantizer beyond +-reach (around its offset) get no gradient.
    """

    values: torch.Tensor
    signs: torch.Tensor
    low: int
    fraction: int
    reach: torch.Tensor

    def entries(self, v, out=None):
        """Entry of every element of v as int64."""
        scaled = torch.mul(v, float(1 << self.fraction), out=out)
        return scaled.sub_(self.low).add_(0.5).floor_().clamp_(0, self.values.shape[1] - 1).long()


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx, zx, wh, gate_scales, h_scales, gates, outputs, cell_limit):
        steps, batch, width = zx.shape
        hidden = width // 4
        wht = wh.t().contiguous()
        z, gate = zx.clone(), torch.empty_like(zx)
        c = zx.new_empty(steps, batch, hidden)
        tanh_c, h_raw, h = torch.empty_like(c), torch.empty_like(c), torch.empty_like(c)
        scratch, small = zx.new_empty(batch, width), zx.new_empty(batch, hidden)
        if gates is not None:
            flat = gates.values.reshape(-1)
            base = torch.arange(4).mul_(gates.values.shape[1]).repeat_interleave(hidden)
        for t in range(steps):
            if t:
                z[t].addmm_(h[t - 1], wht)
            if gates is not None:
                torch.take(flat, gates.entries(z[t], out=scratch).add_(base), out=gate[t])
            else:
                torch.sigmoid(z[t], out=gate[t])
                torch.tanh(z[t, :, 2 * hidden : 3 * hidden], out=gate[t, :, 2 * hidden : 3 * hidden])
            i, f, g, o = gate[t].split(hidden, dim=1)
            torch.mul(i, g, out=c[t])
            if t:
                c[t].addcmul_(f, c[t - 1])
            c[t].clamp_(-cell_limit, cell_limit)
            torch.tanh(c[t], out=tanh_c[t])
            torch.mul(o, tanh_c[t], out=h_raw[t])
            if outputs is not None:
                torch.take(outputs.values[0], outputs.entries(h_raw[t], out=small), out=h[t])
            else:
                h[t].copy_(h_raw[t])
        ctx.save_for_backward(z, gate, c, tanh_c, h_raw, h, wh)
        ctx.gates, ctx.outputs = gates, outputs
        return h

    @staticmethod
    def backward(ctx, grad_h):
        z, gate, c, tanh_c, h_raw, h, wh = ctx.saved_tensors
        gates, outputs = ctx.gates, ctx.outputs
        steps, batch, hidden = c.shape
        i, f, g, o = gate.split(hidden, dim=2)
        smooth = torch.sigmoid(z)
        smooth[..., 2 * hidden : 3 * hidden] = torch.tanh(z[..., 2 * hidden : 3 * hidden])
        # Derivative of every gate by its pre-activation.
        slope = smooth * (1 - smooth)
        tanh_g = smooth[..., 2 * hidden : 3 * hidden]
        slope[..., 2 * hidden : 3 * hidden] = 1 - tanh_g * tanh_g
        if gates is not None:
            slope[..., 2 * hidden : 3 * hidden] *= tanh_g.abs() <= gates.reach[2]
        c_before = torch.cat([torch.zeros_like(c[:1]), c[:-1]])
        # Per step: dc += dh * by_c; dz_o = dh * by_o; dz_ifg = dc * by_ifg. The mask of h's quantizer is inside.
        passed = (h_raw.abs() <= outputs.reach[0]).to(h.dtype) if outputs is not None else 1.0
        by_c = o * (1 - tanh_c * tanh_c) * passed
        by_o = tanh_c * passed * slope[..., 3 * hidden :]
        by_ifg = torch.stack([g, c_before, i], dim=2) * slope[..., : 3 * hidden].view(steps, batch, 3, hidden)
        dz = torch.empty_like(z)
        dh_all, dc_all = torch.empty_like(c), torch.empty_like(c)
        dc = torch.zeros_like(c[0])
        for t in range(steps - 1, -1, -1):
            dh = dh_all[t]
            if t < steps - 1:
                torch.addmm(grad_h[t], dz[t + 1], wh, out=dh)
                dc.mul_(f[t + 1])
            else:
                dh.copy_(grad_h[t])
            dc.addcmul_(dh, by_c[t])
            dc_all[t] = dc
            torch.mul(dc.unsqueeze(1), by_ifg[t], out=dz[t, :, : 3 * hidden].view(batch, 3, hidden))
            torch.mul(dh, by_o[t], out=dz[t, :, 3 * hidden :])
        dwh = dz[1:].reshape(-1, 4 * hidden).t() @ h[:-1].reshape(-1, hidden)
        gate_grad = h_grad = None
        if gates is not None and ctx.needs_input_grad[2]:
            through = torch.cat([dc_all * g, dc_all * c_before, dc_all * i, dh_all * tanh_c * passed], dim=2)
            gate_grad = _scale_gradient(gates, z, through, hidden)
        if outputs is not None and ctx.needs_input_grad[3]:
            h_grad = _scale_gradient(outputs, h_raw, dh_all, hidden)[0]
        return dz, dwh, gate_grad, h_grad, None, None, None


def _scale_gradient(stairs, inputs, grad, hidden):
    """Sum of grad * sign, for every row and level: [rows, levels]."""
    rows = stairs.values.shape[0]
    base = torch.arange(rows).mul_(stairs.values.shape[1]).repeat_interleave(hidden)
    entries = stairs.entries(inputs).add_(base)
    result = grad.new_empty(rows, len(stairs.signs))
    for level, signs in enumerate(stairs.signs):
        products = (torch.take(signs.reshape(-1), entries) * grad).reshape(-1, rows, hidden)
        result[:, level] = products.sum(dim=(0, 2))
    return result


def recurrence(zx, wh, *, gate_scales=None, h_scales=None, gates=None, outputs=None, cell_limit=16.0):
    """h of every step [steps, batch, hidden] from the x part with bias zx [steps, batch, 4 * hidden], gates i f g o.

    Parameters
    ----------
    wh : tensor [4 * hidden, hidden]
        Recurrent weights, quantized already if they are to be.
    gate_scales, h_scales : tensor [4, levels], [levels]
        Get the gradients of the scales in `gates` and `outputs`.
    gates, outputs : Staircase or None
        Quantizers of the gates (from z) and of h; None leaves them as they are.
    cell_limit : float
        c saturates at +-cell_limit.
    """
    return _Recurrence.apply(zx, wh, gate_scales, h_scales, gates, outputs, cell_limit)

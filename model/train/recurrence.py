"""One LSTM layer through a whole window as a single autograd function, quantized or not.

The loop over the steps holds only what depends on the step before, in whole-batch operations that stay in the cache. The
quantized forward pass looks gates and h up in the golden model's integer staircases; the backward pass looks the slopes
up under the same index. Gradients pass the staircases straight through.
"""

from dataclasses import dataclass

import torch

from ..fixed import Fixed

__all__ = ["Staircase", "recurrence"]


class Staircase:
    """A quantizer as a look-up table, for the columns of a batch in groups of equal width.

    Entry k of a row stands for the input (k + low) / 2**fraction; inputs round half up and saturate at both ends.

    Parameters
    ----------
    values : float tensor [rows, entries]
        Decoded values; one row a group of columns.
    signs : float tensor [levels, rows, entries]
        +1 or -1 of each level, 0 where a row has no levels: what the gradient of its scale is multiplied with.
    slopes : float tensor [rows, entries]
        What the gradient of the input is multiplied with.
    low, fraction : int
    width : int
        Columns of a group.
    """

    def __init__(self, values, signs, slopes, *, low, fraction, width):
        rows, entries = values.shape
        self.values, self.slopes = values.reshape(-1), slopes.reshape(-1)
        self.signs = [level.reshape(-1) for level in signs]
        self.rows, self.gain = rows, float(1 << fraction)
        first = torch.arange(rows, dtype=torch.float32, device=values.device).mul_(entries).repeat_interleave(width)
        self.first, self.last, self.zero = first, first + (entries - 1), first + (0.5 - low)

    def index(self, v, *, scratch, out):
        """Position in the flat tables of every element of v [batch, rows * width], into int32 `out`."""
        torch.add(self.zero, v, alpha=self.gain, out=scratch).clamp_(self.first, self.last)
        return out.copy_(scratch)  # positive, so the conversion's truncation is a floor

    def scale_gradient(self, sums):
        """[rows, levels] from per-column sums of gradient * sign [levels, rows * width]."""
        return sums.view(len(self.signs), self.rows, -1).sum(2).t().contiguous()


def _look_up(table, index, out):
    return torch.index_select(table, 0, index.view(-1), out=out.view(-1))


@dataclass(frozen=True)
class _Settings:
    gates: Staircase | None
    outputs: Staircase | None
    cell: Fixed | None
    cell_limit: float


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx, zx, wh, gate_scales, h_scales, settings):
        steps, batch, width = zx.shape
        hidden = width // 4
        gates, outputs, cell = settings.gates, settings.outputs, settings.cell
        wht = wh.t().contiguous()
        gate, c = torch.empty_like(zx), zx.new_empty(steps, batch, hidden)
        tanh_c, h = torch.empty_like(c), torch.empty_like(c)
        z, scratch, small = zx.new_empty(batch, width), zx.new_empty(batch, width), zx.new_empty(batch, hidden)
        gate_index = zx.new_empty(zx.shape if gates else 0, dtype=torch.int32)
        h_index = zx.new_empty(c.shape if outputs else 0, dtype=torch.int32)
        for t in range(steps):
            if t:
                torch.addmm(zx[t], h[t - 1], wht, out=z)
            else:
                z.copy_(zx[0])
            if gates:
                _look_up(gates.values, gates.index(z, scratch=scratch, out=gate_index[t]), gate[t])
            else:
                torch.sigmoid(z, out=gate[t])
                torch.tanh(z[:, 2 * hidden : 3 * hidden], out=gate[t, :, 2 * hidden : 3 * hidden])
            i, f, g, o = gate[t].split(hidden, dim=1)
            torch.mul(i, g, out=c[t])
            if t:
                c[t].addcmul_(f, c[t - 1])
            if cell:
                one = 1 << cell.fraction
                c[t].mul_(one).add_(0.5).floor_().clamp_(cell.low, cell.high).div_(one)
            else:
                c[t].clamp_(-settings.cell_limit, settings.cell_limit)
            torch.tanh(c[t], out=tanh_c[t])
            if outputs:
                torch.mul(o, tanh_c[t], out=h[t])
                _look_up(outputs.values, outputs.index(h[t], scratch=small, out=h_index[t]), h[t])
            else:
                torch.mul(o, tanh_c[t], out=h[t])
        ctx.save_for_backward(gate, c, tanh_c, h, wh, gate_index, h_index)
        ctx.settings = settings
        ctx.mark_non_differentiable(c)
        return h, c

    @staticmethod
    def backward(ctx, grad_h, _):
        gate, c, tanh_c, h, wh, gate_index, h_index = ctx.saved_tensors
        gates, outputs = ctx.settings.gates, ctx.settings.outputs
        steps, _, hidden = c.shape
        dz = torch.empty_like(gate)
        dh, dc, passed, small = (torch.empty_like(c[0]) for _ in range(4))
        d_gate, slope, looked = (torch.empty_like(gate[0]) for _ in range(3))
        i_, f_, g_, o_ = (slice(k * hidden, (k + 1) * hidden) for k in range(4))
        gate_sums = [torch.zeros_like(slope) for _ in gates.signs] if gates else []
        h_sums = [torch.zeros_like(small) for _ in outputs.signs] if outputs else []
        for t in range(steps - 1, -1, -1):
            if t < steps - 1:
                torch.addmm(grad_h[t], dz[t + 1], wh, out=dh)
                dc.mul_(gate[t + 1, :, f_])
            else:
                dh.copy_(grad_h[t])
                dc.zero_()
            for total, signs in zip(h_sums, outputs.signs if outputs else (), strict=True):
                total.addcmul_(_look_up(signs, h_index[t], small).view_as(dh), dh)
            if outputs:
                _look_up(outputs.slopes, h_index[t], passed)
                dh.mul_(passed)
            i, _, g, o = gate[t].split(hidden, dim=1)
            # dc += dh * o * (1 - tanh_c^2)
            torch.mul(tanh_c[t], tanh_c[t], out=small).neg_().add_(1.0).mul_(o)
            dc.addcmul_(dh, small)
            torch.mul(dc, g, out=d_gate[:, i_])
            torch.mul(dc, i, out=d_gate[:, g_])
            torch.mul(dh, tanh_c[t], out=d_gate[:, o_])
            if t:
                torch.mul(dc, c[t - 1], out=d_gate[:, f_])
            else:
                d_gate[:, f_].zero_()
            for total, signs in zip(gate_sums, gates.signs if gates else (), strict=True):
                total.addcmul_(_look_up(signs, gate_index[t], looked).view_as(d_gate), d_gate)
            if gates:
                _look_up(gates.slopes, gate_index[t], slope)
            else:
                torch.mul(gate[t], gate[t], out=slope)
                torch.sub(gate[t], slope, out=slope)
                torch.mul(g, g, out=slope[:, g_]).neg_().add_(1.0)
            torch.mul(d_gate, slope, out=dz[t])
        dwh = dz[1:].reshape(-1, 4 * hidden).t() @ h[:-1].reshape(-1, hidden)
        wanted = gates and ctx.needs_input_grad[2]
        gate_grad = gates.scale_gradient(torch.stack([s.sum(0) for s in gate_sums])) if wanted else None
        h_grad = outputs.scale_gradient(torch.stack([s.sum(0) for s in h_sums]))[0] if outputs else None
        return dz, dwh, gate_grad, h_grad, None


def recurrence(zx, wh, *, gate_scales=None, h_scales=None, gates=None, outputs=None, cell=None, cell_limit=16.0):
    """h of every step, and c without a gradient, from the x part of the pre-activations.

    Parameters
    ----------
    zx : tensor [steps, batch, 4 * hidden]
        x part with the bias, gates in the order i f g o.
    wh : tensor [4 * hidden, hidden]
        Recurrent weights, quantized already if they are to be.
    gate_scales, h_scales : tensor [4, levels], [levels]
        Get the gradients of the scales in `gates` and `outputs`; None where gates have no levels.
    gates, outputs : Staircase or None
        Quantizers of the gates (from z) and of h (from o * tanh(c)); None leaves them as they are.
    cell : Fixed or None
        Format to which c is rounded; None leaves c in floating point, saturated at +-cell_limit.

    Returns
    -------
    (h, c), each [steps, batch, hidden]
    """
    settings = _Settings(gates, outputs, cell, cell_limit)
    return _Recurrence.apply(zx, wh, gate_scales, h_scales, settings)

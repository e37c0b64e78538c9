"""One LSTM layer through a whole window as a single autograd function, quantized or not.

The loop over the steps holds only what depends on the step before, in whole-batch operations that stay in the cache. The
quantized forward pass looks gates and h up in the golden model's integer staircases; the backward pass looks the slopes
up under the same index. Gradients pass the staircases straight through. Where gates and h are quantized, on a CPU, `fused`
does the same in fewer passes.
"""

from dataclasses import dataclass
from functools import cached_property

import torch

from ..fixed import Fixed
from .fused import FusedRecurrence, fits

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
        self.rows, self.gain, self.low = rows, float(1 << fraction), low
        first = torch.arange(rows, dtype=torch.float32, device=values.device).mul_(entries).repeat_interleave(width)
        self.first, self.last, self.zero = first, first + (entries - 1), first + (0.5 - low)

    @cached_property
    def pairs(self):
        """(value, slope) of every entry, [rows, entries, 2]: side by side, as a backward pass reads both."""
        return torch.stack([self.values, self.slopes], dim=1).view(self.rows, -1, 2)

    def index(self, v, *, scratch, out):
        """Position in the flat tables of every element of v [batch, rows * width], into int32 `out`."""
        torch.add(self.zero, v, alpha=self.gain, out=scratch).clamp_(self.first, self.last)
        return out.copy_(scratch)  # positive, so the conversion's truncation is a floor

    def scale_gradient(self, index, gradient):
        """[rows, levels]: sums of gradient * sign, from what the entries of the tables got in all."""
        entries = len(self.values)
        got = torch.bincount(index.reshape(-1), weights=gradient.reshape(-1), minlength=entries)
        return self.sums(got.view(self.rows, -1))

    def sums(self, got):
        """[rows, levels]: sums of gradient * sign, from what the entries [rows, entries] of the tables got."""
        return torch.stack([(got * signs.view(self.rows, -1)).sum(1) for signs in self.signs], dim=1).float()


class _Views:
    """Every step of a tensor [steps, batch, 4 * hidden], whole and gate by gate."""

    def __init__(self, tensor):
        self.whole = tensor.unbind(0)
        self.gates = list(zip(*(part.unbind(0) for part in tensor.chunk(4, dim=2)), strict=True))


def _look_up(table, index, out):
    return torch.index_select(table, 0, index.view(-1), out=out.view(-1))


@dataclass(frozen=True)
class _Settings:
    gates: Staircase | None
    outputs: Staircase | None
    cell: Fixed | None
    cell_limit: float
    limits_gradient: bool


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
        # Views of every step at once: taken one by one they cost as much as the smaller operations.
        views = [_Views(gate), c.unbind(0), tanh_c.unbind(0), h.unbind(0), zx.unbind(0)]
        by_gate, c_of, tanh_of, h_of, zx_of = views
        gate_index_of, h_index_of = gate_index.unbind(0) if gates else None, h_index.unbind(0) if outputs else None
        z_g = z[:, 2 * hidden : 3 * hidden]
        for t in range(steps):
            now, tanh_now, h_now, whole = c_of[t], tanh_of[t], h_of[t], by_gate.whole[t]
            i, f, g, o = by_gate.gates[t]
            if t:
                torch.addmm(zx_of[t], h_of[t - 1], wht, out=z)
            else:
                z.copy_(zx_of[0])
            if gates:
                _look_up(gates.values, gates.index(z, scratch=scratch, out=gate_index_of[t]), whole)
            else:
                torch.sigmoid(z, out=whole)
                torch.tanh(z_g, out=g)
            torch.mul(i, g, out=now)
            if t:
                now.addcmul_(f, c_of[t - 1])
            if cell:
                one = 1 << cell.fraction
                now.mul_(one).add_(0.5).floor_().clamp_(cell.low, cell.high).div_(one)
            else:
                now.clamp_(-settings.cell_limit, settings.cell_limit)
            torch.tanh(now, out=tanh_now)
            torch.mul(o, tanh_now, out=h_now)
            if outputs:
                _look_up(outputs.values, outputs.index(h_now, scratch=small, out=h_index_of[t]), h_now)
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
        dc, small = (torch.empty_like(c[0]) for _ in range(2))
        slope = torch.empty_like(gate[0])
        g_ = slice(2 * hidden, 3 * hidden)
        # What a scale's gradient is made of is kept, and summed at the end over all steps at once.
        d_gates, d_hs = (torch.empty_like(gate) if gates else dz), torch.empty_like(c)
        by_gate, of_d, c_of, tanh_of, grad_of = _Views(gate), _Views(d_gates), c.unbind(0), tanh_c.unbind(0), grad_h.unbind(0)
        dz_of, d_h_of = dz.unbind(0), d_hs.unbind(0)
        gate_index_of, h_index_of = gate_index.unbind(0) if gates else None, h_index.unbind(0) if outputs else None
        through = torch.empty_like(c[0])
        limit = float(grad_h.abs().max()) if ctx.settings.limits_gradient else None
        for t in range(steps - 1, -1, -1):
            dh, d_whole, tanh_now = d_h_of[t], of_d.whole[t], tanh_of[t]
            if t < steps - 1:
                torch.addmm(grad_of[t], dz_of[t + 1], wh, out=dh)
                dc.mul_(by_gate.gates[t + 1][1])
            else:
                dh.copy_(grad_of[t])
                dc.zero_()
            if limit is not None:
                dh.clamp_(-limit, limit)
            if outputs:
                torch.mul(_look_up(outputs.slopes, h_index_of[t], small).view_as(dh), dh, out=through)
            else:
                through = dh
            i, _, g, o = by_gate.gates[t]
            d_i, d_f, d_g, d_o = of_d.gates[t]
            # dc += dh * o * (1 - tanh_c^2)
            torch.mul(tanh_now, tanh_now, out=small).neg_().add_(1.0).mul_(o)
            dc.addcmul_(through, small)
            torch.mul(dc, g, out=d_i)
            torch.mul(dc, i, out=d_g)
            torch.mul(through, tanh_now, out=d_o)
            if t:
                torch.mul(dc, c_of[t - 1], out=d_f)
            else:
                d_f.zero_()
            if gates:
                _look_up(gates.slopes, gate_index_of[t], slope)
            else:
                now = by_gate.whole[t]
                torch.mul(now, now, out=slope)
                torch.sub(now, slope, out=slope)
                torch.mul(g, g, out=slope[:, g_]).neg_().add_(1.0)
            torch.mul(d_whole, slope, out=dz_of[t])
        dwh = dz[1:].reshape(-1, 4 * hidden).t() @ h[:-1].reshape(-1, hidden)
        gate_grad = gates.scale_gradient(gate_index, d_gates) if gates and ctx.needs_input_grad[2] else None
        h_grad = outputs.scale_gradient(h_index, d_hs)[0] if outputs else None
        return dz, dwh, gate_grad, h_grad, None


def recurrence(zx, wh, *, gate_scales=None, h_scales=None, gates=None, outputs=None, cell=None, cell_limit=16.0,
               limits_gradient=False):  # fmt: skip
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
    limits_gradient : bool
        Whether the gradient of h in a step, with what comes from the steps behind it, is held within the greatest one of the
        batch that comes to an h from outside.

    Returns
    -------
    (h, c), each [steps, batch, hidden]
    """
    if fits(zx, gates):
        return FusedRecurrence.apply(zx, wh, gate_scales, h_scales, gates, outputs, cell, cell_limit, limits_gradient)
    settings = _Settings(gates, outputs, cell, cell_limit, limits_gradient)
    return _Recurrence.apply(zx, wh, gate_scales, h_scales, settings)

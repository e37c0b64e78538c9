"""The quantized recurrence of a whole window as two machine-code loops, one forward and one backward.

The same arithmetic as `recurrence`'s loop of torch operations, whose every operation is a call and a pass over memory; here
a step of a part of the batch stays in the cache between its matrix product and its last look-up. Every thread takes a part
of the batch through all steps, so threads never wait for each other.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numba
import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  what numba calls; loaded here, so that its threads can be limited
import torch
from threadpoolctl import ThreadpoolController

__all__ = ["FusedRecurrence", "fits"]

NOTHING = np.empty(0, np.float32)
FEWEST = 8
"""Windows of a thread, at least: fewer aren't worth one."""
MATHS = {"contract", "reassoc", "nsz"}
"""Not `nnan`: a NaN must find a place in the tables, and be reported by whom it concerns."""


def fits(zx, gates):
    """Whether FusedRecurrence takes this: gates quantized, float32, on a CPU."""
    return bool(gates and zx.device.type == "cpu" and zx.dtype == torch.float32)


@numba.njit(inline="always", fastmath=MATHS)
def _tanh(v):
    """tanh of a float32 to 2e-7, without a call, so that a loop of it takes several numbers at a time.

    Lambert's continued fraction of tanh(v / 2), seven deep, then that of twice the angle.
    """
    half = np.float32(0.5) * min(max(v, np.float32(-9)), np.float32(9))
    w = half * half
    over = half * (np.float32(135135) + w * (np.float32(17325) + w * (np.float32(378) + w)))
    part = over / (np.float32(135135) + w * (np.float32(62370) + w * (np.float32(3150) + w * np.float32(28))))
    return np.float32(2) * part / (np.float32(1) + part * part)


@numba.njit(nogil=True, cache=True, fastmath=MATHS)
def _forward(zx, wht, gate_values, gate_gain, gate_low, cell, h_values, h_gain, h_low, state, places, first, last):
    """Windows `first` to `last` through all steps. No `h_values`: h is not quantized.

    `cell` is (whether c has a format, its 1.0, its least and greatest value in units of its last place or 1.0); `state` is
    (c, tanh_c, h) and `places` (of the gates, of h) to be filled.
    """
    c, tanh_c, h = state
    gate_index, h_index = places
    steps, _, units = c.shape
    rounds, one, c_low, c_high = cell
    top, h_top, h_quantized = gate_values.shape[1] - 1, h_values.shape[0] - 1, len(h_values) > 0
    z = np.zeros((last - first, 4 * units), np.float32)
    gate_half, h_half = np.float32(0.5 - gate_low), np.float32(0.5 - h_low)
    for t in range(steps):
        if t:
            np.dot(h[t - 1, first:last], wht, z)
        for b in range(first, last):
            row, x_part, index = z[b - first], zx[t, b], gate_index[t, b]
            for k in range(4 * units):
                place = gate_half + (row[k] + x_part[k]) * gate_gain
                place = place if place >= 0 else np.float32(0)  # NaN too
                index[k] = np.uint16(min(place, np.float32(top)))
            for k in range(units):
                i, f = gate_values[0, index[k]], gate_values[1, index[units + k]]
                now = i * gate_values[2, index[2 * units + k]]
                if t:
                    now += f * c[t - 1, b, k]
                if rounds:
                    now = np.floor(now * one + np.float32(0.5))
                now = min(max(now, c_low), c_high)
                if rounds:
                    now /= one
                c[t, b, k] = now
            for k in range(units):
                tanh_c[t, b, k] = _tanh(c[t, b, k])
            for k in range(units):
                o = gate_values[3, index[3 * units + k]]
                if not h_quantized:
                    h[t, b, k] = o * tanh_c[t, b, k]
                    continue
                place = h_half + o * tanh_c[t, b, k] * h_gain
                place = place if place >= 0 else np.float32(0)
                h_index[t, b, k] = np.uint16(min(place, np.float32(h_top)))
                h[t, b, k] = h_values[h_index[t, b, k]]


@numba.njit(nogil=True, cache=True, fastmath=MATHS)
def _backward(grad_h, limit, wh, gates, h_slopes, state, places, dz, got, h_got, first, last):
    """Windows `first` to `last` back through all steps: fills dz, and adds to what the entries of the tables got.

    `gates` is [4, entries, (value, slope)]; `limit` that of dh, or 0 for none; no entry in `got` or `h_got` where
    nobody wants to know.
    """
    c, tanh_c = state
    gate_index, h_index = places
    steps, _, units = c.shape
    wanted, h_quantized = got.shape[1] > 0, len(h_slopes) > 0
    dh = np.zeros((last - first, units), np.float32)
    dc = np.zeros((last - first, units), np.float32)
    for t in range(steps - 1, -1, -1):
        if t < steps - 1:
            np.dot(dz[t + 1, first:last], wh, dh)
        for b in range(first, last):
            index, out = gate_index[t, b], dz[t, b]
            for k in range(units):
                i_at, f_at, g_at, o_at = index[k], index[units + k], index[2 * units + k], index[3 * units + k]
                i, f, g, o = gates[0, i_at], gates[1, f_at], gates[2, g_at], gates[3, o_at]
                d, tanh_now = grad_h[t, b, k] + dh[b - first, k], tanh_c[t, b, k]
                if limit > 0:
                    d = min(max(d, -limit), limit)
                through = d
                if h_quantized:
                    h_at = h_index[t, b, k]
                    h_got[h_at] += d
                    through = d * h_slopes[h_at]
                dc_now = dc[b - first, k] + through * o[0] * (1 - tanh_now * tanh_now)
                d_i, d_g, d_o = dc_now * g[0], dc_now * i[0], through * tanh_now
                d_f = dc_now * c[t - 1, b, k] if t else np.float32(0)
                dc[b - first, k] = dc_now * f[0]
                if wanted:
                    got[0, i_at] += d_i
                    got[1, f_at] += d_f
                    got[2, g_at] += d_g
                    got[3, o_at] += d_o
                out[k], out[units + k] = d_i * i[1], d_f * f[1]
                out[2 * units + k], out[3 * units + k] = d_g * g[1], d_o * o[1]


def _in_parts(function, batch, *arguments):
    """function(part, *arguments, first, last) for parts of a batch, one a thread of torch."""
    parts = max(1, min(torch.get_num_threads(), batch // FEWEST))
    borders = [batch * k // parts for k in range(parts + 1)]
    with _blas().limit(limits=1):
        if parts == 1:
            function(0, *arguments, 0, batch)
        else:
            jobs = [_pool(parts).submit(function, k, *arguments, *borders[k : k + 2]) for k in range(parts)]
            for job in jobs:
                job.result()


@cache
def _pool(threads):
    return ThreadPoolExecutor(threads, thread_name_prefix="mubinn-recurrence")


@cache
def _blas():
    """The matrix products of numba: small, so a thread each."""
    return ThreadpoolController().select(internal_api="openblas")


class FusedRecurrence(torch.autograd.Function):
    """Arguments and results are those of `recurrence`, for what `fits`."""

    @staticmethod
    def forward(ctx, zx, wh, gate_scales, h_scales, gates, outputs, cell, cell_limit, limits_gradient):
        steps, batch, width = zx.shape
        ctx.limits_gradient = limits_gradient
        units = width // 4
        x_part, wht = zx.detach().contiguous().numpy(), wh.detach().t().contiguous().numpy()
        c, tanh_c, h = (np.empty((steps, batch, units), np.float32) for _ in range(3))
        places = np.empty(zx.shape, np.uint16), np.empty(c.shape if outputs else (0, 0, 0), np.uint16)
        rounding = (True, 1 << cell.fraction, cell.low, cell.high) if cell else (False, 1, -cell_limit, cell_limit)
        rounding = (rounding[0], *map(np.float32, rounding[1:]))
        tables = gates.values.view(gates.rows, -1).numpy(), np.float32(gates.gain), gates.low, rounding
        tables += (outputs.values.numpy(), np.float32(outputs.gain), outputs.low) if outputs else (NOTHING, np.float32(0), 0)

        def part(_, *limits):
            _forward(x_part, wht, *tables, (c, tanh_c, h), places, *limits)

        _in_parts(part, batch)
        ctx.arrays, ctx.quantizers = (c, tanh_c, h, places), (gates, outputs)
        ctx.save_for_backward(wh)
        h, c = torch.from_numpy(h), torch.from_numpy(c)
        ctx.mark_non_differentiable(c)
        return h, c

    @staticmethod
    def backward(ctx, grad_h, _):
        (c, tanh_c, h, places), (gates, outputs), (wh,) = ctx.arrays, ctx.quantizers, ctx.saved_tensors
        batch, units = c.shape[1:]
        dz = np.empty((*c.shape[:2], 4 * units), np.float32)
        pairs = gates.pairs.numpy()
        limit = np.float32(grad_h.abs().max() if ctx.limits_gradient else 0)
        grad, weights = grad_h.contiguous().numpy(), wh.detach().contiguous().numpy()
        threads = torch.get_num_threads()
        wanted = ctx.needs_input_grad[2]
        slopes = outputs.slopes.numpy() if outputs else NOTHING
        got, h_got = np.zeros((threads, 4, pairs.shape[1] if wanted else 0)), np.zeros((threads, len(slopes)))

        def part(k, *limits):
            _backward(grad, limit, weights, pairs, slopes, (c, tanh_c), places, dz, got[k], h_got[k], *limits)

        _in_parts(part, batch)
        dz, h = torch.from_numpy(dz), torch.from_numpy(h)
        dwh = dz[1:].reshape(-1, 4 * units).t() @ h[:-1].reshape(-1, units)
        gate_grad = gates.sums(torch.from_numpy(got.sum(0))) if wanted else None
        h_grad = outputs.sums(torch.from_numpy(h_got.sum(0, keepdims=True)))[0] if outputs else None
        return dz, dwh, gate_grad, h_grad, None, None, None, None, None

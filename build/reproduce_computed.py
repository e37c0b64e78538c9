"""What `mubinn reproduce` computes without training: memory of all levels, and what rounding does to gradients."""

import numpy as np

__all__ = ["gate_values", "gradient_shares", "memory", "memory_text"]

LEVELS = (1, 2, 3, 4, 5)
SCALE_BITS, FLOAT_BITS = 16, 32
STEPS = (0.5, 0.25, 0.125, 0.0625, 0.03125)
"""r of Round & Clip, c = 1, in the gradient argument."""


def memory(input_size=32, hidden_size=100):
    """Bits of an LSTM layer's weights and biases, and of what it keeps of a step (x, h, c), for every (A, W): a list of dicts.

    Scales count SCALE_BITS each: one set a gate for wx, wh and the bias, one for x, h and c. Full precision has FLOAT_BITS a
    number.
    """
    weights, state = 4 * hidden_size * (input_size + hidden_size + 1), input_size + 2 * hidden_size
    whole = (weights + state) * FLOAT_BITS
    rows = []
    for activation in (*LEVELS, None):
        for weight in (*LEVELS, None):
            of_weights = weights * FLOAT_BITS if weight is None else weights * weight + 12 * weight * SCALE_BITS
            of_state = state * FLOAT_BITS if activation is None else state * activation + 3 * activation * SCALE_BITS
            total = of_weights + of_state
            rows.append({"activation_levels": activation, "weight_levels": weight, "weight_bits": of_weights,
                         "state_bits": of_state, "bits": total, "times_less": whole / total})  # fmt: skip
    return rows


def memory_text(rows):
    """How many times less than full precision, activation levels downwards, weight levels across."""
    names = [*map(str, LEVELS), "fp"]
    lines = ["activations \\ weights " + "".join(f"{name:>9}" for name in names)]
    for k, name in enumerate(names):
        own = rows[k * len(names) : (k + 1) * len(names)]
        lines.append(f"{name:21} " + "".join(f"{row['times_less']:9.2f}" for row in own))
    return "\n".join(lines)


def gate_values(weights, x):
    """Values of the gates {"i", "f", "o"} of a float model on windows x [windows, steps, input_size], flat."""
    import torch

    gates, _ = _trace(weights, torch.from_numpy(np.asarray(x, dtype=np.float64)))
    return {name: gates[name].detach().numpy().ravel() for name in ("i", "f", "o")}


def gradient_shares(weights, x, y):
    """Eq. 10-12 of Quantization Loss Re-Learning, computed: for each r of STEPS the norms of both terms of Eq. 12.

    Returns
    -------
    list of dict: `r`; `mean_delta`, mean |f - rounded f|; `first` and `second`, norms of the terms as shares of the gradient's;
    `eq11_error`, greatest |left - right| of Eq. 11; `eq12_error`, norm of (first + second - autograd's gradient) over its own.
    """
    import torch

    x = torch.from_numpy(np.asarray(x, dtype=np.float64))
    gates, wh = _trace(weights, x, keep=True)
    head, bias = (torch.from_numpy(np.asarray(part, dtype=np.float64)) for part in (weights.head_weight, weights.head_bias))
    h = torch.stack(gates["h_steps"])
    pooled = h.mean(0) if weights.pool == "mean" else h[-1]
    loss = torch.nn.functional.cross_entropy(pooled @ head.t() + bias, torch.from_numpy(np.asarray(y)))
    loss.backward()
    units = weights.hidden_size
    autograd = wh.grad[units : 2 * units]
    delta_c = torch.stack([c.grad for c in gates["c_steps"]])[1:]
    f, c, h = (torch.stack(gates[name]).detach() for name in ("f_steps", "c_steps", "h_steps"))
    f, c, h = f[1:], c[:-1], h[:-1]

    def term(factor):
        return torch.einsum("tbu,tbv->uv", delta_c * c * factor, h)

    rows = []
    for r in STEPS:
        rounded = torch.clamp(torch.floor(f / r + 0.5) * r, 0, 1)
        delta = f - rounded
        left, right = f * (1 - f), rounded * (1 - rounded) + delta * (1 - 2 * rounded - delta)
        first, second = term(rounded * (1 - rounded)), term(delta * (1 - 2 * rounded - delta))
        norm = float(autograd.norm())
        rows.append({
            "r": r,
            "mean_delta": float(delta.abs().mean()),
            "first": float(first.norm()) / norm,
            "second": float(second.norm()) / norm,
            "eq11_error": float((left - right).abs().max()),
            "eq12_error": float((first + second - autograd).norm()) / norm,
        })  # fmt: skip
    return rows


def _trace(weights, x, *, keep=False):
    """(gates of every step, wh) in float64; with `keep` gradients reach c and wh."""
    import torch

    wx, wh, bias = (
        torch.from_numpy(np.asarray(part, dtype=np.float64)) for part in (weights.weight_ih, weights.weight_hh, weights.bias)
    )
    wh.requires_grad_(keep)
    h = c = torch.zeros(len(x), weights.hidden_size, dtype=torch.float64)
    steps = {name: [] for name in ("i", "f", "o", "c", "h")}
    for now in x.unbind(1):
        i, f, g, o = (now @ wx.t() + h @ wh.t() + bias).chunk(4, dim=1)
        i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
        c = f * c + i * g
        if keep:
            c.retain_grad()
        h = o * torch.tanh(c)
        for name, value in (("i", i), ("f", f), ("o", o), ("c", c), ("h", h)):
            steps[name].append(value)
    found = {name: torch.stack(steps[name]) for name in ("i", "f", "o")}
    return found | {f"{name}_steps": values for name, values in steps.items()}, wh

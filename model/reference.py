"""The judge in float64, written from Eq. 1-6 of MuBiNN. It shares no code with the golden model and imports none of it.

Gates stand in PyTorch's order i, f, g (the paper's a), o:

    i = sigma(Wx_i x + Wh_i h + b_i)      f, o alike      g = tanh(Wx_g x + Wh_g h + b_g)
    c = f * c + i * g                     h = o * tanh(c)

`run` is the full-precision network; `quantized_step` is one step of the binarized one without any rounding.
"""

from dataclasses import dataclass, fields

import numpy as np

__all__ = ["FloatWeights", "hidden", "mlb", "quantized_step", "run"]


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatWeights:
    """Full-precision LSTM with its dense head. Held in float32, as trained and stored; computed with in float64.

    Parameters
    ----------
    weight_ih : [4 * hidden_size, input_size], rows of gate i first, then f, g, o
    weight_hh : [4 * hidden_size, hidden_size]
    bias : [4 * hidden_size], PyTorch's two biases added
    head_weight, head_bias : [classes, hidden_size] and [classes], or both None for no head
    pool : "mean" over the steps of a window, or "last"

    Raises ValueError for a wrong shape, a value that is not finite, and an unknown pool.
    """

    weight_ih: np.ndarray
    weight_hh: np.ndarray
    bias: np.ndarray
    head_weight: np.ndarray | None = None
    head_bias: np.ndarray | None = None
    pool: str = "mean"

    def __post_init__(self):
        if self.pool not in ("mean", "last"):
            raise ValueError(f"pool must be mean or last, not {self.pool!r}")
        shape_ih, rows = np.shape(self.weight_ih), np.shape(self.weight_hh)[:1]
        if len(shape_ih) != 2 or shape_ih[0] % 4 or 0 in shape_ih:
            raise ValueError(f"weight_ih must have shape [4 * hidden_size, input_size], not {list(shape_ih)}")
        rows, units = shape_ih[0], shape_ih[0] // 4
        expected = {"weight_ih": shape_ih, "weight_hh": (rows, units), "bias": (rows,)}
        if (self.head_weight is None) != (self.head_bias is None):
            raise ValueError("head_weight and head_bias must both be there, or neither")
        if self.head_weight is not None:
            classes = len(np.atleast_1d(self.head_bias))
            expected |= {"head_weight": (classes, units), "head_bias": (classes,)}
        for name, shape in expected.items():
            array = np.array(getattr(self, name))
            if array.dtype.kind != "f":
                raise ValueError(f"{name} must be float, not {array.dtype}")
            if array.shape != shape or 0 in shape:
                raise ValueError(f"{name} must have shape {list(shape)}, not {list(array.shape)}")
            with np.errstate(over="ignore"):  # found by the next check
                array = array.astype(np.float32)
            if not np.isfinite(array).all():
                raise ValueError(f"{name} must be finite in float32")
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def input_size(self):
        return self.weight_ih.shape[1]

    @property
    def hidden_size(self):
        return self.weight_hh.shape[1]

    @property
    def classes(self):
        """Outputs of the head, 0 without one."""
        return 0 if self.head_bias is None else len(self.head_bias)

    def tensors(self):
        """{name: float32 array} of the tensors this network has."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "pool"}
        return {name: value for name, value in values.items() if value is not None}


def _sigma(v):
    return 0.5 * (1.0 + np.tanh(0.5 * v))  # the same function, and no overflow at either end


def _steps(weights, x):
    """h [N, hidden_size] after each step of x [N, T, input_size]."""
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 3 or x.shape[2] != weights.input_size or not x.shape[1]:
        raise ValueError(f"x must be [windows, steps, input_size] with input_size {weights.input_size}, "
                         f"not {list(x.shape)}")  # fmt: skip
    if not np.isfinite(x).all():
        raise ValueError("x must be finite")
    w_x, w_h = weights.weight_ih.astype(np.float64).T, weights.weight_hh.astype(np.float64).T
    b = weights.bias.astype(np.float64)
    h = c = np.zeros((len(x), weights.hidden_size))
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ w_x + h @ w_h + b, 4, axis=1)
        c = _sigma(f) * c + _sigma(i) * np.tanh(g)
        h = _sigma(o) * np.tanh(c)
        yield h


def hidden(weights, x):
    """h of every step, float64 [N, T, hidden_size], for normalised samples x [N, T, input_size]."""
    return np.stack(list(_steps(weights, x)), axis=1)


def run(weights, x):
    """Scores of the head, float64 [N, classes], for normalised samples x [N, T, input_size].

    Raises ValueError for a wrong shape, a sample that is not finite, and a network without head.
    """
    if not weights.classes:
        raise ValueError("these weights have no head")
    total, h = 0.0, None
    for count, h in enumerate(_steps(weights, x), start=1):  # noqa: B007
        total = total + h
    pooled = total / count if weights.pool == "mean" else h
    return pooled @ weights.head_weight.astype(np.float64).T + weights.head_bias.astype(np.float64)


def mlb(value, scales, offset=0.0):
    """Algorithm 1 in floats.

    Returns
    -------
    (code, decoded, margin)
        The signs (plane 0 in bit 0), the value they stand for, and the least residual in magnitude before a sign was
        taken: another number closer to `value` than its margin has the same code.
    """
    residual = np.asarray(value, dtype=np.float64) - offset
    code, decoded = np.zeros(residual.shape, dtype=np.int64), np.full(residual.shape, float(offset))
    margin = np.full(residual.shape, np.inf)
    for i, scale in enumerate(scales):
        margin = np.minimum(margin, np.abs(residual))
        s = np.where(residual >= 0, 1.0, -1.0)
        code = code + (s > 0) * 2**i
        decoded = decoded + s * scale
        residual = residual - s * scale
    return code, decoded, margin


def _decoded(code, scales, offset=0.0):
    bits = (np.asarray(code)[..., None] // 2 ** np.arange(len(scales))) % 2
    return offset + (np.asarray(scales) * (2.0 * bits - 1.0)).sum(-1)


def _gate(kind, value, scales, offset, *, one):
    """(code, decoded, margin) of a gate's value: as `mlb` says, or of its kind."""
    if kind == "levels":
        return mlb(value, scales, offset)
    halves = kind == "ternary"
    unit = 2.0 if halves else one
    code = np.floor(value * unit + 0.5)
    # From one code to the next the value goes through a middle; nothing rounds to less than 0 halves or more than 2.
    nearest = np.minimum(abs(value - 0.25), abs(value - 0.75)) if halves else abs((value * unit) % 1 - 0.5) / unit
    return code.astype(np.int64), code / unit, nearest


def _gate_value(kind, code, scales, offset, *, one):
    """Number that a code of the golden model stands for."""
    code = np.asarray(code).astype(np.int64)
    if kind == "levels":
        return _decoded(code, scales, offset)
    if kind == "ternary":
        return code / 2.0
    # Two's complement of as many bits as -1 to 1 need.
    top = 2 * int(one)
    return np.where(code >= top, code - 2 * top, code) / one


def quantized_step(parameters, x, h_code=None, c=None, *, given=None):
    """One step of the binarized LSTM with exact sigma and tanh and nothing rounded or saturated, in real numbers.

    Parameters
    ----------
    parameters : Parameters
        Codes, integer scales and head; only its tensors and its spec's sizes, levels and binary points are read.
    x : integer array [N, input_size]
        Samples in the format of the spec.
    h_code, c : integer arrays [N, hidden_size], or None at a window's start
        The golden model's state, c at its binary point.
    given : dict or None
        The golden step's "gate_code" and "c" to go on from, in place of the own ones, so that each stage is judged
        alone: a code that flips near its threshold then spoils nothing behind it.

    Returns
    -------
    dict of float64 arrays, units of 1.0: z and gate [N, 4, hidden_size] (before encoding), c (before encoding), tanh_c
    and h_raw [N, hidden_size]; the codes x_code, gate_code, c_code (None for a fixed-point c) and h_code; h (decoded);
    and the margins of the codes under x_margin, gate_margin, c_margin and h_margin.
    """
    p, spec, given = parameters, parameters.spec, given or {}
    units, one_x, one_h = spec.hidden_size, 2.0**spec.x.fraction, 2.0**spec.h_fraction
    one_a, one_c, n = 2.0**spec.activation_fraction, 2.0**spec.cell.fraction, len(x)
    out = {}
    out["x_code"], x_value, out["x_margin"] = mlb(np.asarray(x) / one_x, p.x_scales / one_x)
    z = np.zeros((n, 4, units))
    for gate in range(4):
        rows = slice(gate * units, (gate + 1) * units)
        z[:, gate] = x_value @ _decoded(p.wx_codes[rows], p.wx_scales[gate] / 2.0**spec.wx_fraction).T
        if h_code is not None:
            h_value = _decoded(h_code, p.h_scales / one_h)
            z[:, gate] += h_value @ _decoded(p.wh_codes[rows], p.wh_scales[gate] / 2.0**spec.wh_fraction).T
        z[:, gate] += _decoded(p.bias_codes[rows], p.bias_scales[gate] / 2.0**spec.bias_fraction)
    out["z"] = z
    out["gate"] = np.stack([_sigma(z[:, 0]), _sigma(z[:, 1]), np.tanh(z[:, 2]), _sigma(z[:, 3])], axis=1)
    offsets = (0.5, 0.5, 0.0, 0.5)
    encoded = [_gate(spec.gate_kinds[k], out["gate"][:, k], p.gate_scales[k] / one_a, offsets[k], one=one_a) for k in range(4)]
    out["gate_code"], out["gate_margin"] = (np.stack([e[k] for e in encoded], axis=1) for k in (0, 2))
    codes = given.get("gate_code", out["gate_code"])
    i, f, g, o = (
        _gate_value(spec.gate_kinds[k], codes[:, k], p.gate_scales[k] / one_a, offsets[k], one=one_a) for k in range(4)
    )
    out["c"] = i * g if c is None else f * (np.asarray(c) / one_c) + i * g
    out["c_code"], value, out["c_margin"] = None, out["c"], np.full(out["c"].shape, np.inf)
    if spec.cell_levels:
        out["c_code"], value, out["c_margin"] = mlb(out["c"], p.cell_scales / one_c)
    if "c" in given:
        value = np.asarray(given["c"]) / one_c
    out["tanh_c"] = np.tanh(value)
    out["h_raw"] = o * out["tanh_c"]
    out["h_code"], out["h"], out["h_margin"] = mlb(out["h_raw"], p.h_scales / one_h)
    return out

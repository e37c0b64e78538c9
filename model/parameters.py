"""The numbers of one trained LSTM: codes, integer scales, integer head. Checked against the spec once."""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from .binarize import codebook
from .gates import gate_formats
from .spec import GATES, LstmSpec

__all__ = ["ParameterError", "Parameters", "tensor_shapes"]

SCALE_LIMIT = 1 << 15
HEAD_BIAS_LIMIT = 1 << 31
COMPARED_BITS = 6
"""Codes of o and h of more bits together would take more thresholds than a table and a product are worth."""
EXACT = 1 << 53
"""The golden model's matrix products run in float64, exact below this."""


class ParameterError(ValueError):
    """A tensor has a wrong name, shape, type or range; the message says which."""


def tensor_shapes(spec):
    """Shape, and least and greatest value, of every tensor of a model with this spec: {name: (shape, low, high)}."""
    rows, weight_top = 4 * spec.hidden_size, (1 << spec.weight_levels) - 1
    shapes = {
        "x_scales": ((spec.input_levels,), 0, SCALE_LIMIT),
        "h_scales": ((spec.hidden_levels,), 0, SCALE_LIMIT),
        "gate_scales": ((4, spec.gate_levels), 0, SCALE_LIMIT),
        "wx_codes": ((rows, spec.input_size), 0, weight_top),
        "wx_scales": ((4, spec.weight_levels), 0, SCALE_LIMIT),
        "wh_codes": ((rows, spec.hidden_size), 0, weight_top),
        "wh_scales": ((4, spec.weight_levels), 0, SCALE_LIMIT),
        "bias_codes": ((rows,), 0, (1 << spec.bias_levels) - 1),
        "bias_scales": ((4, spec.bias_levels), 0, SCALE_LIMIT),
    }
    if spec.cell_kind == "peephole":
        shapes["peephole_codes"] = ((rows,), 0, (1 << spec.peephole_levels) - 1)
        shapes["peephole_scales"] = ((4, spec.peephole_levels), 0, SCALE_LIMIT)
    if spec.cell_levels:
        shapes["cell_scales"] = ((spec.cell_levels,), 0, SCALE_LIMIT)
    if spec.classes:
        top = 1 << spec.head_bits - 1
        shapes["head_weight"] = ((spec.classes, spec.hidden_size), -top, top - 1)
        shapes["head_bias"] = ((spec.classes,), -HEAD_BIAS_LIMIT, HEAD_BIAS_LIMIT - 1)
    return shapes


@dataclass(frozen=True, kw_only=True, eq=False)
class Parameters:
    """Integer tensors of a model.

    Rows of weights and biases are in PyTorch's order: all units of gate i, then f, g, o. Scales of the weights and biases
    are one set a gate. The head's bias is at the binary point of head_weight * h.

    Raises
    ------
    ParameterError
        A tensor is missing, or its shape, type or range does not fit the spec (see `tensor_shapes`).
    """

    spec: LstmSpec
    x_scales: np.ndarray
    h_scales: np.ndarray
    gate_scales: np.ndarray
    wx_codes: np.ndarray
    wx_scales: np.ndarray
    wh_codes: np.ndarray
    wh_scales: np.ndarray
    bias_codes: np.ndarray
    bias_scales: np.ndarray
    cell_scales: np.ndarray | None = None
    peephole_codes: np.ndarray | None = None
    peephole_scales: np.ndarray | None = None
    head_weight: np.ndarray | None = None
    head_bias: np.ndarray | None = None

    def __post_init__(self):
        expected = tensor_shapes(self.spec)
        for name in (f.name for f in fields(self) if f.name != "spec"):
            value = getattr(self, name)
            if name not in expected:
                if value is not None:
                    raise ParameterError(f"{name} does not belong to this spec")
                continue
            shape, low, high = expected[name]
            if value is None:
                raise ParameterError(f"{name} is missing")
            array = np.asarray(value)
            if array.dtype.kind not in "iu":
                raise ParameterError(f"{name} must be integers, not {array.dtype}")
            if array.shape != shape:
                raise ParameterError(f"{name} must have shape {list(shape)}, not {list(array.shape)}")
            if array.min() < low or array.max() > high:
                raise ParameterError(f"{name} must be {low} to {high}, not {int(array.min())} to {int(array.max())}")
            array = array.astype(np.int64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        for gate, kind, scales in zip(GATES, self.spec.gate_kinds, self.gate_scales, strict=True):
            if kind != "levels" and scales.any():
                raise ParameterError(f"gate_scales of {gate} must be 0, as it is {kind}, not {scales.tolist()}")
        if self.spec.cell_kind == "gru":
            # Its n has two rows, one of x and one of h, whose bias comes before r.
            for name, gate in (("wh_scales", 2), ("wx_scales", 3), ("gate_scales", 3)):
                if getattr(self, name)[gate].any():
                    raise ParameterError(f"{name} of row {gate} of a gru must be 0, not {getattr(self, name)[gate].tolist()}")
        if self.cell_scales is not None and self.cell_scales.sum() > self.spec.cell.high:
            raise ParameterError(
                f"cell_scales must sum to at most {self.spec.cell.high}, the greatest c, not {self.cell_scales.sum()}"
            )
        most = self._greatest_sum()
        if most >= EXACT:
            raise ParameterError(f"sums of the gates must stay below 2**53, not {most}: too fine binary points or scales")

    def _greatest_sum(self):
        """No sum of x part, h part and bias at the accumulator's binary point is greater."""
        spec = self.spec
        x = spec.input_size * int(self.x_scales.sum()) * int(self.wx_scales.sum(axis=1).max()) << spec.x_shift
        h = spec.hidden_size * int(self.h_scales.sum()) * int(self.wh_scales.sum(axis=1).max()) << spec.h_shift
        c = 0
        if spec.cell_kind == "peephole":
            c = -spec.cell.low * int(self.peephole_scales.sum(axis=1).max()) << spec.peephole_shift
        return x + h + c + (int(self.bias_scales.sum(axis=1).max()) << spec.bias_shift)

    @property
    def output_compares(self):
        """Whether h's code is found by comparing c: o is never negative, and o's code and h's make short look-ups."""
        if self.spec.cell_kind != "lstm":
            return False
        o = self.gates[GATES.index("o")]
        return o.bits + self.spec.hidden_levels <= COMPARED_BITS and bool(o.values.min() >= 0)

    @cached_property
    def gates(self):
        """Formats of the gates, in the order of GATES."""
        return gate_formats(self.spec, self.gate_scales)

    def tensors(self):
        """{name: int64 array} of the tensors this spec has."""
        return {name: getattr(self, name) for name in tensor_shapes(self.spec)}

    def _per_gate(self, codes, scales):
        """Decoded integers of rows of codes, each with the scales of its gate."""
        rows = codes.reshape(4, self.spec.hidden_size, -1)
        values = np.stack([codebook(scales[gate])[rows[gate]] for gate in range(len(GATES))])
        return values.reshape(codes.shape)

    def peepholes(self):
        """Decoded V, int64 [4, hidden_size], at `peephole_fraction`."""
        return self._per_gate(self.peephole_codes, self.peephole_scales).reshape(4, -1)

    def wx(self):
        """Decoded input weights, int64 [4 * hidden_size, input_size], at `wx_fraction`."""
        return self._per_gate(self.wx_codes, self.wx_scales)

    def wh(self):
        """Decoded recurrent weights, int64 [4 * hidden_size, hidden_size], at `wh_fraction`."""
        return self._per_gate(self.wh_codes, self.wh_scales)

    def bias(self):
        """Biases at the accumulator's binary point, int64 [4 * hidden_size]."""
        return self._per_gate(self.bias_codes, self.bias_scales) << self.spec.bias_shift

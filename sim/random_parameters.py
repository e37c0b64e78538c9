"""Seeded random parameters of any spec: scales as learned ones are, and the extremes."""

import numpy as np
from mubinn.model.parameters import Parameters, tensor_shapes

__all__ = ["random_parameters"]


def random_parameters(spec, rng, *, scales="ordered"):
    """Parameters of a spec.

    Parameters
    ----------
    spec : LstmSpec
    rng : numpy Generator
    scales : str
        ordered: as learned ones are; power_of_two: the same, those of x, h and their weights rounded down to one; wild: any;
        zero; greatest: as large as the golden model is exact with.
    """
    tensors = {}
    for name, (shape, low, high) in tensor_shapes(spec).items():
        if not name.endswith("_scales"):
            tensors[name] = rng.integers(low, high + 1, size=shape)
        elif scales in ("ordered", "power_of_two"):
            tensors[name] = _ordered(rng, shape, _reach(spec, name), high)
            if scales == "power_of_two" and name in ("x_scales", "h_scales", "wx_scales", "wh_scales"):
                tensors[name] = np.where(tensors[name] > 0, 1 << np.frexp(tensors[name])[1] - 1, 0)
        elif scales == "wild":
            top = 1 << int(rng.integers(1, high.bit_length()))
            tensors[name] = rng.integers(0, top, size=shape)
        else:
            tensors[name] = np.full(shape, 0 if scales == "zero" else high)
    for gate, kind in enumerate(spec.gate_kinds):
        if kind != "levels":
            tensors["gate_scales"][gate] = 0
    if spec.cell_kind == "gru":
        for name, gate in (("wh_scales", 2), ("wx_scales", 3), ("gate_scales", 3)):
            tensors[name][gate] = 0
    # Sums in float64 are exact below 2**53.
    while _greatest_sum(spec, tensors) >= 1 << 50:
        for name in ("x_scales", "h_scales", "wx_scales", "wh_scales", "bias_scales", "peephole_scales"):
            if name in tensors:
                tensors[name] = tensors[name] >> 1
    if spec.cell_levels:  # every decoded c must be a c
        while tensors["cell_scales"].sum() > spec.cell.high:
            tensors["cell_scales"] = tensors["cell_scales"] >> 1
    return Parameters(spec=spec, **tensors)


def _reach(spec, name):
    """About the sum of a set of learned scales."""
    column = 2.0 / np.sqrt(spec.columns)
    return {
        "x_scales": 2 << spec.x.fraction,
        "h_scales": 1 << spec.h_fraction,
        "gate_scales": spec.one / 2,
        "wx_scales": column * (1 << spec.wx_fraction),
        "wh_scales": column * (1 << spec.wh_fraction),
        "bias_scales": 1 << spec.bias_fraction,
        "cell_scales": 1 << spec.cell.fraction,
        "peephole_scales": 1 << spec.peephole_fraction,
    }[name]


def _ordered(rng, shape, reach, high):
    weights = 2.0 ** np.arange(shape[-1] - 1, -1, -1) * rng.uniform(1, 1.3, size=shape)
    found = np.floor(reach * weights / weights.sum(axis=-1, keepdims=True)).astype(np.int64)
    return np.clip(found, 0, high)


def _greatest_sum(spec, tensors):
    def part(operand, weight, columns, shift):
        return int(tensors[operand].sum()) * int(tensors[weight].sum(axis=-1).max()) * columns << shift

    bias = int(tensors["bias_scales"].sum(axis=-1).max()) << spec.bias_shift
    if spec.cell_kind == "peephole":
        bias += -spec.cell.low * int(tensors["peephole_scales"].sum(axis=-1).max()) << spec.peephole_shift
    return (
        part("x_scales", "wx_scales", spec.input_size, spec.x_shift)
        + part("h_scales", "wh_scales", spec.hidden_size, spec.h_shift)
        + bias
    )

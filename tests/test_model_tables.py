"""The integer tables on every input code of every format, and the comparators against table and encoder."""

import re

import numpy as np
import pytest
from mubinn.model.binarize import codebook, encode
from mubinn.model.fixed import Fixed, saturate, shift_half_up
from mubinn.model.gates import Gate
from mubinn.model.spec import LstmSpec
from mubinn.model.tables import Table, gate_thresholds, output_thresholds, sigma_table, tanh_table

FORMATS = [Fixed(bits=b, fraction=f) for b in (4, 8, 12, 16) for f in (0, 4, 8, 11, 14)]
FRACTIONS = (4, 10, 14)


def codes(table):
    return np.arange(table.input.low, table.input.high + 1)


def sigma(v):
    return 0.5 + 0.5 * np.tanh(0.5 * v)


@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize("q", FORMATS, ids=lambda q: f"{q.bits}.{q.fraction}")
@pytest.mark.parametrize(
    ("make", "function", "limit", "curvature", "tail"),
    [(sigma_table, sigma, 8, 0.0002, 0.00034), (tanh_table, np.tanh, 4, 0.0016, 0.0007)],
    ids=["sigma", "tanh"],
)
def test_table_is_monotone_and_within_its_worst_error(make, function, limit, curvature, tail, q, fraction):
    table = make(q, fraction)
    v = codes(table)
    y = table(v)
    assert y.dtype == np.int64 and (np.diff(y) >= 0).all()
    error, ulp = np.abs(y / 2**fraction - function(q.real(v))), 2.0**-fraction
    inside = np.abs(q.real(v)) <= limit
    assert error[inside].max() <= ulp + curvature
    assert error[~inside].max(initial=0) <= ulp / 2 + tail


def test_defaults_of_the_spec_are_better_than_one_and_a_bit():
    z, cell = Fixed(bits=12, fraction=8), Fixed(bits=16, fraction=11)
    s, t = sigma_table(z, 10), tanh_table(cell, 10)
    assert np.abs(s(codes(s)) / 1024 - sigma(z.real(codes(s)))).max() < 1.0 / 1024
    assert np.abs(t(codes(t)) / 1024 - np.tanh(cell.real(codes(t)))).max() < 2.2 / 1024


def test_interpolation_by_hand():
    table = Table(input=Fixed(bits=6, fraction=2), first=-8, segment_bits=3, knots=(0, 3, 10), fraction=4)
    # segment 0: 3 * d / 8 half up; d = 4 is 1.5 and goes up. segment 1: 3 + 7 * d / 8
    assert table([-32, -8, -7, -6, -4, -1, 0, 1, 4, 7, 8, 31]).tolist() == [0, 0, 0, 1, 2, 3, 3, 4, 7, 9, 10, 10]
    assert table.last == 8


def test_table_refuses():
    q = Fixed(bits=6, fraction=2)
    for knots, text in (((1, 2, 3, 4), "knots must be a power of two plus one, not 4"),
                        ((1,), "knots must be a power of two plus one, not 1"),
                        ((1, 3, 2), "knots must not decrease")):  # fmt: skip
        with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
            Table(input=q, first=-8, segment_bits=3, knots=knots, fraction=4)


def by_comparators(thresholds, v):
    """Code of one integer with a comparator a level, plane 0 first."""
    code = 0
    for level, row in enumerate(thresholds):
        code |= int(v >= row[code]) << level
    return code


@pytest.mark.parametrize("order", ["ordered", "any"])
@pytest.mark.parametrize("levels", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_comparators_equal_table_and_encoder(seed, levels, order):
    rng = np.random.default_rng([seed, levels])
    q = Fixed(bits=int(rng.integers(6, 13)), fraction=int(rng.integers(2, 9)))
    fraction = int(rng.integers(5, 13))
    one = 1 << fraction
    for make, offset in ((sigma_table, one // 2), (sigma_table, 0), (tanh_table, 0)):
        scales = rng.integers(0, one // 2 + 1, levels)
        if order == "ordered":
            scales = np.sort(scales)[::-1]
            for level in range(levels - 2, -1, -1):
                scales[level] = max(scales[level], scales[level + 1 :].sum())
        table = make(q, fraction)
        thresholds = gate_thresholds(table, scales, offset)
        assert [len(row) for row in thresholds] == [2**level for level in range(levels)]
        v = codes(table)
        want = encode(table(v), scales, offset)
        gate = Gate(kind="levels", table=table, scales=tuple(scales.tolist()), offset=offset)
        assert (gate.codes == want).all() and (gate.values == codebook(scales, offset)).all()
        assert [by_comparators(thresholds, value) for value in v] == want.tolist()


def test_comparators_that_never_or_always_answer():
    q = Fixed(bits=6, fraction=2)
    table = sigma_table(q, 8)
    (never,), (always,) = gate_thresholds(table, [1], 300)[0], gate_thresholds(table, [1], 0)[0]
    assert (never, always) == (q.high + 1, q.low)


@pytest.mark.parametrize("gate_levels, hidden_levels", [(1, 1), (2, 2), (3, 3), (4, 1), (1, 5)])
@pytest.mark.parametrize("cell", [Fixed(bits=12, fraction=8), Fixed(bits=8, fraction=2), Fixed(bits=9, fraction=9)], ids=str)
@pytest.mark.parametrize("seed", [1, 2])
def test_comparators_of_the_output_equal_equation_6_and_encoder(gate_levels, hidden_levels, cell, seed):
    """Every c, every code of o; h's binary point is finer than its product's rounding, or coarser than o's steps."""
    rng = np.random.default_rng([seed, gate_levels, hidden_levels])
    fraction = int(rng.integers(4, 11))
    spec = LstmSpec(
        input_size=1, hidden_size=1, gate_levels=gate_levels, hidden_levels=hidden_levels, cell=cell,
        activation_fraction=fraction, h_fraction=int(rng.integers(2, min(14, 2 * fraction) + 1)),
    )  # fmt: skip
    o_scales = rng.multinomial(rng.integers(spec.one // 2 + 1), np.ones(gate_levels) / gate_levels)
    h_scales = rng.integers(0, 1 << spec.h_fraction, hidden_levels)
    thresholds = output_thresholds(spec, codebook(o_scales, spec.one >> 1), h_scales)
    assert [len(row) for row in thresholds] == [1 << gate_levels + level for level in range(hidden_levels)]
    c = np.arange(cell.low, cell.high + 1)
    for code, value in enumerate(codebook(o_scales, spec.one >> 1)):
        raw = saturate(shift_half_up(value * spec.cell_table(c), spec.h_shift_down), spec.h_bits)
        rows = [row.reshape(-1, 1 << gate_levels)[:, code] for row in thresholds]
        assert [by_comparators(rows, v) for v in c] == encode(raw, h_scales).tolist()
    assert all(cell.low <= row.min() and row.max() <= cell.high + 1 for row in thresholds)


def test_comparators_of_the_output_need_a_positive_gate():
    spec = LstmSpec(input_size=1, hidden_size=1)
    with pytest.raises(ValueError, match=r"^o must not be negative for comparators, not -1$"):
        output_thresholds(spec, [-1, 0], [1, 1])

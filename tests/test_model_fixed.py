"""Rounding, saturation and formats, against vectors by hand and Python's exact fractions."""

import re
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mubinn.model.fixed import Fixed, round_half_up, saturate, shift_half_up, signed_bits

quick = settings(deadline=None, derandomize=True)


def test_shift_by_hand():
    values = np.array([-6, -5, -3, -2, -1, 0, 1, 2, 3, 5, 6])
    assert shift_half_up(values, 2).tolist() == [-1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 2]  # -6/4 = -1.5 goes up to -1
    assert shift_half_up(values, 0).tolist() == values.tolist()
    assert shift_half_up(-2, 2) == 0  # -1/2 goes up, where round half to even also says 0
    assert shift_half_up(2, 2) == 1  # and +1/2 goes up, where it says 0


@quick
@given(st.integers(-(2**60), 2**60), st.integers(0, 40))
def test_shift_is_half_up(value, shift):
    assert shift_half_up(value, shift) == floor(Fraction(value, 2**shift) + Fraction(1, 2))


def test_saturate_by_hand():
    assert saturate(np.array([-9, -8, -7, 0, 7, 8]), 4).tolist() == [-8, -8, -7, 0, 7, 7]
    assert saturate(np.array([2**40, -(2**40)]), 16).tolist() == [32767, -32768]


def test_round_half_up_by_hand():
    assert round_half_up([-1.5, -0.5, -0.25, 0.5, 1.5, 2.5]).tolist() == [-1, 0, 0, 1, 2, 3]
    assert round_half_up(0.5).dtype == np.int64


@quick
@given(st.integers(-(2**40), 2**40), st.integers(-(2**40), 2**40))
def test_signed_bits_is_the_least_width(a, b):
    low, high = min(a, b), max(a, b)
    bits = signed_bits(low, high)
    assert -(1 << bits - 1) <= low and high < 1 << bits - 1
    narrower = bits - 1
    assert narrower == 0 or not (-(1 << narrower - 1) <= low and high < 1 << narrower - 1)


def test_format():
    q = Fixed(bits=8, fraction=4)
    assert (q.low, q.high) == (-128, 127)
    assert q.quantize([-100.0, -8.0, 0.03125, 0.03124, 7.9375, 7.97, 100.0, np.inf, -np.inf]).tolist() == [
        -128, -128, 1, 0, 127, 127, 127, 127, -128,
    ]  # fmt: skip
    assert q.real([-128, 8]).tolist() == [-8.0, 0.5]
    assert Fixed(bits=np.int64(8), fraction=4) == q and hash(Fixed(bits=8, fraction=4)) == hash(q)


@quick
@given(st.integers(2, 32), st.integers(0, 24), st.data())
def test_integers_survive_real(bits, fraction, data):
    q = Fixed(bits=bits, fraction=fraction)
    value = data.draw(st.integers(q.low, q.high))
    assert q.quantize(q.real(value)) == value


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"bits": 1}, "bits must be 2 to 32, not 1"),
        ({"bits": 33}, "bits must be 2 to 32, not 33"),
        ({"fraction": -1}, "fraction must be 0 to 24, not -1"),
        ({"fraction": 25}, "fraction must be 0 to 24, not 25"),
    ],
)
def test_format_refuses(changes, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        Fixed(**({"bits": 8, "fraction": 4} | changes))


def test_format_refuses_floats():
    with pytest.raises(TypeError, match="float"):
        Fixed(bits=8.0, fraction=4)

"""MLB against vectors by hand, and against the nearest code found by trying all."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mubinn.model.binarize import codebook, decode, encode, ordered, signs
from mubinn.model.reference import mlb

quick = settings(deadline=None, derandomize=True)


def test_two_levels_by_hand():
    # scales 4 and 1: values -5 -3 3 5 under the codes 00 10 01 11 (plane 0 in bit 0)
    assert codebook([4, 1]).tolist() == [-5, 3, -3, 5]
    #               residual: x, then x -+ 4
    assert encode([-9, -4, -3, -1, 0, 3, 4, 5], [4, 1]).tolist() == [0, 2, 2, 2, 1, 1, 3, 3]
    assert encode([-5, -4], [4, 1]).tolist() == [0, 2]  # -4 + 4 = 0, and sign(0) = +1
    assert decode([0, 1, 2, 3], [4, 1]).tolist() == [-5, 3, -3, 5]


def test_offset_by_hand():
    # sigmoid at a binary point of 3: offset 4, scales 2 1 stand for 1 3 5 7 eighths
    assert sorted(codebook([2, 1], 4).tolist()) == [1, 3, 5, 7]
    assert encode([0, 2, 3, 4, 5, 6, 8], [2, 1], 4).tolist() == [0, 2, 2, 1, 1, 3, 3]


def test_sign_of_zero_is_plus():
    assert encode(0, [3]) == 1 and encode(-1, [3]) == 0
    assert encode(0, [0, 0]) == 3


def test_bits_are_planes():
    assert signs([0b110], 3).tolist() == [[-1, 1, 1]]
    assert encode(np.zeros((2, 3, 4)), [2, 1]).shape == (2, 3, 4)
    assert encode([1], [2, 1]).dtype == np.uint8


@st.composite
def ordered_scales(draw):
    steps = draw(st.lists(st.integers(0, 50), min_size=1, max_size=8))
    scales = []
    for step in steps:
        scales.insert(0, step + sum(scales))
    return scales


@quick
@given(ordered_scales(), st.integers(-100, 100), st.lists(st.integers(-(2**14), 2**14), min_size=1, max_size=20))
def test_ordered_scales_give_the_nearest_code(scales, offset, values):
    assert ordered(scales)
    found = decode(encode(values, scales, offset), scales, offset)
    for value, got in zip(values, found, strict=True):
        nearest = min(
            abs(value - offset - sum(s * sign for s, sign in zip(scales, choice, strict=True)))
            for choice in itertools.product((-1, 1), repeat=len(scales))
        )
        assert abs(value - got) == nearest


@quick
@given(ordered_scales())
def test_ordered_scales_decode_monotonically(scales):
    values = np.arange(-sum(scales) - 5, sum(scales) + 6)
    decoded = decode(encode(values, scales), scales)
    assert (np.diff(decoded) >= 0).all()
    assert set(decoded.tolist()) <= set(codebook(scales).tolist())


@quick
@given(st.lists(st.integers(0, 2**15), min_size=1, max_size=8), st.integers(-(2**15), 2**15), st.integers(-300, 300))
def test_any_scales_follow_algorithm_1(scales, value, offset):
    """Unordered ones too: the float judge does the same steps, exactly on these integers."""
    code, decoded, _ = mlb(value, scales, offset)
    assert encode(value, scales, offset) == code
    assert decode(encode(value, scales, offset), scales, offset) == decoded


@pytest.mark.parametrize(
    ("scales", "is_ordered"),
    [([5], True), ([4, 2, 2], True), ([4, 3, 2], False), ([1, 2], False), ([0, 0], True), ([3, -1], False)],
)
def test_ordered(scales, is_ordered):
    assert ordered(scales) is is_ordered

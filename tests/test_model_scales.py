"""The fit of scales, its projection and its rounding to integers."""

import numpy as np
import pytest
from mubinn.model.binarize import ordered
from mubinn.model.reference import mlb
from mubinn.model.scales import fit_powers_of_two, fit_scales, integer_scales, project_ordered, unit_scales


def test_unit_scales_by_hand():
    assert unit_scales(2, 0.75).tolist() == [0.5, 0.25]  # values -0.75 -0.25 0.25 0.75
    assert unit_scales(1, 0.5).tolist() == [0.5]


def test_project_by_hand():
    assert project_ordered([1, 3]).tolist() == [3, 1]
    assert project_ordered([2, 2, 2]).tolist() == [4, 2, 2]


@pytest.mark.parametrize("levels", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", [1, 2])
def test_fit_is_ordered_and_no_worse_than_even_levels(levels, seed):
    values = np.random.default_rng(seed).normal(0, 0.3, 5000)
    scales = fit_scales(values, levels)
    assert scales.shape == (levels,)
    assert all(scales[k] >= scales[k + 1 :].sum() - 1e-12 for k in range(levels))

    def error(scales):
        return np.square(values - mlb(values, scales)[1]).mean()

    assert error(scales) <= error(unit_scales(levels, np.abs(values).max()))


def test_fit_of_one_level_is_the_mean_magnitude():
    assert fit_scales([-1.0, 3.0, -2.0, 2.0], 1).tolist() == [2.0]


@pytest.mark.parametrize("bits", [4, 7, 15])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_integer_scales_are_close_ordered_and_fit(bits, seed):
    rng = np.random.default_rng(seed)
    scales = np.stack([project_ordered(rng.uniform(0, 2, 3)) for _ in range(4)])
    integers, fraction = integer_scales(scales, bits=bits)
    assert integers.dtype == np.int64 and integers.min() >= 0 and integers.max() < 1 << bits
    assert all(ordered(row) for row in integers)
    # one rounding, and at most one unit more for each later level that was rounded up
    assert np.abs(integers - scales * 2**fraction).max() <= 2
    assert integers.max() >= 1 << bits - 2  # no finer binary point would hold them


def test_powers_of_two_are_the_best_choice_of_all():
    assert fit_powers_of_two([0.9, -1.1, 1.0], 1, range(2, -4, -1)).tolist() == [1.0]
    assert fit_powers_of_two([3.0, -1.0, 1.0, -3.0], 2, range(3, -4, -1)).tolist() == [2.0, 1.0]
    # A wide gap is worth more than neighbours where the values come in two narrow groups.
    assert fit_powers_of_two([1.1, 0.9, -1.1, -0.9], 2, range(1, -5, -1)).tolist() == [1.0, 0.125]
    with pytest.raises(ValueError, match="exponents must be at least 3, not 2"):
        fit_powers_of_two([1.0], 3, range(0, -2, -1))

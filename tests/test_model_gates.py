"""Formats of the gates against their definitions, and what a spec says about them."""

import numpy as np
import pytest
from model_cases import random_parameters
from mubinn.model.fixed import Fixed
from mubinn.model.gates import Gate
from mubinn.model.parameters import ParameterError, Parameters
from mubinn.model.spec import LstmSpec, SpecError
from mubinn.model.tables import sigma_table, tanh_table

Q = Fixed(bits=10, fraction=6)


@pytest.mark.parametrize("fraction", [4, 8, 13])
def test_ternary_is_round_and_clip_with_ties_up(fraction):
    """Halves nearest to sigma, a quarter and three quarters going up; the thresholds stand near -ln 3 and ln 3."""
    gate = Gate(kind="ternary", table=sigma_table(Q, fraction))
    value = gate.table(np.arange(Q.low, Q.high + 1)) / (1 << fraction)
    assert (gate.codes == np.floor(2 * value + 0.5)).all() and set(gate.codes) == {0, 1, 2}
    assert (gate.values[gate.codes] == gate.codes * ((1 << fraction) / 2)).all() and gate.bits == 2
    first, second = gate.ternary_thresholds
    assert gate.codes.tolist() == [int(v >= first) + int(v >= second) for v in range(Q.low, Q.high + 1)]
    near = 0.1 + 2 / (1 << fraction)
    assert abs(first / 64 + np.log(3)) < near and abs(second / 64 - np.log(3)) < near


def test_ternary_is_the_two_level_format_with_both_scales_a_quarter():
    """MLB has two codes for 1/2; the values are the same but at ties, which a threshold at the middle sends up."""
    spec = LstmSpec(input_size=1, hidden_size=1, z=Q, gate_levels=2)
    table, one = spec.gate_tables[0], spec.one
    ternary = Gate(kind="ternary", table=table)
    levels = Gate(kind="levels", table=table, scales=(one // 4, one // 4), offset=one // 2)
    assert (ternary.values[ternary.codes] == levels.values[levels.codes]).all()


def test_a_range_without_three_quarters():
    gate = Gate(kind="ternary", table=sigma_table(Fixed(bits=6, fraction=5), 8))
    assert gate.ternary_thresholds == (-32, 32) and set(gate.codes) == {1}


@pytest.mark.parametrize(
    "make, fraction, bits", [(sigma_table, 8, 10), (tanh_table, 8, 10), (tanh_table, 4, 6), (sigma_table, 12, 14)]
)
def test_fixed_is_the_table(make, fraction, bits):
    gate = Gate(kind="fixed", table=make(Q, fraction))
    assert gate.bits == bits and gate.codes.max() < 1 << bits
    assert (gate.values[gate.codes] == gate.table(np.arange(Q.low, Q.high + 1))).all()


def test_bits_of_the_codes():
    spec = LstmSpec(input_size=1, hidden_size=1, gate_levels=5, gate_kinds=["ternary", "fixed", "levels", "ternary"])
    assert spec.gate_bits == (2, 12, 5, 2)
    assert LstmSpec.from_json(spec.to_json()) == spec and isinstance(spec.gate_kinds, tuple)
    assert [gate.bits for gate in random_parameters(spec, 1).gates] == list(spec.gate_bits)


@pytest.mark.parametrize(
    "kinds, message",
    [
        (("levels",) * 3, r"^gate_kinds must be a kind for each of i, f, g, o, not \('levels', 'levels', 'levels'\)$"),
        ("levels", r"^gate_kinds must be a kind for each of i, f, g, o, not 'levels'$"),
        (("levels", "levels", "ternary", "levels"), r"^gate_kinds: g must be levels or fixed, not 'ternary'$"),
        (("levels", 2, "levels", "levels"), r"^gate_kinds: f must be levels, ternary or fixed, not 2$"),
    ],
)
def test_bad_kinds(kinds, message):
    with pytest.raises(SpecError, match=message):
        LstmSpec(input_size=1, hidden_size=1, gate_kinds=kinds)


def test_scales_of_a_gate_without_levels():
    spec = LstmSpec(input_size=1, hidden_size=1)
    tensors = random_parameters(spec, 1).tensors()
    with pytest.raises(ParameterError, match=r"^gate_scales of f must be 0, as it is ternary, not \[\d+, \d+\]$"):
        Parameters(spec=spec.replace(gate_kinds=("levels", "ternary", "levels", "levels")), **tensors)


def test_models_written_before_have_levels():
    text = LstmSpec(input_size=1, hidden_size=1).to_json()
    assert "gate_kinds" not in text and LstmSpec.from_json(text).gate_kinds == ("levels",) * 4

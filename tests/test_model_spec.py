"""The spec: ranges with their messages, derived numbers by hand, and JSON there and back."""

import dataclasses
import json

import numpy as np
import pytest
from messages import refusal
from model_cases import random_spec
from mubinn.model.fixed import Fixed
from mubinn.model.spec import GATES, LstmSpec, SpecError

RANGES = {
    "input_size": (1, 256),
    "hidden_size": (1, 512),
    "classes": (0, 32),
    "max_steps": (1, 1048576),
    "input_levels": (1, 16),
    "hidden_levels": (1, 16),
    "gate_levels": (1, 8),
    "cell_levels": (0, 8),
    "weight_levels": (1, 16),
    "bias_levels": (1, 16),
    "h_fraction": (2, 14),
    "activation_fraction": (4, 14),
    "wx_fraction": (0, 24),
    "wh_fraction": (0, 24),
    "bias_fraction": (0, 24),
    "head_bits": (2, 16),
    "head_fraction": (0, 24),
    "peephole_levels": (1, 8),
    "peephole_fraction": (0, 24),
}


def make(**changes):
    return LstmSpec(**({"input_size": 3, "hidden_size": 4} | changes))


refuses = refusal(SpecError)


@pytest.mark.parametrize("name", RANGES)
def test_integer_ranges(name):
    low, high = RANGES[name]
    room = {"activation_fraction": 14, "h_fraction": 2}  # so that the end of one range does not meet another rule
    for value in (low, high):
        assert getattr(make(**(room | {name: np.int64(value)})), name) == value
    for value in (low - 1, high + 1):
        with refuses(f"{name} must be {low} to {high}, not {value}"):
            make(**{name: value})
    for value in (2.0, "2", None):
        with refuses(f"{name} must be an integer {low} to {high}, not {value!r}"):
            make(**{name: value})


def test_every_integer_field_has_a_range():
    fields = {field.name for field in dataclasses.fields(LstmSpec)}
    assert fields == set(RANGES) | {"pool", "gate_kinds", "cell_kind", "x", "z", "cell"}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"pool": "max"}, "pool must be mean or last, not 'max'"),
        ({"x": Fixed(bits=17, fraction=7)}, "x.bits must be 4 to 16, not 17"),
        ({"z": Fixed(bits=17, fraction=7)}, "z.bits must be 4 to 16, not 17"),
        ({"cell": Fixed(bits=25, fraction=7)}, "cell.bits must be 4 to 24, not 25"),
        (
            {"x": Fixed(bits=8, fraction=0), "wx_fraction": 2, "wh_fraction": 0, "bias_fraction": 0, "h_fraction": 2,
             "z": Fixed(bits=8, fraction=3)},
            "z.fraction must be 0 to 2 (the accumulator's), not 3",
        ),
        ({"activation_fraction": 4, "h_fraction": 9}, "h_fraction must be 2 to 8 (o*tanh(c)'s), not 9"),
    ],
)  # fmt: skip
def test_refuses(changes, text):
    with refuses(text):
        make(**changes)


@pytest.mark.parametrize("name", ["x", "z", "cell"])
def test_refuses_formats_of_less_than_4_bits(name):
    widest = 24 if name == "cell" else 16
    with refuses(f"{name}.bits must be 4 to {widest}, not 3"):
        make(**{name: Fixed(bits=3, fraction=0)})


def test_is_frozen_and_keyword_only():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().input_size = 4
    with pytest.raises(TypeError, match="positional"):
        LstmSpec(3, 4)


def test_derived_numbers_by_hand():
    spec = make(x=Fixed(bits=12, fraction=7), wx_fraction=9, h_fraction=8, wh_fraction=10, bias_fraction=6,
                z=Fixed(bits=12, fraction=8), cell=Fixed(bits=16, fraction=11), activation_fraction=10)  # fmt: skip
    assert GATES == ("i", "f", "g", "o")
    assert (spec.columns, spec.weight_bits) == (7, 4 * 4 * 7 * 2)
    assert (spec.acc_fraction, spec.x_shift, spec.h_shift, spec.bias_shift, spec.z_shift) == (18, 2, 0, 12, 10)
    assert (spec.one, spec.gate_offsets) == (1024, (512, 512, 0, 512))
    assert (spec.sum_fraction, spec.fc_shift, spec.ig_shift, spec.cell_shift) == (21, 0, 1, 10)
    assert (spec.h_shift_down, spec.h_bits) == (12, 10)
    wide = spec.replace(cell=Fixed(bits=16, fraction=6))  # now i*g has the finer binary point
    assert (wide.sum_fraction, wide.fc_shift, wide.ig_shift, wide.cell_shift) == (20, 4, 0, 14)


@pytest.mark.parametrize("seed", range(1, 21))
def test_json_round_trip(seed):
    spec = random_spec(seed)
    text = spec.to_json()
    assert LstmSpec.from_json(text) == spec
    assert LstmSpec.from_json(text).to_json() == text
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_json_of_a_part_takes_the_defaults():
    assert LstmSpec.from_json('{"input_size": 3, "hidden_size": 4}') == make()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"input_size": 3, "hidden_size": 4, "dreams": 1}',
         "unknown field 'dreams', a newer mubinn wrote this spec"),
        ('{"input_size": 0, "hidden_size": 4}', "input_size must be 1 to 256, not 0"),
        ('{"input_size": 3, "hidden_size": 4, "weight_levels": 17}', "weight_levels must be 1 to 16, not 17"),
        ('{"input_size": 3, "hidden_size": 4, "x": {"bits": 40, "fraction": 0}}',
         "not a spec: bits must be 2 to 32, not 40"),
    ],
)  # fmt: skip
def test_json_refuses(text, says):
    with refuses(says):
        LstmSpec.from_json(text)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", "null", "{", '"x"', '["x"]', '{"hidden_size": 4}', '{"input_size": 3, "hidden_size": 4, "z": 5}',
     '{"input_size": 3, "hidden_size": 4, "z": {"bits": "8", "fraction": 2}}'],
)  # fmt: skip
def test_json_refuses_what_is_no_spec(text):
    with pytest.raises(SpecError, match=r"^not a spec: [^\n]+$"):
        LstmSpec.from_json(text)

"""Shapes, types and ranges of a model's tensors, each with its message, and decoding by hand."""

import numpy as np
import pytest
from messages import refusal
from model_cases import random_parameters
from mubinn.model.fixed import Fixed
from mubinn.model.parameters import ParameterError, Parameters, tensor_shapes
from mubinn.model.spec import LstmSpec

# 24 bits of c, so that three scales at their limit stay within c.
SPEC = LstmSpec(input_size=3, hidden_size=2, classes=2, cell_levels=3, head_bits=4, cell=Fixed(bits=24, fraction=11))
GOOD = random_parameters(SPEC, 1).tensors()

refuses = refusal(ParameterError)


def test_names_and_shapes():
    assert {name: shape for name, (shape, _, _) in tensor_shapes(SPEC).items()} == {
        "x_scales": (2,), "h_scales": (2,), "gate_scales": (4, 2), "cell_scales": (3,),
        "wx_codes": (8, 3), "wx_scales": (4, 2), "wh_codes": (8, 2), "wh_scales": (4, 2),
        "bias_codes": (8,), "bias_scales": (4, 2), "head_weight": (2, 2), "head_bias": (2,),
    }  # fmt: skip
    plain = tensor_shapes(LstmSpec(input_size=3, hidden_size=2))
    assert not {"cell_scales", "head_weight", "head_bias"} & set(plain)


@pytest.mark.parametrize("name", GOOD)
def test_each_tensor_is_checked(name):
    shape, low, high = tensor_shapes(SPEC)[name]
    good = GOOD[name]
    with refuses(f"{name} is missing"):
        Parameters(spec=SPEC, **(GOOD | {name: None}))
    with refuses(f"{name} must be integers, not float64"):
        Parameters(spec=SPEC, **(GOOD | {name: good.astype(np.float64)}))
    with refuses(f"{name} must have shape {list(shape)}, not {[*shape, 1]}"):
        Parameters(spec=SPEC, **(GOOD | {name: good[..., None]}))
    for value in (low - 1, high + 1):
        bad = np.full(shape, low)
        bad.flat[-1] = value
        with refuses(f"{name} must be {low} to {high}, not {bad.min()} to {bad.max()}"):
            Parameters(spec=SPEC, **(GOOD | {name: bad}))
    for value in (low, high):
        assert (getattr(Parameters(spec=SPEC, **(GOOD | {name: np.full(shape, value)})), name) == value).all()


def test_refuses_a_tensor_of_another_spec():
    with refuses("head_bias does not belong to this spec"):
        spec = SPEC.replace(classes=0)
        Parameters(spec=spec, **({k: v for k, v in GOOD.items() if k != "head_weight"}))


def test_refuses_levels_of_c_beyond_c():
    spec = SPEC.replace(cell=Fixed(bits=8, fraction=4))
    with refuses("cell_scales must sum to at most 127, the greatest c, not 128"):
        Parameters(spec=spec, **(GOOD | {"cell_scales": np.array([64, 32, 32])}))
    Parameters(spec=spec, **(GOOD | {"cell_scales": np.array([64, 32, 31])}))


def test_tensors_are_read_only_copies():
    source = {name: value.copy() for name, value in GOOD.items()}
    parameters = Parameters(spec=SPEC, **source)
    source["wx_codes"][:] = 0
    assert (parameters.wx_codes == GOOD["wx_codes"]).all()
    with pytest.raises(ValueError, match="read-only"):
        parameters.wx_codes[0, 0] = 1


def test_decoding_by_hand():
    spec = LstmSpec(input_size=1, hidden_size=2, weight_levels=2, bias_levels=1, bias_fraction=15)
    tensors = random_parameters(spec, 1).tensors()
    tensors["wx_codes"] = np.array([[0], [1], [2], [3], [0], [1], [2], [3]])
    tensors["wx_scales"] = np.array([[4, 1], [40, 10], [8, 8], [0, 5]])
    tensors["bias_codes"] = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    tensors["bias_scales"] = np.array([[1], [2], [3], [4]])
    p = Parameters(spec=spec, **tensors)
    assert p.wx().ravel().tolist() == [-5, 3, -30, 50, -16, 0, 5, 5]
    assert spec.acc_fraction == 17  # h 8 + wh 9, so the bias moves by 2
    assert p.bias().tolist() == [-4, 4, -8, 8, -12, 12, -16, 16]


def test_refuses_sums_that_float64_cannot_hold():
    spec = LstmSpec(input_size=1, hidden_size=512, x=Fixed(bits=12, fraction=0), wx_fraction=0, wh_fraction=24, h_fraction=14)
    tensors = random_parameters(spec, 1).tensors()
    tensors["wx_scales"] = np.full((4, 2), 1 << 15)
    tensors["x_scales"] = np.full(2, 1 << 15)
    with pytest.raises(ParameterError, match=r"^sums of the gates must stay below 2\*\*53, not \d+: too fine"):
        Parameters(spec=spec, **tensors)

"""The float judge by hand and against torch, then the golden model before the judge, stage by stage."""

import ast
import math
import re
from pathlib import Path

import numpy as np
import pytest
from model_cases import random_floats, random_parameters, random_samples, random_spec
from mubinn.model import reference
from mubinn.model.fixed import Fixed
from mubinn.model.lstm import Model
from mubinn.model.reference import FloatWeights, hidden, mlb, quantized_step, run
from mubinn.model.spec import LstmSpec


def test_shares_no_code_with_the_golden_model():
    tree = ast.parse(Path(reference.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    names |= {"." * node.level + (node.module or "") for node in imports if isinstance(node, ast.ImportFrom)}
    assert names == {"dataclasses", "numpy"}


def test_one_unit_by_hand():
    weights = FloatWeights(
        weight_ih=np.array([[1.0], [-0.5], [2.0], [0.25]]), weight_hh=np.array([[0.5], [1.0], [-1.0], [2.0]]),
        bias=np.array([0.0, 1.0, 0.125, -0.25]), head_weight=np.array([[2.0], [-1.0]]), head_bias=np.array([0.5, 0.0]),
    )  # fmt: skip

    def sigma(v):
        return 1 / (1 + math.exp(-v))

    c1 = sigma(0.5) * math.tanh(1.125)
    h1 = sigma(-0.125) * math.tanh(c1)
    c2 = sigma(1.5 + h1) * c1 + sigma(-1 + 0.5 * h1) * math.tanh(-1.875 - h1)
    h2 = sigma(-0.5 + 2 * h1) * math.tanh(c2)
    x = np.array([[[0.5], [-1.0]]])
    assert hidden(weights, x).ravel() == pytest.approx([h1, h2], abs=1e-14)
    mean = (h1 + h2) / 2
    assert run(weights, x)[0] == pytest.approx([2 * mean + 0.5, -mean], abs=1e-14)
    last = FloatWeights(**weights.tensors(), pool="last")
    assert run(last, x)[0] == pytest.approx([2 * h2 + 0.5, -h2], abs=1e-14)


def test_extremes_do_not_overflow():
    weights = FloatWeights(weight_ih=np.full((4, 1), 1e30), weight_hh=np.zeros((4, 1)), bias=np.zeros(4))
    assert hidden(weights, np.array([[[1e6]]])).ravel() == pytest.approx([math.tanh(1)])
    assert hidden(weights, np.array([[[-1e6]]])).ravel() == pytest.approx([0])


def test_equals_torch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    lstm, head = torch.nn.LSTM(5, 7, batch_first=True).double(), torch.nn.Linear(7, 3).double()
    x = torch.randn(4, 11, 5, dtype=torch.float64)
    weights = {"weight_ih": lstm.weight_ih_l0, "weight_hh": lstm.weight_hh_l0}
    weights |= {"bias": lstm.bias_ih_l0 + lstm.bias_hh_l0, "head_weight": head.weight, "head_bias": head.bias}
    ours = FloatWeights(**{name: value.detach().numpy() for name, value in weights.items()})
    with torch.no_grad():
        for name, value in ours.tensors().items():  # the same float32 values on both sides
            if name == "bias":
                lstm.bias_hh_l0.zero_()
                lstm.bias_ih_l0.copy_(torch.from_numpy(value.copy()))
            else:
                weights[name].copy_(torch.from_numpy(value.copy()))
        h = lstm(x)[0]
        scores = head(h.mean(1))
    assert np.abs(hidden(ours, x.numpy()) - h.numpy()).max() < 1e-12
    assert np.abs(run(ours, x.numpy()) - scores.numpy()).max() < 1e-12


WEIGHTS = random_floats(1, input_size=3, hidden_size=2).tensors()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"pool": "max"}, "pool must be mean or last, not 'max'"),
        ({"weight_ih": np.zeros((6, 3))}, "weight_ih must have shape [4 * hidden_size, input_size], not [6, 3]"),
        ({"weight_ih": np.zeros(8)}, "weight_ih must have shape [4 * hidden_size, input_size], not [8]"),
        ({"weight_hh": np.zeros((8, 3))}, "weight_hh must have shape [8, 2], not [8, 3]"),
        ({"bias": np.zeros(7)}, "bias must have shape [8], not [7]"),
        ({"bias": np.zeros(8, int)}, "bias must be float, not int64"),
        ({"bias": np.full(8, np.nan)}, "bias must be finite in float32"),
        ({"weight_ih": np.full((8, 3), 1e39)}, "weight_ih must be finite in float32"),
        ({"head_weight": np.full((2, 2), np.inf)}, "head_weight must be finite in float32"),
        ({"head_weight": np.zeros((3, 2))}, "head_weight must have shape [2, 2], not [3, 2]"),
        ({"head_bias": np.zeros((2, 1))}, "head_bias must have shape [2], not [2, 1]"),
        ({"head_bias": None}, "head_weight and head_bias must both be there, or neither"),
    ],
)
def test_weights_refuse(changes, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        FloatWeights(**(WEIGHTS | changes))


def test_run_refuses():
    weights = FloatWeights(**WEIGHTS)
    text = "x must be [windows, steps, input_size] with input_size 3, not [2, 5, 4]"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        run(weights, np.zeros((2, 5, 4)))
    with pytest.raises(ValueError, match=r"^x must be finite$"):
        run(weights, np.full((1, 1, 3), np.nan))
    with pytest.raises(ValueError, match=r"^these weights have no head$"):
        run(random_floats(1, input_size=3, hidden_size=2, classes=0), np.zeros((1, 1, 3)))


def test_mlb_by_hand():
    code, decoded, margin = mlb([-0.4, 0.0, 0.3, 1.0], [0.5, 0.25])
    assert code.tolist() == [2, 1, 1, 3]
    assert decoded.tolist() == [-0.25, 0.25, 0.25, 0.75]
    assert margin == pytest.approx([0.1, 0.0, 0.2, 0.5])


# The golden model's steps before the judge ---------------------------------------------------------------------------

SIGMA_ERROR, TANH_ERROR = 0.00034, 0.0016
"""Beyond one unit in the last place, from the tables' docstrings."""


def sigma(v):
    return 0.5 + 0.5 * np.tanh(v / 2)


def judge(spec, seed, *, steps=6, streams=40):
    """Every stage of every step within what its format allows; returns the share of codes that were decidable."""
    p = random_parameters(spec, seed)
    model, state, decided = Model(p), None, []
    x = random_samples(spec, seed, windows=streams, steps=steps)
    one_a, one_z, one_c, one_h = (2.0**f for f in (spec.activation_fraction, spec.z.fraction, spec.cell.fraction,
                                                   spec.h_fraction))  # fmt: skip
    eps = 1e-9  # float64 sums against exact ones

    def same_code(name, golden, own, margin, tolerance):
        sure = margin > tolerance + eps
        assert (golden == own)[sure].all(), f"{name} differs beyond its tolerance, seed {seed}"
        decided.append(sure.mean())

    for t in range(steps):
        before = (None, None) if state is None else (state.h_code, state.c)
        state, signals = model.step(x[:, t], state)
        want = quantized_step(p, x[:, t], *before, given=signals)
        same_code("x_code", signals["x_code"], want["x_code"], want["x_margin"], 0)

        z = signals["z"] / one_z
        limited = np.clip(want["z"], spec.z.low / one_z, spec.z.high / one_z)
        assert np.abs(z - limited).max() <= 0.5 / one_z + eps

        # What the rounding of z moved the activation by, plus the table's own error.
        for gate in range(4):
            function, error = (np.tanh, TANH_ERROR) if gate == 2 else (sigma, SIGMA_ERROR)
            moved = np.abs(function(z[:, gate]) - want["gate"][:, gate]) + 1 / one_a + error
            same_code("gate_code", signals["gate_code"][:, gate], want["gate_code"][:, gate],
                      want["gate_margin"][:, gate], moved)  # fmt: skip
            if spec.gate_kinds[gate] == "fixed":  # no code is beyond doubt, but every value is near
                value = p.gates[gate].values[signals["gate_code"][:, gate]] / one_a
                assert (np.abs(value - want["gate"][:, gate]) <= moved + eps).all()

        limited = np.clip(want["c"], spec.cell.low / one_c, spec.cell.high / one_c)
        if spec.cell_levels:
            codes = mlb(signals["c"], p.cell_scales)[0]  # of a decoded value: exact, its code again
            inside = limited == want["c"]
            same_code("c", codes[inside], want["c_code"][inside], want["c_margin"][inside], 0.5 / one_c)
        else:
            assert np.abs(signals["c"] / one_c - limited).max() <= 0.5 / one_c + eps

        tanh_error = 1 / one_a + TANH_ERROR
        assert np.abs(signals["tanh_c"] / one_a - want["tanh_c"]).max() <= tanh_error
        h_error = tanh_error + 0.5 / one_h  # the output gate is at most 1
        assert np.abs(signals["h_raw"] / one_h - want["h_raw"]).max() <= h_error + eps
        same_code("h_code", signals["h_code"], want["h_code"], want["h_margin"], h_error)
        assert (signals["h"] / one_h == want["h"])[signals["h_code"] == want["h_code"]].all()
    return np.mean(decided)


@pytest.mark.parametrize("seed", range(1, 31))
def test_golden_steps_are_within_their_formats(seed):
    judge(random_spec(seed), seed)


@pytest.mark.parametrize("seed", range(1, 11))
@pytest.mark.parametrize("kinds", ["ternary ternary levels ternary", "fixed fixed fixed fixed", "ternary fixed levels levels"])
def test_golden_steps_with_other_gates(kinds, seed):
    judge(random_spec(seed).replace(gate_kinds=kinds.split()), seed)


@pytest.mark.parametrize("cell_levels", [0, 3])
def test_most_codes_are_decided_at_the_default_formats(cell_levels):
    spec = LstmSpec(input_size=19, hidden_size=20, classes=2, cell_levels=cell_levels)
    assert judge(spec, 1) > 0.95


def test_golden_follows_the_float_network_at_fine_formats():
    """Eight levels and wide formats all over: the recurrence stays near the float LSTM with the decoded weights."""
    fine = {f"{name}_levels": 8 for name in ("input", "hidden", "gate", "weight", "bias")}
    spec = LstmSpec(input_size=4, hidden_size=6, classes=2, **fine, x=Fixed(bits=16, fraction=11),
                    z=Fixed(bits=16, fraction=12), cell=Fixed(bits=20, fraction=16), h_fraction=13,
                    activation_fraction=14, wx_fraction=12, wh_fraction=12, bias_fraction=12)  # fmt: skip
    p = random_parameters(spec, 1)
    rng = np.random.default_rng(1)
    x = rng.normal(0, 0.5, (20, 30, 4))
    bias = p.bias() / 2.0**spec.acc_fraction
    weights = FloatWeights(weight_ih=p.wx() / 2.0**12, weight_hh=p.wh() / 2.0**12, bias=bias)
    golden = Model(p).run(spec.x.quantize(x), record=("h",)).h / 2.0**13
    # Steps of the encoders: x and h 4/255 and 2/255, gates 1/255 and 2/255; a factor for the recurrence.
    assert np.abs(golden - hidden(weights, x)).max() < 0.06

"""The golden model against DESIGN section 3 written out plane by plane, and its interface."""

import re

import numpy as np
import pytest
from model_cases import ordered_scales, random_parameters, random_samples, random_spec
from mubinn.model.fixed import Fixed
from mubinn.model.lstm import TRACE_NAMES, Model, State, Trace
from mubinn.model.parameters import Parameters
from mubinn.model.spec import LstmSpec
from naive_lstm import bits_of, clip, half_up, naive, planes, value_of


def check(p, x):
    found = Model(p).run(x, record=TRACE_NAMES)
    for n, window in enumerate(x):
        trace, scores = naive(p, window)
        for name in TRACE_NAMES:
            got, want = getattr(found, name)[n], np.array(trace[name])
            assert got.shape == want.shape, name
            for where in np.argwhere(got != want)[:1]:
                at = tuple(where)
                pytest.fail(f"{name} differs first in window {n} at {at}: got {got[at]}, want {want[at]}")
        if p.spec.classes:
            assert found.scores[n].tolist() == scores
            assert found.label[n] == scores.index(max(scores))


CORNERS = {
    "one of everything": {"input_size": 1, "hidden_size": 1, "input_levels": 1, "hidden_levels": 1, "gate_levels": 1,
                          "weight_levels": 1, "bias_levels": 1},
    "eight levels": {"input_levels": 8, "hidden_levels": 8, "gate_levels": 8, "weight_levels": 8, "bias_levels": 8,
                     "cell_levels": 8},
    "all levels differ": {"input_levels": 1, "hidden_levels": 3, "gate_levels": 2, "weight_levels": 4, "bias_levels": 5,
                          "cell_levels": 6},
    "no head": {"classes": 0},
    "last step": {"classes": 3, "pool": "last"},
    "saturating z": {"z": Fixed(bits=4, fraction=2)},
    "saturating c": {"cell": Fixed(bits=4, fraction=3)},
    "coarse x": {"x": Fixed(bits=4, fraction=0)},
    "fine bias": {"bias_fraction": 24},
}  # fmt: skip


@pytest.mark.parametrize("name", CORNERS)
def test_golden_equals_xnor_and_popcount_in_corners(name):
    spec = LstmSpec(**({"input_size": 3, "hidden_size": 2, "classes": 2} | CORNERS[name]))
    check(random_parameters(spec, 1), random_samples(spec, 1, windows=2, steps=5))


@pytest.mark.parametrize("seed", range(1, 41))
def test_golden_equals_xnor_and_popcount(seed):
    spec = random_spec(seed)
    check(random_parameters(spec, seed), random_samples(spec, seed, windows=2, steps=4))


def test_golden_with_unordered_scales_follows_algorithm_1_too():
    spec = LstmSpec(input_size=2, hidden_size=3, classes=2, cell_levels=2)
    tensors = random_parameters(spec, 1).tensors()
    tensors |= {name: value[..., ::-1] for name, value in tensors.items() if name.endswith("_scales")}
    check(Parameters(spec=spec, **tensors), random_samples(spec, 1))


def test_the_corners_reach_what_they_name():
    spec = LstmSpec(input_size=3, hidden_size=2, z=Fixed(bits=4, fraction=2))
    z = Model(random_parameters(spec, 1)).run(random_samples(spec, 1, windows=9), record=("z",)).z
    assert z.min() == -8 and z.max() == 7
    spec = LstmSpec(input_size=3, hidden_size=8, cell=Fixed(bits=4, fraction=3))
    c = Model(random_parameters(spec, 1)).run(random_samples(spec, 1, windows=9, steps=9), record=("c",)).c
    assert c.min() == -8 and c.max() == 7


# Streams, head, interface --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(1, 11))
def test_step_equals_run(seed):
    spec = random_spec(seed)
    model, x = Model(random_parameters(spec, seed)), random_samples(spec, seed, windows=4, steps=6)
    whole, state = model.run(x, record=TRACE_NAMES), None
    for t in range(x.shape[1]):
        state, signals = model.step(x[:, t], state)
        assert set(signals) == set(TRACE_NAMES)
        for name in TRACE_NAMES:
            assert (signals[name] == getattr(whole, name)[:, t]).all(), (name, t)
    assert state.steps == x.shape[1]
    if spec.classes:
        assert (state.scores == whole.scores).all() and (model.label(state) == whole.label).all()


def test_windows_do_not_see_each_other():
    spec = LstmSpec(input_size=3, hidden_size=4, classes=2)
    model, x = Model(random_parameters(spec, 1)), random_samples(spec, 1, windows=5)
    together = model.run(x, record=("h",))
    for n in range(len(x)):
        assert (model.run(x[n : n + 1], record=("h",)).h[0] == together.h[n]).all()


def head_only(weight, bias, **changes):
    spec = LstmSpec(input_size=1, hidden_size=2, classes=len(weight), head_bits=8, **changes)
    tensors = random_parameters(spec, 3).tensors() | {"head_weight": np.array(weight), "head_bias": np.array(bias)}
    return Model(Parameters(spec=spec, **tensors))


def test_pooling_by_its_definition():
    x = random_samples(LstmSpec(input_size=1, hidden_size=2), 3, windows=3, steps=7)
    for pool in ("mean", "last"):
        model = head_only([[3, -2], [0, 5]], [7, -9], pool=pool)
        found = model.run(x, record=("h",))
        per_step = found.h @ np.array([[3, -2], [0, 5]]).T + [7, -9]
        assert (found.scores == (per_step.sum(1) if pool == "mean" else per_step[:, -1])).all()


def test_ties_go_to_the_lowest_class():
    x = np.zeros((1, 3, 1), dtype=np.int64)
    assert head_only([[1, 1]] * 3, [4, 4, 4]).run(x).label.tolist() == [0]
    assert head_only([[1, 1]] * 3, [3, 4, 4]).run(x).label.tolist() == [1]
    assert Model.label(State(scores=np.array([[5, 5, 6, 6], [-1, -1, -2, -3]]))).tolist() == [2, 0]


def test_without_head_there_are_no_scores():
    spec = LstmSpec(input_size=2, hidden_size=2)
    found = Model(random_parameters(spec, 1)).run(random_samples(spec, 1))
    assert found.scores is None and found.label is None
    assert all(getattr(found, name) is None for name in TRACE_NAMES)


def test_trace_has_the_stated_types():
    spec = LstmSpec(input_size=3, hidden_size=4, classes=2, cell_levels=2)
    found = Model(random_parameters(spec, 1)).run(random_samples(spec, 1, windows=2, steps=5), record=TRACE_NAMES)
    shapes = {"x_code": (2, 5, 3), "z": (2, 5, 4, 4), "gate_code": (2, 5, 4, 4)}
    for name in TRACE_NAMES:
        array = getattr(found, name)
        assert array.shape == shapes.get(name, (2, 5, 4))
        assert array.dtype == (np.uint8 if name.endswith("code") else np.int64)
    assert {*TRACE_NAMES, "scores", "label"} == set(Trace.__dataclass_fields__)


def test_no_windows_are_no_labels():
    spec = LstmSpec(input_size=2, hidden_size=3, classes=2)
    found = Model(random_parameters(spec, 1)).run(np.zeros((0, 4, 2), dtype=np.int64), record=("h",))
    assert found.label.shape == (0,) and found.h.shape == (0, 4, 3)


@pytest.mark.parametrize(
    ("x", "record", "text"),
    [
        (np.zeros((2, 3), int), (), "x must be [windows, steps, input_size] with input_size 2, not [2, 3]"),
        (np.zeros((1, 3, 4), int), (), "x must be [windows, steps, input_size] with input_size 2, not [1, 3, 4]"),
        (np.zeros((1, 3, 2)), (), "x must be integers in the format of spec.x, not float64"),
        (np.full((1, 3, 2), 2048), (), "x must be -2048 to 2047, not 2048 to 2048"),
        (np.full((1, 3, 2), -2049), (), "x must be -2048 to 2047, not -2049 to -2049"),
        (np.zeros((1, 0, 2), int), (), "a window must have 1 to 9 steps, not 0"),
        (np.zeros((1, 10, 2), int), (), "a window must have 1 to 9 steps, not 10"),
        (np.zeros((1, 3, 2), int), ("y",),
         "record must be of x_code, z, gate_code, c, tanh_c, h_raw, h_code, h, not 'y'"),
    ],
)  # fmt: skip
def test_run_refuses(x, record, text):
    model = Model(random_parameters(LstmSpec(input_size=2, hidden_size=2, max_steps=9), 1))
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        model.run(x, record=record)


def test_step_refuses():
    model = Model(random_parameters(LstmSpec(input_size=2, hidden_size=2), 1))
    text = "x must be [streams, input_size] with input_size 2, not [1, 3]"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        model.step(np.zeros((1, 3), int))


def test_matrix_products_are_exact_at_the_widest_formats():
    """Largest sizes, levels and scales: sums in float64 must equal sums of Python integers."""
    spec = LstmSpec(input_size=256, hidden_size=512, x=Fixed(bits=16, fraction=15), h_fraction=14,
                    wx_fraction=14, wh_fraction=14, activation_fraction=14, z=Fixed(bits=16, fraction=12))  # fmt: skip
    rng = np.random.default_rng(1)
    tensors = random_parameters(spec, 1).tensors()
    for name in ("x_scales", "h_scales", "wx_scales", "wh_scales"):
        tensors[name] = ordered_scales(rng, tensors[name].shape, total=40_000)
    model = Model(Parameters(spec=spec, **tensors))
    x = random_samples(spec, 1, windows=1, steps=2)
    z, state = [], None
    for t in range(2):
        before = state
        state, signals = model.step(x[:, t], state)
        z.append(signals["z"].reshape(-1))
    p = model.parameters
    x_value = [value_of(bits_of(v, p.x_scales), p.x_scales) for v in x[0, 1]]
    h_value = [value_of(planes(code, 2), p.h_scales) for code in before.h_code[0]]
    wx, wh = p.wx().tolist(), p.wh().tolist()
    for row in range(0, 4 * spec.hidden_size, 97):
        pre = sum(a * b for a, b in zip(x_value, wx[row], strict=True)) << spec.x_shift
        pre += sum(a * b for a, b in zip(h_value, wh[row], strict=True)) << spec.h_shift
        pre += int(p.bias()[row])
        assert z[1][row] == clip(half_up(pre, spec.z_shift), spec.z.bits)

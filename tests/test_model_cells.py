"""Cells beside the plain LSTM: the golden ones against floats that share no code with them, refusals, the circuits."""

import dataclasses
import json

import numpy as np
import pytest
from mubinn.build import equality
from mubinn.build.gates import check_gates, make_core
from mubinn.build.targets import TARGETS
from mubinn.hw.lstm import Lstm
from mubinn.model.fixed import Fixed
from mubinn.model.lstm import Model
from mubinn.model.parameters import ParameterError, Parameters, tensor_shapes
from mubinn.model.spec import LstmSpec, SpecError
from mubinn.sim.pysim import run_amaranth
from mubinn.sim.random_case import CORNERS, random_case
from sim_cores import scratch

STEPS, UNITS, CHANNELS = 20, 6, 4
FINE = {
    "input_size": CHANNELS,
    "hidden_size": UNITS,
    "input_levels": 8,
    "hidden_levels": 8,
    "weight_levels": 8,
    "bias_levels": 8,
    "gate_levels": 8,
    "x": Fixed(bits=12, fraction=8),
    "z": Fixed(bits=14, fraction=10),
    "cell": Fixed(bits=20, fraction=14),
    "h_fraction": 8,
    "activation_fraction": 14,
    "wx_fraction": 9,
    "wh_fraction": 9,
    "bias_fraction": 8,
    "peephole_levels": 8,
    "peephole_fraction": 8,
}
"""Formats so fine that the golden cell is nearly the float one: eight levels of halving scales are eight binary places."""
HALVES = 128 >> np.arange(8)


def fine_parameters(kind, seed):
    gate_kinds = ("fixed",) * 3 + ("levels" if kind == "gru" else "fixed",)
    spec = LstmSpec(**FINE, cell_kind=kind, gate_kinds=gate_kinds)
    rng, tensors = np.random.default_rng(seed), {}
    for name, (shape, low, high) in tensor_shapes(spec).items():
        tensors[name] = np.broadcast_to(HALVES, shape).copy() if name.endswith("scales") else rng.integers(low, high + 1, shape)
    tensors["gate_scales"][:] = 0
    if kind == "gru":
        tensors["wh_scales"][2] = tensors["wx_scales"][3] = 0
    return Parameters(spec=spec, **tensors)


def sigma(v):
    return 1 / (1 + np.exp(-v))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_golden_gru_is_nearly_that_of_pytorch(seed):
    torch = pytest.importorskip("torch")
    p = fine_parameters("gru", seed)
    x = p.spec.x.quantize(np.random.default_rng(seed).uniform(-0.9, 0.9, (3, STEPS, CHANNELS)))
    wx, wh = p.wx().reshape(4, UNITS, -1) / 512, p.wh().reshape(4, UNITS, -1) / 512
    bias = p.bias().reshape(4, UNITS) / (1 << p.spec.acc_fraction)
    network = torch.nn.GRU(CHANNELS, UNITS, batch_first=True)
    with torch.no_grad():
        network.weight_ih_l0.copy_(torch.from_numpy(wx[:3].reshape(3 * UNITS, -1)))
        network.weight_hh_l0.copy_(torch.from_numpy(wh[[0, 1, 3]].reshape(3 * UNITS, -1)))
        network.bias_ih_l0.copy_(torch.from_numpy(np.concatenate([bias[0], bias[1], bias[2]])))
        network.bias_hh_l0.copy_(torch.from_numpy(np.concatenate([np.zeros(2 * UNITS), bias[3]])))
        want, _ = network(torch.from_numpy(x / 256).float())
    got = Model(p).run(x, record=("c",)).c / (1 << p.spec.cell.fraction)
    assert np.abs(got - want.numpy()).max() < 0.02


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_golden_peepholes_are_nearly_the_equations(seed):
    """Eq. 4-8 of Quantization Loss Re-Learning in floats."""
    p = fine_parameters("peephole", seed)
    x = p.spec.x.quantize(np.random.default_rng(seed).uniform(-0.9, 0.9, (3, STEPS, CHANNELS)))
    wx, wh, v = p.wx() / 512, p.wh() / 512, p.peepholes() / 256
    bias = p.bias() / (1 << p.spec.acc_fraction)
    h = c = np.zeros((3, UNITS))
    want = []
    for t in range(STEPS):
        i, f, g, o = np.split(x[:, t] / 256 @ wx.T + h @ wh.T + bias, 4, axis=1)
        i, f = sigma(i + v[0] * c), sigma(f + v[1] * c)
        c = f * c + i * np.tanh(g)
        h = sigma(o + v[3] * c) * np.tanh(v[2] * c)
        want.append(h)
    got = Model(p).run(x, record=("h_raw",)).h_raw / 256
    assert np.abs(got - np.stack(want, axis=1)).max() < 0.05


def test_a_plain_spec_says_nothing_of_other_cells():
    text = LstmSpec(input_size=1, hidden_size=1).to_json()
    assert "cell_kind" not in text and "peephole" not in text
    for kind in ("peephole", "gru"):
        spec = LstmSpec(input_size=1, hidden_size=1, cell_kind=kind, peephole_fraction=3 if kind == "peephole" else 8)
        assert LstmSpec.from_json(spec.to_json()) == spec and json.loads(spec.to_json())["cell_kind"] == kind


def test_what_no_cell_has_is_refused():
    with pytest.raises(SpecError, match=r"^cell_kind must be lstm, peephole or gru, not 'rnn'$"):
        LstmSpec(input_size=1, hidden_size=1, cell_kind="rnn")
    with pytest.raises(SpecError, match=r"^gate_kinds: o must be levels, not 'fixed'$"):
        LstmSpec(input_size=1, hidden_size=1, cell_kind="gru", gate_kinds=("fixed",) * 4)
    with pytest.raises(SpecError, match=r"^peephole_levels must be 1 to 8, not 9$"):
        LstmSpec(input_size=1, hidden_size=1, cell_kind="peephole", peephole_levels=9)
    p = fine_parameters("gru", 1)
    scales = p.wh_scales.copy()
    scales[2, 0] = 1
    with pytest.raises(ParameterError, match=r"^wh_scales of row 2 of a gru must be 0, not \[1, 0, 0, 0, 0, 0, 0, 0\]$"):
        dataclasses.replace(p, wh_scales=scales)
    with pytest.raises(ParameterError, match=r"^peephole_codes is missing$"):
        dataclasses.replace(fine_parameters("peephole", 1), peephole_codes=None)


OTHERS = [seed for seed, corner in enumerate(CORNERS, start=1) if "cell_kind" in corner]


@pytest.mark.parametrize("seed", OTHERS)
def test_the_circuits_are_the_golden_cells(seed):
    case = random_case(seed)
    assert case.spec.cell_kind in case.features
    found = run_amaranth(Lstm(case.parameters, case.folding, family=case.family), case.case, **case.run_settings())
    assert found.ok, found.differences


@pytest.mark.slow
@pytest.mark.parametrize("seed", [OTHERS[0], OTHERS[2]])
def test_and_their_verilog(seed):
    verdict = equality.run_one(seed, "icarus", scratch() / "cache")
    assert verdict.ok, verdict.differences


@pytest.mark.slow
@pytest.mark.parametrize("name", ["peephole@ecp5-25k", "gru@ice40-up5k"])
def test_and_their_netlists(name, tmp_path):
    make_core(name, tmp_path / "core")
    found = check_gates(tmp_path / "core", TARGETS[name.partition("@")[2]], simulator="icarus", cache=scratch())
    assert found.ok and (found.windows, found.steps, found.mismatches) == (3, 9, 0)

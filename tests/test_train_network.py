"""What the network in training computes is what the golden model computes; scales stay in order."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mubinn.model.binarize import ordered  # noqa: E402
from mubinn.model.lstm import Model  # noqa: E402
from mubinn.model.reference import run as float_run  # noqa: E402
from mubinn.model.train.average import Average  # noqa: E402
from mubinn.model.train.export import load_float, model_file  # noqa: E402
from mubinn.model.train.integers import integer_parameters  # noqa: E402
from mubinn.model.train.levels import Scales, binarized  # noqa: E402
from mubinn.model.train.network import STAGES, Classifier  # noqa: E402

STEPS, BATCH, INPUTS, HIDDEN = 12, 16, 5, 8


LEVELS, TERNARY = ("levels",) * 4, ("ternary", "ternary", "levels", "ternary")


def network_at(stage, levels, seed=1, pool="mean", kinds=LEVELS):
    torch.manual_seed(seed)
    network = Classifier(INPUTS, HIDDEN, 3, activation_levels=levels[0], weight_levels=levels[1], pool=pool, gate_kinds=kinds)
    x = torch.randn(STEPS, BATCH, INPUTS)
    for following in STAGES[1 : STAGES.index(stage) + 1]:
        network.start(following, x)
    return network, x


def preprocess_of(inputs=INPUTS):
    from mubinn.model.artifact import Preprocess

    return Preprocess(channels=[f"c{k}" for k in range(inputs)], fs=125, decimation=4, mean=[3.0] * inputs, std=[2.0] * inputs)


@pytest.mark.parametrize("levels", [(1, 1), (2, 2), (3, 3), (5, 5), (1, 3), (3, 1)])
@pytest.mark.parametrize(("seed", "kinds"), [(1, LEVELS), (2, LEVELS), (1, TERNARY)])
def test_golden_codes_equal_the_forward_pass(levels, seed, kinds):
    network, x = network_at("cell", levels, seed, kinds=kinds)
    parameters = integer_parameters(network)
    assert parameters.spec.gate_kinds == kinds
    spec = parameters.spec
    # Samples that the chip's format can hold.
    x = torch.from_numpy(spec.x.real(spec.x.quantize(x - network.x_shift.detach()))).float()
    with torch.no_grad():
        h, _ = network.hidden(x + network.x_shift)
        scores = network.eval()(x + network.x_shift).numpy()
    golden = Model(parameters).run(spec.x.quantize(x.numpy()).swapaxes(0, 1), record=("h",))
    want = golden.h.swapaxes(0, 1) / (1 << spec.h_fraction)
    # tanh(c) is a table in the chip and exact here: a code next to its threshold may differ, the more the finer the codes.
    assert (h.numpy() == want).mean() > (0.9 if levels[0] > 3 else 0.97)
    real = golden.scores / (1 << spec.h_fraction + spec.head_fraction) / STEPS
    assert np.abs(scores - real).max() < 0.1


@pytest.mark.parametrize("pool", ["mean", "last"])
def test_the_float_file_computes_the_float_network(pool):
    network, x = network_at("float", (2, 2), pool=pool)
    with torch.no_grad():
        want = network.eval()(x).numpy()
    preprocess = preprocess_of()
    written = model_file(network, preprocess, None, preset="fp", card={})
    raw = x.numpy().swapaxes(0, 1) * 2.0 + 3.0
    assert np.allclose(float_run(written.float_weights, written.normalise(raw)), want, atol=1e-5)


def test_the_parent_is_the_same_network_behind_moved_thresholds():
    network, x = network_at("float", (1, 1))
    parent = network.float_state()
    with torch.no_grad():
        want = network.eval()(x).numpy()
    for stage in STAGES[1:]:
        network.start(stage, x)
    assert network.x_shift.abs().max() > 0.5
    written = model_file(network, preprocess_of(), parent, preset="mubinn2", card={})
    raw = x.numpy().swapaxes(0, 1) * 2.0 + 3.0
    assert np.allclose(float_run(written.float_weights, written.normalise(raw)), want, atol=1e-4)
    # And a new run that starts from this file starts from that parent.
    again = Classifier(INPUTS, HIDDEN, 3, activation_levels=2, weight_levels=2)
    load_float(again, written, preprocess_of())
    with torch.no_grad():
        assert np.allclose(again.eval()(x).numpy(), want, atol=1e-4)


def test_the_forget_bias_survives_one_level():
    network, _ = network_at("weights", (1, 1))
    forget = network.weights()[2][HIDDEN : 2 * HIDDEN]
    assert torch.allclose(forget, torch.ones(HIDDEN), atol=0.01)


@pytest.mark.parametrize("levels", [1, 2, 5])
def test_projected_scales_are_ordered_positive_and_limited(levels):
    scales = Scales(2, levels, bits=8, limit=(0.5, float("inf")))
    with torch.no_grad():
        scales.steps.copy_(torch.randn(2, levels, generator=torch.Generator().manual_seed(1)))
    scales.project()
    assert scales().min() > 0 and scales()[0].sum() <= 0.5 + 1e-6
    integers, _ = scales.integers()
    assert all(ordered(row) for row in integers) and integers.max() < 256


def test_gradient_passes_within_reach_and_goes_to_the_scales():
    values = torch.tensor([[0.2, -0.9, 3.0]], requires_grad=True)
    scales = torch.tensor([[1.0, 0.5]], requires_grad=True)
    result = binarized(values, scales, reach=torch.tensor([2.0]))
    assert result.tolist() == [[0.5, -0.5, 1.5]]
    result.backward(torch.tensor([[1.0, 10.0, 100.0]]))
    assert values.grad.tolist() == [[1.0, 10.0, 0.0]]
    # signs by hand: 0.2 is + -, -0.9 is - +, 3.0 is + +
    assert scales.grad.tolist() == [[1.0 - 10.0 + 100.0, -1.0 + 10.0 + 100.0]]


def test_no_latent_weight_is_out_of_bounds_after_a_step():
    network, _ = network_at("weights", (2, 2))
    with torch.no_grad():
        network.lstm.weight_hh_l0.mul_(100)
    network.project()
    bound = network.wh_scales.bound().repeat_interleave(HIDDEN)[:, None]
    assert (network.lstm.weight_hh_l0.abs() <= bound + 1e-6).all()


def test_inputs_that_share_a_channel_start_as_the_float_parent():
    parent, x = network_at("float", (1, 1))
    with torch.no_grad():
        want = parent.eval()(x).numpy()
    written = model_file(parent, preprocess_of(), None, preset="fp", card={})
    again = Classifier(3 * INPUTS, HIDDEN, 3, activation_levels=1, weight_levels=2, input_copies=3)
    once = preprocess_of()
    thrice = dataclasses.replace(once, channels=once.channels * 3, mean=once.mean * 3, std=once.std * 3)
    load_float(again, written, thrice)
    x = x.repeat(1, 1, 3)
    with torch.no_grad():
        assert np.allclose(again.eval()(x).numpy(), want, atol=1e-5)
    again.start("weights", x)
    cuts = again.x_shift.detach().reshape(3, INPUTS)
    assert (cuts[0] < -0.9).all() and (cuts[1] == 0).all() and torch.equal(cuts[2], -cuts[0])


def test_inputs_of_several_levels_that_share_a_channel_cut_it_between_each_others_codes():
    network = Classifier(2 * INPUTS, HIDDEN, 3, activation_levels=2, weight_levels=2, input_copies=2)
    x = torch.randn(30, 16, INPUTS).repeat(1, 1, 2)
    network.start("weights", x)
    network.start("activations", x)
    shift, last = network.x_shift.detach().reshape(2, INPUTS), network.x_scales().detach()[0, -1]
    assert torch.allclose(shift[0], -last / 2) and torch.equal(shift[1], -shift[0])
    levels = (network._levels_of_x(x) + network.x_shift).detach()
    both = levels.reshape(30, 16, 2, INPUTS).mean(2)
    once, twice = ((got - x[..., :INPUTS]).square().mean() for got in (levels[..., :INPUTS], both))
    assert twice < 0.6 * once


def test_the_average_follows_and_swaps():
    network = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(1.0)
    average = Average(network, 0.75)
    with torch.no_grad():
        network.weight.fill_(5.0)
    average.update(network)  # 0.75 * 1 + 0.25 * 5
    average.swap(network)
    assert network.weight.item() == 2.0
    average.swap(network)
    assert network.weight.item() == 5.0
    average.update(network)
    average.swap(network)
    assert network.weight.item() == 2.75

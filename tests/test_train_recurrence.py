"""The hand-written backward pass of the recurrence, judged by torch.nn.LSTM and by autograd through a naive loop."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mubinn.model.fixed import Fixed  # noqa: E402
from mubinn.model.train.network import Classifier  # noqa: E402
from mubinn.model.train.recurrence import recurrence  # noqa: E402
from mubinn.model.train.staircases import gate_staircase, output_staircase  # noqa: E402

STEPS, BATCH, INPUTS, HIDDEN = 7, 5, 3, 4


def parts(seed, dtype=torch.float64):
    torch.manual_seed(seed)
    lstm = torch.nn.LSTM(INPUTS, HIDDEN).to(dtype)
    return lstm, torch.randn(STEPS, BATCH, INPUTS, dtype=dtype), torch.randn(STEPS, BATCH, HIDDEN, dtype=dtype)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_float_equals_torch_with_gradients(seed):
    lstm, x, weight = parts(seed)
    want = lstm(x)[0]
    (want * weight).sum().backward()
    gradients = [p.grad.clone() for p in lstm.parameters()]
    lstm.zero_grad()
    zx = torch.nn.functional.linear(x, lstm.weight_ih_l0, lstm.bias_ih_l0 + lstm.bias_hh_l0)
    h, _ = recurrence(zx, lstm.weight_hh_l0)
    (h * weight).sum().backward()
    assert torch.allclose(h, want, atol=1e-12)
    for p, gradient in zip(lstm.parameters(), gradients, strict=True):
        assert torch.allclose(p.grad, gradient, atol=1e-12)


LEVELS, TERNARY = ("levels",) * 4, ("ternary", "ternary", "levels", "ternary")


def quantized(seed, levels, kinds=LEVELS):
    torch.manual_seed(seed)
    network = Classifier(INPUTS, HIDDEN, 2, activation_levels=levels, weight_levels=2, gate_kinds=kinds)
    x = torch.randn(STEPS, BATCH, INPUTS)
    network.start("weights", x)
    network.start("activations", x)
    return network, x


def staircases(network, slope="sigma"):
    integers, fraction = network.h_scales.integers()
    formats = {"z": network.z_format, "activation_fraction": network.activation_fraction, "width": HIDDEN}
    kinds = {"kinds": network.gate_kinds, "slope": slope}
    gates = gate_staircase(network.gate_integers(), network.gate_scales.reach().numpy(), **kinds, **formats)
    return gates, output_staircase(integers[0], fraction, 0.4, width=HIDDEN)


def naive(zx, wh, scales, h_scales, gates, outputs):
    """Step by step, every gradient by autograd: a staircase is offset + sum of scale * sign, plus slope * input passed on."""

    def staircase(v, stairs, scales, rows):
        index = stairs.index(v.detach(), scratch=torch.empty_like(v), out=torch.empty(v.shape, dtype=torch.int32)).long()
        signs = torch.stack([level[index] for level in stairs.signs])
        value = stairs.values[index]
        width = v.shape[1] // rows
        levelled = (signs * scales.t().repeat_interleave(width, dim=1)[:, None, :]).sum(0)
        passed = v * stairs.slopes[index]
        return value + (levelled - levelled.detach()) + (passed - passed.detach())

    h = c = None
    out = []
    for t in range(len(zx)):
        z = zx[t] if h is None else zx[t] + h @ wh.t()
        i, f, g, o = staircase(z, gates, scales, 4).chunk(4, dim=1)
        c = i * g if c is None else f * c + i * g
        h = staircase(o * torch.tanh(c), outputs, h_scales[None], 1)
        out.append(h)
    return torch.stack(out)


@pytest.mark.parametrize(("kinds", "slope"), [(LEVELS, "sigma"), (TERNARY, "sigma"), (TERNARY, "rounded")])
@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("seed", [1, 2])
def test_quantized_gradients_equal_a_naive_loop(seed, levels, kinds, slope):
    network, _ = quantized(seed, levels, kinds)
    zx0, wh0 = torch.randn(STEPS, BATCH, 4 * HIDDEN), 0.5 * torch.randn(4 * HIDDEN, HIDDEN)
    weight = torch.randn(STEPS, BATCH, HIDDEN)
    gates, outputs = staircases(network, slope)
    found = []
    for function in ("ours", "naive"):
        zx, wh = zx0.clone().requires_grad_(), wh0.clone().requires_grad_()
        scales = network.gate_scales().detach().requires_grad_()
        h_scales = network.h_scales()[0].detach().requires_grad_()
        if function == "ours":
            h, _ = recurrence(zx, wh, gate_scales=scales, h_scales=h_scales, gates=gates, outputs=outputs)
        else:
            h = naive(zx, wh, scales, h_scales, gates, outputs)
        (h * weight).sum().backward()
        found.append([h.detach(), zx.grad, wh.grad, scales.grad, h_scales.grad])
    for ours, want in zip(*found, strict=True):
        assert torch.allclose(ours, want, atol=1e-4, rtol=1e-4)


def test_a_fixed_point_c_has_codes_only():
    lstm, x, _ = parts(1)
    zx = torch.nn.functional.linear(x, lstm.weight_ih_l0)
    _, c = recurrence(zx, lstm.weight_hh_l0, cell=Fixed(bits=8, fraction=3))
    scaled = c.detach().numpy() * 8
    assert np.array_equal(scaled, np.round(scaled)) and np.abs(scaled).max() > 0


def test_a_ternary_gate_is_the_nearest_half_and_ties_go_up():
    z = Fixed(bits=12, fraction=8)
    network, _ = quantized(1, 2, TERNARY)
    gates, _ = staircases(network)
    v = z.real(np.arange(z.low, z.high + 1))
    sigma = 1 / (1 + np.exp(-v))
    values, slopes = gates.values.view(4, -1).numpy(), gates.slopes.view(4, -1).numpy()
    clear = np.abs(sigma * 4 % 2 - 1) > 0.02  # elsewhere the table decides
    for row in (0, 1, 3):
        assert set(values[row]) == {0.0, 0.5, 1.0}
        assert np.array_equal(values[row][clear], np.floor(2 * sigma + 0.5)[clear] / 2)
        assert np.allclose(slopes[row], sigma * (1 - sigma))
    rounded = staircases(network, "rounded")[0].slopes.view(4, -1).numpy()
    assert np.array_equal(rounded[0], np.where(values[0] == 0.5, 0.25, 0.0).astype(np.float32))


@pytest.mark.parametrize("first", [False, True])
def test_ternary_gates_in_full_precision(first):
    """The second paper's experiments: nothing but the gates is quantized."""
    torch.manual_seed(1)
    network = Classifier(INPUTS, HIDDEN, 2, activation_levels=2, weight_levels=2, gate_kinds=TERNARY, gates_first=first)
    x = torch.randn(STEPS, BATCH, INPUTS)
    h, _ = network.hidden(x)
    h.sum().backward()
    assert network.lstm.weight_hh_l0.grad.abs().max() > 0
    h_lstm = network.lstm(x)[0]
    assert torch.allclose(h, h_lstm, atol=1e-5) != first


def run_once(zx0, wh0, weight, network, extra):
    gates, outputs = staircases(network)
    zx, wh = zx0.clone().requires_grad_(), wh0.clone().requires_grad_()
    scales = network.gate_scales().detach().requires_grad_()
    h_scales = network.h_scales()[0].detach().requires_grad_()
    arguments = {"gate_scales": scales, "h_scales": h_scales, "gates": gates, "outputs": outputs} | extra
    h, c = recurrence(zx, wh, **arguments)
    (h * weight).sum().backward()
    found = [h.detach(), c, zx.grad, wh.grad]
    return found if arguments["outputs"] is None else [*found, scales.grad, h_scales.grad]


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"cell": Fixed(bits=12, fraction=7)},
        {"cell": Fixed(bits=5, fraction=3)},
        {"cell_limit": 0.5},
        {"limits_gradient": True},
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("batch", [3, 17, 40])
@pytest.mark.parametrize("h_quantized", [True, False])
def test_the_fused_loops_equal_the_torch_operations(monkeypatch, extra, threads, batch, h_quantized):
    network, _ = quantized(4, 3, TERNARY)
    if not h_quantized:  # then c has no format either
        kept = {name: extra[name] for name in ("cell_limit", "limits_gradient") if name in extra}
        extra = {"outputs": None, "gate_scales": None, "h_scales": None} | kept
    torch.manual_seed(batch)
    zx, wh = 2 * torch.randn(STEPS, batch, 4 * HIDDEN), 0.5 * torch.randn(4 * HIDDEN, HIDDEN)
    weight = torch.randn(STEPS, batch, HIDDEN)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        fused = run_once(zx, wh, weight, network, extra)
    finally:
        torch.set_num_threads(before)
    monkeypatch.setattr("mubinn.model.train.recurrence.fits", lambda *_: False)
    plain = run_once(zx, wh, weight, network, extra)
    for ours, want in zip(fused, plain, strict=True):
        assert torch.allclose(ours, want, atol=1e-4, rtol=1e-4)


def test_a_nan_neither_crashes_nor_gets_lost():
    network, _ = quantized(4, 2)
    zx, wh = torch.zeros(STEPS, BATCH, 4 * HIDDEN), torch.zeros(4 * HIDDEN, HIDDEN)
    weight = torch.full((STEPS, BATCH, HIDDEN), torch.nan)
    zx[2, 1] = torch.nan
    assert run_once(zx, wh, weight, network, {})[2].isnan().any()

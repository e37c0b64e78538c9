"""The limit of the gradient that steps hand to those before: by autograd with hooks, and where signs multiply it."""

import pytest

torch = pytest.importorskip("torch")

from mubinn.model.train.network import Classifier  # noqa: E402
from mubinn.model.train.recurrence import recurrence  # noqa: E402
from mubinn.model.train.systems import SYSTEMS  # noqa: E402

BATCH, HIDDEN = 3, 20


def case(steps):
    """Parts of the pre-activations near 0, where gates are steepest, weights of +-1, and gradients from outside."""
    torch.manual_seed(1)
    zx = (0.1 * torch.randn(steps, BATCH, 4 * HIDDEN, dtype=torch.float64)).requires_grad_()
    wh = torch.randn(4 * HIDDEN, HIDDEN, dtype=torch.float64).sign().requires_grad_()
    return zx, wh, torch.randn(steps, BATCH, HIDDEN, dtype=torch.float64)


def by_autograd(zx, wh, weight, limit):
    """Gradients of zx and wh through a loop of torch operations whose h clamp what comes back to them."""
    h, c, loss = torch.zeros(BATCH, HIDDEN, dtype=torch.float64), 0, 0
    for part, outside in zip(zx, weight, strict=True):
        i, f, g, o = (part + h @ wh.t()).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        h.register_hook(lambda gradient: gradient.clamp(-limit, limit))
        loss = loss + (h * outside).sum()
    return torch.autograd.grad(loss, (zx, wh))


def ours(zx, wh, weight, **settings):
    h, _ = recurrence(zx, wh, **settings)
    return torch.autograd.grad((h * weight).sum(), (zx, wh))


@pytest.mark.parametrize("steps", [1, 2, 12])
def test_it_is_a_clamp_of_every_gradient_of_h(steps):
    zx, wh, weight = case(steps)
    limited = ours(zx, wh, weight, limits_gradient=True)
    for got, want in zip(limited, by_autograd(zx, wh, weight, weight.abs().max().item()), strict=True):
        assert torch.allclose(got, want, rtol=1e-10, atol=1e-12)
    free = ours(zx, wh, weight)
    assert torch.allclose(free[0], by_autograd(zx, wh, weight, float("inf"))[0], rtol=1e-10)
    assert torch.equal(free[0], limited[0]) == (steps == 1)


def test_signs_multiply_gradients_beyond_float32_without_it():
    zx, wh, weight = (part.detach().float() for part in case(400))
    zx, wh = (0 * zx).requires_grad_(), wh.requires_grad_()
    # h stays at 0 with g at 0, so every step multiplies alike.
    assert not torch.isfinite(ours(zx, wh, weight)[0]).all()
    assert torch.isfinite(ours(zx, wh, weight, limits_gradient=True)[0]).all()


@pytest.mark.parametrize("preset", SYSTEMS)
def test_only_b_lstm_has_it_and_not_in_full_precision(preset, monkeypatch):
    kinds = ("fixed",) * 4 if SYSTEMS[preset].gate == "fixed" else ("levels",) * 4
    network = Classifier(3, 4, 2, activation_levels=1, weight_levels=1, preset=preset, gate_kinds=kinds)
    seen = []

    def spy(*arguments, limits_gradient, **settings):
        seen.append(limits_gradient)
        return recurrence(*arguments, **settings)

    monkeypatch.setattr("mubinn.model.train.layer.recurrence", spy)
    x = torch.randn(5, 2, 3)
    network.hidden(x)
    network.start("weights", x)
    network.hidden(x)
    assert seen[0] is False and seen[-1] is (preset == "b_lstm")

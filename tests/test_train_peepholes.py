"""Peepholes in training: Eq. 4-8 by hand, the golden model's integers, and runs that end in circuits."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mubinn.build.generate import generate  # noqa: E402
from mubinn.model.artifact import load_model  # noqa: E402
from mubinn.model.data import load_windows  # noqa: E402
from mubinn.model.lstm import Model  # noqa: E402
from mubinn.model.network_file import load_network  # noqa: E402
from mubinn.model.train.config import TrainConfig, TrainError  # noqa: E402
from mubinn.model.train.integers import integer_parameters  # noqa: E402
from mubinn.model.train.loop import train  # noqa: E402
from mubinn.model.train.network import STAGES, Classifier  # noqa: E402
from mubinn.model.train.peepholes import peephole_recurrence  # noqa: E402
from mubinn.model.train.recurrence import recurrence  # noqa: E402
from mubinn.model.train.tag_config import TagConfig  # noqa: E402
from mubinn.model.train.tag_loop import train_tagger  # noqa: E402
from mubinn.sim.simulate import simulate  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from test_train_recurrence import TERNARY, staircases  # noqa: E402
from test_train_recurrence import quantized as plain_network  # noqa: E402
from test_train_tagger import SMALL as TAGGER  # noqa: E402
from test_train_tagger import sentences  # noqa: E402, F401

INPUTS, HIDDEN, STEPS, BATCH = 4, 7, 12, 9


def weights(shape, seed=1):
    torch.manual_seed(seed)
    zx, wh = torch.randn(STEPS, BATCH, 4 * HIDDEN, dtype=torch.float64), torch.randn(4 * HIDDEN, HIDDEN, dtype=torch.float64)
    return zx, 0.4 * wh, 0.7 * torch.randn(4, *shape, dtype=torch.float64)


@pytest.mark.parametrize("shape", [(HIDDEN,), (HIDDEN, HIDDEN)])
def test_float_steps_are_the_equations(shape):
    zx, wh, v = weights(shape)
    h, c = peephole_recurrence(zx, wh, v, cell_limit=1e9)
    matrices = [one if one.dim() == 2 else torch.diag(one) for one in v]
    h_now = c_now = torch.zeros(BATCH, HIDDEN, dtype=torch.float64)
    for t in range(STEPS):
        i, f, g, o = (zx[t] + h_now @ wh.t()).chunk(4, dim=1)
        i, f = torch.sigmoid(i + c_now @ matrices[0].t()), torch.sigmoid(f + c_now @ matrices[1].t())
        c_now = f * c_now + i * torch.tanh(g)
        h_now = torch.sigmoid(o + c_now @ matrices[3].t()) * torch.tanh(c_now @ matrices[2].t())
        assert torch.allclose(h[t], h_now, atol=1e-12) and torch.allclose(c[t], c_now, atol=1e-12)


def test_without_peepholes_it_is_the_plain_recurrence_with_its_gradients():
    for levels in (None, 2):
        found = []
        for function in ("plain", "peephole"):
            network, _ = plain_network(3, 2, TERNARY)
            gates, outputs = staircases(network) if levels else (None, None)
            units = network.lstm.hidden_size
            torch.manual_seed(5)
            zx, wh = torch.randn(6, 3, 4 * units).requires_grad_(), (0.5 * torch.randn(4 * units, units)).requires_grad_()
            scales, h_scales = network.gate_scales().detach().requires_grad_(), network.h_scales()[0].detach().requires_grad_()
            extra = {"gates": gates, "outputs": outputs, "gate_scales": scales, "h_scales": h_scales} if levels else {}
            v = torch.zeros(4, units)
            v[2] = 1
            h, _ = recurrence(zx, wh, **extra) if function == "plain" else peephole_recurrence(zx, wh, v, **extra)
            h.square().sum().backward()
            found.append([h.detach(), zx.grad, wh.grad] + ([scales.grad, h_scales.grad] if levels else []))
        for ours, want in zip(*found, strict=True):
            assert torch.allclose(ours, want, atol=1e-5)


def quantized(levels, kinds=("levels",) * 4, seed=1):
    torch.manual_seed(seed)
    network = Classifier(
        INPUTS, HIDDEN, 3, activation_levels=levels[0], weight_levels=levels[1], gate_kinds=kinds, peepholes="diagonal"
    )
    with torch.no_grad():
        network.v_weight.add_(0.3 * torch.randn_like(network.v_weight))
    x = torch.randn(STEPS, BATCH, INPUTS)
    for stage in STAGES[1:]:
        network.start(stage, x)
    return network, x


@pytest.mark.parametrize("kinds", [("levels",) * 4, ("ternary", "ternary", "levels", "levels")])
@pytest.mark.parametrize("levels", [(1, 1), (2, 3), (3, 2)])
def test_the_golden_model_computes_the_forward_pass(levels, kinds):
    network, x = quantized(levels, kinds)
    p = integer_parameters(network)
    spec = p.spec
    assert spec.cell_kind == "peephole" and spec.peephole_levels == levels[1]
    x = torch.from_numpy(spec.x.real(spec.x.quantize(x - network.x_shift.detach()))).float()
    with torch.no_grad():
        h, _ = network.hidden(x + network.x_shift)
    golden = Model(p).run(spec.x.quantize(x.numpy()).swapaxes(0, 1), record=("h",)).h.swapaxes(0, 1)
    # tanh is a table in the chip: a code next to its threshold may differ, and what follows from it.
    assert np.mean(h.numpy() * (1 << spec.h_fraction) == golden) > 0.97
    network(x).square().sum().backward()
    assert network.v_weight.grad.abs().amax(1).min() > 0 and network.v_scales.steps.grad.abs().max() > 0


def test_full_matrices_have_no_core():
    torch.manual_seed(1)
    network = Classifier(INPUTS, HIDDEN, 3, activation_levels=2, weight_levels=2, peepholes="full")
    with pytest.raises(ValueError, match="peepholes must be diagonal, not full: no core has matrices there"):
        integer_parameters(network)


def test_a_trained_classifier_with_peepholes_equals_its_circuit(tmp_path):
    rng, y = np.random.default_rng(1), np.arange(60) % 2
    x = (10 * rng.standard_normal((60, 15, 3)) * (1 + y[:, None, None])).astype(np.float32)
    np.savez(tmp_path / "windows.npz", x=x, y=y)
    epochs = dict.fromkeys(("float_epochs", "weight_epochs", "activation_epochs", "cell_epochs"), 1)
    config = TrainConfig(preset="qlrl", levels=(2, 2), peepholes="diagonal", hidden_size=5, batches=3, batch_size=8, **epochs)
    file = load_model(train(config, tmp_path / "windows.npz", tmp_path / "m.safetensors").model)
    assert file.spec.cell_kind == "peephole" and file.float_weights is None
    generate(file, tmp_path / "core")
    windows = load_windows(tmp_path / "windows.npz").select(np.arange(5))
    found = simulate(tmp_path / "core", windows, simulator="icarus", cache=tmp_path / "cache", jobs=1)
    assert (found.windows, found.mismatches, found.steps) == (5, 0, 75)


def test_taggers_with_peepholes(sentences, tmp_path):  # noqa: F811
    result = train_tagger(
        TagConfig(preset="qlrl", peepholes="diagonal", **TAGGER), sentences, tmp_path / "diagonal", max_steps=8
    )
    network = load_network(result.model).network
    assert all(p.spec.cell_kind == "peephole" for layer in network.layers for p in layer.directions)
    config = TagConfig(preset="fp", peepholes="full", gates=("GI", "GF", "BI", "BF"), **TAGGER)
    v = load_file(train_tagger(config, sentences, tmp_path / "full", max_steps=8).model)["layers.0.0.v_weight"]
    started = torch.zeros_like(v)
    started[2] = torch.eye(v.shape[1])
    assert v.shape == (4, TAGGER["hidden_size"], TAGGER["hidden_size"])
    assert ((v - started).abs().amax((1, 2)) > 1e-3).all()  # each matrix has learned


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (TrainConfig, {"peepholes": "full"}, "peepholes must be none or diagonal, not 'full'"),
        (TrainConfig, {"preset": "fp", "peepholes": "diagonal"}, "peepholes must be none with preset fp, not diagonal"),
        (TagConfig, {"preset": "qlrl", "peepholes": "full"}, "peepholes must be none or diagonal with preset qlrl, not 'full'"),
    ],
)
def test_what_is_refused(config, settings, message):
    with pytest.raises(TrainError, match=f"^{message}$"):
        config(**settings)

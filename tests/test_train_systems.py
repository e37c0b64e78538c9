"""The papers' systems in training: how each scales its operands, and each from training to the simulated circuit."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mubinn.build.generate import generate  # noqa: E402
from mubinn.model.artifact import load_model  # noqa: E402
from mubinn.model.data import load_windows  # noqa: E402
from mubinn.model.lstm import Model  # noqa: E402
from mubinn.model.quantize.levels import OperandLevels, levels_text, parsed_levels  # noqa: E402
from mubinn.model.train.config import TrainConfig, default_copies, default_epochs  # noqa: E402
from mubinn.model.train.integers import integer_parameters  # noqa: E402
from mubinn.model.train.loop import train  # noqa: E402
from mubinn.model.train.network import STAGES, Classifier  # noqa: E402
from mubinn.model.train.systems import SYSTEMS, system_of  # noqa: E402
from mubinn.sim.simulate import simulate  # noqa: E402

INPUTS, HIDDEN, STEPS, BATCH = 5, 12, 30, 16


def quantized(preset, levels, seed=1):
    torch.manual_seed(seed)
    kinds = (system_of(preset, levels).gate,) * 4
    network = Classifier(
        INPUTS, HIDDEN, 3, activation_levels=levels[0], weight_levels=levels[1], preset=preset, gate_kinds=kinds
    )
    x = torch.randn(STEPS, BATCH, INPUTS)
    for stage in STAGES[1:]:
        network.start(stage, x)
    return network, x


def is_power_of_two(scales):
    return bool(((scales & scales - 1) == 0).all())


CASES = [("b_lstm", (1, 1)), ("nazari2020", (2, 3)), ("mubinn1", (1, 1)), ("mubinn1", (3, 2)), ("mubinn1", (5, 5))]


@pytest.mark.parametrize(("preset", "levels"), CASES)
def test_scales_are_the_systems(preset, levels):
    network, _ = quantized(preset, levels)
    p = integer_parameters(network)
    spec, system = p.spec, SYSTEMS[preset]
    assert spec.gate_kinds == ("fixed",) * 4 and spec.bias_levels == 8 and spec.input_levels == levels[0]
    for name in ("x", "h", "wx", "wh", "bias"):
        scales, rule = getattr(p, f"{name}_scales"), getattr(system, name)
        assert is_power_of_two(scales)
        fraction = {"x": spec.x.fraction, "h": spec.h_fraction}.get(name) or getattr(spec, f"{name}_fraction")
        if rule == "sign":
            assert (scales == 1 << fraction).all()
        elif rule == "plain":
            assert (scales[..., :-1] == 2 * scales[..., 1:]).all() and scales.shape[-1] == 8
    if preset == "nazari2020":  # its wx has three levels, and five that count nothing
        assert (p.wx_scales[:, :3] > 0).all() and (p.wx_scales[:, 3:] == 0).all() and spec.weight_levels == 8


OPERANDS = [("mubinn2", ((3, 2, 4), (2, 1))), ("mubinn1", ((2, 3, 2), (3, 2))), ("mubinn2", ((6, 7, 8), 3))]


@pytest.mark.parametrize(("preset", "levels"), OPERANDS)
def test_operands_have_levels_of_their_own(preset, levels):
    network, _ = quantized(preset, levels)
    spec, of = integer_parameters(network).spec, OperandLevels.of(levels)
    assert (spec.input_levels, spec.hidden_levels, spec.weight_levels) == (of.x, of.h, of.weights)
    if preset == "mubinn2":
        assert (spec.gate_levels, spec.bias_levels) == (of.gates, of.bias)
    assert parsed_levels(levels_text(levels)) == levels


def test_the_operand_that_loses_most_decides_the_schedule():
    assert [default_epochs("mubinn2", parsed_levels(text)) for text in ("3/2/3,3", "4/3/1,3", "fp,3/1", "fp,1/3", "fp,fp")] == [
        (12, 12, 24, 1), (12, 24, 24, 1), (12, 2, 24, 1), (12, 24, 24, 1), (12, 2, 24, 1)
    ]  # fmt: skip
    assert default_epochs("fp", (1, 1)) == (12, 2, 24, 1)
    assert [default_epochs("qlrl", levels) for levels in ((3, 3), (1, 3))] == [(12, 2, 48, 1), (12, 24, 48, 1)]
    peaks = [TrainConfig(preset=preset, levels=levels, lr=1e-3).peaks for preset, levels in (
        ("mubinn2", (3, 3)), ("mubinn2", (3, 1)), ("qlrl", (3, 3)), ("qlrl", (1, 3)), ("fp", (1, 1)))]  # fmt: skip
    assert peaks == [(1e-3, 5e-4, 5e-4), (1e-3, 5e-4, 2.5e-4), (1e-3, 5e-4, 1e-3), (1e-3, 5e-4, 2.5e-4), (1e-3, 5e-4, 2.5e-4)]
    assert [default_copies("mubinn2", ((x, 1, 1), 1)) for x in (1, 2, 3, 4)] == [6, 3, 2, 1]
    assert [default_copies("mubinn2", (1, 1), channels) for channels in (19, 42, 43, 128, 129, 300)] == [6, 6, 5, 2, 1, 1]


FULL = [("mubinn2", ("fp", 2)), ("mubinn2", (3, "fp")), ("mubinn2", ("fp", "fp")), ("mubinn1", (2, "fp"))]


@pytest.mark.parametrize(("preset", "levels"), FULL)
def test_full_precision_of_one_side_is_plain_numbers(preset, levels):
    network, _ = quantized(preset, levels)
    p = integer_parameters(network)
    plain = {"x": levels[0] == "fp", "h": levels[0] == "fp"} | dict.fromkeys(("wx", "wh", "bias"), levels[1] == "fp")
    for name, is_plain in plain.items():
        scales = getattr(p, f"{name}_scales")
        halves = scales.shape[-1] == 8 and (scales[..., :-1] == 2 * scales[..., 1:]).all()
        assert halves == (is_plain or (name == "bias" and preset == "mubinn1"))
    assert p.spec.gate_kinds == ("fixed" if levels[0] == "fp" or preset == "mubinn1" else "levels",) * 4


@pytest.mark.parametrize(("preset", "levels"), [*CASES, *FULL, *OPERANDS[:2]])
def test_the_golden_model_computes_the_forward_pass(preset, levels):
    network, x = quantized(preset, levels)
    p = integer_parameters(network)
    spec = p.spec
    x = torch.from_numpy(spec.x.real(spec.x.quantize(x - network.x_shift.detach()))).float()
    with torch.no_grad():
        h, _ = network.hidden(x + network.x_shift)
    golden = Model(p).run(spec.x.quantize(x.numpy()).swapaxes(0, 1), record=("h",)).h.swapaxes(0, 1)
    step = 2 * int(p.h_scales.min())  # between neighbouring codes
    off = np.abs(h.numpy() * (1 << spec.h_fraction) - golden)
    # tanh(c) and the gates are tables in the chip: a code next to its threshold may differ, and with signs alone all follow.
    assert (off > step).mean() < (0.06 if preset == "b_lstm" else 0.002)


def test_what_is_not_learned_has_no_gradient_and_does_not_move():
    network, x = quantized("mubinn1", (2, 2))
    before = [scales.clone() for name, scales in network.named_buffers() if name.endswith("scales.scales")]
    network(x).sum().backward()
    assert len(before) == 5 and network.lstm.weight_hh_l0.grad.abs().max() > 0
    torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1).step()
    network.project()
    after = [scales for name, scales in network.named_buffers() if name.endswith("scales.scales")]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_sign_is_trained_within_its_codes():
    network, _ = quantized("b_lstm", (1, 1))
    with torch.no_grad():
        network.lstm.weight_hh_l0.fill_(3.0)
    network.project()
    assert network.lstm.weight_hh_l0.max() == 1.0
    assert default_copies("b_lstm", (1, 1)) == 1 and default_copies("mubinn1", (1, 1)) == 6


SMALL = {
    "hidden_size": 6,
    "float_epochs": 1,
    "weight_epochs": 1,
    "activation_epochs": 1,
    "cell_epochs": 1,
    "batches": 2,
    "batch_size": 8,
}
TRAINED = [("b_lstm", (1, 1)), ("nazari2020", (2, 2)), ("mubinn1", (2, 2)), ("mubinn2", (2, 2)), ("qlrl", (2, 2)),
           ("mubinn2", ("fp", 1)), ("mubinn2", (1, "fp")), ("qlrl", ("fp", "fp")),
           ("mubinn2", ((3, 2, 1), (2, 3)))]  # fmt: skip


@pytest.mark.parametrize(("preset", "levels"), TRAINED)
def test_a_trained_model_of_every_system_equals_its_circuit(tmp_path, preset, levels):
    rng = np.random.default_rng(1)
    y = np.arange(60) % 2
    x = (10 * rng.standard_normal((60, 15, 3)) * (1 + y[:, None, None])).astype(np.float32)
    np.savez(tmp_path / "windows.npz", x=x, y=y)
    result = train(TrainConfig(preset=preset, levels=levels, **SMALL), tmp_path / "windows.npz", tmp_path / "m.safetensors")
    model_file = load_model(result.model)
    assert model_file.preset == preset
    generate(model_file, tmp_path / "core")
    windows = load_windows(tmp_path / "windows.npz").select(np.arange(6))
    found = simulate(tmp_path / "core", windows, simulator="icarus", cache=tmp_path / "cache", jobs=1)
    assert (found.windows, found.mismatches) == (6, 0) and found.steps == 90

"""Gates of 0, 1/2 and 1, Gumbel noise, and weights by first-order residuals in a run."""

import numpy as np
import pytest
from small_training import config, two_classes

torch = pytest.importorskip("torch")

from mubinn.model.artifact import load_model  # noqa: E402
from mubinn.model.evaluate import evaluate, load_test  # noqa: E402
from mubinn.model.train.batches import load_training_data  # noqa: E402
from mubinn.model.train.integers import integer_parameters  # noqa: E402
from mubinn.model.train.loop import train  # noqa: E402
from mubinn.model.train.run import Run  # noqa: E402


@pytest.fixture
def windows(tmp_path):
    return two_classes(tmp_path / "windows.npz")


@pytest.mark.parametrize(("gates", "kinds"), [(None, "ttll"), (("BO",), "lllt"), (("BF", "BI", "BO"), "ttlt")])
def test_a_run_with_ternary_gates(windows, tmp_path, gates, kinds):
    result = train(config(preset="qlrl", gates=gates), windows, tmp_path / "m.safetensors")
    model_file = load_model(result.model)
    assert model_file.preset == "qlrl" and "".join(kind[0] for kind in model_file.spec.gate_kinds) == kinds
    assert evaluate(model_file, load_test(model_file, windows)).figures()["windows"] == 60


def test_gumbel_gates_and_residual_weights(windows, tmp_path):
    gates = ("GI", "GF", "BI", "BF", "B(UVW)")
    result = train(config(preset="qlrl", levels=(3, 2), gates=gates), windows, tmp_path / "m.safetensors")
    p = load_model(result.model).parameters
    assert p.spec.gate_kinds[:2] == ("ternary", "ternary") and p.spec.weight_levels == 2
    one, two = p.wx_scales.T
    assert (one > two).all() and (two > 0).all()
    noisy = train(config(preset="fp", gates=("GI", "GF")), windows, tmp_path / "noisy.safetensors")
    plain = train(config(preset="fp"), windows, tmp_path / "plain.safetensors")
    noisy, plain = (load_model(result.model).float_weights.weight_hh for result in (noisy, plain))
    assert not np.array_equal(noisy, plain)


def test_residual_scales_are_those_of_the_weights_that_are_written(windows):
    """An average of weights has residuals of its own."""
    parts = load_training_data(windows)
    run = Run(config(levels=(2, 2), gates=("B(UVW)",), input_copies=1), parts, None)
    while run.network.stage != "cell":
        run.network.start(run.network.following(), run._batch(np.random.default_rng(0))[0])
    with torch.no_grad():
        run.network.lstm.weight_hh_l0.mul_(3.0)
    rows = run.network.lstm.weight_hh_l0.detach().reshape(4, -1).double().numpy()
    p = integer_parameters(run.network)
    np.testing.assert_array_equal(p.wh_scales[:, 0], np.floor(np.abs(rows).mean(1) * 2**p.spec.wh_fraction + 0.5))

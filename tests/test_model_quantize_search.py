"""The search for levels: within its budget, never worse than the uniform ones, and where the error is known, right."""

import json
from dataclasses import astuple, replace

import numpy as np
import pytest
from mubinn.build import cli
from mubinn.model.artifact import ModelFile, load_model, save_model
from mubinn.model.quantize.levels import OperandLevels
from mubinn.model.quantize.post import post_training
from mubinn.model.quantize.search import bit_operations, score_error, search_levels
from test_model_quantize import INPUTS, weights

SIZES = (19, 100)


def test_bit_operations_by_hand():
    levels = OperandLevels(x=2, h=3, gates=2, weights=2, bias=1)
    assert bit_operations(levels, 5, 10) == 40 * 2 * (5 * 2 + 10 * 3) + 40 * 3 * 12 + 40
    for name in ("x", "h", "gates", "weights", "bias"):
        assert bit_operations(replace(levels, **{name: 4}), 5, 10) > bit_operations(levels, 5, 10)


@pytest.mark.parametrize("uniform", [(1, 1), (2, 2), (3, 2), (4, 4)])
@pytest.mark.parametrize("precious", ["x", "h", "gates", "weights", "bias"])
def test_the_levels_go_where_they_count(uniform, precious):
    """One tensor's levels are worth a hundred times those of the others."""
    budget, tried = OperandLevels.of(uniform), []

    def error(levels):
        tried.append(levels)
        return sum((100.0 if name == precious else 1.0) * 4.0 ** -getattr(levels, name) for name in vars(levels))

    found, own, plain = search_levels(SIZES, budget, error)
    assert bit_operations(found, *SIZES) <= bit_operations(budget, *SIZES) and own == error(found)
    assert plain == error(budget) and own <= plain and len(tried) - 2 == len(set(tried))
    assert getattr(found, precious) >= max(1, getattr(budget, precious) - (precious in ("h", "weights")))
    assert all(1 <= level <= 8 for level in astuple(found))


def test_a_search_that_finds_nothing_keeps_the_budget():
    budget = OperandLevels.of((2, 2))
    assert search_levels(SIZES, budget, lambda levels: 0.0 if levels == budget else 1.0) == (budget, 0.0, 0.0)


def test_errors_are_in_deviations():
    wanted = np.array([[0.0, 2.0], [2.0, 0.0]])
    assert score_error(wanted + 1, wanted) == 1 and score_error(wanted, wanted) == 0


def test_uniform_levels_are_a_and_w():
    of, x = weights(seed=2), np.random.default_rng(1).normal(0, 1, (16, 6, INPUTS))
    one, other = (post_training(of, x, levels=levels) for levels in ((3, 2), OperandLevels.of((3, 2))))
    assert one.spec == other.spec and all(np.array_equal(v, other.tensors()[k]) for k, v in one.tensors().items())
    spec = post_training(of, x, levels=OperandLevels(x=4, h=2, gates=3, weights=1, bias=5)).spec
    assert (spec.input_levels, spec.hidden_levels, spec.gate_levels, spec.weight_levels, spec.bias_levels) == (4, 2, 3, 1, 5)


def test_what_is_left_of_the_budget_is_spent():
    """Twice the operations of (2,2) are worth more than a level of one tensor."""
    found, own, plain = search_levels(
        SIZES, OperandLevels.of((2, 2)), lambda levels: sum(4.0**-v for v in astuple(levels)), factor=2
    )
    assert min(astuple(found)) >= 2 and sum(astuple(found)) >= 14 and own < plain


def test_the_verb_searches(tmp_path, capsys):
    out = tmp_path / "a.safetensors"
    command = ["quantize", "eeg-fp", "--calibrate", "eeg-sample", "--levels", "2,2", "-o", str(out)]
    assert cli.main([*command, "--search", "1.2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    spec = load_model(out).spec
    assert said["score_error"] < said["uniform_score_error"] and said["bit_operations"] <= said["most_bit_operations"]
    found = [said["levels"][name] for name in ("x", "h", "gates", "weights", "bias")]
    assert found == [spec.input_levels, spec.hidden_levels, spec.gate_levels, spec.weight_levels, spec.bias_levels]
    assert cli.main([*command, "--search", "0.5"]) == 1
    assert "--search must be 1 to 8, not 0.5" in capsys.readouterr().err


def test_levels_that_were_found_are_trained(tmp_path, capsys):
    pytest.importorskip("torch")
    rng, y = np.random.default_rng(1), np.arange(60) % 2
    x = (rng.standard_normal((60, 9, INPUTS)) * (1 + 3 * y[:, None, None])).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    source = tmp_path / "fp.safetensors"
    save_model(source, ModelFile(preset="fp", float_weights=weights(seed=2)))
    command = ["quantize", str(source), "--calibrate", str(tmp_path / "data.npz"), "--levels", "2,2", "--search", "1.3"]
    assert cli.main([*command, "--finetune", "--epochs", "1,1,1", "-o", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    spec = load_model(tmp_path / "out").spec
    found = [said["levels"][name] for name in ("x", "h", "gates", "weights", "bias")]
    assert found == [spec.input_levels, spec.hidden_levels, spec.gate_levels, spec.weight_levels, spec.bias_levels]
    assert len(set(found)) > 1 and said["validation"]["windows"] == 8

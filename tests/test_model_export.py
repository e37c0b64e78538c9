"""Quantized models as ONNX: onnxruntime says, number for number, what the golden model says."""

import json

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from mubinn.build import cli  # noqa: E402
from mubinn.model.artifact import ModelFile, Preprocess  # noqa: E402
from mubinn.model.network_file import NetworkFile, save_network  # noqa: E402
from mubinn.model.quantize.source import SourceError  # noqa: E402
from mubinn.model.quantize.to_onnx import differences, to_onnx  # noqa: E402
from mubinn.sim.random_case import random_case  # noqa: E402
from mubinn.sim.random_network import random_network  # noqa: E402


def samples(spec, seed, windows=5):
    """Over the whole range of x, its ends and beyond."""
    rng = np.random.default_rng(seed)
    x = rng.integers(spec.x.low - 5, spec.x.high + 6, (windows, min(6, spec.max_steps), spec.input_size))
    x = np.where(rng.random(x.shape) < 0.5, x, rng.integers(-3, 4, x.shape)) + rng.choice([0, 0.25, 0.5], x.shape)
    return (x / (1 << spec.x.fraction)).astype(np.float32)


def test_random_specs():
    kinds = set()
    for seed in range(1, 121):
        parameters = random_case(seed).parameters
        spec, file = parameters.spec, ModelFile(preset="mubinn2", parameters=parameters)
        if spec.cell_kind == "lstm":
            kinds |= {*spec.gate_kinds, "cell levels" if spec.cell_levels else "cell", f"classes {bool(spec.classes)}"}
            assert differences(to_onnx(file), file, samples(spec, seed)) == 0, seed
    assert {"levels", "ternary", "fixed", "cell levels", "cell", "classes True", "classes False"} <= kinds


def plain(network):
    return all(p.spec.cell_kind == "lstm" for layer in network.layers for p in layer.directions)


def test_random_networks():
    kinds = set()
    for seed in range(1, 60):
        network = random_network(seed).network
        if not plain(network):
            continue
        kinds |= {network.kind, *(len(layer.directions) for layer in network.layers)}
        file = NetworkFile(network=network)
        made = to_onnx(file)
        assert differences(made, file, samples(network.spec, seed)) == 0, seed
        assert ("label" in {output.name for output in made.graph.output}) == (network.kind in ("label", "step"))
    assert {"h", "label", "step", "crf", 1, 2} <= kinds


@pytest.mark.parametrize("name", ["eeg-1-1", "eeg-3-3"])
def test_shipped_models_on_real_windows(name, tmp_path, capsys):
    out = tmp_path / "a.onnx"
    assert cli.main(["export", name, "--data", "eeg-sample", "-o", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["windows"], said["steps"], said["differences"]) == (36, 325, 0) and said["bytes"] == out.stat().st_size
    onnx.checker.check_model(onnx.load(out), full_check=True)
    before = out.read_bytes()
    assert cli.main(["export", name, "-o", str(out)]) == 0 and out.read_bytes() == before


def test_a_wrong_graph_is_seen_and_not_written(tmp_path, capsys, monkeypatch):
    from mubinn.model.quantize import to_onnx as module

    monkeypatch.setattr(
        module._Graph, "saturated", lambda graph, value, low, high: graph.add("Clip", value, graph.constant(0.0))
    )
    assert cli.main(["export", "eeg-2-2", "-o", str(tmp_path / "a.onnx")]) == 1
    assert "not written: onnxruntime differs from the golden model in" in capsys.readouterr().err
    assert not (tmp_path / "a.onnx").exists()


def test_what_onnx_has_not_is_refused_by_name(tmp_path, capsys):
    drawn = (random_case(seed).parameters for seed in range(1, 200))
    other = next(parameters for parameters in drawn if parameters.spec.cell_kind != "lstm")
    with pytest.raises(SourceError, match=r"cell_kind must be lstm for ONNX, not (peephole|gru)"):
        to_onnx(ModelFile(preset="mubinn2", parameters=other))
    assert cli.main(["export", "eeg-fp", "-o", str(tmp_path / "a.onnx")]) == 1
    assert "preset must be a quantized one, not fp" in capsys.readouterr().err
    assert cli.main(["export", "eeg-2-2", "--split", "time", "-o", str(tmp_path / "a.onnx")]) == 1
    assert "--split must be with --data" in capsys.readouterr().err


def test_a_network_with_preprocessing(tmp_path):
    drawn = (random_network(seed).network for seed in range(1, 60))
    network = next(network for network in drawn if network.kind == "label" and plain(network))
    n = network.spec.input_size
    preprocess = Preprocess(channels=[f"c{k}" for k in range(n)], fs=125, decimation=1, mean=range(n), std=[0.3] * n)
    save_network(tmp_path / "a.safetensors", NetworkFile(network=network, preprocess=preprocess))
    assert cli.main(["export", str(tmp_path / "a.safetensors"), "-o", str(tmp_path / "a.onnx")]) == 0

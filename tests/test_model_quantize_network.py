"""Imports of several layers and both directions: the same file from every framework, and what its circuit says of it."""

import json

import numpy as np
import pytest
import torch
from mubinn.build import cli
from mubinn.model.network_file import load_network
from mubinn.model.quantize.post import post_network
from mubinn.model.quantize.source import SourceError, check, read_model
from mubinn.model.reference import FloatWeights
from mubinn.model.reference_network import FloatNetwork, layer_outputs

INPUTS, UNITS, CLASSES = 3, 4, 3
SHAPES = {"stacked": (2, 1, "mean"), "stacked-last": (3, 1, "last"), "both": (1, 2, "steps"), "both-twice": (2, 2, "steps")}
"""(layers, directions, pool)."""


def network(shape, seed=1):
    layers, directions, pool = SHAPES[shape]
    rng = np.random.default_rng(seed)

    def lstm(inputs):
        sizes = {"weight_ih": (4 * UNITS, inputs), "weight_hh": (4 * UNITS, UNITS), "bias": 4 * UNITS}
        return FloatWeights(**{name: rng.normal(0, 0.6, size).astype(np.float32) for name, size in sizes.items()})

    own = [[lstm(directions * UNITS if k else INPUTS) for _ in range(directions)] for k in range(layers)]
    head = rng.normal(0, 0.6, (CLASSES, directions * UNITS)).astype(np.float32)
    return FloatNetwork(layers=own, head_weight=head, head_bias=rng.normal(0, 0.3, CLASSES).astype(np.float32), pool=pool)


def pytorch_file(path, of):
    state = {"head.weight": of.head_weight, "head.bias": of.head_bias}
    for k, layer in enumerate(of.layers):
        for suffix, own in zip(("", "_reverse"), layer, strict=False):
            for name, value in own.tensors().items():
                state[f"lstm.{'bias_ih' if name == 'bias' else name}_l{k}{suffix}"] = value
    torch.save({name: torch.from_numpy(np.array(value)) for name, value in state.items()}, path)
    return path


def onnx_file(path, of):
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    order = [0, 3, 1, 2]  # ours i, f, g, o to theirs i, o, f, c

    def turned(value):
        return value.reshape(4, UNITS, -1)[order].reshape(4 * UNITS, -1)

    constants = {"HW": of.head_weight.T, "HB": of.head_bias, "shape": np.array([0, 0, -1]), "zero": np.array([0])}
    nodes, entry = [helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2])], "steps"
    for k, layer in enumerate(of.layers):
        constants |= {
            f"W{k}": np.stack([turned(own.weight_ih) for own in layer]),
            f"R{k}": np.stack([turned(own.weight_hh) for own in layer]),
            f"B{k}": np.stack([np.concatenate([turned(own.bias)[:, 0], np.zeros(4 * UNITS, np.float32)]) for own in layer]),
        }
        direction = "bidirectional" if len(layer) > 1 else "forward"
        nodes += [
            helper.make_node("LSTM", [entry, f"W{k}", f"R{k}", f"B{k}"], [f"y{k}", f"last{k}"], hidden_size=UNITS,
                             direction=direction),
            helper.make_node("Transpose", [f"y{k}"], [f"t{k}"], perm=[0, 2, 1, 3]),
            helper.make_node("Reshape", [f"t{k}", "shape"], [f"h{k}"]),
        ]  # fmt: skip
        entry = f"h{k}"
    if of.pool == "steps":
        nodes.append(helper.make_node("Transpose", [entry], ["pooled"], perm=[1, 0, 2]))
    elif of.pool == "mean":
        nodes.append(helper.make_node("ReduceMean", [entry, "zero"], ["pooled"], keepdims=0))
    else:
        nodes.append(helper.make_node("Squeeze", [f"last{len(of.layers) - 1}", "zero"], ["pooled"]))
    nodes += [helper.make_node("MatMul", ["pooled", "HW"], ["product"]), helper.make_node("Add", ["product", "HB"], ["scores"])]
    out = ["N", "T", CLASSES] if of.pool == "steps" else ["N", CLASSES]
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", "T", INPUTS])],
        [helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, out)],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def keras_file(path, of, *, merge_mode="concat"):
    pytest.importorskip("h5py")
    import os

    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    layers = [keras.layers.Input((None, INPUTS))]
    for k, own in enumerate(of.layers):
        lstm = keras.layers.LSTM(UNITS, return_sequences=of.pool != "last" or k < len(of.layers) - 1)
        layers.append(lstm if len(own) == 1 else keras.layers.Bidirectional(lstm, merge_mode=merge_mode))
    if of.pool == "mean":
        layers.append(keras.layers.GlobalAveragePooling1D())
    dense = keras.layers.Dense(CLASSES)
    layers.append(keras.layers.TimeDistributed(dense) if of.pool == "steps" and len(of.layers) > 1 else dense)
    model = keras.Sequential(layers)
    for layer, own in zip(model.layers, of.layers, strict=False):
        layer.set_weights([value for one in own for value in (one.weight_ih.T, one.weight_hh.T, one.bias)])
    if merge_mode == "concat":
        model.layers[-1].set_weights([of.head_weight.T, of.head_bias])
    model.save(path)
    return path


FILES = {"a.pt": pytorch_file, "a.onnx": onnx_file, "a.keras": keras_file}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore")
def test_every_framework_gives_the_weights(shape, name, tmp_path):
    of = network(shape)
    found = read_model(FILES[name](tmp_path / name, of), pool=of.pool)
    assert check(found) < 1e-5 and found.weights.pool == of.pool
    assert [len(own) for own in found.weights.layers] == [len(own) for own in of.layers]
    for own, want in zip(found.weights.layers, of.layers, strict=True):
        for one, other in zip(own, want, strict=True):
            assert all(np.array_equal(one.tensors()[tensor], value) for tensor, value in other.tensors().items())


@pytest.mark.filterwarnings("ignore")
def test_a_swapped_direction_is_seen(tmp_path):
    of = network("both")
    found = read_model(pytorch_file(tmp_path / "a.pt", of))
    swapped = FloatNetwork(layers=[of.layers[0][::-1]], head_weight=of.head_weight, head_bias=of.head_bias)
    with pytest.raises(SourceError, match="scores must be the source's to 1e-05, not off by"):
        check(type(found)(weights=swapped, scores=found.scores))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shape", ["stacked", "both-twice"])
def test_one_file_of_the_same_weights_and_its_circuit(shape, tmp_path, capsys, monkeypatch):
    of = network(shape)
    x = np.random.default_rng(3).normal(0, 1, (20, 6, INPUTS)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(20) % CLASSES)
    written, pool = [], ["--pool", of.pool]
    for name, file in FILES.items():
        out = tmp_path / f"{name}.safetensors"
        source = str(file(tmp_path / name, of))
        command = [
            "quantize",
            source,
            "--calibrate",
            str(tmp_path / "data.npz"),
            "--levels",
            "3,3",
            *pool,
            "-o",
            str(out),
            "--json",
        ]
        assert cli.main(command) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["import_error"] < 1e-5 and said["calibrated"] == 20 and said["agreement"] > 0.6
        written.append(out.read_bytes())
    assert written[0] == written[1] == written[2]
    model, core = str(tmp_path / "a.pt.safetensors"), str(tmp_path / "core")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["eval", model, "--data", "data.npz"]) == (0 if of.pool == "mean" else 1)
    said = capsys.readouterr()
    assert "accuracy" in said.out if of.pool == "mean" else "answers every step" in said.err
    assert cli.main(["generate", model, "-o", core]) == 0
    capsys.readouterr()
    assert cli.main(["simulate", core, "--simulator", "icarus", "--data", "data.npz", "--windows", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["mismatches"], found["windows"], found["steps"]) == (0, 3, 18)


@pytest.mark.parametrize("shape", SHAPES)
def test_more_levels_are_closer(shape):
    of, x, off = network(shape, seed=5), np.random.default_rng(5).normal(0, 1, (64, 8, INPUTS)), []
    floats = layer_outputs(of, x)[-1]
    for level in (1, 2, 4):
        made = post_network(of, x, levels=(level, level))
        h = made.run(made.spec.x.quantize(x)).features / 2.0 ** made.layers[-1].forward.spec.h_fraction
        off.append(float(np.abs(h - floats).mean() / floats.std()))
    assert off == sorted(off, reverse=True) and off[2] < 0.2


@pytest.mark.filterwarnings("ignore")
def test_what_the_chip_can_not_do_is_refused_by_name(tmp_path):
    both = pytorch_file(tmp_path / "a.pt", network("both"))
    with pytest.raises(SourceError, match="pool must be steps where the last layer has two directions, not mean"):
        read_model(both, pool="mean")
    with pytest.raises(SourceError, match="merge_mode of Bidirectional must be concat, not sum"):
        read_model(keras_file(tmp_path / "a.keras", network("both"), merge_mode="sum"))
    state = torch.load(both, weights_only=True)
    for k in range(1, 9):
        for name in ("weight_ih", "weight_hh"):
            for suffix in ("", "_reverse"):
                columns = 2 * UNITS if name == "weight_ih" else UNITS
                state[f"lstm.{name}_l{k}{suffix}"] = torch.zeros(4 * UNITS, columns)
    torch.save(state, tmp_path / "deep.pt")
    with pytest.raises(SourceError, match="num_layers must be at most 8, not 9"):
        read_model(tmp_path / "deep.pt")


def test_layers_that_do_not_fit_are_refused():
    of = network("both-twice")
    with pytest.raises(ValueError, match="layer 1: input_size must be 4, as many as leave the layer before, not 8"):
        FloatNetwork(layers=[of.layers[0][:1], of.layers[1]], head_weight=of.head_weight, head_bias=of.head_bias)
    with pytest.raises(ValueError, match=r"head_weight must have shape \[3, 4\], not \[3, 8\]"):
        FloatNetwork(layers=[own[:1] for own in network("both").layers], head_weight=of.head_weight, head_bias=of.head_bias)


def test_preprocessing_is_kept(tmp_path):
    from mubinn.model.artifact import ArtifactError, Preprocess
    from mubinn.model.network_file import NetworkFile, save_network

    of, x = network("stacked"), np.random.default_rng(2).normal(0, 1, (8, 5, INPUTS))
    made = post_network(of, x, levels=(2, 2))
    preprocess = Preprocess(channels=("a", "b", "c"), fs=125, decimation=4, mean=(1, 2, 3), std=(2, 2, 2))
    save_network(tmp_path / "a.safetensors", NetworkFile(network=made, preprocess=preprocess))
    file = load_network(tmp_path / "a.safetensors")
    assert file.preprocess == preprocess and file.channel_count == 3
    assert np.array_equal(file.quantize_input(2 * x + [1, 2, 3]), made.spec.x.quantize(x))
    with pytest.raises(ArtifactError, match="x must be finite"):
        file.quantize_input(np.full((1, 1, 3), np.nan))
    with pytest.raises(ArtifactError, match=r"preprocess.channels must be 3, the input_size, not 2"):
        NetworkFile(network=made, preprocess=Preprocess(channels=("a", "b"), fs=1, decimation=1, mean=(0, 0), std=(1, 1)))

"""Imports from PyTorch, ONNX and Keras: the same file of the same weights, refusals by name, post-training scales."""

import json

import numpy as np
import pytest
import torch
from mubinn.build import cli
from mubinn.build.quantizing import calibration, imported
from mubinn.model.artifact import ModelFile, load_model
from mubinn.model.evaluate import evaluate
from mubinn.model.lstm import Model
from mubinn.model.quantize.post import post_training
from mubinn.model.quantize.source import SourceError, check, read_model
from mubinn.model.reference import FloatWeights, run

INPUTS, UNITS, CLASSES = 3, 5, 2


def weights(pool="mean", seed=1):
    rng = np.random.default_rng(seed)
    shapes = {"weight_ih": (4 * UNITS, INPUTS), "weight_hh": (4 * UNITS, UNITS), "bias": 4 * UNITS}
    shapes |= {"head_weight": (CLASSES, UNITS), "head_bias": CLASSES}
    return FloatWeights(**{name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}, pool=pool)


def pytorch_file(path, of, **more):
    state = {
        "lstm.weight_ih_l0": of.weight_ih,
        "lstm.weight_hh_l0": of.weight_hh,
        "lstm.bias_ih_l0": of.bias,
        "lstm.bias_hh_l0": np.zeros_like(of.bias),
        "head.weight": of.head_weight,
        "head.bias": of.head_bias,
    } | more
    torch.save({name: torch.from_numpy(np.array(value)) for name, value in state.items() if value is not None}, path)
    return path


def onnx_file(path, of, *, windows_first=True, softmax=False, operator=None, **attributes):
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    order = [0, 3, 1, 2]  # ours i, f, g, o to theirs i, o, f, c

    def turned(value):
        return value.reshape(4, UNITS, -1)[order].reshape(1, 4 * UNITS, -1)

    bias = np.concatenate([turned(of.bias).reshape(1, -1), np.zeros((1, 4 * UNITS), np.float32)], axis=1)
    constants = {"W": turned(of.weight_ih), "R": turned(of.weight_hh), "B": bias, "HW": of.head_weight, "HB": of.head_bias,
                 "one": np.array([1]), "zero": np.array([0])}  # fmt: skip
    nodes, entry = [], "x"
    if windows_first:
        nodes.append(helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]))
        entry = "steps"
    nodes.append(helper.make_node("LSTM", [entry, "W", "R", "B"], ["y", "last"], hidden_size=UNITS, **attributes))
    if of.pool == "mean":
        nodes.append(helper.make_node("Squeeze", ["y", "one"], ["h"]))
        nodes.append(helper.make_node("ReduceMean", ["h", "zero"], ["pooled"], keepdims=0))
    else:
        nodes.append(helper.make_node("Squeeze", ["last", "zero"], ["pooled"]))
    nodes.append(helper.make_node("Gemm", ["pooled", "HW", "HB"], ["scores"], transB=1))
    end = "scores"
    if softmax:
        nodes.append(helper.make_node("Softmax", ["scores"], ["shares"]))
        end = "shares"
    if operator:
        nodes.append(helper.make_node(operator, [end], ["after"]))
        end = "after"
    shape = ["N", "T", INPUTS] if windows_first else ["T", "N", INPUTS]
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(end, onnx.TensorProto.FLOAT, ["N", CLASSES])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def keras_file(path, of, *, softmax=False, **settings):
    pytest.importorskip("h5py")
    import os

    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    means = of.pool == "mean"
    layers = [keras.layers.Input((None, INPUTS)), keras.layers.LSTM(UNITS, return_sequences=means, **settings)]
    if means:
        layers.append(keras.layers.GlobalAveragePooling1D())
    layers.append(keras.layers.Dense(CLASSES, activation="softmax" if softmax else None))
    model = keras.Sequential(layers)
    model.layers[0].set_weights([of.weight_ih.T, of.weight_hh.T, of.bias])
    model.layers[-1].set_weights([of.head_weight.T, of.head_bias])
    model.save(path)
    return path


FILES = {"a.pt": pytorch_file, "a.onnx": onnx_file, "a.keras": keras_file}


@pytest.mark.parametrize("pool", ["mean", "last"])
@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore")
def test_every_framework_gives_the_weights(name, pool, tmp_path):
    of = weights(pool)
    found = read_model(FILES[name](tmp_path / name, of), pool=pool)
    assert check(found) < 1e-5 and found.weights.pool == pool
    for tensor, value in of.tensors().items():
        assert np.array_equal(found.weights.tensors()[tensor], value), tensor


@pytest.mark.parametrize("file, options", [(onnx_file, {"windows_first": False}), (onnx_file, {"softmax": True}),
                                           (keras_file, {"softmax": True})])  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_other_forms(file, options, tmp_path):
    suffix = ".onnx" if file is onnx_file else ".keras"
    found = read_model(file(tmp_path / f"a{suffix}", weights(), **options))
    assert check(found) < 1e-5 and found.softmax == options.get("softmax", False)


def test_a_wrong_order_of_the_gates_is_seen(tmp_path):
    of = weights()
    found = read_model(pytorch_file(tmp_path / "a.pt", of))
    turned = of.weight_ih.reshape(4, UNITS, -1)[[0, 2, 1, 3]].reshape(4 * UNITS, -1)
    wrong = FloatWeights(**of.tensors() | {"weight_ih": turned}, pool=of.pool)
    with pytest.raises(SourceError, match="scores must be the source's to 1e-05, not off by"):
        check(type(found)(weights=wrong, scores=found.scores))


@pytest.mark.filterwarnings("ignore")
def test_one_model_file_of_the_same_weights(tmp_path, capsys):
    """Whatever they came from; and it goes through generate and simulate."""
    np.savez(tmp_path / "data.npz", x=np.random.default_rng(3).normal(0, 1, (20, 6, INPUTS)).astype(np.float32),
             y=np.arange(20) % 2)  # fmt: skip
    written = []
    for name, file in FILES.items():
        out = tmp_path / f"{name}.safetensors"
        source = str(file(tmp_path / name, weights()))
        command = ["quantize", source, "--calibrate", str(tmp_path / "data.npz"), "--levels", "3,2", "-o", str(out), "--json"]
        assert cli.main(command) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["import_error"] < 1e-5 and said["calibrated"] == 20 and 0 <= said["agreement"] <= 1
        written.append(out.read_bytes())
    assert written[0] == written[1] == written[2]
    file = load_model(tmp_path / "a.pt.safetensors")
    assert (file.spec.input_levels, file.spec.weight_levels, file.spec.pool) == (3, 2, "mean")
    core = tmp_path / "core"
    assert cli.main(["generate", str(tmp_path / "a.pt.safetensors"), "-o", str(core)]) == 0
    assert cli.main(["simulate", str(core), "--simulator", "amaranth", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["mismatches"] == 0


def refusals():
    big = np.zeros((4 * UNITS, UNITS), np.float32)
    yield pytorch_file, "a.pt", {"lstm.weight_hr_l0": big}, "proj_size must be 0"
    yield pytorch_file, "a.pt", {"lstm.weight_ih_l0_reverse": big}, "lstm.weight_hh_l0_reverse is missing"
    yield pytorch_file, "a.pt", {"lstm.weight_ih_l1": big}, "lstm.weight_hh_l1 is missing"
    yield pytorch_file, "a.pt", {"lstm.weight_hh_l0": None}, "lstm.weight_hh_l0 is missing"
    yield pytorch_file, "a.pt", {"norm.weight": big[0]}, "norm.weight is neither of the LSTM nor of its linear layer"
    yield pytorch_file, "a.pt", {"head.weight": None}, "must have 1 linear layer of 5 inputs"
    yield onnx_file, "a.onnx", {"clip": 3.0}, "clip of the LSTM must be left out, not 3"
    yield onnx_file, "a.onnx", {"input_forget": 1}, "input_forget of the LSTM must be 0, not 1"
    yield onnx_file, "a.onnx", {"direction": "reverse"}, "direction of the LSTM must be forward or bidirectional, not"
    yield onnx_file, "a.onnx", {"activations": ["HardSigmoid", "Tanh", "Tanh"]}, "activations of the LSTM must be Sigmoid"
    yield onnx_file, "a.onnx", {"operator": "Relu"}, "the operator Relu is none of an LSTM with a dense layer"
    yield keras_file, "a.keras", {"recurrent_activation": "hard_sigmoid"}, "recurrent_activation of the LSTM must be sigmoid"
    yield keras_file, "a.keras", {"activation": "relu"}, "activation of the LSTM must be tanh, not relu"
    yield keras_file, "a.keras", {"go_backwards": True}, "go_backwards of the LSTM must be False, not True"


@pytest.mark.parametrize("file, name, changes, message", list(refusals()))
@pytest.mark.filterwarnings("ignore")
def test_what_can_not_be_honoured_is_refused_by_name(file, name, changes, message, tmp_path):
    with pytest.raises(SourceError, match=message):
        read_model(file(tmp_path / name, weights(), **changes))


@pytest.mark.filterwarnings("ignore")
def test_bad_files_are_one_line(tmp_path, capsys):
    for name in ("a.pt", "a.onnx", "a.keras", "a.safetensors", "a.tflite", "none.onnx"):
        if name != "none.onnx":
            (tmp_path / name).write_bytes(b"no model at all")
        command = ["quantize", str(tmp_path / name), "--calibrate", "eeg-sample", "-o", str(tmp_path / "out.safetensors")]
        assert cli.main(command) == 1
        error = capsys.readouterr().err.strip()
        assert error.startswith("mubinn: error: ") and name in error and "\n" not in error
    for more in (["--levels", "9,1"], ["--levels", "4"], ["--pool", "last"]):
        assert cli.main(["quantize", "eeg-fp", "--calibrate", "eeg-sample", "-o", str(tmp_path / "o.safetensors"), *more]) == 1
    assert not (tmp_path / "out.safetensors").exists()


def test_a_pickle_with_code_is_not_run(tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    torch.save({"lstm.weight_ih_l0": Harm()}, tmp_path / "a.pt")
    with pytest.raises(SourceError, match="must be a state dict of tensors alone"):
        read_model(tmp_path / "a.pt")
    assert not (tmp_path / "harm").exists()


def test_more_levels_are_closer():
    of, x = weights(seed=5), np.random.default_rng(5).normal(0, 1, (32, 8, INPUTS))
    floats, worst = run(of, x), []
    for level in (1, 2, 4, 6):
        made = Model(post_training(of, x, levels=(level, level)))
        spec = made.spec
        scores = made.run(spec.x.quantize(x)).scores / x.shape[1] / 2.0 ** (spec.h_fraction + spec.head_fraction)
        worst.append(np.abs(scores - floats).mean())
    assert worst == sorted(worst, reverse=True) and worst[-1] < 0.1 * worst[0]


@pytest.mark.slow
def test_the_shipped_float_model():
    """Four levels keep nine of ten of its classes on the shipped windows, which it is not fitted to."""
    floats, error = imported("eeg-fp")
    windows = calibration(floats, "eeg-sample")
    seen, kept = windows.select(slice(None, 12)), windows.select(slice(12, None))
    parameters = post_training(floats.float_weights, floats.normalise(seen.x), levels=(4, 4))
    made = ModelFile(preset="mubinn2", parameters=parameters, float_weights=floats.float_weights, preprocess=floats.preprocess)
    found = evaluate(made, kept)
    assert error is None and np.mean(found.label == found.float_label) >= 0.9


@pytest.mark.filterwarnings("ignore")
def test_fine_tuning_starts_from_the_imported_network(tmp_path, capsys):
    """On samples far from mean 0 and deviation 1, as they are: classes by the amplitude of one channel."""
    rng, of = np.random.default_rng(1), weights(seed=4)
    y = np.arange(80) % 2
    x = rng.standard_normal((80, 12, INPUTS))
    x[..., 1] *= 1 + 3 * y[:, None]
    x = (5 * x + 7).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    source = str(pytorch_file(tmp_path / "a.pt", of))
    command = ["quantize", source, "--calibrate", str(tmp_path / "data.npz"), "-o", str(tmp_path / "out"), "--json"]
    assert cli.main([*command, "--levels", "3,3", "--finetune", "--epochs", "1,2,1"]) == 0
    said = json.loads(capsys.readouterr().out)
    file = load_model(tmp_path / "out")
    # The parent in the file is the imported network: normalised samples, other weights, the same scores.
    scores = run(file.float_weights, file.normalise(x))
    assert np.allclose(scores, run(of, x), atol=1e-4)
    assert said["validation"]["windows"] == 12 and said["import_error"] < 1e-5
    for more, message in ((["--epochs", "1,1,1"], "--epochs must be with --finetune"),
                          (["--finetune", "--max-steps", "9"], "--max-steps must be left out with --finetune"),
                          (["--finetune", "--levels", "6,6"], "levels must be A,W, each 1 to 5 or fp")):  # fmt: skip
        assert cli.main([*command, *more]) == 1
        assert message in capsys.readouterr().err

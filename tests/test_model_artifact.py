"""The model file: there and back, the same bytes, and what it refuses to hold."""

import dataclasses
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from messages import refusal
from model_cases import random_floats, random_model_file, random_parameters
from mubinn.model import artifact
from mubinn.model.artifact import ArtifactError, ModelFile, Preprocess, load_model, save_model
from mubinn.model.spec import LstmSpec
from mubinn.model.zoo import DATA, MODELS, data_path, model_path

refuses = refusal(ArtifactError)


def same(a, b):
    assert (a.preset, a.preprocess, a.card) == (b.preset, b.preprocess, b.card)
    for part in ("parameters", "float_weights"):
        mine, other = getattr(a, part), getattr(b, part)
        assert (mine is None) == (other is None)
        if mine is not None:
            assert mine.tensors().keys() == other.tensors().keys()
            for name, value in mine.tensors().items():
                assert value.dtype == other.tensors()[name].dtype and (value == other.tensors()[name]).all()
    if a.parameters is not None:
        assert a.parameters.spec == b.parameters.spec


@pytest.mark.parametrize(
    "model_file",
    [
        random_model_file(1),
        random_model_file(2, preset="fp"),
        random_model_file(3, classes=0),
        random_model_file(4, cell_levels=3, weight_levels=8, head_bits=16),
        dataclasses.replace(random_model_file(5), preprocess=None, float_weights=None, card={}),
    ],
    ids=["all", "fp", "no head", "levels", "least"],
)
def test_there_and_back(tmp_path, model_file):
    path = tmp_path / "m.safetensors"
    save_model(path, model_file)
    same(load_model(path), model_file)
    first = path.read_bytes()
    save_model(path, load_model(str(path)))
    assert path.read_bytes() == first
    assert os.listdir(tmp_path) == ["m.safetensors"]


def test_the_same_bytes_in_another_process(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    save_model(here, random_model_file(1))
    code = ("import sys; sys.path.insert(0, sys.argv[1]); from model_cases import random_model_file\n"
            "from mubinn.model.artifact import save_model; save_model(sys.argv[2], random_model_file(1))")  # fmt: skip
    subprocess.run([sys.executable, "-c", code, os.path.dirname(__file__), there], check=True, timeout=60)
    assert here.read_bytes() == there.read_bytes()


def test_storage_types(tmp_path):
    save_model(tmp_path / "m", random_model_file(1))
    _, tensors = artifact._read(tmp_path / "m")
    assert {name: str(value.dtype) for name, value in tensors.items()} == {
        "wx_codes": "uint8", "wh_codes": "uint8", "bias_codes": "uint8", "x_scales": "int32", "h_scales": "int32",
        "gate_scales": "int32", "wx_scales": "int32", "wh_scales": "int32", "bias_scales": "int32",
        "head_weight": "int32", "head_bias": "int32", "float.weight_ih": "float32", "float.weight_hh": "float32",
        "float.bias": "float32", "float.head_weight": "float32", "float.head_bias": "float32",
    }  # fmt: skip


def test_input_by_hand():
    m = random_model_file(1, input_size=2)  # mean 0.5, std 8, x in 1/128
    assert m.normalise([[8.5, -15.5]]).tolist() == [[1.0, -2.0]]
    assert m.quantize_input([[8.5, -15.5], [0.5, 1e9]]).tolist() == [[128, -256], [0, 2047]]
    plain = dataclasses.replace(m, preprocess=None)
    assert plain.quantize_input(np.array([[1.0, -20.0]])).tolist() == [[128, -2048]]
    found = m.model().run(m.quantize_input(np.zeros((2, 5, 2))))
    assert found.label.shape == (2,)


def test_a_channel_given_to_several_inputs():
    again = Preprocess(channels=("a", "b", "a"), fs=125, decimation=1, mean=(1.0, 0.0, -1.0), std=(2.0, 1.0, 4.0))
    assert again.sources == ("a", "b")
    assert again.apply([[3.0, 5.0]]).tolist() == [[1.0, 5.0, 1.0]]
    m = dataclasses.replace(random_model_file(1, input_size=3), preprocess=again)
    assert (m.input_size, m.channel_count) == (3, 2)
    assert m.quantize_input([[3.0, 5.0]]).tolist() == [[128, 640, 128]]
    with pytest.raises(ArtifactError, match=r"^x must end in 2 channels, not \[1, 3\]$"):
        again.apply(np.zeros((1, 3)))


def test_input_refuses():
    m = random_model_file(1, input_size=2)
    with refuses("x must be finite"):
        m.quantize_input([[np.nan, 0.0]])
    with refuses("x must end in 2 channels, not [4, 3]"):
        m.quantize_input(np.zeros((4, 3)))


def test_full_precision_has_no_integers():
    m = random_model_file(1, preset="fp")
    assert (m.input_size, m.classes) == (3, 2)
    text = "preset must be a quantized one, not fp: a full-precision model has no integers"
    for use in (lambda: m.spec, m.model, lambda: m.quantize_input(np.zeros((1, 3)))):
        with refuses(text):
            use()


PREPROCESS = {"channels": ("a", "b"), "fs": 125.0, "decimation": 4, "mean": (0.0, 1.0), "std": (1.0, 2.0)}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"channels": ()}, "preprocess.channels must be at least 1 name"),
        ({"channels": (1, 2)}, "preprocess.channels must be at least 1 name"),
        ({"fs": 0}, "preprocess.fs must be a finite number above 0 Hz, not 0.0"),
        ({"fs": float("nan")}, "preprocess.fs must be a finite number above 0 Hz, not nan"),
        ({"decimation": 0}, "preprocess.decimation must be at least 1, not 0"),
        ({"mean": (0.0,)}, "preprocess.mean must have 2 entries, not 1"),
        ({"mean": (0.0, float("inf"))}, "preprocess.mean must be finite, not inf"),
        ({"std": (1.0, 0.0)}, "preprocess.std must be finite and above 0, not 0.0"),
        ({"std": (1.0, float("nan"))}, "preprocess.std must be finite and above 0, not nan"),
    ],
)
def test_preprocess_refuses(changes, text):
    with refuses(text):
        Preprocess(**(PREPROCESS | changes))


@pytest.mark.parametrize("changes", [{"decimation": 4.0}, {"fs": "fast"}, {"mean": 3}, {"std": (None, 1.0)}])
def test_preprocess_refuses_other_types(changes):
    rule = "preprocess: decimation must be an integer, fs, mean and std numbers: "
    with pytest.raises(ArtifactError, match=f"^{re.escape(rule)}[^\n]+$"):
        Preprocess(**(PREPROCESS | changes))


PARTS = {"preset": "mubinn2", "parameters": random_parameters(LstmSpec(input_size=2, hidden_size=3, classes=2), 1)}


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"preset": "best"}, "preset must be fp, b_lstm, nazari2020, mubinn1, mubinn2 or qlrl, not 'best'"),
        ({"preset": "fp"}, "parameters must be there for every preset but fp, and only there"),
        ({"parameters": None}, "parameters must be there for every preset but fp, and only there"),
        ({"preset": "fp", "parameters": None}, "float_weights must be there for the preset fp"),
        ({"float_weights": random_floats(1, input_size=3, hidden_size=3)},
         "float_weights.input_size must be the spec's 2, not 3"),
        ({"float_weights": random_floats(1, input_size=2, hidden_size=3, classes=3)},
         "float_weights.classes must be the spec's 2, not 3"),
        ({"float_weights": random_floats(1, input_size=2, hidden_size=3, pool="last")},
         "float_weights.pool must be the spec's mean, not last"),
        ({"preprocess": Preprocess(channels=("a",), fs=1, decimation=1, mean=(0,), std=(1,))},
         "preprocess.channels must be 2, the input_size, not 1"),
        ({"card": ["a"]}, "card must be a JSON object, not list"),
        ({"card": {"a": float("nan")}}, "card must be plain JSON with finite numbers"),
        ({"card": {"a": np.zeros(2)}}, "card must be plain JSON with finite numbers"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit(parts, text):
    with refuses(text):
        ModelFile(**(PARTS | parts))


# Names and files -----------------------------------------------------------------------------------------------------


def test_shipped_names():
    assert MODELS == ("eeg-fp", "eeg-1-1", "eeg-2-2", "eeg-3-3") and DATA == ("eeg-sample",)
    assert model_path("eeg-2-2").parts[-3:] == ("model", "zoo", "eeg-2-2.safetensors")
    assert data_path("eeg-sample").is_file()
    assert str(model_path("./eeg-2-2")) == "eeg-2-2" and str(model_path("eeg-sample")) == "eeg-sample"


@pytest.mark.parametrize("name", MODELS)
def test_shipped_models(name, tmp_path):
    m = load_model(name)
    levels = None if name == "eeg-fp" else tuple(int(level) for level in name.split("-")[1:])
    assert m.preset == ("fp" if levels is None else "mubinn2") and m.float_weights is not None
    if levels:
        spec = m.spec
        assert {(spec.input_levels, spec.weight_levels), (spec.hidden_levels, spec.bias_levels)} == {levels}
    copies = 3 if levels == (1, 1) else 1  # inputs a channel
    assert (m.channel_count, m.classes, m.input_size, len(m.preprocess.channels)) == (19, 2, 19 * copies, 19 * copies)
    assert m.preprocess.fs * m.preprocess.decimation == 500
    assert "not a medical device" in json.dumps(m.card).lower()
    save_model(tmp_path / "m", m)
    assert (tmp_path / "m").read_bytes() == model_path(name).read_bytes()


def test_no_file(tmp_path):
    with refuses(f"{tmp_path}/m: no such file, nor one of eeg-fp, eeg-1-1, eeg-2-2, eeg-3-3"):
        load_model(tmp_path / "m")
    with refuses(f"{tmp_path}: no such file, nor one of eeg-fp, eeg-1-1, eeg-2-2, eeg-3-3"):
        load_model(tmp_path)


def test_a_shipped_model_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setattr(artifact, "model_path", lambda name: tmp_path / name)
    with refuses(f"{tmp_path}/eeg-fp: is not in this installation"):
        load_model("eeg-fp")


def test_unwritable(tmp_path):
    with refuses(f"{tmp_path}/no/m: can't be written: No such file or directory"):
        save_model(tmp_path / "no/m", random_model_file(1))
    (tmp_path / "file").write_text("")
    with refuses(f"{tmp_path}/file/m: can't be written: Not a directory"):
        save_model(tmp_path / "file/m", random_model_file(1))
    (tmp_path / "folder").mkdir()
    with refuses(f"{tmp_path}/folder: can't be written: Is a directory"):
        save_model(tmp_path / "folder", random_model_file(1))
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_failure_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m"
    save_model(path, random_model_file(1))
    before = path.read_bytes()

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with refuses(f"{path}: can't be written: No space left on device"):
        save_model(path, random_model_file(2))
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["m"]


def test_loads_without_torch(tmp_path):
    save_model(tmp_path / "m", random_model_file(1))
    code = ("import sys; from mubinn.model.artifact import load_model; load_model(sys.argv[1]).model()\n"
            "assert not {'torch', 'amaranth', 'cocotb'} & set(sys.modules)")  # fmt: skip
    subprocess.run([sys.executable, "-W", "error", "-c", code, tmp_path / "m"], check=True, timeout=60)

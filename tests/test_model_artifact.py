"""The model file: there and back, the same bytes, and one line for every damage."""

import dataclasses
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from model_cases import random_floats, random_model_file, random_parameters
from mubinn.model import artifact
from mubinn.model.artifact import ArtifactError, ModelFile, Preprocess, load_model, save_model
from mubinn.model.spec import LstmSpec
from mubinn.model.zoo import DATA, MODELS, data_path, model_path
from safetensors.numpy import save


def refuses(text):
    return pytest.raises(ArtifactError, match=f"^{re.escape(text)}$")


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


# Damage --------------------------------------------------------------------------------------------------------------


def test_not_safetensors(tmp_path):
    path = tmp_path / "m"
    for content in (b"", b"PK\x03\x04", b"\xff" * 100):
        path.write_bytes(content)
        with refuses(f"{path}: not a readable safetensors file, or damaged"):
            load_model(path)


def test_truncated_everywhere(tmp_path):
    path = tmp_path / "m"
    save_model(path, random_model_file(1))
    data = path.read_bytes()
    for length in range(0, len(data), 37):
        path.write_bytes(data[:length])
        with refuses(f"{path}: not a readable safetensors file, or damaged"):
            load_model(path)


def test_every_changed_byte_is_found(tmp_path):
    path = tmp_path / "m"
    save_model(path, random_model_file(1))
    data = path.read_bytes()
    for place in range(0, len(data), 11):
        changed = bytearray(data)
        changed[place] ^= 0x10
        path.write_bytes(changed)
        with pytest.raises(ArtifactError, match=f"^{re.escape(str(path))}: [^\n]+$"):
            load_model(path)


def rewrite(path, *, header=None, tensors=None, checksum=True, metadata=None):
    """The file with changes in its JSON (None drops a key) and tensors (None drops one), checksum made right again."""
    old_header, old_tensors = artifact._read(path)
    new_tensors = {name: value for name, value in (old_tensors | (tensors or {})).items() if value is not None}
    new_header = old_header | (header or {})
    if checksum:
        new_header["sha256"] = artifact._checksum(new_header, new_tensors)
    text = json.dumps(new_header) if metadata is None else metadata
    path.write_bytes(save(new_tensors, metadata={"mubinn": text}))


SPEC = json.loads(random_model_file(1).spec.to_json())


@pytest.mark.parametrize(
    ("header", "tensors", "text"),
    [
        ({"format_version": 2}, {}, "format_version must be 1, not 2: another version of mubinn wrote this file"),
        ({"dream": 1}, {}, "metadata.mubinn must hold format_version, preset, spec, preprocess, float_pool, card, "
                           "sha256, not card, dream, float_pool, format_version, preprocess, preset, sha256, spec"),
        ({"spec": SPEC | {"weight_levels": 17}}, {}, "weight_levels must be 1 to 16, not 17"),
        ({"spec": SPEC | {"hidden_levels": 0}}, {}, "hidden_levels must be 1 to 16, not 0"),
        ({"spec": SPEC | {"hidden_size": 5}}, {}, "wx_codes must have shape [20, 3], not [16, 3]"),
        ({"spec": SPEC | {"dream": 5}}, {}, "unknown field 'dream', a newer mubinn wrote this spec"),
        ({"spec": None}, {}, "bias_codes does not belong to a full-precision model"),
        ({"spec": 5}, {}, "not a spec: 'int' object is not iterable"),
        ({"preset": "fp"}, {}, "parameters must be there for every preset but fp, and only there"),
        ({"preset": ["fp"]}, {}, "preset must be fp, b_lstm, nazari2020, mubinn1, mubinn2 or qlrl, not ['fp']"),
        ({"float_pool": "max"}, {}, "float.pool must be mean or last, not 'max'"),
        ({"float_pool": None}, {}, "float.bias needs float_pool"),
        ({"preprocess": {}}, {}, "preprocess must hold channels, fs, decimation, mean, std"),
        ({"preprocess": 5}, {}, "preprocess must hold channels, fs, decimation, mean, std"),
        ({"card": []}, {}, "card must be a JSON object, not list"),
        ({}, {"wx_codes": np.full((16, 3), 4, np.uint8)}, "wx_codes must be 0 to 3, not 4 to 4"),
        ({}, {"wx_codes": np.zeros((16, 3), np.int32)}, "wx_codes must be uint8, not int32"),
        ({}, {"x_scales": np.array([-1, 4], np.int32)}, "x_scales must be 0 to 32768, not -1 to 4"),
        ({}, {"x_scales": np.array([np.nan, 4], np.float32)}, "x_scales must be int32, not float32"),
        ({}, {"wh_scales": np.zeros((4, 3), np.int32)}, "wh_scales must have shape [4, 2], not [4, 3]"),
        ({}, {"head_weight": None}, "head_weight is missing"),
        ({}, {"dream": np.zeros(3, np.uint8)}, "dream does not belong to this spec"),
        ({}, {"float.bias": np.full(16, np.nan, np.float32)}, "float.bias must be finite in float32"),
        ({}, {"float.weight_hh": np.full((16, 4), np.inf, np.float32)}, "float.weight_hh must be finite in float32"),
        ({}, {"float.bias": np.zeros(16)}, "float.bias must be float32, not float64"),
        ({}, {"float.bias": None}, "float.bias is missing"),
        ({}, {"float.head_bias": None}, "float.head_weight and head_bias must both be there, or neither"),
        ({}, {"float.dream": np.zeros(3, np.float32)}, "float.dream is unknown"),
        ({}, {"float.bias": np.zeros(12, np.float32)}, "float.bias must have shape [16], not [12]"),
    ],
)  # fmt: skip
def test_damage_with_a_right_checksum(tmp_path, header, tensors, text):
    path = tmp_path / "m"
    save_model(path, random_model_file(1))
    rewrite(path, header=header, tensors=tensors)
    with refuses(f"{path}: {text}"):
        load_model(path)


def test_wrong_checksum(tmp_path):
    path = tmp_path / "m"
    save_model(path, random_model_file(1))
    right = artifact._read(path)[0]["sha256"]
    rewrite(path, header={"sha256": "0" * 64}, checksum=False)
    with refuses(f"{path}: sha256 must be {right}, not {'0' * 64}: the file was damaged or changed"):
        load_model(path)
    save_model(path, random_model_file(1))
    rewrite(path, tensors={"x_scales": np.array([5, 4], np.int32)}, checksum=False)
    with pytest.raises(ArtifactError, match=r"the file was damaged or changed$"):
        load_model(path)


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ("{", "must be a JSON object with format_version"),
        ("[1]", "must be a JSON object with format_version"),
        ("{}", "must be a JSON object with format_version"),
        ("[" * 100_000, "must be a JSON object with format_version"),
        ('{"format_version": 1, "preset": NaN, "spec": null, "preprocess": null, "float_pool": null, "card": {}, '
         '"sha256": ""}', "must hold finite numbers only"),
    ],
)  # fmt: skip
def test_damaged_metadata(tmp_path, metadata, text):
    path = tmp_path / "m"
    save_model(path, random_model_file(1))
    rewrite(path, metadata=metadata)
    with refuses(f"{path}: metadata.mubinn {text}"):
        load_model(path)


def test_safetensors_of_somebody_else(tmp_path):
    path = tmp_path / "m"
    path.write_bytes(save({"a": np.zeros(3)}))
    with refuses(f"{path}: metadata must have the key mubinn: this is no model file of mubinn"):
        load_model(path)


def test_loads_without_torch(tmp_path):
    save_model(tmp_path / "m", random_model_file(1))
    code = ("import sys; from mubinn.model.artifact import load_model; load_model(sys.argv[1]).model()\n"
            "assert not {'torch', 'amaranth', 'cocotb'} & set(sys.modules)")  # fmt: skip
    subprocess.run([sys.executable, "-W", "error", "-c", code, tmp_path / "m"], check=True, timeout=60)

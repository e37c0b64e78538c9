"""Model files that are cut, changed or of somebody else: always one line, never a model."""

import json
import re

import numpy as np
import pytest
from messages import refusal
from model_cases import random_model_file
from mubinn.model import artifact
from mubinn.model.artifact import ArtifactError, load_model, save_model
from safetensors.numpy import save

refuses = refusal(ArtifactError)


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

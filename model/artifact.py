"""The model file: one safetensors file with the integer model, its float parent, the preprocessing and the model card.

Tensors: codes as uint8 (uint16 of more than 8 levels), scales and head as int32, the float network as float32 under `float.*`.
The metadata key `mubinn` holds one JSON object: format_version, preset, spec, preprocess, float_pool, card and a sha256
over all of it and all tensors. The same model gives the same bytes. Nothing in a file is executed; torch is not needed.
"""

import hashlib
import json
import math
import os
from dataclasses import dataclass, field
from operator import index
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .lstm import Model
from .parameters import ParameterError, Parameters, tensor_shapes
from .reference import FloatWeights
from .spec import LstmSpec, SpecError
from .zoo import MODELS, model_path

__all__ = ["FORMAT_VERSION", "PRESETS", "ArtifactError", "ModelFile", "Preprocess", "load_model", "save_model"]

FORMAT_VERSION = 1
PRESETS = ("fp", "b_lstm", "nazari2020", "mubinn1", "mubinn2", "qlrl")
FLOAT = "float."
FIELDS = ("format_version", "preset", "spec", "preprocess", "float_pool", "card", "sha256")


class ArtifactError(ValueError):
    """A model file that can't be used or written. One line: the file, the field, what is allowed and what was found."""


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """From a recording's microvolts to the numbers the network was trained on.

    Parameters
    ----------
    channels : tuple of str
        Names in the order of the network's inputs. A channel may be named several times: it is given to as many inputs,
        each with a mean of its own, which is where a single level cuts it.
    fs : float
        Steps of the network a second, Hz, above 0; the recording's rate is `fs * decimation`.
    decimation : int
        At least 1.
    mean, std : tuple of float
        Microvolt, one a channel; std above 0.
    """

    channels: tuple
    fs: float
    decimation: int
    mean: tuple
    std: tuple

    def __post_init__(self):
        channels = tuple(self.channels)
        if not channels or not all(isinstance(name, str) for name in channels):
            raise ArtifactError("preprocess.channels must be at least 1 name")
        object.__setattr__(self, "channels", channels)
        try:
            object.__setattr__(self, "decimation", index(self.decimation))
            object.__setattr__(self, "fs", float(self.fs))
            for name in ("mean", "std"):
                object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        except (TypeError, ValueError, OverflowError) as error:
            rule = "decimation must be an integer, fs, mean and std numbers"
            raise ArtifactError(f"preprocess: {rule}: {error}") from None
        if self.decimation < 1:
            raise ArtifactError(f"preprocess.decimation must be at least 1, not {self.decimation}")
        if not (math.isfinite(self.fs) and self.fs > 0):
            raise ArtifactError(f"preprocess.fs must be a finite number above 0 Hz, not {self.fs}")
        for name, ok, rule in (("mean", math.isfinite, "finite"),
                               ("std", lambda v: math.isfinite(v) and v > 0, "finite and above 0")):  # fmt: skip
            values = getattr(self, name)
            if len(values) != len(channels):
                raise ArtifactError(f"preprocess.{name} must have {len(channels)} entries, not {len(values)}")
            for value in values:
                if not ok(value):
                    raise ArtifactError(f"preprocess.{name} must be {rule}, not {value}")

    @property
    def sources(self):
        """The channels a recording must have: each name once."""
        return tuple(dict.fromkeys(self.channels))

    def apply(self, x):
        """Normalised float64 samples [..., inputs] of x [..., sources] in microvolt, at `fs` already."""
        x, sources = np.asarray(x, dtype=np.float64), self.sources
        if x.shape[-1:] != (len(sources),):
            raise ArtifactError(f"x must end in {len(sources)} channels, not {list(x.shape)}")
        if len(sources) != len(self.channels):
            x = x[..., [sources.index(name) for name in self.channels]]
        return (x - np.array(self.mean)) / np.array(self.std)


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelFile:
    """What a model file holds.

    Parameters
    ----------
    preset : str
        One of PRESETS. "fp" is full precision.
    parameters : Parameters or None
        The integer model; None for "fp" and only there.
    float_weights : FloatWeights or None
        The full-precision parent; for "fp" the model itself.
    preprocess : Preprocess or None
        None where samples are given as the network takes them.
    card : dict
        The model card: whatever JSON can say.

    Raises ArtifactError where these don't fit together.
    """

    preset: str
    parameters: Parameters | None = None
    float_weights: FloatWeights | None = None
    preprocess: Preprocess | None = None
    card: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.preset not in PRESETS:
            raise ArtifactError(f"preset must be {', '.join(PRESETS[:-1])} or {PRESETS[-1]}, not {self.preset!r}")
        if (self.preset == "fp") != (self.parameters is None):
            raise ArtifactError("parameters must be there for every preset but fp, and only there")
        if self.preset == "fp" and self.float_weights is None:
            raise ArtifactError("float_weights must be there for the preset fp")
        if self.parameters is not None and self.float_weights is not None:
            spec = self.parameters.spec
            for name in ("input_size", "hidden_size", "classes", "pool"):
                mine, parent = getattr(spec, name), getattr(self.float_weights, name)
                if mine != parent and not (name == "pool" and not spec.classes):
                    raise ArtifactError(f"float_weights.{name} must be the spec's {mine}, not {parent}")
        if self.preprocess is not None and len(self.preprocess.channels) != self.input_size:
            raise ArtifactError(f"preprocess.channels must be {self.input_size}, the input_size, "
                                f"not {len(self.preprocess.channels)}")  # fmt: skip
        try:
            object.__setattr__(self, "card", json.loads(_json(self.card)))
        except (TypeError, ValueError, RecursionError) as error:
            raise ArtifactError("card must be plain JSON with finite numbers") from error
        if not isinstance(self.card, dict):
            raise ArtifactError(f"card must be a JSON object, not {type(self.card).__name__}")

    @property
    def channel_count(self):
        """Channels of the samples it is given; `input_size` is more where channels go to several inputs."""
        return self.input_size if self.preprocess is None else len(self.preprocess.sources)

    @property
    def input_size(self):
        """Channels of a sample."""
        return (self.float_weights if self.parameters is None else self.parameters.spec).input_size

    @property
    def classes(self):
        """Outputs of the head, 0 without one."""
        return (self.float_weights if self.parameters is None else self.parameters.spec).classes

    @property
    def spec(self):
        """The LstmSpec. ArtifactError for full precision."""
        return self._integers().spec

    def model(self):
        """The golden model. ArtifactError for full precision."""
        return Model(self._integers())

    def _integers(self):
        if self.parameters is None:
            raise ArtifactError("preset must be a quantized one, not fp: a full-precision model has no integers")
        return self.parameters

    def normalise(self, x):
        """Float64 samples [..., input_size] as the network takes them, from x [..., channel_count] in microvolt."""
        return np.asarray(x, dtype=np.float64) if self.preprocess is None else self.preprocess.apply(x)

    def quantize_input(self, x):
        """Integers [..., input_size] in the format `spec.x` from x [..., channel_count] in microvolt.

        Preprocess, round half up, saturate.

        Raises ArtifactError for a sample that is not finite.
        """
        x = self.normalise(x)
        if not np.isfinite(x).all():
            raise ArtifactError("x must be finite")
        return self.spec.x.quantize(x)


def _json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _storage(name, spec):
    """Type of an integer tensor in the file."""
    if not name.endswith("_codes"):
        return np.dtype(np.int32)
    return np.dtype(np.uint8 if tensor_shapes(spec)[name][2] < 256 else np.uint16)


def _checksum(header, tensors):
    """sha256 over the JSON object without its own entry, then of every tensor name, type, shape and bytes."""
    digest = hashlib.sha256(_json({key: value for key, value in header.items() if key != "sha256"}).encode())
    for name in sorted(tensors):
        digest.update(_json([name, str(tensors[name].dtype), list(tensors[name].shape)]).encode())
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()


def save_model(path, model_file):
    """Write a model file; a failure leaves no half file. ArtifactError for a path that can't be written."""
    path, m = Path(path), model_file
    tensors = {}
    if m.parameters is not None:
        tensors = {name: value.astype(_storage(name, m.spec)) for name, value in m.parameters.tensors().items()}
    if m.float_weights is not None:
        tensors |= {FLOAT + name: value for name, value in m.float_weights.tensors().items()}
    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    preprocess = None
    if m.preprocess is not None:
        preprocess = {name: getattr(m.preprocess, name) for name in ("channels", "fs", "decimation", "mean", "std")}
    header = {
        "format_version": FORMAT_VERSION,
        "preset": m.preset,
        "spec": None if m.parameters is None else json.loads(m.spec.to_json()),
        "preprocess": preprocess,
        "float_pool": None if m.float_weights is None else m.float_weights.pool,
        "card": m.card,
    }
    header["sha256"] = _checksum(header, tensors)
    data = save(tensors, metadata={"mubinn": _json(header)})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        raise ArtifactError(f"{path}: can't be written: {error.strerror}") from error
    finally:
        try:
            temporary.unlink(missing_ok=True)
        except OSError:  # the folder itself is the trouble, and was reported
            pass


def load_model(path):
    """The ModelFile at a path or under a shipped name (see `zoo.MODELS`); ArtifactError for every damage."""
    shipped, path = path in MODELS, model_path(path)
    if not path.is_file():
        hint = "is not in this installation" if shipped else f"no such file, nor one of {', '.join(MODELS)}"
        raise ArtifactError(f"{path}: {hint}")
    header, tensors = _read(path)
    try:
        return _build(header, tensors)
    except (ArtifactError, SpecError, ParameterError) as error:
        raise ArtifactError(f"{path}: {error}") from error


def _read(path):
    """Checked JSON object and tensors of a file."""
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            if "mubinn" not in metadata:
                raise ArtifactError(f"{path}: metadata must have the key mubinn: this is no model file of mubinn")
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, TypeError, ValueError, KeyError, AttributeError) as error:
        if isinstance(error, ArtifactError):
            raise
        raise ArtifactError(f"{path}: not a readable safetensors file, or damaged") from error
    except OSError as error:
        raise ArtifactError(f"{path}: can't be read: {error.strerror or 'damaged'}") from error
    try:
        header = json.loads(metadata["mubinn"])
        version = header["format_version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ArtifactError(f"{path}: metadata.mubinn must be a JSON object with format_version") from error
    if version != FORMAT_VERSION:
        raise ArtifactError(f"{path}: format_version must be {FORMAT_VERSION}, not {version!r}: "
                            "another version of mubinn wrote this file")  # fmt: skip
    if set(header) != set(FIELDS):
        raise ArtifactError(f"{path}: metadata.mubinn must hold {', '.join(FIELDS)}, not {', '.join(sorted(header))}")
    try:
        found = _checksum(header, tensors)
    except (ValueError, TypeError, RecursionError) as error:  # NaN or Infinity, which our JSON never holds
        raise ArtifactError(f"{path}: metadata.mubinn must hold finite numbers only") from error
    if header["sha256"] != found:
        raise ArtifactError(f"{path}: sha256 must be {found}, not {header['sha256']}: the file was damaged or changed")
    return header, tensors


def _build(header, tensors):
    parameters = float_weights = preprocess = None
    floats = {name.removeprefix(FLOAT): tensor for name, tensor in tensors.items() if name.startswith(FLOAT)}
    integers = {name: tensor for name, tensor in tensors.items() if not name.startswith(FLOAT)}
    if header["spec"] is not None:
        spec = LstmSpec.from_json(_json(header["spec"]))
        expected = tensor_shapes(spec)
        for name in sorted(set(integers) - set(expected)):
            raise ArtifactError(f"{name} does not belong to this spec")
        for name, tensor in integers.items():
            if tensor.dtype != _storage(name, spec):
                raise ArtifactError(f"{name} must be {_storage(name, spec)}, not {tensor.dtype}")
        missing = sorted(set(expected) - set(integers))
        if missing:
            raise ArtifactError(f"{missing[0]} is missing")
        parameters = Parameters(spec=spec, **integers)
    elif integers:
        raise ArtifactError(f"{min(integers)} does not belong to a full-precision model")
    if header["float_pool"] is not None:
        names = ("weight_ih", "weight_hh", "bias")
        for name in names:
            if name not in floats:
                raise ArtifactError(f"{FLOAT}{name} is missing")
        for name in sorted(set(floats) - {*names, "head_weight", "head_bias"}):
            raise ArtifactError(f"{FLOAT}{name} is unknown")
        for name, tensor in floats.items():
            if tensor.dtype != np.float32:
                raise ArtifactError(f"{FLOAT}{name} must be float32, not {tensor.dtype}")
        try:
            float_weights = FloatWeights(**floats, pool=header["float_pool"])
        except ValueError as error:
            raise ArtifactError(f"{FLOAT}{error}") from error
    elif floats:
        raise ArtifactError(f"{FLOAT}{min(floats)} needs float_pool")
    if header["preprocess"] is not None:
        try:
            preprocess = Preprocess(**header["preprocess"])
        except TypeError as error:
            raise ArtifactError("preprocess must hold channels, fs, decimation, mean, std") from error
    return ModelFile(preset=header["preset"], parameters=parameters, float_weights=float_weights,
                     preprocess=preprocess, card=header["card"])  # fmt: skip

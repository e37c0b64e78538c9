"""Model file of a network: every direction's integers, the head's, and what a tagger looks its words up in."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .artifact import ArtifactError, Preprocess
from .crf import Crf
from .network import Layer, Network, NetworkError, StepHead
from .parameters import ParameterError, Parameters, tensor_shapes
from .spec import LstmSpec, SpecError
from .tagging import CASES, UNKNOWN, case_of, plain

__all__ = ["NetworkFile", "Vocabulary", "is_network", "load_network", "save_network"]

FORMAT_VERSION = 1
KEY = "mubinn-network"
DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True, kw_only=True, eq=False)
class Vocabulary:
    """What becomes of a word: the samples of a step, its embedding in the format of the first layer's x.

    Parameters
    ----------
    words : tuple of str
        Surface of every word number, as `tagging.plain` writes it; "" where nobody knows it.
    tags : tuple of str
    word : int16 [words, n], case : int16 [cases, m]
        Embeddings; n + m samples a step.
    """

    words: tuple
    tags: tuple
    word: np.ndarray
    case: np.ndarray

    def __post_init__(self):
        if len(self.words) != len(self.word) or len(self.case) != len(CASES):
            raise ArtifactError(f"embedding must have a row for each of {len(self.words)} words and {len(CASES)} cases, "
                                f"not {len(self.word)} and {len(self.case)}")  # fmt: skip
        object.__setattr__(self, "_number", {word: k for k, word in enumerate(self.words) if word and k > UNKNOWN})

    def samples(self, numbers, cases):
        """Integers [..., input_size] of word numbers and casing classes."""
        return np.concatenate([self.word[numbers], self.case[cases]], axis=-1).astype(np.int64)

    def sentence(self, words):
        """Integers [1, words, input_size] of a sentence, a list of str."""
        numbers = np.array([self._number.get(plain(word), UNKNOWN) for word in words])
        return self.samples(numbers, np.array([case_of(word) for word in words]))[None]


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkFile:
    """What the file holds.

    Parameters
    ----------
    network : Network
    vocabulary : Vocabulary or None
    preprocess : Preprocess or None
        Of samples that are no words.
    card : dict
        The model card: whatever JSON can say.
    """

    network: Network
    vocabulary: Vocabulary | None = None
    preprocess: Preprocess | None = None
    card: dict = field(default_factory=dict)

    def __post_init__(self):
        v, spec = self.vocabulary, self.network.spec
        if self.preprocess is not None and len(self.preprocess.channels) != spec.input_size:
            raise ArtifactError(f"preprocess.channels must be {spec.input_size}, the input_size, "
                                f"not {len(self.preprocess.channels)}")  # fmt: skip
        if v is None:
            return
        width = v.word.shape[1] + v.case.shape[1]
        if width != spec.input_size:
            raise ArtifactError(f"embedding must have {spec.input_size} samples a word, not {width}")
        for table in (v.word, v.case):
            if table.min() < spec.x.low or table.max() > spec.x.high:
                raise ArtifactError(f"embedding must be {spec.x.low} to {spec.x.high}, not {table.min()} to {table.max()}")
        if self.network.head is None or len(v.tags) != self.network.head.classes:
            raise ArtifactError("tags must be as many as the head has classes")

    @property
    def channel_count(self):
        """Channels of the samples it is given."""
        return self.network.spec.input_size if self.preprocess is None else len(self.preprocess.sources)

    def quantize_input(self, x):
        """Integers [..., input_size] of samples [..., channel_count]: preprocess, round half up, saturate."""
        x = np.asarray(x, dtype=np.float64) if self.preprocess is None else self.preprocess.apply(x)
        if not np.isfinite(x).all():
            raise ArtifactError("x must be finite")
        return self.network.spec.x.quantize(x)

    def tag(self, words):
        """Tags of a sentence, a list of str, by the golden model."""
        trace = self.network.run(self.vocabulary.sentence(words))
        return [self.vocabulary.tags[k] for k in trace.tag[0]]


def save_network(path, file):
    """Write a network's file; a failure leaves no half file."""
    path, network, tensors = Path(path), file.network, {}
    for k, layer in enumerate(network.layers):
        for direction, p in zip(DIRECTIONS, layer.directions, strict=False):
            tensors |= {f"layer{k}.{direction}.{name}": value.astype(np.int32) for name, value in p.tensors().items()}
    for name in [name for name in tensors if name.endswith("_codes")]:
        tensors[name] = tensors[name].astype(np.uint8 if tensors[name].max() < 256 else np.uint16)
    if network.head is not None:
        tensors |= {"head.weight": network.head.weight.astype(np.int16), "head.bias": network.head.bias.astype(np.int32)}
    if network.crf is not None:
        tensors |= {f"crf.{name}": getattr(network.crf, name).astype(np.int32) for name in ("transitions", "first", "last")}
    v = file.vocabulary
    if v is not None:
        tensors |= {"embedding.word": v.word.astype(np.int16), "embedding.case": v.case.astype(np.int16)}
    header = {
        "format_version": FORMAT_VERSION,
        "layers": [[json.loads(p.spec.to_json()) for p in layer.directions] for layer in network.layers],
        "head_bits": None if network.head is None else network.head.weight_bits,
        "words": None if v is None else list(v.words),
        "tags": None if v is None else list(v.tags),
        "card": file.card,
    }
    if file.preprocess is not None:
        header["preprocess"] = asdict(file.preprocess)
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), allow_nan=False)
    data = save({name: np.ascontiguousarray(value) for name, value in tensors.items()}, metadata={KEY: text})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        raise ArtifactError(f"{path}: can't be written: {error.strerror}") from error
    finally:
        if temporary.is_file():
            temporary.unlink()


def is_network(path):
    """Whether a file says that it is a network's: other model files, and whatever can't be read, are not."""
    path = Path(path)
    if not path.is_file():
        return False
    try:
        with safe_open(path, framework="np") as file:
            return KEY in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def load_network(path):
    """The NetworkFile at a path; ArtifactError for every damage."""
    path = Path(path)
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        header = json.loads(metadata[KEY])
        version = header["format_version"]
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"{path}: not a network's model file, or damaged") from error
    if version != FORMAT_VERSION:
        raise ArtifactError(f"{path}: format_version must be {FORMAT_VERSION}, not {version!r}")
    try:
        return _build(header, tensors)
    except (ArtifactError, SpecError, ParameterError, NetworkError) as error:
        raise ArtifactError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{path}: damaged: {error}") from error


def _build(header, tensors):
    layers = []
    for k, specs in enumerate(header["layers"]):
        directions = {}
        for direction, values in zip(DIRECTIONS, specs, strict=False):
            spec = LstmSpec.from_json(json.dumps(values))
            own = {name: _taken(tensors, f"layer{k}.{direction}.{name}") for name in tensor_shapes(spec)}
            directions[direction] = Parameters(spec=spec, **own)
        layers.append(Layer(**directions))
    head = crf = vocabulary = preprocess = None
    if header["head_bits"] is not None:
        head = StepHead(
            weight=_taken(tensors, "head.weight"), bias=_taken(tensors, "head.bias"), weight_bits=header["head_bits"]
        )
    if "crf.transitions" in tensors:
        crf = Crf(**{name: _taken(tensors, f"crf.{name}") for name in ("transitions", "first", "last")})
    if header["words"] is not None:
        tables = {"word": _taken(tensors, "embedding.word"), "case": _taken(tensors, "embedding.case")}
        vocabulary = Vocabulary(words=tuple(header["words"]), tags=tuple(header["tags"]), **tables)
    if "preprocess" in header:
        preprocess = Preprocess(**header["preprocess"])
    if tensors:
        raise ArtifactError(f"{min(tensors)} does not belong to this network")
    return NetworkFile(network=Network(layers=layers, head=head, crf=crf), vocabulary=vocabulary, preprocess=preprocess,
                       card=header["card"])  # fmt: skip


def _taken(tensors, name):
    if name not in tensors:
        raise ArtifactError(f"{name} is missing")
    return tensors.pop(name)

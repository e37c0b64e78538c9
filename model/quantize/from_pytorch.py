"""PyTorch: the state dict of an nn.LSTM and an nn.Linear, loaded with weights_only, or the same as safetensors."""

import pickle
import re

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from .source import ImportedModel, SourceError, assembled

__all__ = ["read"]

PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
FIRST = "weight_ih_l0"
LAYERS = 8
"""As many as a network may have."""


def read(path, *, pool=None):
    """ImportedModel of a file. A state dict does not say how steps are pooled: `pool`; if None mean, and steps where the last
    layer has two directions."""
    state = _state(path)
    if any("weight_hr_l" in name for name in state):
        raise SourceError(f"{path}: proj_size must be 0")
    prefixes = [name.removesuffix(FIRST) for name in state if name.endswith(FIRST)]
    if len(prefixes) != 1:
        raise SourceError(f"{path}: must have 1 tensor {FIRST}, not {len(prefixes)}")
    layers = _layers(path, state, prefixes[0])
    features = sum(own["weight_hh"].shape[1] for own in layers[-1])
    weight, bias = _head(path, state, features)
    pool = pool or ("mean" if len(layers[-1]) == 1 else "steps")
    floats = [
        [
            {
                "weight_ih": own["weight_ih"].numpy(),
                "weight_hh": own["weight_hh"].numpy(),
                "bias": (own["bias_ih"].double() + own["bias_hh"].double()).numpy(),
            }
            for own in layer
        ]
        for layer in layers
    ]
    weights = assembled(path, floats, weight.numpy(), bias.numpy(), pool)
    return ImportedModel(weights=weights, scores=_scores(layers, weight, bias, pool))


def _state(path):
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise SourceError(f"{path}: must be a state dict of tensors alone, as torch.save(model.state_dict()) writes it: "
                          f"{str(error).splitlines()[0][:120]}") from error  # fmt: skip
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise SourceError(f"{path}: must be a state dict: names and tensors")
    return {name: value.float() for name, value in state.items()}


def _layers(path, state, prefix):
    """Tensors of every direction of every layer, taken out of the state dict."""
    named = re.compile(re.escape(prefix) + r"(?:weight|bias)_(?:ih|hh)_l(\d+)(_reverse)?")
    found = [match for name in state if (match := named.fullmatch(name))]
    count, suffixes = 1 + max(int(match[1]) for match in found), ("", "_reverse") if any(m[2] for m in found) else ("",)
    if count > LAYERS:
        raise SourceError(f"{path}: num_layers must be at most {LAYERS}, not {count}")
    layers = []
    for layer in range(count):
        own = []
        for suffix in suffixes:
            names = {part: f"{prefix}{part}_l{layer}{suffix}" for part in PARTS}
            tensors = {part: state.pop(name, None) for part, name in names.items()}
            for part in PARTS[:2]:
                if tensors[part] is None:
                    raise SourceError(f"{path}: {names[part]} is missing")
            zeros = torch.zeros(len(tensors["weight_hh"]))
            own.append({part: zeros if value is None else value for part, value in tensors.items()})
        layers.append(own)
    return layers


def _head(path, state, features):
    """The one linear layer that takes h."""
    found = [
        name for name, value in state.items() if name.endswith("weight") and value.ndim == 2 and value.shape[1] == features
    ]
    if len(found) != 1:
        raise SourceError(f"{path}: must have 1 linear layer of {features} inputs behind the LSTM, not {len(found)}")
    weight = state.pop(found[0])
    bias = state.pop(found[0].removesuffix("weight") + "bias", torch.zeros(len(weight)))
    if state:
        raise SourceError(f"{path}: {min(state)} is neither of the LSTM nor of its linear layer")
    return weight, bias


def _scores(layers, weight, bias, pool):
    first = layers[0][0]
    lstm = nn.LSTM(first["weight_ih"].shape[1], first["weight_hh"].shape[1], len(layers), batch_first=True,
                   bidirectional=len(layers[0]) > 1)  # fmt: skip
    lstm.load_state_dict(
        {
            f"{part}_l{k}{suffix}": value
            for k, layer in enumerate(layers)
            for suffix, own in zip(("", "_reverse"), layer, strict=False)
            for part, value in own.items()
        }
    )

    def scores(x):
        with torch.no_grad():
            h = lstm(torch.from_numpy(np.ascontiguousarray(x)))[0]
            pooled = {"mean": h.mean(dim=1), "last": h[:, -1], "steps": h}[pool]
            return nn.functional.linear(pooled, weight, bias).numpy()

    return scores

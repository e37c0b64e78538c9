"""PyTorch: the state dict of an nn.LSTM and an nn.Linear, loaded with weights_only, or the same as safetensors."""

import pickle

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ..reference import FloatWeights
from .source import ImportedModel, SourceError

__all__ = ["read"]

LSTM = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
REFUSED = {
    "weight_hr_l": "proj_size must be 0",
    "_reverse": "bidirectional must be False",
    "weight_ih_l1": "num_layers must be 1",
}


def read(path, *, pool=None):
    """ImportedModel of a file. A state dict does not say how steps are pooled: `pool`, mean if None."""
    state = _state(path)
    for part, rule in REFUSED.items():
        if any(part in name for name in state):
            raise SourceError(f"{path}: {rule}")
    prefixes = [name.removesuffix(LSTM[0]) for name in state if name.endswith(LSTM[0])]
    if len(prefixes) != 1:
        raise SourceError(f"{path}: must have 1 tensor {LSTM[0]}, not {len(prefixes)}")
    parts = {name: state.pop(prefixes[0] + name, None) for name in LSTM}
    for name in LSTM[:2]:
        if parts[name] is None:
            raise SourceError(f"{path}: {prefixes[0]}{name} is missing")
    rows, units = parts[LSTM[1]].shape
    biases = [torch.zeros(rows) if parts[name] is None else parts[name] for name in LSTM[2:]]
    weight, bias = _head(path, state, units)
    try:
        weights = FloatWeights(
            weight_ih=parts[LSTM[0]].numpy(),
            weight_hh=parts[LSTM[1]].numpy(),
            bias=(biases[0].double() + biases[1].double()).numpy(),
            head_weight=weight.numpy(),
            head_bias=bias.numpy(),
            pool=pool or "mean",
        )
    except ValueError as error:
        raise SourceError(f"{path}: {error}") from error
    return ImportedModel(weights=weights, scores=_scores(parts, biases, weight, bias, weights.pool))


def _state(path):
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise SourceError(f"{path}: must be a state dict of tensors alone, as torch.save(model.state_dict()) writes it: "
                          f"{str(error).splitlines()[0][:120]}") from error  # fmt: skip
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise SourceError(f"{path}: must be a state dict: names and tensors")
    return {name: value.float() for name, value in state.items()}


def _head(path, state, units):
    """The one linear layer that takes h."""
    found = [name for name, value in state.items() if name.endswith("weight") and value.ndim == 2 and value.shape[1] == units]
    if len(found) != 1:
        raise SourceError(f"{path}: must have 1 linear layer of {units} inputs behind the LSTM, not {len(found)}")
    weight = state.pop(found[0])
    bias = state.pop(found[0].removesuffix("weight") + "bias", torch.zeros(len(weight)))
    if state:
        raise SourceError(f"{path}: {min(state)} is neither of the LSTM nor of its linear layer")
    return weight, bias


def _scores(parts, biases, weight, bias, pool):
    lstm = nn.LSTM(parts[LSTM[0]].shape[1], parts[LSTM[1]].shape[1], batch_first=True)
    lstm.load_state_dict({**{name: parts[name] for name in LSTM[:2]}, LSTM[2]: biases[0], LSTM[3]: biases[1]})

    def scores(x):
        with torch.no_grad():
            h = lstm(torch.from_numpy(np.ascontiguousarray(x)))[0]
            pooled = h.mean(dim=1) if pool == "mean" else h[:, -1]
            return nn.functional.linear(pooled, weight, bias).numpy()

    return scores

"""The judge in float64 for several layers and both directions: `reference`, layer after layer."""

from dataclasses import dataclass

import numpy as np

from .reference import hidden

__all__ = ["POOLS", "FloatNetwork", "layer_outputs", "run_network"]

POOLS = ("mean", "last", "steps")


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatNetwork:
    """Full-precision LSTM layers with a dense head.

    Parameters
    ----------
    layers : sequence of (forward,) or (forward, backward)
        FloatWeights without heads; the backward direction reads a window from its end, and the next layer takes the h of both
        side by side, forward first, as in PyTorch.
    head_weight, head_bias : float32 [classes, features], [classes]
        Over the features of the last layer.
    pool : str
        "steps": the head answers every step; "mean" and "last": once a window, which takes a last layer of one direction.

    Raises ValueError where the parts don't fit.
    """

    layers: tuple
    head_weight: np.ndarray
    head_bias: np.ndarray
    pool: str = "steps"

    def __post_init__(self):
        object.__setattr__(self, "layers", tuple(tuple(own) for own in self.layers))
        if self.pool not in POOLS:
            raise ValueError(f"pool must be mean, last or steps, not {self.pool!r}")
        features = None
        for k, own in enumerate(self.layers):
            sizes = {weights.input_size for weights in own}
            if len(own) not in (1, 2) or len(sizes) > 1:
                raise ValueError(f"layer {k} must have one direction, or two of the same input_size")
            if features is not None and sizes != {features}:
                raise ValueError(
                    f"layer {k}: input_size must be {features}, as many as leave the layer before, not {min(sizes)}"
                )
            features = sum(weights.hidden_size for weights in own)
        for name, shape in (("head_weight", (len(self.head_bias), features)), ("head_bias", (len(self.head_bias),))):
            array = np.array(getattr(self, name), dtype=np.float32)
            if array.shape != shape:
                raise ValueError(f"{name} must have shape {list(shape)}, not {list(array.shape)}")
            if not np.isfinite(array).all():
                raise ValueError(f"{name} must be finite in float32")
            object.__setattr__(self, name, array)
        if self.pool != "steps" and len(self.layers[-1]) > 1:
            raise ValueError(f"pool must be steps where the last layer has two directions, not {self.pool}")

    @property
    def input_size(self):
        return self.layers[0][0].input_size

    @property
    def classes(self):
        return len(self.head_bias)


def layer_outputs(network, x):
    """h of both directions side by side, float64 [N, T, features], behind every layer."""
    found = []
    for own in network.layers:
        parts = [hidden(own[0], x)]
        if len(own) > 1:
            parts.append(hidden(own[1], np.asarray(x)[:, ::-1])[:, ::-1])
        x = np.concatenate(parts, axis=2)
        found.append(x)
    return found


def run_network(network, x):
    """Scores float64 of normalised samples x [N, T, input_size]: [N, T, classes] of steps, else [N, classes]."""
    features = layer_outputs(network, x)[-1]
    if network.pool != "steps":
        features = features.mean(axis=1) if network.pool == "mean" else features[:, -1]
    return features @ network.head_weight.astype(np.float64).T + network.head_bias.astype(np.float64)

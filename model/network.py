"""Networks of several LSTMs: stacked layers, both directions, and heads that answer every step. The golden model."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .binarize import codebook
from .crf import Crf, viterbi
from .fixed import signed_bits
from .lstm import Model
from .parameters import Parameters

__all__ = ["Layer", "Network", "NetworkError", "NetworkTrace", "StepHead"]


class NetworkError(ValueError):
    """Parts that don't fit together; the message names the layer, the field and what is allowed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One layer: its forward direction, and a backward one that reads each window from its last step to its first.

    Parameters
    ----------
    forward : Parameters
    backward : Parameters or None
    """

    forward: Parameters
    backward: Parameters | None = None

    @property
    def directions(self):
        return (self.forward,) if self.backward is None else (self.forward, self.backward)

    @property
    def features(self):
        """Numbers a step that leave the layer: h of the forward direction, then of the backward one."""
        return sum(p.spec.hidden_size for p in self.directions)

    @property
    def h_bits(self):
        """Width of a decoded h."""
        books = [codebook(p.h_scales) for p in self.directions]
        return signed_bits(min(int(b.min()) for b in books), max(int(b.max()) for b in books))


@dataclass(frozen=True, kw_only=True, eq=False)
class StepHead:
    """Dense layer over the features of every step.

    Parameters
    ----------
    weight : int [classes, features]
    bias : int [classes], at the binary point of weight * h
    weight_bits : int
        2 to 16.
    """

    weight: np.ndarray
    bias: np.ndarray
    weight_bits: int = 8

    def __post_init__(self):
        if not 2 <= self.weight_bits <= 16:
            raise NetworkError(f"head.weight_bits must be 2 to 16, not {self.weight_bits}")
        weight, bias = np.asarray(self.weight), np.asarray(self.bias)
        for name, array, axes, bits in (("weight", weight, 2, self.weight_bits), ("bias", bias, 1, 32)):
            if array.dtype.kind not in "iu" or array.ndim != axes or not array.size:
                raise NetworkError(f"head.{name} must be integers with {axes} axes, not {array.dtype} {list(array.shape)}")
            top = 1 << bits - 1
            if array.min() < -top or array.max() >= top:
                raise NetworkError(f"head.{name} must be {-top} to {top - 1}, not {array.min()} to {array.max()}")
            object.__setattr__(self, name, array.astype(np.int64))
        if len(weight) != len(bias) or not 1 <= len(bias) <= 32:
            raise NetworkError(f"head.bias must have an entry for each of 1 to 32 classes, not {len(bias)} for {len(weight)}")

    @property
    def classes(self):
        return len(self.bias)

    def __call__(self, h):
        """Scores int64 [..., classes] of features [..., features]."""
        return np.asarray(h, dtype=np.int64) @ self.weight.T + self.bias


@dataclass(frozen=True, kw_only=True)
class NetworkTrace:
    """Results of `Network.run` on N windows of T steps.

    features : int64 [N, T, features] of the last layer. With a head for every step, scores : int64 [N, T, classes] and
    tag : int64 [N, T]; where the last layer has a head of its own, scores : int64 [N, classes] and label : int64 [N].
    """

    features: np.ndarray
    scores: np.ndarray | None = None
    tag: np.ndarray | None = None
    label: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """LSTM layers one behind the other, and what is made of the last one's h.

    What goes from layer to layer is the decoded h, both directions side by side as in PyTorch; the next layer's x has the same
    binary point. In a layer of one direction the last one may have the dense head of its spec, which answers once a window.

    Parameters
    ----------
    layers : sequence of Layer
    head : StepHead or None
        Answers every step: the class with the greatest score, ties to the lowest, or with `crf` the best sequence.
    crf : Crf or None

    Raises NetworkError where the parts don't fit.
    """

    layers: tuple
    head: StepHead | None = None
    crf: Crf | None = None

    def __post_init__(self):
        object.__setattr__(self, "layers", tuple(self.layers))
        if not 1 <= len(self.layers) <= 8:
            raise NetworkError(f"layers must be 1 to 8, not {len(self.layers)}")
        for k, layer in enumerate(self.layers):
            self._check_layer(k, layer)
        top = self.layers[-1]
        if self.head is not None:
            if top.forward.spec.classes:
                raise NetworkError("head must be left out where the last layer has a head of its own")
            if self.head.weight.shape[1] != top.features:
                raise NetworkError(f"head.weight must have {top.features} columns, not {self.head.weight.shape[1]}")
            if len({p.spec.h_fraction for p in top.directions}) > 1:
                raise NetworkError(f"layer {len(self.layers) - 1}: h_fraction must be the same in both directions")
        if self.crf is not None and (self.head is None or self.crf.tags != self.head.classes):
            raise NetworkError("crf must have the classes of a head for every step")

    def _check_layer(self, k, layer):
        specs = [p.spec for p in layer.directions]
        for spec in specs:
            if spec.classes and (k < len(self.layers) - 1 or len(specs) > 1):
                raise NetworkError(f"layer {k}: classes must be 0 but in a last layer of one direction, not {spec.classes}")
            if spec.max_steps != self.max_steps:
                raise NetworkError(f"layer {k}: max_steps must be {self.max_steps} as in the first, not {spec.max_steps}")
            if spec.x != specs[0].x or spec.input_size != specs[0].input_size:
                raise NetworkError(f"layer {k}: x and input_size must be the same in both directions")
        if not k:
            return
        before, spec = self.layers[k - 1], specs[0]
        if spec.input_size != before.features:
            raise NetworkError(f"layer {k}: input_size must be {before.features}, as many as leave the layer before")
        for p in before.directions:
            if p.spec.h_fraction != spec.x.fraction:
                raise NetworkError(
                    f"layer {k}: x.fraction must be {p.spec.h_fraction}, that of h before, not {spec.x.fraction}"
                )
        if spec.x.bits < before.h_bits:
            raise NetworkError(f"layer {k}: x.bits must be at least {before.h_bits}, those of h before, not {spec.x.bits}")

    @property
    def spec(self):
        """Of the first layer: the format and number of the samples."""
        return self.layers[0].forward.spec

    @property
    def max_steps(self):
        return self.spec.max_steps

    @property
    def features(self):
        """Of the last layer."""
        return self.layers[-1].features

    @property
    def kind(self):
        """What leaves: "h" (every feature), "label" (once a window), "step" (class and scores every step) or "crf" (tags)."""
        if self.head is None:
            return "label" if self.layers[-1].forward.spec.classes else "h"
        return "step" if self.crf is None else "crf"

    @cached_property
    def _models(self):
        return [[Model(p) for p in layer.directions] for layer in self.layers]

    def run(self, x):
        """NetworkTrace of windows x, integers [N, T, input_size] in the format of the first layer's x.

        Raises ValueError as `Model.run`.
        """
        for models in self._models:
            trace = models[0].run(x, record=("h",))
            parts = [trace.h]
            if len(models) > 1:
                parts.append(models[1].run(np.ascontiguousarray(np.asarray(x)[:, ::-1]), record=("h",)).h[:, ::-1])
            x = np.concatenate(parts, axis=2)
        if self.head is None:
            return NetworkTrace(features=x, scores=trace.scores, label=trace.label)
        scores = self.head(x)
        tag = scores.argmax(axis=2)
        if self.crf is not None:
            tag = np.stack([viterbi(window, self.crf)[0] for window in scores])
        return NetworkTrace(features=x, scores=scores, tag=tag)

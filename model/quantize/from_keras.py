"""Keras: a .keras file with an LSTM and a Dense layer."""

import os

import numpy as np

from ..reference import FloatWeights
from .source import ImportedModel, SourceError

os.environ.setdefault("KERAS_BACKEND", "torch")

__all__ = ["read"]

FIXED = {
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
    "go_backwards": False,
    "unroll": False,
    "stateful": False,
}
POOLING, SKIPPED = "GlobalAveragePooling1D", ("InputLayer", "Dropout")


def read(path, *, pool=None):
    """ImportedModel of a file. The layers say how steps are pooled: `pool` must be None or agree."""
    import keras

    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, TypeError, KeyError) as error:
        raise SourceError(f"{path}: not a model that Keras can load: {str(error).splitlines()[0][:120]}") from error
    layers = [layer for layer in model.layers if type(layer).__name__ not in SKIPPED]
    kinds = [type(layer).__name__ for layer in layers]
    wanted = (["LSTM", "Dense"], ["LSTM", POOLING, "Dense"])
    if kinds not in wanted:
        raise SourceError(f"{path}: layers must be LSTM, {POOLING} if wanted, and Dense, not {', '.join(kinds)}")
    lstm, dense = layers[0], layers[-1]
    config = lstm.get_config()
    for name, only in FIXED.items():
        if config.get(name, only) != only:
            raise SourceError(f"{path}: {name} of the LSTM must be {only}, not {config[name]}")
    means = POOLING in kinds
    if config["return_sequences"] != means:
        raise SourceError(f"{path}: return_sequences must be {means} before {kinds[1]}, not {not means}")
    found = "mean" if means else "last"
    if pool not in (None, found):
        raise SourceError(f"{path}: pool must be {found}, as its layers are, not {pool}")
    activation = dense.get_config()["activation"]
    if activation not in ("linear", "softmax"):
        raise SourceError(f"{path}: activation of the Dense layer must be linear or softmax, not {activation}")
    # Gates in the order i, f, c, o, as PyTorch's; one bias.
    kernel, recurrent, *bias = (np.asarray(value) for value in lstm.get_weights())
    head, *head_bias = (np.asarray(value) for value in dense.get_weights())
    try:
        weights = FloatWeights(
            weight_ih=kernel.T,
            weight_hh=recurrent.T,
            bias=bias[0] if bias else np.zeros(kernel.shape[1], dtype=np.float32),
            head_weight=head.T,
            head_bias=head_bias[0] if head_bias else np.zeros(head.shape[1], dtype=np.float32),
            pool=found,
        )
    except ValueError as error:
        raise SourceError(f"{path}: {error}") from error
    return ImportedModel(
        weights=weights,
        scores=lambda x: np.asarray(model.predict(x, verbose=0)),
        softmax=activation == "softmax",
        steps=model.input_shape[1],
    )

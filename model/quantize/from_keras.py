"""Keras: a .keras file with LSTM layers, in one direction or both, and a Dense layer."""

import os

import numpy as np

from .source import ImportedModel, SourceError, assembled

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
RECURRENT = ("LSTM", "Bidirectional")


def read(path, *, pool=None):
    """ImportedModel of a file. The layers say how steps are pooled: `pool` must be None or agree."""
    import keras

    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, TypeError, KeyError) as error:
        raise SourceError(f"{path}: not a model that Keras can load: {str(error).splitlines()[0][:120]}") from error
    layers = [layer for layer in model.layers if type(layer).__name__ not in SKIPPED]
    kinds = [type(layer).__name__ for layer in layers]
    count = next((k for k, kind in enumerate(kinds) if kind not in RECURRENT), len(kinds))
    if not count or kinds[count:] not in (["Dense"], [POOLING, "Dense"], ["TimeDistributed"]):
        raise SourceError(
            f"{path}: layers must be LSTM or Bidirectional, {POOLING} if wanted, and Dense, not {', '.join(kinds)}"
        )
    recurrent, dense = layers[:count], layers[-1]
    if kinds[-1] == "TimeDistributed":
        dense = dense.layer
        if type(dense).__name__ != "Dense":
            raise SourceError(f"{path}: the layer in TimeDistributed must be Dense, not {type(dense).__name__}")
    found = _pool(path, recurrent, kinds[count:])
    if pool not in (None, found):
        raise SourceError(f"{path}: pool must be {found}, as its layers are, not {pool}")
    activation = dense.get_config()["activation"]
    if activation not in ("linear", "softmax"):
        raise SourceError(f"{path}: activation of the Dense layer must be linear or softmax, not {activation}")
    head, *head_bias = (np.asarray(value) for value in dense.get_weights())
    bias = head_bias[0] if head_bias else np.zeros(head.shape[1], dtype=np.float32)
    weights = assembled(path, [_directions(path, layer) for layer in recurrent], head.T, bias, found)
    return ImportedModel(
        weights=weights,
        scores=lambda x: np.asarray(model.predict(x, verbose=0)),
        softmax=activation == "softmax",
        steps=model.input_shape[1],
    )


def _pool(path, recurrent, behind):
    """How steps are pooled, from what the last LSTM returns and what follows it."""
    for layer in recurrent[:-1]:
        if not layer.return_sequences:
            raise SourceError(f"{path}: return_sequences must be True before another LSTM, not False")
    if not recurrent[-1].return_sequences:
        if behind != ["Dense"]:
            raise SourceError(f"{path}: return_sequences must be True before {behind[0]}, not False")
        return "last"
    return "mean" if POOLING in behind else "steps"


def _directions(path, layer):
    """Tensors of a layer's directions, gates in the order i, f, c, o, which is PyTorch's."""
    lstms = [layer]
    if type(layer).__name__ == "Bidirectional":
        if layer.merge_mode != "concat":
            raise SourceError(f"{path}: merge_mode of Bidirectional must be concat, not {layer.merge_mode}")
        lstms = [layer.forward_layer, layer.backward_layer]
    found = []
    for lstm, fixed in zip(lstms, (FIXED, FIXED | {"go_backwards": True}), strict=False):
        if type(lstm).__name__ != "LSTM":
            raise SourceError(f"{path}: the layer in Bidirectional must be an LSTM, not {type(lstm).__name__}")
        config = lstm.get_config()
        for name, only in fixed.items():
            if config.get(name, only) != only:
                raise SourceError(f"{path}: {name} of the LSTM must be {only}, not {config[name]}")
        kernel, recurrent, *bias = (np.asarray(value) for value in lstm.get_weights())
        bias = bias[0] if bias else np.zeros(kernel.shape[1], dtype=np.float32)
        found.append({"weight_ih": kernel.T, "weight_hh": recurrent.T, "bias": bias})
    return found

"""Between the network in training and the model file, and what its fixed-point c does."""

import dataclasses

import numpy as np
import torch

from ..artifact import ModelFile
from ..lstm import Model
from ..reference import FloatWeights
from .config import TrainError
from .integers import integer_parameters

__all__ = ["cell_report", "load_float", "model_file"]

REPORT_WINDOWS = 64


def model_file(network, preprocess, parent, *, preset, card):
    """ModelFile of a network.

    The thresholds that x learned go into the file's normalisation, so a float parent's bias takes them back.

    Parameters
    ----------
    parent : dict or None
        `network.float_state()` before anything was quantized; for "fp" the network itself is taken.
    """
    if preset == "fp":
        return ModelFile(preset=preset, float_weights=_float_weights(network.float_state(), network.pool),
                         preprocess=preprocess, card=card)  # fmt: skip
    shift = network.x_shift.detach().double().numpy()
    moved = np.array(preprocess.mean) + shift * np.array(preprocess.std)
    weights = None
    if parent is not None and network.peepholes == "none":  # the file has no place for a float V
        bias = parent["bias"] + parent["weight_ih"] @ network.x_shift.detach()
        weights = _float_weights(parent | {"bias": bias}, network.pool)
    return ModelFile(
        preset=preset,
        parameters=integer_parameters(network),
        float_weights=weights,
        preprocess=dataclasses.replace(preprocess, mean=tuple(moved)),
        card=card,
    )


def _float_weights(state, pool):
    return FloatWeights(**{name: tensor.numpy() for name, tensor in state.items()}, pool=pool)


def load_float(network, origin, preprocess):
    """Take the float weights of a ModelFile, which was trained on samples normalised its own way."""
    weights = origin.float_weights
    if weights is None:
        raise TrainError("start must hold float weights, which this model file does not")
    lstm, head, copies = network.lstm, network.head, network.input_copies
    for name, mine in (("input_size", lstm.input_size // copies), ("hidden_size", lstm.hidden_size),
                       ("classes", head.out_features), ("pool", network.pool)):  # fmt: skip
        if getattr(weights, name) != mine:
            raise TrainError(f"start's {name} must be {mine}, not {getattr(weights, name)}")
    wx, bias = weights.weight_ih.astype(np.float64), weights.bias.astype(np.float64)
    if origin.preprocess is not None and origin.preprocess != preprocess:
        # The same network on samples normalised our way.
        theirs, channels = origin.preprocess, weights.input_size
        mean, std = np.array(preprocess.mean)[:channels], np.array(preprocess.std)[:channels]
        bias = bias + wx @ ((mean - np.array(theirs.mean)) / np.array(theirs.std))
        wx = wx * (std / np.array(theirs.std))
    wx = np.tile(wx / copies, copies)
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(torch.from_numpy(wx))
        lstm.weight_hh_l0.copy_(torch.from_numpy(weights.weight_hh.copy()))
        lstm.bias_ih_l0.zero_()
        lstm.bias_hh_l0.copy_(torch.from_numpy(bias))
        head.weight.copy_(torch.from_numpy(weights.head_weight.copy()))
        head.bias.copy_(torch.from_numpy(weights.head_bias.copy()))


def cell_report(network, parts):
    """How the chip's c fares against a c in floating point, everything else quantized alike, on validation windows.

    Returns
    -------
    dict with `drift`: mean |integer c - float c| of every step, in units of 1.0; `unchanged`: share of the updates, of
    every step, that leave the code of c as it was; `format`: [bits, fraction].
    """
    x = parts.validation.x[:REPORT_WINDOWS]
    golden = model_file(network, parts.preprocess, None, preset="mubinn2", card={})
    c = Model(golden.parameters).run(golden.quantize_input(x), record=("c",)).c
    spec, stage = golden.spec, network.stage
    network.eval()
    network.stage = "activations"  # all of it but c
    samples = torch.from_numpy(parts.preprocess.apply(x).astype(np.float32)).transpose(0, 1).contiguous()
    with torch.no_grad():
        _, c_float = network.hidden(samples)
    network.stage = stage
    network.train()
    drift = np.abs(spec.cell.real(c) - c_float.transpose(0, 1).numpy()).mean(axis=(0, 2))
    unchanged = (c[:, 1:] == c[:, :-1]).mean(axis=(0, 2))
    return {
        "format": [spec.cell.bits, spec.cell.fraction],
        "drift": [float(f"{v:.3g}") for v in drift],
        "unchanged": [float(f"{v:.3g}") for v in unchanged],
    }

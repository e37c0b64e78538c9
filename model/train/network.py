"""The LSTM classifier in PyTorch: a layer and its dense head."""

import torch
from torch import nn

from .layer import QuantLstm
from .stages import STAGES

__all__ = ["STAGES", "Classifier"]


class Classifier(QuantLstm):
    """LSTM layer with a dense head over the mean or the last h.

    Parameters
    ----------
    input_size, hidden_size, classes : int
    pool : str
        "mean" or "last".
    dropout : float
        Of the pooled h, in training.
    **layer
        See QuantLstm.
    """

    def __init__(self, input_size, hidden_size, classes, *, pool="mean", dropout=0.0, **layer):
        super().__init__(input_size, hidden_size, **layer)
        self.head = nn.Linear(hidden_size, classes)
        self.dropout = nn.Dropout(dropout)
        self.pool = pool

    def float_state(self):
        """Copies of the latent full-precision weights under the names of `reference.FloatWeights`, and V."""
        lstm, head = self.lstm, self.head
        state = {
            "weight_ih": lstm.weight_ih_l0,
            "weight_hh": lstm.weight_hh_l0,
            "bias": lstm.bias_ih_l0 + lstm.bias_hh_l0,
            "head_weight": head.weight,
            "head_bias": head.bias,
        }
        if self.peepholes != "none":
            state["peepholes"] = self.v_weight
        return {name: tensor.detach().clone() for name, tensor in state.items()}

    def float_twin(self, state):
        """A full-precision network of the same shape with a `float_state`, for evaluation only."""
        units, (inputs, classes) = self.lstm.hidden_size, (self.lstm.input_size, self.head.out_features)
        with torch.random.fork_rng(devices=[]):  # its random start must not shift what this run draws
            network = Classifier(inputs, units, classes, activation_levels=1, weight_levels=1, pool=self.pool,
                                 peepholes=self.peepholes)  # fmt: skip
        with torch.no_grad():
            for mine, name in ((network.lstm.weight_ih_l0, "weight_ih"), (network.lstm.weight_hh_l0, "weight_hh"),
                               (network.lstm.bias_hh_l0, "bias"), (network.head.weight, "head_weight"),
                               (network.head.bias, "head_bias")):  # fmt: skip
                mine.copy_(state[name])
            if self.peepholes != "none":
                network.v_weight.copy_(state["peepholes"])
        return network.eval()

    def forward(self, x):
        """Scores [batch, classes]."""
        h = self.output(x)
        return self.head(self.dropout(h.mean(0) if self.pool == "mean" else h[-1]))

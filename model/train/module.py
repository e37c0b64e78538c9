"""A torch module with the signature of nn.LSTM whose operands are binarized stage by stage, for training loops of one's own."""

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from ..network import Layer, Network
from .directions import reversed_steps
from .integers import MAX_STEPS, integer_parameters
from .layer import QuantLstm
from .stages import STAGES

__all__ = ["LSTM"]


class LSTM(nn.Module):
    """nn.LSTM, binarized as far as `stage` says: "float" (where it is nn.LSTM), then "weights", "activations" and "cell".

    Layers after the first take the codes of the layer before, so both directions of a layer share their scales of h, as they
    do on the chip.

    Parameters
    ----------
    input_size, hidden_size, num_layers, batch_first, dropout, bidirectional
        As of nn.LSTM. Its `bias` and `proj_size` can't be chosen: there is a bias, and no projection.
    levels : (A, W)
        Of activations and weights.
    **layer
        See QuantLstm.

    Use
    ---
    Train in full precision, or `load` the weights of an nn.LSTM; then, stage after stage, `start(stage, batch)`, and train on,
    with `project()` after every step of the optimizer. `network()` gives the integers at the end.
    """

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
                 proj_size=0, *, levels=(3, 3), **layer):  # fmt: skip
        super().__init__()
        if not bias:
            raise ValueError("bias must be True, not False")
        if proj_size:
            raise ValueError(f"proj_size must be 0, not {proj_size}")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.batch_first, self.bidirectional = batch_first, bidirectional
        self.between = nn.Dropout(dropout)
        self.layers = nn.ModuleList()
        directions, settings = 1 + bidirectional, {"activation_levels": levels[0], "weight_levels": levels[1], **layer}
        for depth in range(num_layers):
            width = directions * hidden_size if depth else input_size
            own = [QuantLstm(width, hidden_size, takes_codes=depth > 0, **settings) for _ in range(directions)]
            for one in own[1:]:
                one.h_scales = own[0].h_scales
                if not depth:
                    one.x_scales, one.x_shift = own[0].x_scales, own[0].x_shift
            for one in own if depth else ():
                one.x_scales = self.layers[-1][0].h_scales
            self.layers.append(nn.ModuleList(own))

    # What is quantized -----------------------------------------------------------------------------------------------

    @property
    def stage(self):
        """Of STAGES."""
        return self.layers[0][0].stage

    def following(self):
        """The stage after this one."""
        return STAGES[STAGES.index(self.stage) + 1]

    def start(self, stage, input):
        """Go on to `stage`; new scales are fitted to what the layers see of this batch."""
        x, lengths, _ = self._steps_first(input)
        with torch.no_grad():
            for own in self.layers:
                for one, samples in zip(own, (x, reversed_steps(x, lengths)), strict=False):
                    one.start(stage, samples)
                x = torch.cat([h for h, _ in self._directions(own, x, lengths)], dim=2)

    def project(self):
        """After a step of the optimizer: scales in order, latent weights within reach of a gradient."""
        for own in self.layers:
            for one in own:
                one.project()

    def load(self, state):
        """Take the weights of an nn.LSTM of the same shape, its state dict or itself."""
        state = state.state_dict() if isinstance(state, nn.Module) else state
        with torch.no_grad():
            for depth, own in enumerate(self.layers):
                for one, suffix in zip(own, ("", "_reverse"), strict=False):
                    named = {
                        name: state[f"{name}_l{depth}{suffix}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                    }
                    one.lstm.weight_ih_l0.copy_(named["weight_ih"])
                    one.lstm.weight_hh_l0.copy_(named["weight_hh"])
                    one.lstm.bias_ih_l0.zero_()
                    one.lstm.bias_hh_l0.copy_(named["bias_ih"] + named["bias_hh"])
        return self

    def network(self, *, max_steps=MAX_STEPS):
        """The golden model's Network of these layers, without a head: it streams h.

        Its samples are x less `x_shift`, in the format `spec.x` (`quantize`).
        """
        names = ("forward", "backward")
        layers = [
            Layer(**{name: integer_parameters(one, max_steps=max_steps) for name, one in zip(names, own, strict=False)})
            for own in self.layers
        ]
        return Network(layers=layers)

    def quantize(self, x):
        """Integers of samples [..., input_size] as `network` takes them."""
        shift = self.layers[0][0].x_shift.detach().double().cpu().numpy()
        spec = integer_parameters(self.layers[0][0]).spec
        return spec.x.quantize(np.asarray(x, dtype=np.float64) - shift)

    # nn.LSTM ---------------------------------------------------------------------------------------------------------

    def forward(self, input, hx=None):
        """(output, (h_n, c_n)) in nn.LSTM's shapes, of a tensor, batched or not, or a PackedSequence.

        Windows begin with a state of zero: `hx` must be None or zeros. c_n carries no gradient.
        """
        if hx is not None and any(bool(state.any()) for state in hx):
            raise ValueError("hx must be None or zeros: windows begin with a state of zero")
        x, lengths, alone = self._steps_first(input)
        ends_h, ends_c = [], []
        for depth, own in enumerate(self.layers):
            x = self.between(x) if depth else x
            found = self._directions(own, x, lengths)
            for k, (h, c) in enumerate(found):
                # The backward direction ends at the first step.
                last = (lengths - 1) if k == 0 else torch.zeros_like(lengths)
                ends_h.append(_at(h, last))
                ends_c.append(_at(c if k == 0 else reversed_steps(c, lengths), last))
            x = torch.cat([h for h, _ in found], dim=2)
        h_n, c_n = torch.stack(ends_h), torch.stack(ends_c)
        if isinstance(input, PackedSequence):
            return self._packed(x, lengths, input), (h_n, c_n)
        if alone:
            return x[:, 0], (h_n[:, 0], c_n[:, 0])
        return x.transpose(0, 1) if self.batch_first else x, (h_n, c_n)

    def _steps_first(self, input):
        """(x [steps, batch, input_size], lengths [batch], whether there was no batch)."""
        if isinstance(input, PackedSequence):
            x, lengths = pad_packed_sequence(input)
            return x, lengths.to(x.device), False
        if input.dim() not in (2, 3):
            raise ValueError(f"input must have 2 or 3 dimensions, not {input.dim()}")
        alone = input.dim() == 2
        x = input[:, None] if alone else input.transpose(0, 1) if self.batch_first else input
        if x.shape[2] != self.input_size:
            raise ValueError(f"input must have {self.input_size} features, not {x.shape[2]}")
        return x, torch.full((x.shape[1],), len(x), device=x.device), alone

    def _directions(self, own, x, lengths):
        """(h, c) of every direction, in the order of the steps; c of the backward one in its own."""
        found = [own[0].hidden(x)]
        if len(own) > 1:
            h, c = own[1].hidden(reversed_steps(x, lengths))
            found.append((reversed_steps(h, lengths), c))
        return found

    def _packed(self, x, lengths, like):
        if like.sorted_indices is not None:
            x, lengths = x[:, like.sorted_indices], lengths[like.sorted_indices]
        data = pack_padded_sequence(x, lengths.cpu()).data
        return PackedSequence(data, like.batch_sizes, like.sorted_indices, like.unsorted_indices)


def _at(values, step):
    """values[step[k], k] for every k."""
    return values.gather(0, step[None, :, None].expand(1, -1, values.shape[2]))[0]

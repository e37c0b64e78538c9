"""One LSTM layer in PyTorch: full precision, or with its operands binarized stage by stage."""

import numpy as np
import torch
from torch import nn

from ..fixed import Fixed, round_half_up
from ..quantize.levels import FULL, OperandLevels
from .fixed_scales import PLAIN_BITS, scales_of
from .levels import Scales, binarized, residual_scales
from .peepholes import PEEPHOLES, peephole_recurrence
from .recurrence import recurrence
from .stages import Staged
from .staircases import ROUNDING, gate_staircase, output_staircase
from .systems import system_of

__all__ = ["QuantLstm"]

ALPHA_BITS = 8
"""Width of the scales of x and h; with 7-bit betas a gamma fits one 16-bit multiplier of an iCE40."""
BETA_BITS = 7
TEMPERATURE = 0.9
"""Of the Gumbel gates: that of Li et al. 2018."""
FINE = {"z": Fixed(bits=16, fraction=11), "activation_fraction": 13}
"""Formats of gates that are quantized in a network of full precision."""


class QuantLstm(Staged, nn.Module):
    """LSTM layer of one direction.

    Parameters
    ----------
    input_size, hidden_size : int
    activation_levels, weight_levels : int or "fp", or tuple of int
        (A, W) of the papers, or those of operands (`OperandLevels.of`); "fp" stands for plain numbers, whose gates
        `gate_kinds` must make "fixed" or ternary.
    preset : str
        Which of `systems.SYSTEMS` decides how operands are scaled. The kinds of the gates are a choice of their own.
    gate_kinds : sequence of 4 str
        Of `mubinn.model.gates.GATE_KINDS`, in the order i f g o; a ternary gate is rounded and clipped in every forward pass
        (the re-learning method). Of effect once activations are quantized.
    gate_slope : str
        Gradient through a ternary gate: "sigma" is that of the pre-activation's sigma, "rounded" f * (1 - f) of the rounded
        gate as in Eq. 12 of Quantization Loss Re-Learning, 0 at 0 and 1.
    gates_first : bool
        Gates that have no levels are quantized from the first stage on, with everything else in full precision: the second
        paper's experiments.
    rounds_late : bool
        `gates_first`, but in evaluation alone: rounding after the training.
    rounding : (r, c)
        Of Round & Clip; other than 0.5, 1 only with `gates_first` or `rounds_late`.
    gumbel : sequence of 4 bool
        Gates with Gumbel noise in training: sigma((z + log U - log(1 - U)) / TEMPERATURE), U uniform on (0, 1), Eq. 3 of
        Quantization Loss Re-Learning; none in evaluation.
    residual : bool
        Weights are binarized by the first-order residual in every iteration, each scale the mean of what is left, in place of
        learned scales.
    takes_codes : bool
        x comes as another layer's h, so it is quantized already: that layer's scales take the place of `x_scales`.
    peepholes : str
        Of PEEPHOLES.
    input_copies : int
        Inputs side by side that get the same channel: `input_size` is a multiple of it.

    Attributes
    ----------
    levels : OperandLevels
        Numbers all of them.
    stage : str of STAGES
        What `forward` quantizes; `start` goes on to the next.
    x_shift : parameter [input_size]
        Learned thresholds of x, once x is quantized. They end up in the model file's normalisation.
    clipped : dict
        Share of each tensor's values that the last forward pass gave no gradient (x), or holds at the bound (weights).
    """

    def __init__(self, input_size, hidden_size, *, activation_levels, weight_levels, preset="mubinn2",
                 gate_kinds=("levels",) * 4, gate_slope="sigma", gates_first=False, rounds_late=False, rounding=ROUNDING,
                 gumbel=(False,) * 4, residual=False, takes_codes=False, peepholes="none", input_copies=1):  # fmt: skip
        super().__init__()
        system = system_of(preset, (activation_levels, weight_levels))
        levels = OperandLevels.of((activation_levels, weight_levels))
        self.levels = levels = OperandLevels(**{k: PLAIN_BITS if n == FULL else n for k, n in vars(levels).items()})
        self.lstm = nn.LSTM(input_size, hidden_size)
        self.input_copies = input_copies
        self.gate_kinds, self.gate_slope, self.gates_first = tuple(gate_kinds), gate_slope, gates_first
        self.rounding = tuple(rounding)
        self.limits_gradient = system.limits_gradient
        self.rounds_late, self.gumbel, self.residual, self.takes_codes = rounds_late, tuple(gumbel), residual, takes_codes
        self.stage, self.clipped = "float", {}
        self.z_format, self.cell_format, self.activation_fraction = Fixed(bits=12, fraction=8), Fixed(bits=16, fraction=11), 10
        with torch.no_grad():
            self.lstm.bias_ih_l0.zero_()
            self.lstm.bias_hh_l0.zero_()
            self.lstm.bias_hh_l0[hidden_size : 2 * hidden_size] = 1.0  # remember at the start of training
        self.lstm.bias_ih_l0.requires_grad_(False)  # one bias is enough
        if peepholes not in PEEPHOLES:
            raise ValueError(f"peepholes must be {', '.join(PEEPHOLES)}, not {peepholes!r}")
        self.peepholes = peepholes
        if peepholes != "none":
            shape = (hidden_size,) if peepholes == "diagonal" else (hidden_size, hidden_size)
            self.v_weight = nn.Parameter(torch.zeros(4, *shape))
            with torch.no_grad():  # none on the gates, 1 inside tanh: the plain cell
                self.v_weight[2] = torch.ones(shape) if peepholes == "diagonal" else torch.eye(hidden_size)
            self.v_scales = Scales(4, levels.weights, bits=BETA_BITS)
        self.x_shift = nn.Parameter(torch.zeros(input_size))
        self.x_scales = scales_of(system.x, 1, levels.x, bits=ALPHA_BITS)
        self.h_scales = scales_of(system.h, 1, levels.h, bits=ALPHA_BITS, most_fraction=12)
        self.gate_scales = Scales(4, levels.gates, bits=15, limit=(0.5, 0.5, float("inf"), 0.5))
        self.wx_scales = scales_of(system.wx, 4, levels.weights, bits=BETA_BITS)
        self.wh_scales = scales_of(system.wh, 4, levels.weights, bits=BETA_BITS)
        self.bias_scales = scales_of(system.bias, 4, levels.bias, bits=BETA_BITS)

    # Forward --------------------------------------------------------------------------------------------------------

    def named_weights(self):
        """(name in the model file, latent tensor, its scales) of everything that has weight levels."""
        lstm = self.lstm
        bias = lstm.bias_ih_l0 + lstm.bias_hh_l0
        tensors = (lstm.weight_ih_l0, lstm.weight_hh_l0, bias)
        named = list(zip(("wx", "wh", "bias"), tensors, (self.wx_scales, self.wh_scales, self.bias_scales), strict=True))
        return named if self.peepholes == "none" else [*named, ("peephole", self.v_weight.reshape(4 * lstm.hidden_size, -1),
                                                               self.v_scales)]  # fmt: skip

    def weights(self):
        """[wx, wh, bias], and V, as the stage has them."""
        result = []
        if self.quantizes("weights"):
            self.fit_residuals()
        for name, tensor, scales in self.named_weights():
            if self.quantizes("weights"):
                rows = tensor.reshape(4, self.lstm.hidden_size, -1)
                bound = scales.bound().view(4, 1, 1) * 0.999
                self.clipped[name] = float((rows.detach().abs() >= bound).float().mean())
                tensor = binarized(rows, scales.rounded()).reshape(tensor.shape)
            result.append(tensor)
        return result

    def fit_residuals(self):
        """With `residual`, the scales of the weights as they are now."""
        for _, tensor, scales in self.named_weights() if self.residual else ():
            scales.set(residual_scales(tensor.detach().reshape(4, self.lstm.hidden_size, -1), scales.levels))

    def gate_integers(self):
        """Integer scales of the gates [4, levels] at `activation_fraction`, sums of the sigmoid gates at most 1/2."""
        one = 1 << self.activation_fraction
        integers = round_half_up(self.gate_scales().detach().cpu().numpy() * one)
        for row in (0, 1, 3):
            integers[row, 0] -= max(0, integers[row].sum() - one // 2)
        for row, kind in enumerate(self.gate_kinds):
            if kind != "levels":
                integers[row] = 0
        return integers

    def _levels_of_x(self, x):
        if self.takes_codes:
            return x
        x = x - self.x_shift
        reach = self.x_scales.reach()
        self.clipped["x"] = float((x.detach().abs() > reach).float().mean())
        return binarized(x[None], self.x_scales.rounded(), reach=reach)[0]

    def hidden(self, x):
        """(h, c) of every step [steps, batch, hidden] for x [steps, batch, input_size], normalised floats."""
        wx, wh, bias, *v = self.weights()
        extra, units = {}, self.lstm.hidden_size
        if self.quantizes_x:
            x = self._levels_of_x(x)
        if self.quantizes("activations"):
            h_integers, fraction = self.h_scales.integers()
            outputs = output_staircase(h_integers[0], fraction, self.h_scales.reach().item(), width=units, device=x.device)
            extra = {
                "h_scales": self.h_scales()[0],
                "outputs": outputs,
                "cell": self.cell_format if self.quantizes("cell") else None,
            }
        zx = torch.nn.functional.linear(x, wx, bias)
        if self.training and any(self.gumbel):
            zx, wh, *v = self._noisy(zx, wh, *v)
        return self._recurrence(zx, wh, v, **self._gates(x.device), **extra)

    def _recurrence(self, zx, wh, v, **settings):
        if not v:
            return recurrence(zx, wh, limits_gradient=self.limits_gradient and self.quantizes("weights"), **settings)
        return peephole_recurrence(zx, wh, v[0].reshape(self.v_weight.shape), **settings)

    def output(self, x):
        """h of every step [steps, batch, hidden], as `hidden` has it."""
        plain = self.peepholes == "none" and not (self.training and any(self.gumbel))
        if self.stage == "float" and plain and not self._gates(x.device):
            return self.lstm(x)[0]  # torch's own is faster
        return self.hidden(x)[0]

    def _noisy(self, zx, *weights):
        """z of the gates with Gumbel noise, over the temperature: through its x part, recurrent weights and V."""
        width = self.lstm.hidden_size
        share = torch.tensor([1 / TEMPERATURE if noisy else 1.0 for noisy in self.gumbel], device=zx.device)
        share = share.repeat_interleave(width)
        uniform = torch.rand_like(zx).clamp_(1e-6, 1 - 1e-6)
        noise = torch.log(uniform) - torch.log1p(-uniform)
        noisy = torch.tensor(self.gumbel, device=zx.device).repeat_interleave(width)
        return (zx + noise * noisy) * share, *(rows * share[:, None] for rows in weights)

    def _gates(self, device):
        """How the recurrence quantizes the gates in this stage."""
        settings = {"slope": self.gate_slope, "rounding": self.rounding, "width": self.lstm.hidden_size, "device": device}
        if self.quantizes("activations"):
            reach = self.gate_scales.reach().cpu().numpy()
            formats = {"z": self.z_format, "activation_fraction": self.activation_fraction}
            gates = gate_staircase(self.gate_integers(), reach, kinds=self.gate_kinds, **formats, **settings)
            return {"gate_scales": self.gate_scales(), "gates": gates}
        if self.gates_first or (self.rounds_late and not self.training):
            # As good as full precision where a gate isn't ternary.
            kinds = tuple("fixed" if kind == "levels" else kind for kind in self.gate_kinds)
            integers, reach = np.zeros((len(kinds), 1), np.int64), np.full(len(kinds), np.inf)
            return {"gates": gate_staircase(integers, reach, kinds=kinds, **FINE, **settings)}
        return {}

"""The LSTM classifier in PyTorch: full precision, or with any of its operands binarized, and its way to integers."""

import numpy as np
import torch
from torch import nn

from ..binarize import encode, signs
from ..fixed import Fixed, round_half_up
from ..parameters import Parameters
from ..scales import fit_scales, integer_scales, unit_scales
from ..spec import LstmSpec
from .recurrence import Staircase, recurrence

__all__ = ["Classifier", "Scales"]

ALPHA_BITS = 8
"""Width of the scales of x and h; with 7-bit betas a gamma fits one 16-bit multiplier of an iCE40."""
BETA_BITS = 7


class Scales(nn.Module):
    """Learned scales, each at least the sum of the later ones by parametrisation, for `rows` tensors at once.

    The parameter holds the differences, so that clipping it at a small positive number keeps the order.
    """

    def __init__(self, rows, levels, *, bits):
        super().__init__()
        self.bits = bits
        self.steps = nn.Parameter(torch.full((rows, levels), 0.1))
        self.limit = torch.full((rows,), torch.inf)

    def set(self, scales):
        """Start from scales [rows, levels]."""
        scales = torch.as_tensor(np.asarray(scales), dtype=torch.float32)
        later = scales.flip(1).cumsum(1).flip(1) - scales
        with torch.no_grad():
            self.steps.copy_((scales - later).clamp_min(1e-4))

    def forward(self):
        """Scales [rows, levels]."""
        columns, later = [], torch.zeros_like(self.steps[:, 0])
        for level in reversed(range(self.steps.shape[1])):
            columns.append(self.steps[:, level] + later)
            later = later + columns[-1]
        return torch.stack(columns[::-1], dim=1)

    def project(self):
        """After an optimizer's step: differences positive, sums within `limit` (1/2 for the sigmoid gates)."""
        with torch.no_grad():
            self.steps.clamp_(min=1e-4)
            self.steps.mul_((self.limit / self().sum(1)).clamp_max(1.0)[:, None])

    def integers(self):
        """(int64 [rows, levels], fraction) as the model file will hold them."""
        return integer_scales(self().detach().numpy(), bits=self.bits)

    def rounded(self):
        """Scales at their integer values, gradients straight through."""
        integers, fraction = self.integers()
        scales = self()
        return scales + (torch.from_numpy(integers / (1 << fraction)).float() - scales).detach()


def binarized(values, scales):
    """Greedy MLB of rows of values [rows, ...] with scales [rows, levels].

    The gradient passes straight through to the values; that of a scale is the sum of gradient * sign.
    """
    residual, result = values.detach(), 0.0
    shape = (-1,) + (1,) * (values.dim() - 1)
    for scale in scales.unbind(1):
        sign = torch.where(residual >= 0, 1.0, -1.0)
        residual = residual - scale.detach().view(shape) * sign
        result = result + scale.view(shape) * sign
    return result + (values - values.detach())


class Classifier(nn.Module):
    """LSTM with a dense head over the mean or the last h.

    Parameters
    ----------
    input_size, hidden_size, classes : int
    activation_levels, weight_levels : int
        (A, W) of the papers.
    pool : str
        "mean" or "last".
    quantized : set of str
        What `forward` binarizes: any of "weights" and "activations".
    """

    def __init__(
        self, input_size, hidden_size, classes, *, activation_levels=2, weight_levels=2, pool="mean", dropout=0.0
    ):
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size)
        self.head = nn.Linear(hidden_size, classes)
        self.dropout = nn.Dropout(dropout)
        self.levels = (activation_levels, weight_levels)
        self.pool, self.quantized = pool, set()
        self.z_format, self.cell_format = Fixed(bits=12, fraction=8), Fixed(bits=16, fraction=11)
        self.activation_fraction = 10
        with torch.no_grad():
            self.lstm.bias_ih_l0.zero_()
            self.lstm.bias_hh_l0.zero_()
            self.lstm.bias_hh_l0[hidden_size : 2 * hidden_size] = 1.0  # remember at the start of training
        self.x_scales = Scales(1, activation_levels, bits=ALPHA_BITS)
        self.h_scales = Scales(1, activation_levels, bits=ALPHA_BITS)
        self.gate_scales = Scales(4, activation_levels, bits=15)
        self.gate_scales.limit = torch.tensor([0.5, 0.5, torch.inf, 0.5])
        self.wx_scales = Scales(4, weight_levels, bits=BETA_BITS)
        self.wh_scales = Scales(4, weight_levels, bits=BETA_BITS)
        self.bias_scales = Scales(4, weight_levels, bits=BETA_BITS)
        self.clipped = {}

    # Weights, x, staircases -----------------------------------------------------------------------------------------

    def _weights(self):
        lstm = self.lstm
        wx, wh, bias = lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0 + lstm.bias_hh_l0
        if "weights" not in self.quantized:
            return wx, wh, bias
        hidden = lstm.hidden_size
        result = []
        for name, tensor, scales in (("wx", wx, self.wx_scales), ("wh", wh, self.wh_scales), ("b", bias, self.bias_scales)):
            rounded = scales.rounded()
            rows = tensor.reshape(4, hidden, -1)
            self.clipped[name] = float((rows.detach().abs() > rounded.sum(1).view(4, 1, 1)).float().mean())
            result.append(binarized(rows, rounded).reshape(tensor.shape))
        return result

    def gate_integers(self):
        """Integer scales of the gates [4, levels] at `activation_fraction`, sums of the sigmoid gates at most 1/2."""
        one = 1 << self.activation_fraction
        integers = round_half_up(self.gate_scales().detach().numpy() * one)
        for row in (0, 1, 3):
            integers[row, 0] -= max(0, integers[row].sum() - one // 2)
        return integers

    def _gate_stairs(self):
        spec, scales, one = self._formats(), self.gate_integers(), 1 << self.activation_fraction
        levels = self.levels[0]
        domain = np.arange(spec.z.low, spec.z.high + 1)
        codes = np.stack(
            [
                encode(table(domain), scales[gate], offset)
                for gate, (table, offset) in enumerate(zip(spec.gate_tables, spec.gate_offsets, strict=True))
            ]
        )
        plus = signs(codes, levels)
        values = np.array(spec.gate_offsets)[:, None] + (plus * scales[:, None, :]).sum(-1)
        last = scales[:, -1] + scales.sum(1)
        return Staircase(
            torch.from_numpy(values / one).float(),
            torch.from_numpy(np.moveaxis(plus, -1, 0).copy()).float(),
            spec.z.low,
            spec.z.fraction,
            torch.from_numpy(last / one).float(),
        )

    def _output_stairs(self):
        scales, fraction = self.h_scales.integers()
        fraction = min(fraction, 12)
        scales = round_half_up(self.h_scales().detach().numpy()[0] * (1 << fraction))
        domain = np.arange(-1 << fraction, (1 << fraction) + 1)
        plus = signs(encode(domain, scales), self.levels[0])
        return Staircase(
            torch.from_numpy((plus @ scales)[None] / (1 << fraction)).float(),
            torch.from_numpy(plus.T[:, None].copy()).float(),
            -1 << fraction,
            fraction,
            torch.tensor([(scales.sum() + scales[-1]) / (1 << fraction)]).float(),
        )

    def _formats(self):
        return LstmSpec(
            input_size=1,
            hidden_size=1,
            z=self.z_format,
            cell=self.cell_format,
            activation_fraction=self.activation_fraction,
        )

    # Forward --------------------------------------------------------------------------------------------------------

    def hidden(self, x):
        """h of every step [steps, batch, hidden] for x [steps, batch, input_size], normalised floats."""
        wx, wh, bias = self._weights()
        if not self.quantized:
            return self.lstm(x)[0]
        extra = {}
        if "activations" in self.quantized:
            scales = self.x_scales.rounded()
            self.clipped["x"] = float((x.abs() > scales.sum().item()).float().mean())
            x = binarized(x[None], scales)[0]
            gates, outputs = self._gate_stairs(), self._output_stairs()
            extra = {
                "gate_scales": self.gate_scales(),
                "h_scales": self.h_scales()[0],
                "gates": gates,
                "outputs": outputs,
            }
        return recurrence(torch.nn.functional.linear(x, wx, bias), wh, **extra)

    def forward(self, x):
        """Scores [batch, classes]."""
        h = self.hidden(x)
        pooled = h.mean(0) if self.pool == "mean" else h[-1]
        return self.head(self.dropout(pooled))

    # From float to levels, and from levels to integers --------------------------------------------------------------

    def start_weights(self):
        """Fit the weights' scales to the float weights and binarize the weights from here on."""
        lstm, hidden = self.lstm, self.lstm.hidden_size
        bias = (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach()
        for tensor, scales in (
            (lstm.weight_ih_l0.detach(), self.wx_scales),
            (lstm.weight_hh_l0.detach(), self.wh_scales),
            (bias, self.bias_scales),
        ):
            scales.set([fit_scales(rows, self.levels[1]) for rows in tensor.reshape(4, hidden, -1).numpy()])
        self.quantized.add("weights")

    def start_activations(self, x):
        """Fit the scales of x, h and g to a batch x [steps, batch, input_size]; i, f, o start evenly from 0 to 1."""
        levels = self.levels[0]
        with torch.no_grad():
            wx, wh, bias = self._weights()
            zx = torch.nn.functional.linear(x, wx, bias)
            h = recurrence(zx, wh)
            zx[1:] += h[:-1] @ wh.t()
            hidden = self.lstm.hidden_size
            g = torch.tanh(zx[..., 2 * hidden : 3 * hidden])
        self.x_scales.set([fit_scales(x.numpy(), levels)])
        self.h_scales.set([fit_scales(h.numpy(), levels)])
        even = unit_scales(levels, 0.5)
        self.gate_scales.set([even, even, fit_scales(g.numpy(), levels), even])
        self.quantized.add("activations")

    def project(self):
        """After an optimizer's step."""
        for module in self.children():
            if isinstance(module, Scales):
                module.project()

    def parameters_integer(self, *, x_bits=12, head_bits=8, max_steps=4096):
        """The golden model's Parameters: every scale rounded once, every weight and bias a code."""
        lstm, hidden = self.lstm, self.lstm.hidden_size
        x_scales, x_fraction = self.x_scales.integers()
        h_scales, h_fraction = self.h_scales.integers()
        if h_fraction > 12:
            h_scales, h_fraction = round_half_up(self.h_scales().detach().numpy() * (1 << 12)), 12
        tensors, fractions = {"x_scales": x_scales[0], "h_scales": h_scales[0]}, {}
        tensors["gate_scales"] = self.gate_integers()
        bias = lstm.bias_ih_l0 + lstm.bias_hh_l0
        for name, tensor, scales in (
            ("wx", lstm.weight_ih_l0, self.wx_scales),
            ("wh", lstm.weight_hh_l0, self.wh_scales),
            ("bias", bias, self.bias_scales),
        ):
            integers, fractions[f"{name}_fraction"] = scales.integers()
            rows = tensor.detach().reshape(4, hidden, -1).double().numpy()
            codes = [_encode_float(r, s / (1 << fractions[f"{name}_fraction"])) for r, s in zip(rows, integers, strict=True)]
            tensors[f"{name}_codes"] = np.stack(codes).reshape(tensor.shape)
            tensors[f"{name}_scales"] = integers
        weight = self.head.weight.detach().double().numpy()
        head_fraction = int(np.floor(np.log2(((1 << head_bits - 1) - 1) / np.abs(weight).max())))
        head_fraction = min(max(head_fraction, 0), 24)
        tensors["head_weight"] = round_half_up(weight * (1 << head_fraction))
        tensors["head_bias"] = round_half_up(
            self.head.bias.detach().double().numpy() * float(1 << head_fraction + h_fraction)
        )
        spec = LstmSpec(
            input_size=lstm.input_size,
            hidden_size=hidden,
            classes=self.head.out_features,
            pool=self.pool,
            max_steps=max_steps,
            input_levels=self.levels[0],
            hidden_levels=self.levels[0],
            gate_levels=self.levels[0],
            weight_levels=self.levels[1],
            bias_levels=self.levels[1],
            x=Fixed(bits=x_bits, fraction=x_fraction),
            z=self.z_format,
            cell=self.cell_format,
            h_fraction=h_fraction,
            activation_fraction=self.activation_fraction,
            head_bits=head_bits,
            head_fraction=head_fraction,
            **fractions,
        )
        return Parameters(spec=spec, **tensors)


def _encode_float(values, scales):
    residual, code = values.copy(), np.zeros(values.shape, dtype=np.uint8)
    for level, scale in enumerate(scales):
        positive = residual >= 0
        code |= positive.astype(np.uint8) << np.uint8(level)
        residual -= np.where(positive, scale, -scale)
    return code

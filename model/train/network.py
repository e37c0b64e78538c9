"""The LSTM classifier in PyTorch: full precision, or with its operands binarized stage by stage, and its way to integers."""

import numpy as np
import torch
from torch import nn

from ..binarize import encode, signs
from ..fixed import Fixed, round_half_up
from ..parameters import Parameters
from ..scales import fit_scales, unit_scales
from ..spec import LstmSpec
from .levels import Scales, binarized
from .recurrence import Staircase, recurrence

__all__ = ["STAGES", "Classifier"]

STAGES = ("float", "weights", "activations", "cell")
"""In this order; each keeps what the ones before it quantize."""
ALPHA_BITS = 8
"""Width of the scales of x and h; with 7-bit betas a gamma fits one 16-bit multiplier of an iCE40."""
BETA_BITS = 7
FLAT_FORGET = 0.48
SPREAD = (0.0, 0.7, -0.7)


class Classifier(nn.Module):
    """LSTM with a dense head over the mean or the last h.

    Parameters
    ----------
    input_size, hidden_size, classes : int
    activation_levels, weight_levels : int
        (A, W) of the papers.
    pool : str
        "mean" or "last".
    dropout : float
        Of the pooled h, in training.

    Attributes
    ----------
    stage : str of STAGES
        What `forward` quantizes; `start(stage, x)` goes on to the next.
    hardness : float
        In "activations" and later: 1 for the staircases of the chip, less for a mixture with the smooth functions.
    clipped : dict
        Share of the values of each tensor that the last training forward pass gave no gradient.
    """

    def __init__(
        self, input_size, hidden_size, classes, *, activation_levels=2, weight_levels=2, pool="mean", dropout=0.0
    ):
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size)
        self.head = nn.Linear(hidden_size, classes)
        self.dropout = nn.Dropout(dropout)
        self.levels, self.pool = (activation_levels, weight_levels), pool
        self.stage, self.hardness, self.clipped = "float", 1.0, {}
        self.z_format, self.cell_format = Fixed(bits=12, fraction=8), Fixed(bits=16, fraction=11)
        self.activation_fraction = 10
        with torch.no_grad():
            self.lstm.bias_ih_l0.zero_()
            self.lstm.bias_hh_l0.zero_()
            self.lstm.bias_hh_l0[hidden_size : 2 * hidden_size] = 1.0  # remember at the start of training
        self.lstm.bias_ih_l0.requires_grad_(False)
        self.x_shift = nn.Parameter(torch.zeros(input_size))
        self.x_scales = Scales(1, activation_levels, bits=ALPHA_BITS)
        self.h_scales = Scales(1, activation_levels, bits=ALPHA_BITS, most_fraction=12)
        self.gate_scales = Scales(4, activation_levels, bits=15)
        self.gate_scales.limit = torch.tensor([0.5, 0.5, torch.inf, 0.5])
        self.wx_scales = Scales(4, weight_levels, bits=BETA_BITS)
        self.wh_scales = Scales(4, weight_levels, bits=BETA_BITS)
        self.bias_scales = Scales(4, weight_levels, bits=BETA_BITS)

    def quantizes(self, stage):
        """Whether `stage` or a later one is reached."""
        return STAGES.index(self.stage) >= STAGES.index(stage)

    def following(self):
        """The stage after this one."""
        return STAGES[STAGES.index(self.stage) + 1]

    def float_state(self):
        """The latent full-precision weights under the names of `reference.FloatWeights`."""
        lstm, head = self.lstm, self.head
        state = {
            "weight_ih": lstm.weight_ih_l0,
            "weight_hh": lstm.weight_hh_l0,
            "bias": lstm.bias_ih_l0 + lstm.bias_hh_l0,
            "head_weight": head.weight,
            "head_bias": head.bias,
        }
        return {name: tensor.detach().clone() for name, tensor in state.items()}

    # Forward --------------------------------------------------------------------------------------------------------

    def _named_weights(self):
        lstm = self.lstm
        bias = lstm.bias_ih_l0 + lstm.bias_hh_l0
        return (("wx", lstm.weight_ih_l0, self.wx_scales), ("wh", lstm.weight_hh_l0, self.wh_scales), ("bias", bias, self.bias_scales))

    def weights(self):
        """(wx, wh, bias) as the stage has them."""
        result = []
        for name, tensor, scales in self._named_weights():
            if self.quantizes("weights"):
                rows = tensor.reshape(4, self.lstm.hidden_size, -1)
                reach = scales.reach().view(4, 1, 1) * 0.999
                self.clipped[name] = float((rows.detach().abs() >= reach).float().mean())
                tensor = binarized(rows, scales.rounded()).reshape(tensor.shape)
            result.append(tensor)
        return result

    def gate_integers(self):
        """Integer scales of the gates [4, levels] at `activation_fraction`, sums of the sigmoid gates at most 1/2."""
        one = 1 << self.activation_fraction
        integers = round_half_up(self.gate_scales().detach().numpy() * one)
        for row in (0, 1, 3):
            integers[row, 0] -= max(0, integers[row].sum() - one // 2)
        return integers

    def _stairs(self, tables, domain, scales, offsets, smooth, slopes, fraction, *, low, low_fraction, width):
        plus = np.stack([
            signs(encode(table, row, offset), len(row)) for table, row, offset in zip(tables, scales, offsets, strict=True)
        ])  # fmt: skip
        values = (np.array(offsets)[:, None] + (plus * scales[:, None, :]).sum(-1)) / (1 << fraction)
        values = self.hardness * values + (1 - self.hardness) * smooth
        return Staircase(
            torch.from_numpy(values).float(),
            torch.from_numpy(np.moveaxis(self.hardness * plus, -1, 0).copy()).float(),
            torch.from_numpy(slopes).float(),
            low=low,
            fraction=low_fraction,
            width=width,
        )

    def gate_stairs(self):
        """Staircase from z to the decoded gates."""
        spec = LstmSpec(
            input_size=1,
            hidden_size=1,
            z=self.z_format,
            cell=self.cell_format,
            activation_fraction=self.activation_fraction,
        )
        domain = np.arange(spec.z.low, spec.z.high + 1)
        tables = np.stack([table(domain) for table in spec.gate_tables])
        z = domain / (1 << spec.z.fraction)
        sigma, tanh = 1 / (1 + np.exp(-z)), np.tanh(z)
        smooth = np.stack([sigma, sigma, tanh, sigma])
        slopes = np.stack([sigma * (1 - sigma), sigma * (1 - sigma), 1 - tanh**2, sigma * (1 - sigma)])
        slopes[2] *= (self.hardness < 1) | (np.abs(tanh) <= self.gate_scales.reach()[2].item())
        return self._stairs(
            tables, domain, self.gate_integers(), spec.gate_offsets, smooth, slopes, spec.activation_fraction,
            low=spec.z.low, low_fraction=spec.z.fraction, width=self.lstm.hidden_size,
        )  # fmt: skip

    def output_stairs(self):
        """Staircase from o * tanh(c) to the decoded h."""
        scales, fraction = self.h_scales.integers()
        domain = np.arange(-1 << fraction, (1 << fraction) + 1)
        smooth = domain[None] / (1 << fraction)
        return self._stairs(
            domain[None], domain, scales, [0], smooth, np.ones_like(smooth), fraction,
            low=-1 << fraction, low_fraction=fraction, width=self.lstm.hidden_size,
        )  # fmt: skip

    def hidden(self, x):
        """(h, c) of every step [steps, batch, hidden] for x [steps, batch, input_size], normalised floats."""
        wx, wh, bias = self.weights()
        extra = {}
        if self.quantizes("activations") or self.early_x and self.quantizes("weights"):
            x = x - self.x_shift
            reach = self.x_scales.reach()
            self.clipped["x"] = float((x.detach().abs() > reach).float().mean())
            levels = binarized(x[None], self.x_scales.rounded(), reach=reach)[0]
            x = self.hardness * levels + (1 - self.hardness) * x
        if self.quantizes("activations"):
            extra = {
                "gate_scales": self.gate_scales(),
                "h_scales": self.h_scales()[0],
                "gates": self.gate_stairs(),
                "outputs": self.output_stairs(),
                "cell": self.cell_format if self.quantizes("cell") else None,
            }
        return recurrence(torch.nn.functional.linear(x, wx, bias), wh, **extra)

    def forward(self, x):
        """Scores [batch, classes]."""
        h, _ = self.hidden(x)
        return self.head(self.dropout(h.mean(0) if self.pool == "mean" else h[-1]))

    # From float to levels, and from levels to integers --------------------------------------------------------------

    def start(self, stage, x):
        """Go on to `stage`; x [steps, batch, input_size] is a batch that the new scales are fitted to."""
        if stage == "weights":
            hidden, levels = self.lstm.hidden_size, self.levels[1]
            if self.early_x: self._fit_x(x)
            for _, tensor, scales in self._named_weights():
                scales.set([fit_scales(rows, levels) for rows in tensor.detach().reshape(4, hidden, -1).numpy()])
        elif stage == "activations":
            self._fit_activations(x)
        self.stage = stage
        self.project()

    def _fit_activations(self, x):
        levels, hidden = self.levels[0], self.lstm.hidden_size
        with torch.no_grad():
            wx, wh, bias = self.weights()
            xx = binarized((x-self.x_shift)[None], self.x_scales.rounded())[0] if self.early_x else x
            zx = torch.nn.functional.linear(xx, wx, bias)
            h, _ = recurrence(zx, wh)
            zx[1:] += h[:-1] @ wh.t()
            i, f, g, o = zx.split(hidden, dim=2)
            gates = [torch.sigmoid(i) - 0.5, torch.sigmoid(f) - 0.5, torch.tanh(g), torch.sigmoid(o) - 0.5]
        if not self.early_x: self._fit_x(x)
        self.h_scales.set([fit_scales(h.numpy(), levels)])
        even = unit_scales(levels, 0.5 if levels > 1 else FLAT_FORGET)
        fitted = [fit_scales(gate.numpy(), levels) for gate in gates]
        self.gate_scales.set([even if levels > 1 or not self.fit_io else fitted[0], even if levels > 1 or FLAT_FORGET > 0 else fitted[1], fitted[2], even if levels > 1 or not self.fit_io else fitted[3]])

    fit_io = False
    early_x = False
    def _fit_x(self, x):
        if self.levels[0] == 1:
            with torch.no_grad(): self.x_shift.copy_(torch.tensor(SPREAD).repeat(len(self.x_shift))[: len(self.x_shift)])
        self.x_scales.set([fit_scales((x-self.x_shift.detach()).numpy(), self.levels[0])])

    def project(self):
        """After an optimizer's step: scales in order and range, weights within reach of their codes."""
        for module in self.children():
            if isinstance(module, Scales):
                module.project()
        if self.quantizes("weights"):
            lstm = self.lstm
            with torch.no_grad():
                for tensor, scales in ((lstm.weight_ih_l0, self.wx_scales), (lstm.weight_hh_l0, self.wh_scales), (lstm.bias_hh_l0, self.bias_scales)):
                    reach = scales.reach().repeat_interleave(lstm.hidden_size)
                    reach = reach if tensor.dim() == 1 else reach[:, None]
                    tensor.clamp_(-reach, reach)

    def parameters_integer(self, *, x_bits=12, head_bits=8, max_steps=4096):
        """The golden model's Parameters: every scale rounded once, every weight and bias a code."""
        hidden = self.lstm.hidden_size
        x_scales, x_fraction = self.x_scales.integers()
        h_scales, h_fraction = self.h_scales.integers()
        tensors, fractions = {"x_scales": x_scales[0], "h_scales": h_scales[0]}, {}
        tensors["gate_scales"] = self.gate_integers()
        for name, tensor, scales in self._named_weights():
            integers, fraction = scales.integers()
            rows = tensor.detach().reshape(4, hidden, -1).double().numpy()
            codes = [_encode_float(r, s / (1 << fraction)) for r, s in zip(rows, integers, strict=True)]
            fractions[f"{name}_fraction"] = fraction
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
            input_size=self.lstm.input_size,
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

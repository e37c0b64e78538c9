"""The way of a layer from float to levels: its stages, and the fits and bounds of each."""

from statistics import NormalDist

import torch

from ..scales import fit_scales, unit_scales
from .levels import Scales

__all__ = ["STAGES", "Staged"]

STAGES = ("float", "weights", "activations", "cell")
"""In this order; each keeps what the ones before it quantize."""
THRESHOLDS = (0.0, 0.7, -0.7)
"""Where x starts to be cut, channel after channel in turn, in deviations: a single level at 0 everywhere keeps no amplitude
(full precision behind it 0.66 on EEGMAT's time split, 0.71 with these)."""


class Staged:
    """What `QuantLstm` does between its forward passes. The attributes are those of QuantLstm."""

    def quantizes(self, stage):
        """Whether `stage` is reached or passed."""
        return STAGES.index(self.stage) >= STAGES.index(stage)

    @property
    def quantizes_x(self):
        """With a single level x goes first, together with the weights: its thresholds learn while the gates are smooth."""
        return self.quantizes("weights" if self.levels.x == 1 else "activations")

    def following(self):
        """The stage after this one."""
        return STAGES[STAGES.index(self.stage) + 1]

    def start(self, stage, x):
        """Go on to `stage`; x [steps, batch, input_size] is a batch that the new scales are fitted to."""
        had_x = self.quantizes_x
        if stage == "weights":
            for _, tensor, scales in self.named_weights():
                scales.fit(tensor.detach().reshape(4, self.lstm.hidden_size, -1).cpu().numpy())
        elif stage == "activations":
            self._fit_gates(x)
        self.stage = stage
        if self.quantizes_x and not had_x:
            self._fit_x(x)
        self.project()

    def _fit_x(self, x):
        """Scales of x, and the offsets of its inputs: those that share a channel cut it in different places."""
        if self.takes_codes:
            return
        channels = len(self.x_shift) // self.input_copies
        if self.levels.x == 1:
            if self.input_copies == 1:
                start = torch.tensor(THRESHOLDS).repeat(-(-channels // len(THRESHOLDS)))[:channels]
            else:
                # Equally many samples between neighbouring thresholds, if they were Gaussian.
                cuts = [NormalDist().inv_cdf((k + 0.5) / self.input_copies) for k in range(self.input_copies)]
                start = torch.tensor(cuts).repeat_interleave(channels)
            with torch.no_grad():
                self.x_shift.copy_(start)
        self.x_scales.fit([(x - self.x_shift.detach()).cpu().numpy()])
        if self.levels.x > 1 and self.input_copies > 1:
            # They share the distance of neighbouring codes evenly.
            step = 2 * self.x_scales().detach()[0, -1]
            shares = (torch.arange(self.input_copies) + 0.5) / self.input_copies - 0.5
            with torch.no_grad():
                self.x_shift.copy_((shares * step).repeat_interleave(channels))

    def _fit_gates(self, x):
        """Scales of h and g from data. i, f and o start evenly spaced from 0 to 1, so that the top code is exactly 1; a
        single level, which would leave only 0 and 1, from data too."""
        levels, units = self.levels.gates, self.lstm.hidden_size
        with torch.no_grad():
            wx, wh, bias, *v = self.weights()
            z = torch.nn.functional.linear(self._levels_of_x(x) if self.quantizes_x else x, wx, bias)
            h, _ = self._recurrence(z, wh, v, **self._gates(x.device))
            z[1:] += h[:-1] @ wh.t()
            i, f, g, o = z.split(units, dim=2)
            gates = (torch.sigmoid(i) - 0.5, torch.sigmoid(f) - 0.5, torch.tanh(g), torch.sigmoid(o) - 0.5)
        self.h_scales.fit([h.cpu().numpy()])
        even = unit_scales(levels, 0.5)
        self.gate_scales.set(
            [
                fit_scales(v.cpu().numpy(), levels) if kind == "levels" and (levels == 1 or k == 2) else even
                for k, (v, kind) in enumerate(zip(gates, self.gate_kinds, strict=True))
            ]
        )

    def project(self):
        """After an optimizer's step: scales in order and range, latent weights within bounds, so that none is stuck."""
        for module in self.children():
            if isinstance(module, Scales):
                module.project()
        if not self.quantizes("weights"):
            return
        with torch.no_grad():
            for name, tensor, scales in self.named_weights():
                tensor = {"bias": self.lstm.bias_hh_l0, "peephole": getattr(self, "v_weight", None)}.get(name, tensor)
                if name == "peephole":
                    bound = scales.bound().reshape(-1, *(1,) * (tensor.dim() - 1))
                    tensor.clamp_(-bound, bound)
                    continue
                bound = scales.bound().repeat_interleave(self.lstm.hidden_size).reshape(-1, *(1,) * (tensor.dim() - 1))
                tensor.clamp_(-bound, bound)

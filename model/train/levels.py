"""Learned scales, and the greedy multi-level binarization of tensors with straight-through gradients."""

import numpy as np
import torch
from torch import nn

from ..scales import fit_scales, integer_scales

__all__ = ["Scales", "binarized", "residual_scales"]

SMALLEST = 1e-4


class Scales(nn.Module):
    """Scales of `rows` tensors, each scale at least the sum of the later ones by parametrisation.

    The parameter holds the differences: keeping them positive keeps the order, and with it encoder, decoder and chip in
    agreement. Free scales went negative or to zero in a trial.

    Parameters
    ----------
    rows, levels : int
    bits : int
        Width of the integers in the model file.
    most_fraction : int
        Finest binary point of these integers.
    limit : sequence of float, or None
        Greatest sum of each row's scales.
    """

    def __init__(self, rows, levels, *, bits, most_fraction=24, limit=None):
        super().__init__()
        self.bits, self.most_fraction = bits, most_fraction
        self.steps = nn.Parameter(torch.full((rows, levels), 0.1))
        most = torch.full((rows,), torch.inf) if limit is None else torch.tensor(limit)
        self.register_buffer("limit", most, persistent=False)

    @property
    def levels(self):
        """Of a number."""
        return self.steps.shape[1]

    def fit(self, rows):
        """Start from what fits the values of every row best, arrays of any shape."""
        self.set([fit_scales(np.asarray(row), self.levels) for row in rows])

    def set(self, scales):
        """Start from scales [rows, levels]."""
        if not torch.is_tensor(scales):
            scales = torch.from_numpy(np.asarray(scales))
        scales = scales.to(self.steps)
        later = scales.flip(1).cumsum(1).flip(1) - scales
        with torch.no_grad():
            self.steps.copy_((scales - later).clamp_min(SMALLEST))

    def forward(self):
        """Scales [rows, levels]."""
        columns, later = [], torch.zeros_like(self.steps[:, 0])
        for level in reversed(range(self.steps.shape[1])):
            columns.append(self.steps[:, level] + later)
            later = later + columns[-1]
        return torch.stack(columns[::-1], dim=1)

    def project(self):
        """After an optimizer's step: differences positive, sums within `limit`."""
        with torch.no_grad():
            self.steps.clamp_(min=SMALLEST)
            self.steps.mul_((self.limit / self().sum(1)).clamp_max(1.0)[:, None])

    def integers(self):
        """(int64 [rows, levels], fraction) as the model file holds them."""
        return integer_scales(self().detach().cpu().numpy(), bits=self.bits, most_fraction=self.most_fraction)

    def rounded(self):
        """Scales at their integer values, gradients straight through."""
        integers, fraction = self.integers()
        scales = self()
        return scales + (torch.from_numpy(integers / (1 << fraction)).float().to(scales.device) - scales).detach()

    def bound(self):
        """How far latent weights [rows] may lie from 0: one last scale beyond the outermost codes."""
        scales = self().detach()
        return scales.sum(1) + scales[:, -1]

    def reach(self):
        """How far activations [rows] may lie from the offset and still get a gradient.

        One last scale beyond the outermost codes, where a residual is no longer rounding. A single level ends at its
        codes: a wider window would pass more gradient than the jump of 2 * scale is worth, which multiplies over the
        steps (gradient norms of 10 and more, and chance level, in a trial).
        """
        return self.bound() if self.steps.shape[1] > 1 else self().detach().sum(1)


def binarized(values, scales, *, reach=None):
    """Greedy MLB of rows of values [rows, ...] with scales [rows, levels].

    The gradient passes straight through to values within +-`reach` [rows] (everywhere without it); that of a scale is
    the sum of gradient * sign.
    """
    shape = (-1,) + (1,) * (values.dim() - 1)
    residual, result = values.detach(), 0.0
    for scale in scales.unbind(1):
        sign = torch.ge(residual, 0.0).to(values.dtype).mul_(2.0).sub_(1.0)
        residual = residual - scale.detach().view(shape) * sign
        result = result + scale.view(shape) * sign
    if not values.requires_grad:
        return result
    through = values - values.detach()
    return result + (through if reach is None else through * (values.detach().abs() <= reach.view(shape)))


def residual_scales(rows, levels):
    """Scales [rows, levels] of the residual binarization of a tensor [rows, ...]: the mean of |what the levels before left|."""
    residual, scales = rows.reshape(len(rows), -1), []
    for _ in range(levels):
        scales.append(residual.abs().mean(1))
        residual = residual - scales[-1][:, None] * torch.where(residual >= 0, 1.0, -1.0)
    return torch.stack(scales, dim=1)

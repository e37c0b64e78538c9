"""Scales that a system finds once or has from the start, in place of learning them."""

import numpy as np
import torch
from torch import nn

from ..scales import fit_powers_of_two, fixed_point_scales, integer_scales
from .levels import Scales

__all__ = ["FixedScales", "scales_of"]

PLAIN_BITS = 8
"""Of what is not binarized and is no gate: h and its weights in Nazari 2020, and the biases."""
OCTAVES = 6
"""From the greatest to the least power of two of a tensor, at most."""


class FixedScales(nn.Module):
    """Scales that are found once, from data, and not learned. The interface of `levels.Scales`.

    Parameters
    ----------
    rows, levels : int
    rule : str
        "power_of_two", "sign" or "plain"; a plain tensor has PLAIN_BITS levels.
    bits, most_fraction : int
        Of the integers in the model file.
    """

    def __init__(self, rows, levels, *, rule, bits, most_fraction=24):
        super().__init__()
        self.rule, self.most_fraction = rule, most_fraction
        self.bits = max(bits, PLAIN_BITS) if rule == "plain" else bits
        self.register_buffer("scales", torch.ones(rows, PLAIN_BITS if rule == "plain" else levels))

    @property
    def levels(self):
        """Of a number."""
        return self.scales.shape[1]

    def fit(self, rows):
        """Find scales for the values of every row, arrays of any shape."""
        rows = [np.asarray(row, dtype=np.float64) for row in rows]
        if self.rule == "sign":
            found = np.ones(self.scales.shape)
        elif self.rule == "plain":
            # The least power of two that holds the greatest number: one for all rows, so that they share a binary point.
            greatest = max(float(np.abs(row).max(initial=0.0)) for row in rows)
            top = 2.0 ** np.ceil(np.log2(max(greatest, 2.0**-PLAIN_BITS)))
            found = np.tile(top * fixed_point_scales(self.levels) / (1 << self.levels), (len(rows), 1))
        else:
            typical = max(float(np.abs(row).mean()) for row in rows)
            top = int(np.ceil(np.log2(max(typical, 2.0**-12)))) + 1
            found = np.stack([fit_powers_of_two(row, self.levels, range(top, top - OCTAVES - 1, -1)) for row in rows])
        self.scales.copy_(torch.from_numpy(found))

    def forward(self):
        """Scales [rows, levels]."""
        return self.scales

    def project(self):
        """Nothing moves."""

    def integers(self):
        """(int64 [rows, levels], fraction) as the model file holds them."""
        return integer_scales(self.scales.double().cpu().numpy(), bits=self.bits, most_fraction=self.most_fraction)

    rounded = forward

    def bound(self):
        """How far latent weights [rows] may lie from 0: where a sign ends, as far as it; else a last scale beyond."""
        return self.scales.sum(1) if self.rule == "sign" else self.scales.sum(1) + self.scales[:, -1]

    def reach(self):
        """How far activations [rows] may lie from the offset and still get a gradient."""
        return self.bound() if self.levels > 1 else self.scales.sum(1)


def scales_of(rule, rows, levels, *, bits, most_fraction=24):
    """Scales of a tensor under a rule of System."""
    if rule == "learned":
        return Scales(rows, levels, bits=bits, most_fraction=most_fraction)
    return FixedScales(rows, levels, rule=rule, bits=bits, most_fraction=most_fraction)

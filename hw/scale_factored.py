"""Scaling with the weight scales factored out: the activation scales first, without multipliers."""

from dataclasses import dataclass

import numpy as np
from amaranth import Signal
from mubinn.model.fixed import signed_bits

from .alpha import AlphaSum, Weighted
from .codes import lookup
from .delay import handed_on
from .multiplier import registered_product
from .scale_turns import ScaleTurns
from .shift import chosen_shift, is_shift, shifted

__all__ = ["FactoredScale", "Factors"]


@dataclass(frozen=True)
class Factors:
    """The scales whose products are the gammas.

    x_alphas, h_alphas : int64 arrays [levels], zero where x or h has fewer levels than the other.
    x_betas, h_betas : int64 arrays [4 gates, weight_levels]
    """

    x_alphas: np.ndarray
    h_alphas: np.ndarray
    x_betas: np.ndarray
    h_betas: np.ndarray

    @classmethod
    def of(cls, parameters, schedule):
        """From a model's scales."""
        alphas = [np.pad(a, (0, schedule.levels - len(a))) for a in (parameters.x_scales, parameters.h_scales)]
        return cls(*alphas, parameters.wx_scales, parameters.wh_scales)

    @property
    def shifts(self):
        """Whether no product with a beta needs a multiplier."""
        return is_shift([*self.x_betas.ravel(), *self.h_betas.ravel()])

    def sum_bits(self, spec):
        """Width of any sum over x and h at the accumulator's binary point."""
        x = self.x_betas.sum(axis=1) * self.x_alphas.sum() * spec.input_size << spec.x_shift
        h = self.h_betas.sum(axis=1) * self.h_alphas.sum() * spec.hidden_size << spec.h_shift
        top = int((x + h).max())
        return signed_bits(-top, top)


class FactoredScale(ScaleTurns):
    """Sums beta_j * u_j, u_j = sum of alpha_i * (2 * count_ij - n), of every gate row of a group, x part and h part: the same
    sums as `Scale`.

    A product of every weight plane: `2 * weight_levels` of a gate row, a shift where all betas are powers of two. The latency
    from the last h batch to `o` is schedule.batch_cycles + 2 + AlphaSum's; what batches and sums are, `ScaleTurns` says.

    Parameters
    ----------
    schedule : Schedule
    factors : Factors
    """

    def __init__(self, schedule, factors, *, family="generic"):
        self.factors = factors
        spec = schedule.spec
        self._sizes = {"x": spec.input_size, "h": spec.hidden_size}
        self._alphas = {"x": [int(a) for a in factors.x_alphas], "h": [int(a) for a in factors.h_alphas]}
        operands = {
            part: ([2 * a for a in alphas] + [self._sizes[part] * sum(alphas)], self._sizes[part] * sum(alphas))
            for part, alphas in self._alphas.items()
        }
        super().__init__(schedule, sum_bits=factors.sum_bits(spec), operands=operands, family=family)
        self._weighted = {part: self._operand(part) for part in "xh"}
        slots, lanes = range(schedule.scale_slots), range(schedule.scale_parallel)
        self._sums = [[AlphaSum(**self._weighted) for _ in lanes] for _ in slots]
        self.stages = self._sums[0][0].latency + 2

    def _operand(self, part):
        """u of a part, shifted by its operand shift: zeros are left out only where all its numbers have them."""
        alphas, n, shift = self._alphas[part], self._sizes[part], self.operand_shift[part]

        def shifted(value):
            return value << shift if shift >= 0 else value >> -shift

        return Weighted(factors=tuple(shifted(2 * a) for a in alphas), constant=-shifted(n * sum(alphas)), most=n)

    def _products(self, m, platform, turn, index):
        """Look-ups of the counts, their sum as the multiplier's operand, the product."""
        # The constants are looked up just before they are needed: their index is narrower than they are.
        indices = [index, *(Signal(len(index), name=f"index_{k}") for k in range(1, self.stages - 1))]
        m.d.sync += handed_on(indices)
        lanes = range(self.schedule.scale_parallel)
        return [
            [self._product(m, platform, slot, lane, turn, indices[-1]) for lane in lanes]
            for slot in range(self.schedule.scale_slots)
        ]

    def _product(self, m, platform, slot, lane, turn, index):
        name = f"{slot}_{lane}"
        counts = self._chains(m, slot, lane, turn, count=self.schedule.levels)
        m.submodules[f"alpha_{name}"] = alpha = self._sums[slot][lane]
        m.d.comb += [
            alpha.i.x.eq(counts["x"]),
            alpha.i.h.eq(counts["h"]),
            alpha.i.is_h.eq(turn.is_h),
            alpha.i.masked.eq(turn.masked),
        ]
        betas = {"x": self.factors.x_betas, "h": self.factors.h_betas}
        constants = self._constants(slot, lane, lambda part, gate, plane, item: betas[part][gate, plane])
        if self.factors.shifts:
            choice, distinct = chosen_shift(m, index, constants, name=f"shift_{name}")
            return shifted(m, alpha.o, choice, distinct, name=f"scaled_{name}")
        beta_now = lookup(m, index, constants, name=f"beta_now_{name}")
        joins = self.sum_shape.width - self.common
        return registered_product(m, platform, alpha.o, beta_now, name=f"scaled_{name}", joins=joins)

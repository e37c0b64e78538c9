"""Scaling: counts to pre-activation sums, on as many multipliers as the folding says."""

from dataclasses import dataclass

import numpy as np
from amaranth import Mux, Signal, signed
from mubinn.model.fixed import signed_bits

from .codes import lookup
from .multiplier import registered_product
from .scale_turns import ScaleTurns

__all__ = ["Gammas", "Scale"]


@dataclass(frozen=True)
class Gammas:
    """gamma_ij = alpha_i * beta_j of Eq. 9, exact.

    x, h : int64 arrays [4 gates, weight_levels, levels], zero where x or h has fewer levels than the other.
    """

    x: np.ndarray
    h: np.ndarray

    @classmethod
    def of(cls, parameters, schedule):
        """From a model's scales."""
        padded = []
        for betas, alphas in ((parameters.wx_scales, parameters.x_scales), (parameters.wh_scales, parameters.h_scales)):
            gamma = np.zeros((4, schedule.spec.weight_levels, schedule.levels), dtype=np.int64)
            gamma[:, :, : len(alphas)] = betas[:, :, None] * alphas
            padded.append(gamma)
        return cls(*padded)

    def sum_bits(self, spec):
        """Width of any sum over x and h at the accumulator's binary point."""
        x = self.x.sum(axis=(1, 2)) * spec.input_size << spec.x_shift
        h = self.h.sum(axis=(1, 2)) * spec.hidden_size << spec.h_shift
        top = int((x + h).max())
        return signed_bits(-top, top)


class Scale(ScaleTurns):
    """Sums gamma_ij * (2 * count_ij - n) of every gate row of a group over all planes, x part and h part.

    A product of every count: `2 * levels * weight_levels` of a gate row. The latency from the last h batch to `o` is
    schedule.batch_cycles + 2 cycles; what batches and sums are, `ScaleTurns` says.

    Parameters
    ----------
    schedule : Schedule
    gammas : Gammas
    """

    def __init__(self, schedule, gammas, *, family="generic"):
        self.gammas = gammas
        spec = schedule.spec
        operands = {part: ((2, n), n) for part, n in (("x", spec.input_size), ("h", spec.hidden_size))}
        super().__init__(schedule, sum_bits=gammas.sum_bits(spec), operands=operands, family=family)

    def _products(self, m, platform, turn, index):
        lanes = range(self.schedule.scale_parallel)
        slots = range(self.schedule.scale_slots)
        return [[self._product(m, platform, slot, lane, turn, index) for lane in lanes] for slot in slots]

    def _product(self, m, platform, slot, lane, turn, index):
        """Two register stages, operands and product: what a DSP block has inside."""
        spec, name = self.schedule.spec, f"{slot}_{lane}"
        counts = self._chains(m, slot, lane, turn, count=1)
        gammas = {"x": self.gammas.x, "h": self.gammas.h}
        constants = self._constants(slot, lane, lambda part, row, plane, level: gammas[part][row % 4, plane, level])
        gamma_now = lookup(m, index, constants, name=f"gamma_now_{name}")
        # 2 * count - n: the agreeing pairs less the disagreeing ones. Zeros are left out only where n is even.
        up = {part: 1 + shift for part, shift in self.operand_shift.items()}
        most = {"x": spec.input_size << up["x"] >> 1, "h": spec.hidden_size << up["h"] >> 1}
        dot = Signal(signed(signed_bits(-max(most.values()), max(most.values()))), name=f"dot_{name}")
        agreeing = Mux(turn.is_h, counts["h"][0] << up["h"], counts["x"][0] << up["x"])
        m.d.comb += dot.eq(Mux(turn.masked, 0, agreeing) - Mux(turn.masked, 0, Mux(turn.is_h, most["h"], most["x"])))
        return registered_product(m, platform, dot, gamma_now, name=name)

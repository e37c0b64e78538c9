"""Scaling: counts to pre-activation sums, on as many multipliers as the folding says."""

from dataclasses import dataclass

import numpy as np
from amaranth import Mux, Signal, Value, signed
from mubinn.model.fixed import signed_bits

from .cells import PIPELINED
from .codes import lookup
from .delay import Delay
from .multiplier import registered_product
from .scale_turns import ScaleTurns
from .shift import chosen_shift, is_shift, shifted

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

    @property
    def shifts(self):
        """Whether no product with a gamma needs a multiplier."""
        return is_shift([*self.x.ravel(), *self.h.ravel()])

    def sum_bits(self, spec):
        """Width of any sum over x and h at the accumulator's binary point."""
        x = self.x.sum(axis=(1, 2)) * spec.input_size << spec.x_shift
        h = self.h.sum(axis=(1, 2)) * spec.hidden_size << spec.h_shift
        top = int((x + h).max())
        return signed_bits(-top, top)


class Scale(ScaleTurns):
    """Sums gamma_ij * (2 * count_ij - n) of every gate row of a group over all planes, x part and h part.

    A product of every count: `2 * levels * weight_levels` of a gate row, a shift where all gammas are powers of two. The
    latency from the last h batch to `o` is schedule.batch_cycles + 2 cycles; what batches and sums are, `ScaleTurns` says.

    Parameters
    ----------
    schedule : Schedule
    gammas : Gammas
    """

    def __init__(self, schedule, gammas, *, sum_bits=None, family="generic"):
        self.gammas = gammas
        spec = schedule.spec
        operands = {part: ((2, n), n) for part, n in (("x", spec.input_size), ("h", spec.hidden_size))}
        super().__init__(schedule, sum_bits=sum_bits or gammas.sum_bits(spec), operands=operands, family=family)
        # The choice of a count ends in a register of its own, and so do both operands: the way into the block is long.
        self.front_stages = int(family in PIPELINED)
        self.stages = 2 + 2 * self.front_stages

    def _products(self, m, platform, turn, index):
        behind = {name: self._front(m, value, name) for name, value in (("is_h", turn.is_h), ("masked", turn.masked))}
        index = self._front(m, index, "index")
        found = []
        for slot in range(self.schedule.scale_slots):
            found.append([])
            for lane in range(self.schedule.scale_parallel):
                x, h = (counts[0] for counts in self._chains(m, slot, lane, turn, count=1).values())
                x_up, h_up = (1 + self.operand_shift[part] for part in "xh")
                agreeing = self._front(m, Mux(turn.is_h, h << h_up, x << x_up), f"agreeing_{slot}_{lane}")
                found[-1].append(self._product(m, platform, slot, lane, agreeing, index, **behind))
        return found

    def _front(self, m, value, name):
        """The value after the front registers."""
        m.submodules[f"front_{name}"] = later = Delay(Value.cast(value).shape(), self.front_stages)
        m.d.comb += later.i.eq(value)
        return later.o

    def _product(self, m, platform, slot, lane, agreeing, index, *, is_h, masked):
        """Registers for the operands and the product are what a DSP block has inside."""
        name = f"{slot}_{lane}"
        gammas = {"x": self.gammas.x, "h": self.gammas.h}
        constants = self._constants(slot, lane, lambda part, gate, plane, level: gammas[part][gate, plane, level])
        shifts = self.gammas.shifts
        if shifts:
            gamma, distinct = chosen_shift(m, index, constants, name=f"shift_{name}")
        else:
            gamma = lookup(m, index, constants, name=f"gamma_{name}")
        dot = self._dot(m, slot, lane, agreeing, is_h=is_h, masked=masked)
        operands = [self._front(m, value, f"{what}_{name}") for what, value in (("dot", dot), ("gamma", gamma))]
        if shifts:
            return shifted(m, *operands, distinct, name=f"scaled_{name}")
        return registered_product(m, platform, *operands, name=f"scaled_{name}", joins=self.sum_shape.width - self.common)

    def _dot(self, m, slot, lane, agreeing, *, is_h, masked):
        """2 * count - n: the agreeing pairs less the disagreeing ones. Zeros are left out only where n is even."""
        spec, name = self.schedule.spec, f"{slot}_{lane}"
        most = {part: n << 1 + self.operand_shift[part] >> 1 for part, n in (("x", spec.input_size), ("h", spec.hidden_size))}
        dot = Signal(signed(signed_bits(-max(most.values()), max(most.values()))), name=f"dot_{name}")
        m.d.comb += dot.eq(Mux(masked, 0, agreeing) - Mux(masked, 0, Mux(is_h, most["h"], most["x"])))
        return dot

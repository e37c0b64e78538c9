"""Scaling: counts to pre-activation sums, on as many multipliers as the folding says."""

from dataclasses import dataclass

import numpy as np
from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from mubinn.model.fixed import signed_bits

from .codes import lookup
from .delay import handed_on
from .layouts import Flags, pulse

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


class Scale(wiring.Component):
    """Sums gamma_ij * (2 * count_ij - n) of every gate row of a group over all planes, x part and h part.

    Batches come in the order x, h of the first pass, x, h of the next; the sums leave after the last h batch. A batch
    takes `schedule.batch_cycles` cycles and may arrive while the one before is under way; the schedule keeps batches of
    the same kind at least two batches apart. In a window's first step (flag `first`) the h part counts nothing, since h is
    exact zero.

    Latency of the last batch to `o` is schedule.batch_cycles + 3 cycles.

    Parameters
    ----------
    schedule : Schedule
    gammas : Gammas

    Members
    -------
    x, h : In(streams of DotProducts)
    o : Out(stream of sums [rows * 4], gate fastest, at the accumulator's binary point; flags)
    """

    def __init__(self, schedule, gammas):
        self.schedule, self.gammas = schedule, gammas
        spec, folding = schedule.spec, schedule.folding
        count = folding.rows * 4 * folding.weight_planes * schedule.levels
        self.sum_shape = signed(gammas.sum_bits(spec))
        x_counts = data.ArrayLayout(spec.input_size.bit_length(), count)
        h_counts = data.ArrayLayout(spec.hidden_size.bit_length(), count)
        sums = data.ArrayLayout(self.sum_shape, folding.rows * 4)
        super().__init__(
            {
                "x": In(pulse(x_counts)),
                "h": In(pulse(data.StructLayout({"counts": h_counts, "flags": Flags}))),
                "o": Out(pulse(data.StructLayout({"sums": sums, "flags": Flags}))),
            }
        )

    @property
    def latency(self):
        """Cycles from the last h batch to the sums."""
        return self.schedule.batch_cycles + 3

    def _item(self, slot, entry, lane):
        """(gate row, item of its batch) that multiplier `lane` of `slot` works on in cycle `entry`, None for padding."""
        s = self.schedule
        turn, cycle = divmod(entry, s.item_cycles)
        row, item = turn * s.scale_slots + slot, cycle * s.scale_parallel + lane
        return (row, item) if row < 4 * s.folding.rows and item < s.batch_items else None

    def _coefficient(self, part, number, slot, entry, lane):
        """gamma for a cycle of pass `number`."""
        s = self.schedule
        place = self._item(slot, entry, lane)
        if place is None:
            return 0
        row, item = place
        plane, level = divmod(item, s.levels)
        plane += number * s.folding.weight_planes
        return int(part[row % 4, plane, level]) if plane < s.spec.weight_levels else 0

    def elaborate(self, platform):
        m = Module()
        s = self.schedule
        cycles, last_index = s.batch_cycles, 2 * s.passes * s.batch_cycles - 1
        # The two buffers wait for their turn; `index` walks through the batches of a group in their fixed order.
        waiting = {"x": Signal(name="waiting_x"), "h": Signal(name="waiting_h")}
        index, entry, is_h = Signal(range(last_index + 1)), Signal(range(cycles)), Signal()
        flags, busy = Signal(Flags), Signal()
        m.d.comb += busy.eq(Mux(is_h, waiting["h"], waiting["x"]))
        with m.If(busy):
            m.d.sync += [entry.eq(entry + 1), index.eq(Mux(index == last_index, 0, index + 1))]
            with m.If(entry == cycles - 1):
                m.d.sync += [entry.eq(0), is_h.eq(~is_h)]
                with m.If(is_h):
                    m.d.sync += waiting["h"].eq(0)
                with m.Else():
                    m.d.sync += waiting["x"].eq(0)
        with m.If(self.x.valid):
            m.d.sync += waiting["x"].eq(1)
        with m.If(self.h.valid):
            m.d.sync += [waiting["h"].eq(1), flags.eq(self.h.p.flags)]

        turn_ends = Signal()
        m.d.comb += turn_ends.eq(lookup(m, entry, self._turn_ends(), name="turn_end", shape=1) & busy)
        starts = Signal()
        # The first product of each gate row of a group replaces its sum.
        m.d.comb += starts.eq((index < cycles) & lookup(m, entry, self._turn_starts(), name="turn_start", shape=1))
        controls = Cat(busy, is_h, turn_ends, starts, busy & (index == last_index))
        staged = [Signal(len(controls), name=f"staged_{k}") for k in range(2)]
        m.d.sync += [staged[0].eq(controls), staged[1].eq(staged[0])]
        for slot in range(s.scale_slots):
            products = self._products(m, slot, index, entry, is_h, busy, flags)
            self._accumulate(m, slot, products, staged[1])
        m.d.sync += [self.o.valid.eq(staged[1][4])]
        # Flags are those of the h batch that ended the group; the next h batch is at least a pass away.
        held = [Signal(Flags, name=f"flags_{k}") for k in range(2)]
        m.d.sync += [held[0].eq(flags), held[1].eq(held[0]), self.o.p.flags.eq(held[1])]
        return m

    def _turn_ends(self):
        return [int(e % self.schedule.item_cycles == self.schedule.item_cycles - 1) for e in range(self.schedule.batch_cycles)]

    def _turn_starts(self):
        return [int(e % self.schedule.item_cycles == 0) for e in range(self.schedule.batch_cycles)]

    def _products(self, m, slot, index, entry, is_h, busy, flags):
        """Two register stages, operands and product: what a DSP block has inside."""
        s, spec = self.schedule, self.schedule.spec
        products = []
        for lane in range(s.scale_parallel):
            name = f"{slot}_{lane}"
            counts = {}
            for part, stream, shape in (
                ("x", self.x, spec.input_size),
                ("h", self.h, spec.hidden_size),
            ):
                arriving = stream.p if part == "x" else stream.p.counts
                places = [self._item(slot, e, lane) for e in range(s.batch_cycles)]
                values = [0 if p is None else arriving[p[0] * s.batch_items + p[1]] for p in places]
                # A shift register: loaded when the batch arrives, one entry down a cycle while its turn lasts.
                chain = [Signal(range(shape + 1), name=f"{part}_{name}_{e}") for e in range(s.batch_cycles)]
                with m.If(stream.valid):
                    m.d.sync += [c.eq(v) for c, v in zip(chain, values, strict=True)]
                with m.Elif(busy & (is_h == (part == "h"))):
                    m.d.sync += handed_on(chain[::-1])
                counts[part] = chain[0]
            gammas = [
                self._coefficient(part, number, slot, e, lane)
                for number in range(s.passes)
                for part in (self.gammas.x, self.gammas.h)
                for e in range(s.batch_cycles)
            ]
            gamma_now = lookup(m, index, gammas, name=f"gamma_now_{name}")
            gamma = Signal.like(gamma_now, name=f"gamma_{name}")
            most = max(spec.input_size, spec.hidden_size)
            dot = Signal(signed(signed_bits(-most, most)), name=f"dot_{name}")
            # 2 * count - n: the agreeing pairs less the disagreeing ones.
            x_dot, h_dot = (counts["x"] << 1) - spec.input_size, (counts["h"] << 1) - spec.hidden_size
            m.d.sync += [
                dot.eq(Mux(is_h, Mux(flags.first, 0, h_dot), x_dot)),
                gamma.eq(gamma_now),
            ]
            product = Signal(signed(len(dot) + len(gamma)), name=f"product_{name}")
            m.d.sync += product.eq(dot * gamma)
            products.append(product)
        return products

    def _accumulate(self, m, slot, products, control):
        """Adds a cycle's products to the sum of the gate row whose turn it is; the sums go round as the turns do."""
        s, spec = self.schedule, self.schedule.spec
        valid, is_h, turn_ends, starts = (control[k] for k in range(4))
        ring = [Signal(self.sum_shape, name=f"sum_{slot}_{turn}") for turn in range(s.scale_rows)]
        step = sum(products[1:], products[0])
        if spec.x_shift != spec.h_shift:
            step = Mux(is_h, step << spec.h_shift, step << spec.x_shift)
        elif spec.x_shift:
            step = step << spec.x_shift
        new = Signal(self.sum_shape, name=f"new_{slot}")
        m.d.comb += new.eq(Mux(starts, 0, ring[0]) + step)
        with m.If(valid):
            m.d.sync += ring[0].eq(new)
            with m.If(turn_ends):
                m.d.sync += [a.eq(b) for a, b in zip(ring, [*ring[1:], new], strict=True)]
        for turn, value in enumerate(ring):
            row = turn * s.scale_slots + slot
            if row < 4 * s.folding.rows:
                m.d.comb += self.o.p.sums[row].eq(value)

"""Scaling: counts to pre-activation sums, on as many multipliers as the folding says."""

from dataclasses import dataclass

import numpy as np
from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from mubinn.model.fixed import signed_bits

from .codes import lookup
from .delay import handed_on
from .layouts import Flags, counted, pulse
from .queue import Queue

__all__ = ["Gammas", "Scale"]


Control = data.StructLayout({name: 1 for name in "valid is_h turn_ends starts puts takes ends".split()})
"""Of a product: it counts; it is of an h batch; it is its gate row's last of the batch, its first of the group; its sum is put
aside, or goes on from one that was; it is its group's last."""


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

    Batches come in the order x, h of the first pass, x, h of the next; the sums leave after the last h batch. Of groups read
    ahead first all x batches come, then all h batches: their sums wait in between. A batch takes `schedule.batch_cycles`
    cycles and may arrive while others are under way; the schedule sees that it meets none of its own kind. In a window's
    first step (flag `first`) the h part counts nothing, since h is exact zero.

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
                "x": In(pulse(counted(x_counts))),
                "h": In(pulse(counted(h_counts, flags=Flags))),
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
        control, entry, index, busy, flags = self._turns(m)
        # Beside the operands and the product.
        staged = [Signal.like(control, name=f"staged_{k}") for k in range(2)]
        m.d.sync += [staged[0].eq(control), *handed_on(staged)]
        now = staged[1]
        if s.ahead:
            waiting = Queue(s.scale_slots * self.sum_shape.width, depth=s.ahead * s.scale_rows)
            m.submodules.waiting = waiting
            m.d.comb += [waiting.put.eq(now.puts), waiting.take.eq(now.takes)]
        for slot in range(s.scale_slots):
            products = self._products(m, slot, index, entry, control.is_h, busy, flags)
            taken = waiting.o.word_select(slot, self.sum_shape.width).as_signed() if s.ahead else None
            new = self._accumulate(m, slot, products, now, taken)
            if s.ahead:
                m.d.comb += waiting.i.word_select(slot, self.sum_shape.width).eq(new)
        m.d.sync += self.o.valid.eq(now.ends)
        # Flags are those of the h batch that ended the group; the next h batch is at least a pass away.
        held = [Signal(Flags, name=f"flags_{k}") for k in range(2)]
        m.d.sync += [held[0].eq(flags), held[1].eq(held[0]), self.o.p.flags.eq(held[1])]
        return m

    def _turns(self, m):
        """Which batch and which of its products has its turn: (control, entry, index into the gammas, busy, flags)."""
        s = self.schedule
        cycles = s.batch_cycles
        waiting = {kind: Signal(name=f"waiting_{kind}") for kind in "xh"}
        ahead = {kind: Signal(name=f"ahead_{kind}") for kind in "xh"}
        number = {kind: Signal(range(max(2, s.passes)), name=f"number_{kind}") for kind in "xh"}
        entry, under_way, chosen, x_newer = Signal(range(max(2, cycles))), Signal(), Signal(), Signal()
        is_h, busy, flags = Signal(), Signal(), Signal(Flags)
        # The batch that came first; once begun, to its end.
        m.d.comb += [
            is_h.eq(Mux(under_way, chosen, waiting["h"] & (x_newer | ~waiting["x"]))),
            busy.eq(waiting["x"] | waiting["h"]),
        ]
        ends_batch = entry == cycles - 1
        with m.If(busy):
            m.d.sync += [entry.eq(Mux(ends_batch, 0, entry + 1)), under_way.eq(~ends_batch), chosen.eq(is_h)]
            for kind, is_it in (("x", ~is_h), ("h", is_h)):
                with m.If(ends_batch & is_it):
                    last = number[kind] == s.passes - 1
                    m.d.sync += [waiting[kind].eq(0), number[kind].eq(Mux(last, 0, number[kind] + 1))]
        for kind, stream in (("x", self.x), ("h", self.h)):
            with m.If(stream.valid):
                m.d.sync += [waiting[kind].eq(1), ahead[kind].eq(stream.p.ahead), x_newer.eq(kind == "x")]
        with m.If(self.h.valid):
            m.d.sync += flags.eq(self.h.p.flags)

        entries = entry[: (cycles - 1).bit_length()]
        index = Cat(entries, is_h, Mux(is_h, number["h"], number["x"]))
        turn_ends = lookup(m, entry, self._turn_ends(), name="turn_end", shape=1)
        turn_starts = lookup(m, entry, self._turn_starts(), name="turn_start", shape=1)
        control = Signal(Control)
        first_h, last_x, last_h = number["h"] == 0, number["x"] == s.passes - 1, number["h"] == s.passes - 1
        m.d.comb += [
            control.valid.eq(busy),
            control.is_h.eq(is_h),
            control.turn_ends.eq(busy & turn_ends),
            # The first product of each gate row of a group replaces its sum.
            control.starts.eq(busy & turn_starts & ~is_h & (number["x"] == 0)),
            control.puts.eq(busy & turn_ends & ~is_h & last_x & ahead["x"]),
            control.takes.eq(busy & turn_starts & is_h & first_h & ahead["h"]),
            control.ends.eq(busy & ends_batch & is_h & last_h),
        ]
        return control, entry, index, busy, flags

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
                arriving = stream.p.counts
                places = [self._item(slot, e, lane) for e in range(s.batch_cycles)]
                values = [0 if p is None else arriving[p[0] * s.batch_items + p[1]] for p in places]
                # A shift register: loaded when the batch arrives, one entry down a cycle while its turn lasts.
                chain = [Signal(range(shape + 1), name=f"{part}_{name}_{e}") for e in range(s.batch_cycles)]
                with m.If(stream.valid):
                    m.d.sync += [c.eq(v) for c, v in zip(chain, values, strict=True)]
                with m.Elif(busy & (is_h == (part == "h"))):
                    m.d.sync += handed_on(chain[::-1])
                counts[part] = chain[0]
            padded = 1 << (s.batch_cycles - 1).bit_length()
            gammas = [
                self._coefficient(part, number, slot, e, lane) if e < s.batch_cycles else 0
                for number in range(s.passes)
                for part in (self.gammas.x, self.gammas.h)
                for e in range(padded)
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

    def _accumulate(self, m, slot, products, control, taken):
        """Adds a cycle's products to the sum of the gate row whose turn it is; the sums go round as the turns do."""
        s, spec = self.schedule, self.schedule.spec
        ring = [Signal(self.sum_shape, name=f"sum_{slot}_{turn}") for turn in range(s.scale_rows)]
        step = sum(products[1:], products[0])
        if spec.x_shift != spec.h_shift:
            step = Mux(control.is_h, step << spec.h_shift, step << spec.x_shift)
        elif spec.x_shift:
            step = step << spec.x_shift
        new = Signal(self.sum_shape, name=f"new_{slot}")
        before = ring[0] if taken is None else Mux(control.takes, taken, ring[0])
        m.d.comb += new.eq(Mux(control.starts, 0, before) + step)
        with m.If(control.valid):
            m.d.sync += ring[0].eq(new)
            with m.If(control.turn_ends):
                m.d.sync += [a.eq(b) for a, b in zip(ring, [*ring[1:], new], strict=True)]
        for turn, value in enumerate(ring):
            row = turn * s.scale_slots + slot
            if row < 4 * s.folding.rows:
                m.d.comb += self.o.p.sums[row].eq(value)
        return new

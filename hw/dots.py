"""All dot products of a group: four gates by `rows` units by weight planes by activation planes, a word of columns a cycle."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .delay import handed_on
from .layouts import Flags, pulse
from .popcount import XnorDot

__all__ = ["DotProducts"]


class DotProducts(wiring.Component):
    """Agreeing bits over all columns, x part and h part apart.

    Takes a word of `lanes` columns a cycle. The word with `x_end` holds the last x column: its columns below the schedule's
    split end the x count, which leaves on `x`, the rest starts the h count, which leaves on `h` after the word with
    `last`. Both leave `latency` cycles after their word. Padding lanes must disagree.

    Parameters
    ----------
    schedule : Schedule

    Members
    -------
    i : In(stream of planes [levels] and weights [rows * 4 * weight_planes], lanes bits each; x_end, last, flags)
    x, h : Out(stream of counts [rows * 4 * weight_planes * levels], activation plane fastest; h with the flags)
    """

    latency = XnorDot.latency

    def __init__(self, schedule):
        self.schedule = schedule
        spec, folding = schedule.spec, schedule.folding
        self.weights = folding.rows * 4 * folding.weight_planes
        lanes = unsigned(folding.lanes)
        word = data.StructLayout(
            {
                "planes": data.ArrayLayout(lanes, schedule.levels),
                "weights": data.ArrayLayout(lanes, self.weights),
                "x_end": 1,
                "last": 1,
                "flags": Flags,
            }
        )
        count = self.weights * schedule.levels
        x_counts = data.ArrayLayout(spec.input_size.bit_length(), count)
        h_counts = data.ArrayLayout(spec.hidden_size.bit_length(), count)
        super().__init__(
            {
                "i": In(pulse(word)),
                "x": Out(pulse(x_counts)),
                "h": Out(pulse(data.StructLayout({"counts": h_counts, "flags": Flags}))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        schedule = self.schedule
        spec, lanes, levels = schedule.spec, schedule.folding.lanes, schedule.levels
        # Control bits beside the pipeline of the dot products.
        control = data.StructLayout({"valid": 1, "x_end": 1, "last": 1, "flags": Flags})
        stages = [Signal(control, name=f"control_{k}") for k in range(self.latency + 1)]
        m.d.comb += [
            stages[0].valid.eq(self.i.valid),
            stages[0].x_end.eq(self.i.p.x_end),
            stages[0].last.eq(self.i.p.last),
            stages[0].flags.eq(self.i.p.flags),
        ]
        m.d.sync += handed_on(stages)
        now = stages[-1]
        m.d.comb += [
            self.x.valid.eq(now.valid & now.x_end),
            self.h.valid.eq(now.valid & now.last),
            self.h.p.flags.eq(now.flags),
        ]
        width = max(spec.input_size, spec.hidden_size).bit_length()
        for index in range(self.weights * levels):
            dot = XnorDot(lanes, split=schedule.split)
            m.submodules[f"dot_{index}"] = dot
            m.d.comb += [
                dot.i.valid.eq(self.i.valid),
                dot.i.p.a.eq(self.i.p.planes[index % levels]),
                dot.i.p.b.eq(self.i.p.weights[index // levels]),
            ]
            running = Signal(width, name=f"running_{index}")
            low, high = dot.o.p.low, dot.o.p.high
            # One adder: up to the split in the x_end word, all columns in every other.
            added = Mux(now.x_end, low, low + high) if schedule.split < lanes else low
            counted = Signal(width, name=f"counted_{index}")
            m.d.comb += [
                counted.eq(running + added),
                self.x.p[index].eq(counted),
                self.h.p.counts[index].eq(Mux(now.x_end, high, counted)),
            ]
            with m.If(now.valid):
                m.d.sync += running.eq(Mux(now.last, 0, Mux(now.x_end, high, counted)))
        return m

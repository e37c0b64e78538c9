"""All dot products of a group: four gates by `rows` units by weight planes by activation planes, a word of columns a cycle."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .delay import handed_on
from .layouts import Flags, Place, counted, pulse
from .popcount import XnorDot
from .queue import Queue

__all__ = ["DotProducts"]


class DotProducts(wiring.Component):
    """Agreeing bits over all columns, x part and h part apart.

    Takes a word of `lanes` columns a cycle. The word with `x_end` holds the last x column: its columns below the schedule's
    split end the x count, which leaves on `x`, the rest starts the h count, which leaves on `h` after the word with
    `last`. Both leave `latency` cycles after their word. Padding lanes must disagree. Where groups are read ahead, a pass may
    stop after a word with `pauses`; counts wait in a memory until a word with `resumes` goes on with them, in the same order.

    Parameters
    ----------
    schedule : Schedule
    family : str
        Whose cells count, see XnorDot.

    Members
    -------
    i : In(stream of planes [levels] and weights [rows * 4 * weight_planes], lanes bits each; place, flags)
    x, h : Out(stream of counts [rows * 4 * weight_planes * levels], activation plane fastest; `ahead`: of a group whose x
        and h parts are read apart; h with the flags)
    """

    latency = XnorDot.latency

    def __init__(self, schedule, *, family="generic"):
        self.schedule, self.family = schedule, family
        spec, folding = schedule.spec, schedule.folding
        self.weights = folding.rows * 4 * folding.weight_planes
        lanes = unsigned(folding.lanes)
        word = data.StructLayout(
            {
                "planes": data.ArrayLayout(lanes, schedule.levels),
                "weights": data.ArrayLayout(lanes, self.weights),
                "place": Place,
                "flags": Flags,
            }
        )
        count = self.weights * schedule.levels
        x_counts = data.ArrayLayout(spec.input_size.bit_length(), count)
        h_counts = data.ArrayLayout(spec.hidden_size.bit_length(), count)
        super().__init__(
            {
                "i": In(pulse(word)),
                "x": Out(pulse(counted(x_counts))),
                "h": Out(pulse(counted(h_counts, flags=Flags))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        schedule = self.schedule
        spec, lanes, levels = schedule.spec, schedule.folding.lanes, schedule.levels
        # Control bits beside the pipeline of the dot products.
        control = data.StructLayout({"valid": 1, "place": Place, "flags": Flags})
        stages = [Signal(control, name=f"control_{k}") for k in range(self.latency + 1)]
        m.d.comb += [
            stages[0].valid.eq(self.i.valid),
            stages[0].place.eq(self.i.p.place),
            stages[0].flags.eq(self.i.p.flags),
        ]
        m.d.sync += handed_on(stages)
        now = stages[-1]
        resumes, pauses = (now.valid & now.place[name] if schedule.ahead else 0 for name in ("resumes", "pauses"))
        m.d.comb += [
            self.x.valid.eq(now.valid & now.place.x_end),
            self.x.p.ahead.eq(now.place.ahead),
            self.h.valid.eq(now.valid & now.place.last),
            self.h.p.ahead.eq(now.place.ahead),
            self.h.p.flags.eq(now.flags),
        ]
        width = max(spec.input_size, spec.hidden_size).bit_length()
        if schedule.ahead:
            waiting = Queue(self.weights * levels * width, depth=schedule.ahead * schedule.passes)
            m.submodules.waiting = waiting
            m.d.comb += [waiting.put.eq(pauses), waiting.take.eq(resumes)]
        for index in range(self.weights * levels):
            dot = XnorDot(lanes, split=schedule.split, family=self.family)
            m.submodules[f"dot_{index}"] = dot
            m.d.comb += [
                dot.i.valid.eq(self.i.valid),
                dot.i.p.a.eq(self.i.p.planes[index % levels]),
                dot.i.p.b.eq(self.i.p.weights[index // levels]),
            ]
            running = Signal(width, name=f"running_{index}")
            before = Mux(resumes, waiting.o.word_select(index, width), running) if schedule.ahead else running
            low, high = dot.o.p.low, dot.o.p.high
            # One adder: up to the split in the x_end word, all columns in every other.
            added = Mux(now.place.x_end, low, low + high) if schedule.split < lanes else low
            total = Signal(width, name=f"counted_{index}")
            rest = Signal(width, name=f"rest_{index}")
            m.d.comb += [
                total.eq(before + added),
                rest.eq(Mux(now.place.x_end, high, total)),
                self.x.p.counts[index].eq(total),
                self.h.p.counts[index].eq(rest),
            ]
            with m.If(now.valid):
                m.d.sync += running.eq(Mux(now.place.last | pauses, 0, rest))
            if schedule.ahead:
                m.d.comb += waiting.i.word_select(index, width).eq(rest)
        return m

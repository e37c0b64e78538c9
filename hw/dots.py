"""All dot products of a group: four gates by `rows` units by weight planes by activation planes, a word of columns a cycle."""

from amaranth import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .cells import PIPELINED
from .delay import handed_on
from .layouts import Place, counted, flags_of, pulse
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
    i : In(stream of planes [levels] and weights [gate rows * weight_planes], lanes bits each; place, flags)
    x, h : Out(stream of counts [gate rows * weight_planes * levels], activation plane fastest; `ahead`: of a group whose x
        and h parts are read apart; h with the flags)
    """

    def __init__(self, schedule, *, family="generic"):
        self.schedule, self.family = schedule, family
        spec, folding = schedule.spec, schedule.folding
        self.weights = schedule.gate_rows * folding.weight_planes
        flags = flags_of(schedule)
        lanes = unsigned(folding.lanes)
        word = data.StructLayout(
            {
                "planes": data.ArrayLayout(lanes, schedule.levels),
                "weights": data.ArrayLayout(lanes, self.weights),
                "place": Place,
                "flags": flags,
            }
        )
        count = self.weights * schedule.levels
        self.dots = [XnorDot(folding.lanes, split=schedule.split, family=family) for _ in range(count)]
        self.added_stages = int(family in PIPELINED)
        self.latency = self.dots[0].latency + self.added_stages
        gate = {"gate": 2} if folding.skip else {}
        x_counts = data.ArrayLayout(spec.input_size.bit_length(), count)
        h_counts = data.ArrayLayout(spec.hidden_size.bit_length(), count)
        super().__init__(
            {
                "i": In(pulse(word)),
                "x": Out(pulse(counted(x_counts, **gate))),
                "h": Out(pulse(counted(h_counts, flags=flags))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        schedule = self.schedule
        spec, levels = schedule.spec, schedule.levels
        # Control bits beside the pipeline of the dot products.
        control = data.StructLayout({"valid": 1, "place": Place, "flags": flags_of(schedule)})
        stages = [Signal(control, name=f"control_{k}") for k in range(self.latency + 1)]
        m.d.comb += [
            stages[0].valid.eq(self.i.valid),
            stages[0].place.eq(self.i.p.place),
            stages[0].flags.eq(self.i.p.flags),
        ]
        m.d.sync += handed_on(stages)
        now, following, counted_now = stages[-1], stages[-2], stages[-1 - self.added_stages]
        pauses = now.valid & now.place.pauses
        m.d.comb += [
            self.x.valid.eq(now.valid & now.place.x_end),
            self.x.p.ahead.eq(now.place.ahead),
            self.h.valid.eq(now.valid & now.place.last),
            self.h.p.ahead.eq(now.place.ahead),
            self.h.p.flags.eq(now.flags),
        ]
        if schedule.folding.skip:
            m.d.comb += self.x.p.gate.eq(now.flags.gate)
        width = max(spec.input_size, spec.hidden_size).bit_length()
        # The counts of a single pass wait where they are.
        queued = schedule.ahead * schedule.passes > 1
        if queued:
            waiting = Queue(self.weights * levels * width, depth=schedule.ahead * schedule.passes)
            m.submodules.waiting = waiting
            # Loaded the cycle before, so that neither the memory nor a multiplexer stands before the adder.
            resumes = following.valid & following.place.resumes
            m.d.comb += [waiting.put.eq(pauses), waiting.take.eq(resumes)]
        for index, dot in enumerate(self.dots):
            m.submodules[f"dot_{index}"] = dot
            m.d.comb += [
                dot.i.valid.eq(self.i.valid),
                dot.i.p.a.eq(self.i.p.planes[index % levels]),
                dot.i.p.b.eq(self.i.p.weights[index // levels]),
            ]
            running = Signal(width, name=f"running_{index}")
            added, high = self._counts(m, index, dot.o.p, counted_now.place.x_end)
            total = Signal(width, name=f"counted_{index}")
            rest = Signal(width, name=f"rest_{index}")
            m.d.comb += [
                total.eq(running + added),
                rest.eq(Mux(now.place.x_end, high, total)),
                self.x.p.counts[index].eq(total),
                self.h.p.counts[index].eq(rest),
            ]
            with m.If(now.valid):
                m.d.sync += running.eq(Mux(now.place.last | (now.place.pauses if queued else 0), 0, rest))
            if queued:
                m.d.comb += waiting.i.word_select(index, width).eq(rest)
                with m.If(resumes):
                    m.d.sync += running.eq(waiting.o.word_select(index, width))
        return m

    def _counts(self, m, index, counted, x_end):
        """What a word adds to the running count, and its columns above the split, with or without a register."""
        low, high = counted.low, counted.high
        # One adder: up to the split in the x_end word, all columns in every other.
        added = Mux(x_end, low, low + high) if self.schedule.split < self.schedule.folding.lanes else low
        if not self.added_stages:
            return added, high
        later = [Signal(Value.cast(v).shape(), name=f"{name}_{index}") for name, v in (("added", added), ("high", high))]
        m.d.sync += [register.eq(value) for register, value in zip(later, (added, high), strict=True)]
        return later

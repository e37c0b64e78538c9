"""Sequencer: which word is read in which cycle."""

from itertools import pairwise

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .codes import lookup

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Walks through groups, passes and slots of a step, a slot a cycle; the first `words` slots of a pass read a word.

    A step starts when its x is complete. Only the first pass of a step can meet h codes that are not written yet: there
    each word waits until the units it reads are. Everything behind is static. Nothing waits in a window's first step.

    Parameters
    ----------
    schedule : Schedule

    Members
    -------
    ready : In(1)
        The next step's x is complete.
    first : In(1)
        It is its window's first step.
    hold : In(1)
        Do not start a group: its results would find no room.
    done : Out(1)
        Pulse with the last read of a step.
    written : In(1)
        Pulse with every h code written.
    word, address : Out
        Read addresses of the operand store and of the weights.
    valid, x_end, last : Out(1)
        This cycle reads a word; the last with an x column; the last of its pass.
    group : Out(1)
        Pulse with the first slot of a group.
    units : Out
        Units of the group, fewer than `rows` in a last group that pads.
    """

    def __init__(self, schedule):
        self.schedule = schedule
        s = schedule
        super().__init__(
            {
                "ready": In(1),
                "first": In(1),
                "hold": In(1),
                "done": Out(1),
                "written": In(1),
                "word": Out(range(s.words)),
                "address": Out(range(s.groups * s.passes * s.words)),
                "valid": Out(1),
                "x_end": Out(1),
                "last": Out(1),
                "group": Out(1),
                "units": Out(range(s.folding.rows + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        s, spec = self.schedule, self.schedule.spec
        slot, number, group = Signal(range(s.pass_cycles)), Signal(range(s.passes)), Signal(range(s.groups))
        last_slot, last_pass, last_group = slot == s.pass_cycles - 1, number == s.passes - 1, group == s.groups - 1

        # h codes of the step before that are written, less those that the slot's word needs. Counted on through the steps: a
        # step's own codes count from the end of its first pass, while late ones of the window before still come.
        needs = [s.units_needed(min(w, s.words - 1)) for w in range(s.pass_cycles)] + [spec.hidden_size + s.units_needed(0)]
        more = lookup(m, slot, [b - a for a, b in pairwise(needs)], name="more")
        ahead = Signal(range(-2 * spec.hidden_size, spec.hidden_size + 1), init=spec.hidden_size - needs[0])
        guarded, starts_group = Signal(init=1), Signal(init=1)
        waits = guarded & ~self.first & (ahead < 0)
        go = Signal()
        m.d.comb += [
            go.eq(self.ready & ~waits & ~(starts_group & self.hold)),
            self.word.eq(slot),
            self.valid.eq(go & (slot < s.words)),
            self.x_end.eq(slot == s.x_words - 1),
            self.last.eq(slot == s.words - 1),
            self.group.eq(go & starts_group),
        ]
        padded = s.groups * s.folding.rows - spec.hidden_size
        m.d.comb += [
            self.units.eq(Mux(last_group, s.folding.rows - padded, s.folding.rows)),
            self.done.eq(go & last_slot & last_pass & last_group),
        ]
        # Both outcomes are ready before `go` is: it comes late.
        stays, moves = Signal.like(ahead), Signal.like(ahead)
        m.d.comb += [stays.eq(ahead + self.written), moves.eq(stays - Mux(guarded, more, 0))]
        m.d.sync += ahead.eq(Mux(go, moves, stays))
        with m.If(self.valid):
            ends = self.address == s.groups * s.passes * s.words - 1
            m.d.sync += self.address.eq(Mux(ends, 0, self.address + 1))
        with m.If(go):
            m.d.sync += [slot.eq(Mux(last_slot, 0, slot + 1)), starts_group.eq(last_slot & last_pass)]
            with m.If(last_slot):
                m.d.sync += [number.eq(Mux(last_pass, 0, number + 1)), guarded.eq(last_pass & last_group)]
                with m.If(last_pass):
                    m.d.sync += group.eq(Mux(last_group, 0, group + 1))
        return m

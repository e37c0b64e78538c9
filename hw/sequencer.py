"""Sequencer: which word is read in which cycle."""

from itertools import pairwise

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .codes import lookup
from .layouts import Place

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Walks through parts, groups, passes and slots of a step, a slot a cycle; the first slots of a pass read a word each.

    A step starts when its x is complete. Only the first passes of a step can meet h codes that are not written yet: there
    each word waits until the units it reads are. Everything behind is static. Nothing waits in a window's first step.

    Parameters
    ----------
    schedule : Schedule
    in_flight : int
        Most units that windows of a single step, none of which waits for h, can have under way: those that `hold` lets through.
        0 where it lets no step start before the window before is done.

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
    valid : Out(1)
        This cycle reads a word.
    place : Out(Place)
        Where in its pass the word is.
    group : Out(1)
        Pulse with the first slot of a group, or of its late part.
    units : Out
        Units of the group, fewer than `rows` in a last group that pads.
    """

    def __init__(self, schedule, *, in_flight=0):
        self.schedule, self.in_flight = schedule, in_flight
        s = schedule
        super().__init__(
            {
                "ready": In(1),
                "first": In(1),
                "hold": In(1),
                "done": Out(1),
                "written": In(1),
                "word": Out(range(max(2, s.words))),
                "address": Out(range(max(2, s.groups * s.passes * s.words))),
                "valid": Out(1),
                "place": Out(Place),
                "group": Out(1),
                "units": Out(range(s.folding.rows + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        s, parts = self.schedule, self.schedule.parts
        # At least one bit each: Verilog has no vectors without any.
        most = max(p.slots for p in parts)
        counts = {"part": len(parts), "slot": most, "number": s.passes, "group": s.groups}
        part, slot, number, group = (Signal(range(max(2, count)), name=name) for name, count in counts.items())
        now = {
            name: lookup(m, part, [value(p) for p in parts], name=name)
            for name, value in {
                "slots": lambda p: p.slots - 1,
                "words": lambda p: p.words,
                "last_of_part": lambda p: p.groups[-1],
                "first_word": lambda p: p.first,
                "early": lambda p: int(p.early),
                "late": lambda p: int(p.late),
            }.items()
        }
        early, late = now["early"] != 0, now["late"] != 0
        last_slot, last_pass = slot == now["slots"], number == s.passes - 1
        last_group, last_part = group == now["last_of_part"], part == len(parts) - 1
        ends_pass, ends_group, ends_part, ends_step = Signal(), Signal(), Signal(), Signal()
        go, starts_group = Signal(), Signal(init=1)
        waits, guarded = self._guard(m, part, slot, go)
        reads = slot < now["words"]
        m.d.comb += [
            ends_pass.eq(last_slot),
            ends_group.eq(ends_pass & last_pass),
            ends_part.eq(ends_group & last_group),
            ends_step.eq(ends_part & last_part),
            go.eq(self.ready & ~waits & ~(starts_group & ~early & self.hold)),
            self.word.eq(now["first_word"] + slot),
            self.valid.eq(go & reads),
            self.group.eq(go & starts_group & ~early),
            self.done.eq(go & ends_step),
        ]
        ends_words = slot == now["words"] - 1
        m.d.comb += [
            self.place.x_end.eq((slot == s.x_words - 1) & ~late),
            self.place.last.eq(ends_words & ~early),
            self.place.pauses.eq(ends_words & early),
            self.place.resumes.eq((slot == 0) & late),
            self.place.ahead.eq(early | late),
        ]
        padded = s.groups * s.folding.rows - s.spec.hidden_size
        m.d.comb += self.units.eq(Mux(group == s.groups - 1, s.folding.rows - padded, s.folding.rows))
        with m.If(self.valid):
            ends = self.address == s.groups * s.passes * s.words - 1
            m.d.sync += self.address.eq(Mux(ends, 0, self.address + 1))
        following = lookup(m, part, [p.groups[0] for p in (*parts[1:], parts[0])], name="first_of_next")
        with m.If(go):
            m.d.sync += [slot.eq(Mux(ends_pass, 0, slot + 1)), starts_group.eq(ends_group)]
            with m.If(ends_pass):
                m.d.sync += [number.eq(Mux(last_pass, 0, number + 1)), guarded.eq(0)]
            with m.If(ends_group):
                m.d.sync += group.eq(group + 1)
            with m.If(ends_part):
                # The late part and a step's first part begin where something may be missing.
                opens = lookup(m, part, [int(p.late) for p in parts[1:]] + [1], name="opens", shape=1)
                m.d.sync += [part.eq(Mux(last_part, 0, part + 1)), group.eq(following), guarded.eq(opens)]
        return m

    def _guard(self, m, part, slot, go):
        """(whether the slot's word must wait, register: this is a pass that can meet missing h codes)."""
        s, hidden, contexts = self.schedule, self.schedule.spec.hidden_size, self.schedule.folding.contexts
        # h codes of the step before that are written, less those that the slot's word needs. Counted on through the steps: a
        # step's own codes count from the end of its last guarded pass, while late ones of the window before still come.
        opening = [p for p in s.parts if p is s.parts[0] or p.late]
        needs = [[s.units_needed(min(p.first + k, p.first + p.words - 1)) for k in range(p.slots)] for p in opening]
        afterwards = [needs[k][0] for k in range(1, len(opening))] + [hidden + needs[0][0]]
        # With several contexts they are those of as many steps before: so much is ahead from the start.
        most = range(-2 * contexts * hidden - self.in_flight, contexts * hidden + 1)
        ahead = Signal(most, init=contexts * hidden - needs[0][0])
        guarded = Signal(init=1)
        steps = [[b - a for a, b in pairwise([*need, after])] for need, after in zip(needs, afterwards, strict=True)]
        shape = range(-hidden, 2 * hidden + 1)
        more = [lookup(m, slot, values, name=f"more_{k}", shape=Signal(shape).shape()) for k, values in enumerate(steps)]
        now = more[0] if len(more) == 1 else Mux(part == 0, *more)
        # Both outcomes are ready before `go` is: it comes late.
        stays, moves = Signal.like(ahead), Signal.like(ahead)
        m.d.comb += [stays.eq(ahead + self.written), moves.eq(stays - Mux(guarded, now, 0))]
        m.d.sync += ahead.eq(Mux(go, moves, stays))
        return guarded & ~self.first & (ahead < 0), guarded

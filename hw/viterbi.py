"""Viterbi decoder: the best sequence of tags of a window, from the scores of its steps."""

import numpy as np
from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .codes import lookup

__all__ = ["Viterbi"]


class Viterbi(wiring.Component):
    """Exact; ties go to the lowest tag. Arithmetic as `mubinn.model.crf.viterbi`.

    delta_j(t) = max_i(delta_i(t-1) + transitions_ij) + e_j(t), and then the way back.

    A pair of tags a cycle: a step takes tags * (tags + 3) + 2 cycles, a window's first tags * 4 + 2. Behind its last step the
    way back takes two cycles a step, then its tags leave in the order of the steps, and the next window's first step
    is taken.

    Parameters
    ----------
    crf : mubinn.model.crf.Crf
    emission_bits : int
        Width of a score.
    max_steps : int
        No window is longer.

    Members
    -------
    i : In(stream of scores [tags], last)
    o : Out(stream of tag, last)
    """

    def __init__(self, crf, emission_bits, max_steps):
        self.crf, self.max_steps = crf, max_steps
        self.score = signed(crf.score_bits(emission_bits, max_steps))
        self.tag = unsigned(max(1, (crf.tags - 1).bit_length()))
        scores = data.ArrayLayout(signed(emission_bits), crf.tags)
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout({"scores": scores, "last": 1}))),
                "o": Out(stream.Signature(data.StructLayout({"tag": self.tag, "last": 1}))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        crf, tags = self.crf, self.crf.tags
        size = self.max_steps * tags
        # Scores of the step before and of this one, a bank each; the pointers of every step; the tags found.
        m.submodules.deltas = deltas = Memory(shape=self.score, depth=2 << self.tag.width, init=[])
        m.submodules.pointers = pointers = Memory(shape=self.tag, depth=max(2, size), init=[])
        m.submodules.found = found = Memory(shape=self.tag, depth=max(2, self.max_steps), init=[])
        m.submodules.transitions = transitions = Memory(
            shape=signed(max(2, int(abs(crf.transitions).max()).bit_length() + 1)),
            depth=1 << 2 * self.tag.width,
            init=self._by_target(),
        )
        old, new = deltas.read_port(), deltas.write_port()
        pointer, point = pointers.read_port(), pointers.write_port()
        tag_read, tag_write = found.read_port(), found.write_port()
        way = transitions.read_port()
        bank, first, last = Signal(), Signal(init=1), Signal()
        emissions = Signal.like(self.i.p.scores)
        j, i = Signal(self.tag), Signal(self.tag)
        last_i, last_j = i == tags - 1, j == tags - 1
        base, step = Signal(range(max(2, size))), Signal(range(max(2, self.max_steps)))
        best, best_i = Signal(self.score), Signal(self.tag)
        now, reached = Signal(self.score), Signal(self.score)
        behind = lookup(m, j, crf.last, name="last_score")
        before = lookup(m, j, crf.first, name="first_score")
        emission = Signal(self.score)
        # A register of its own: a choice among all tags.
        m.d.sync += emission.eq(emissions[j])
        m.d.comb += [
            old.addr.eq(Cat(i, ~bank)),
            way.addr.eq(Cat(i, j)),
            new.addr.eq(Cat(j, bank)),
            now.eq(Mux(first, before, best) + emission),
            new.data.eq(now),
            point.addr.eq(base + j),
            point.data.eq(best_i),
            reached.eq(old.data + way.data),
            tag_write.addr.eq(step),
            tag_read.addr.eq(step),
        ]
        read, read_i = Signal(), Signal(self.tag)
        # Of the best sequence that ends here, if the window does.
        total, final, final_tag, count = Signal(self.score), Signal(self.score), Signal(self.tag), Signal.like(step)
        m.d.sync += [read.eq(0), read_i.eq(i)]
        with m.If(read & ((read_i == 0) | (reached > best))):
            m.d.sync += [best.eq(reached), best_i.eq(read_i)]
        with m.FSM():
            with m.State("WAIT"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [emissions.eq(self.i.p.scores), last.eq(self.i.p.last), i.eq(0), j.eq(0)]
                with m.If(self.i.valid):
                    m.next = "REACH"
            with m.State("REACH"):  # all i that lead to j, none in the first step
                m.d.sync += [read.eq(~first), i.eq(i + 1)]
                with m.If(last_i | first):
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.sync += i.eq(0)
                m.next = "KEEP"
            with m.State("KEEP"):
                m.d.comb += [new.en.eq(1), point.en.eq(~first)]
                m.d.sync += total.eq(now + behind)
                m.next = "JUDGE"
            with m.State("JUDGE"):
                with m.If((j == 0) | (total > final)):
                    m.d.sync += [final.eq(total), final_tag.eq(j)]
                m.d.sync += j.eq(Mux(last_j, 0, j + 1))
                m.next = "REACH"
                with m.If(last_j):
                    m.next = "DONE"
            with m.State("DONE"):
                m.d.sync += [bank.eq(~bank), first.eq(0), count.eq(step)]
                m.next = "STORE"
                with m.If(~last):
                    m.d.sync += [base.eq(base + tags), step.eq(step + 1)]
                    m.next = "WAIT"
            with m.State("STORE"):
                m.d.comb += [tag_write.en.eq(1), tag_write.data.eq(final_tag), pointer.addr.eq(base + final_tag)]
                m.next = "BACK"
                with m.If(step == 0):
                    m.next = "READ"
            with m.State("BACK"):
                m.d.sync += [final_tag.eq(pointer.data), base.eq(base - tags), step.eq(step - 1)]
                m.next = "STORE"
            with m.State("READ"):
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += [self.o.valid.eq(1), self.o.p.tag.eq(tag_read.data), self.o.p.last.eq(step == count)]
                with m.If(self.o.ready):
                    m.d.sync += step.eq(step + 1)
                    m.next = "READ"
                    with m.If(self.o.p.last):
                        m.d.sync += [step.eq(0), first.eq(1), base.eq(0)]
                        m.next = "WAIT"
        return m

    def _by_target(self):
        """Transitions in the order of their addresses: the tag they lead to, then the one they come from."""
        table = np.zeros((1 << self.tag.width,) * 2, dtype=np.int64)
        table[: self.crf.tags, : self.crf.tags] = self.crf.transitions.T
        return [int(score) for score in table.ravel()]

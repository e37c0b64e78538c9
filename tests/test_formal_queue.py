"""Proof: the queue gives back what was put, in order, with its places going round."""

import pytest
from amaranth import Array
from amaranth.hdl import Assert, Assume
from amaranth.lib.wiring import In
from formal_bench import Harness, Tracked, proven, refuted
from mubinn.hw.queue import Queue

pytestmark = pytest.mark.formal


class FirstInFirstOut(Harness):
    """Under the contract (room is known, nothing is taken from an empty queue) the oldest word is on `o`."""

    def __init__(self, dut, **options):
        members = {"put": In(1), "take": In(1), "word": In(dut.width), "pick": In(1)}
        self.places = max(2, dut.depth)
        watched = ["write_place", "read_place", *(f"memory[{k}]" for k in range(self.places))]
        super().__init__(dut, members, watched=watched, **options)

    def claim(self, m):
        dut, inner = self.dut, self.inner
        m.d.comb += [dut.put.eq(self.put), dut.take.eq(self.take), dut.i.eq(self.word ^ int(self.wrong))]
        word = Tracked(m, pick=self.pick, goes_in=self.put, word=self.word, comes_out=self.take, out=dut.o, most=dut.depth)
        oldest = inner["read_place"]
        kept = Array(inner[f"memory[{k}]"] for k in range(self.places))[(oldest + word.ahead) % dut.depth]
        m.d.comb += [
            Assume(~self.take | (word.inside != 0)),
            Assume(~self.put | (word.inside < dut.depth) | self.take),
            Assert(oldest < dut.depth, "the read place is a place"),
            Assert(inner["write_place"] == (oldest + word.inside) % dut.depth, "places written are those of the words inside"),
            Assert(~word.active | (kept == word.word), "the tracked word is in its place"),
        ]


@pytest.mark.parametrize("width, depth", [(6, 1), (6, 2), (6, 3), (18, 8), (40, 5)])
def test_first_in_first_out(tmp_path, width, depth):
    proven(FirstInFirstOut(Queue(width, depth=depth)), tmp_path, cycles=2, cover=depth + 4)


def test_a_wrong_bit_is_found(tmp_path):
    refuted(FirstInFirstOut(Queue(6, depth=3), wrong=True), tmp_path, cycles=5, message="the word comes out as it went in")

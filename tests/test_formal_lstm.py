"""Proof: what the core without a head puts out keeps the rules of a stream, and its buffer of h keeps every word in order."""

import pytest
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In
from formal_bench import Harness, Tracked, proven, refuted, stable
from model_cases import random_parameters
from mubinn.build.formal import bounded, induction, translate
from mubinn.hw import Lstm
from mubinn.model.fixed import Fixed
from mubinn.model.folding import Folding
from mubinn.model.spec import LstmSpec

pytestmark = pytest.mark.formal


class Streams(Harness):
    """Arbitrary samples, `last` anywhere, arbitrary stalls on both sides."""

    def __init__(self, dut, **options):
        bits = len(dut.i.p.as_value())
        super().__init__(dut, {"sample": In(bits), "valid": In(1), "taken": In(1)}, **options)

    def claim(self, m):
        dut = self.dut
        m.d.comb += [dut.i.payload.eq(self.sample), dut.i.valid.eq(self.valid), dut.o.ready.eq(self.taken)]
        stable(m, dut.o)


@pytest.mark.parametrize("levels, lanes, rows", [(1, 2, 1), (2, 4, 2)])
def test_a_waiting_h_stays(tmp_path, levels, lanes, rows):
    """By induction: no state of the core, reachable or not, changes or withdraws an h that waits. That one comes at all is
    for the simulations to show."""
    spec = LstmSpec(
        input_size=1, hidden_size=3, input_levels=levels, hidden_levels=levels, gate_levels=levels, weight_levels=levels,
        x=Fixed(bits=6, fraction=3), z=Fixed(bits=8, fraction=4), cell=Fixed(bits=8, fraction=4),
        h_fraction=6, activation_fraction=6,
    )  # fmt: skip
    dut = Lstm(random_parameters(spec, 1), Folding(lanes=lanes, rows=rows))
    translate(Streams(dut), tmp_path)
    assert bounded(tmp_path, cycles=2).ok
    outcome = induction(tmp_path, cycles=2)
    assert outcome.ok, outcome


class Buffer(Harness):
    """The buffer that `Lstm` uses: an arbitrary word, and the rules of a stream where it comes out."""

    def __init__(self, dut, **options):
        super().__init__(dut, {"word": In(dut.width), "put": In(1), "taken": In(1), "pick": In(1)}, **options)

    def claim(self, m):
        dut = self.dut
        m.d.comb += [dut.w_data.eq(self.word), dut.w_en.eq(self.put), dut.r_en.eq(self.taken)]
        Tracked(
            m, pick=self.pick, goes_in=self.put & dut.w_rdy, word=self.word, comes_out=self.taken & dut.r_rdy,
            out=dut.r_data ^ int(self.wrong), most=dut.depth,
        )  # fmt: skip


@pytest.mark.parametrize("depth", [2, 3])
def test_buffer_keeps_words_in_order(tmp_path, depth):
    """Bounded: long enough to fill it and to empty it."""
    proven(Buffer(SyncFIFOBuffered(width=8, depth=depth)), tmp_path, cycles=0, base=2 * depth + 5)


def test_a_wrong_bit_is_found(tmp_path):
    harness = Buffer(SyncFIFOBuffered(width=8, depth=3), wrong=True)
    refuted(harness, tmp_path, cycles=6, message="the word comes out as it went in")

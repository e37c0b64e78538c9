"""Proof: XnorDot counts agreeing pairs, whatever cells a family writes it with."""

import pytest
from amaranth import Cat
from amaranth.hdl import Assert, Cover
from amaranth.lib.wiring import In
from formal_bench import Harness, handed_down, proven, refuted
from mubinn.hw import XnorDot
from mubinn.hw.cells import FAMILIES

pytestmark = pytest.mark.formal


class Counts(Harness):
    """low and high are the naive sums of the XNORs on their side of the split."""

    def __init__(self, dut, **options):
        super().__init__(dut, {"a": In(dut.lanes), "b": In(dut.lanes), "valid": In(1)}, **options)

    def claim(self, m):
        dut = self.dut
        m.d.comb += [dut.i.valid.eq(self.valid), dut.i.p.a.eq(self.a), dut.i.p.b.eq(self.b)]
        agree = ~(self.a ^ self.b) ^ int(self.wrong)
        now = handed_down(m, Cat(agree, self.valid), dut.latency, name="agree")[-1]
        agree, valid = now[: dut.lanes], now[dut.lanes]
        low, high = (sum(part, start=0) for part in (agree[: dut.split], agree[dut.split :]))
        m.d.comb += [
            Assert(dut.o.valid == valid, "a result follows each input, latency cycles later"),
            Assert(~valid | (dut.o.p.low == low), "low is the sum of the XNORs below the split"),
            Assert(~valid | (dut.o.p.high == high), "high is the sum of the XNORs from the split on"),
            Cover(valid & (dut.o.p.low == dut.split), "all agree"),
        ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("lanes, split", [(1, 1), (7, 3), (24, 19), (31, 31)])
def test_counts(tmp_path, family, lanes, split):
    proven(Counts(XnorDot(lanes, split=split, family=family)), tmp_path, cycles=2, cover=4)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_lane_is_found(tmp_path, family):
    dut = XnorDot(15, split=9, family=family)
    refuted(Counts(dut, wrong=True), tmp_path, cycles=3, message="low is the sum of the XNORs below the split")

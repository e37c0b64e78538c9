"""Proof: clear, pass and shift are the multiplication by 0, 1/2 and 1."""

import pytest
from amaranth import Signal, signed
from amaranth.hdl import Assert, Assume, Cover
from amaranth.lib.wiring import In
from formal_bench import Harness, handed_down, proven, refuted
from mubinn.hw import TernaryProduct

pytestmark = pytest.mark.formal


class Multiplies(Harness):
    """The result is code * value by a multiplier."""

    def __init__(self, dut, **options):
        super().__init__(dut, {"code": In(2), "value": In(signed(dut.bits)), "valid": In(1)}, **options)

    def claim(self, m):
        dut = self.dut
        m.d.comb += [
            Assume(self.code <= 2),
            dut.i.valid.eq(self.valid), dut.i.p.code.eq(self.code), dut.i.p.value.eq(self.value),
        ]  # fmt: skip
        product = Signal(signed(dut.bits + 3))
        m.d.comb += product.eq(self.code * (self.value ^ int(self.wrong)))
        valid = handed_down(m, self.valid, dut.latency, name="valid")[-1]
        product = handed_down(m, product, dut.latency, name="product")[-1]
        m.d.comb += [
            Assert(dut.o.valid == valid, "a result follows each input, latency cycles later"),
            Assert(~valid | (dut.o.payload == product), "the result is code * value"),
            Cover(valid & (product == -(1 << dut.bits)), "the least value, whole"),
        ]


@pytest.mark.parametrize("bits", [1, 4, 16, 24])
def test_shift_and_add_is_multiplication(tmp_path, bits):
    proven(Multiplies(TernaryProduct(bits)), tmp_path, cycles=2, cover=4)


def test_a_wrong_bit_is_found(tmp_path):
    refuted(Multiplies(TernaryProduct(8), wrong=True), tmp_path, cycles=3, message="the result is code * value")

"""Proof: the comparators of an activation are table and encoder, two circuits, for every pre-activation."""

import pytest
from amaranth import Signal, signed
from amaranth.hdl import Assert, Cover
from amaranth.lib.wiring import In
from formal_bench import Harness, handed_down, proven, refuted
from mubinn.hw import Encoder, PiecewiseLinear, Staircase
from mubinn.model.fixed import Fixed
from mubinn.model.tables import sigma_table, tanh_table

pytestmark = pytest.mark.formal


class SameCode(Harness):
    """A number goes to both; the comparators' code is delayed by the table's latency."""

    def __init__(self, dut, scales, offset, **options):
        self.table, self.scales, self.offset = dut.table, scales, offset
        super().__init__(dut, {"v": In(signed(dut.table.input.bits)), "valid": In(1)}, **options)

    def claim(self, m):
        dut = self.dut
        table = PiecewiseLinear(self.table)
        value = Signal(signed(len(table.o.payload) + 1))
        encoder = Encoder(len(value), self.scales)
        m.submodules.table, m.submodules.encoder = table, encoder
        v = self.v ^ int(self.wrong)
        m.d.comb += [
            dut.i.payload.eq(v), dut.i.valid.eq(self.valid),
            table.i.payload.eq(self.v), table.i.valid.eq(self.valid),
            value.eq(table.o.payload - self.offset), encoder.i.payload.eq(value), encoder.i.valid.eq(table.o.valid),
            encoder.o.ready.eq(1),
        ]  # fmt: skip
        code = handed_down(m, dut.o.payload, table.latency, name="code")[-1]
        valid = handed_down(m, dut.o.valid, table.latency, name="code_valid")[-1]
        m.d.comb += [
            Assert(valid == encoder.o.valid, "both take the same time, but for the table's"),
            Assert(~valid | (code == encoder.o.payload), "comparators give the code of table and encoder"),
            Cover(valid & code.all(), "every level is +1"),
            Cover(valid & ~code.any(), "every level is -1"),
        ]


def stairs(function, bits, fraction, scales, offset, **options):
    table = function(Fixed(bits=bits, fraction=fraction), 10)
    return SameCode(Staircase(table, scales, offset), scales, offset, **options)


@pytest.mark.parametrize(
    "bits, fraction, scales",
    [(8, 4, [256]), (8, 4, [250, 140]), (10, 6, [300, 150, 70]), (12, 8, [280, 130])],
    ids=str,
)
@pytest.mark.parametrize("function", [sigma_table, tanh_table], ids=["sigma", "tanh"])
def test_comparators_are_table_and_encoder(tmp_path, function, bits, fraction, scales):
    sigma = function is sigma_table
    harness = stairs(function, bits, fraction, scales if sigma else [2 * s for s in scales], 512 if sigma else 0)
    cycles = 4 + len(scales)  # what is in the pipelines at the start has left
    proven(harness, tmp_path, cycles=cycles, cover=cycles + 2)


def test_a_wrong_number_is_found(tmp_path):
    harness = stairs(sigma_table, 8, 4, [250, 140], 512, wrong=True)
    refuted(harness, tmp_path, cycles=8, message="comparators give the code of table and encoder")

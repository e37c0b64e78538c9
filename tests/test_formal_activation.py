"""Proof: the comparators of an activation are table and encoder, two circuits, for every pre-activation."""

import pytest
from amaranth import Signal, signed
from amaranth.hdl import Assert, Cover
from amaranth.lib.wiring import In
from formal_bench import Harness, handed_down, proven, refuted
from mubinn.hw import Encoder, PiecewiseLinear, Staircase, TernaryStaircase
from mubinn.model.artifact import load_model
from mubinn.model.fixed import Fixed
from mubinn.model.gates import Gate
from mubinn.model.spec import GATES
from mubinn.model.tables import sigma_table, tanh_table

pytestmark = pytest.mark.formal


class SameCode(Harness):
    """A number goes to both; the comparators' code is delayed until the encoder behind the table has its own."""

    def __init__(self, dut, scales, offset, **options):
        self.table, self.scales, self.offset = dut.table, scales, offset
        super().__init__(dut, {"v": In(signed(dut.table.input.bits)), "valid": In(1)}, **options)

    def claim(self, m):
        dut = self.dut
        table = PiecewiseLinear(self.table)
        value = Signal(signed(len(table.o.payload) + 1))
        encoder = Encoder(len(value), self.scales)
        m.submodules.table, m.submodules.encoder = table, encoder
        m.d.comb += [
            dut.i.payload.eq(self.v), dut.i.valid.eq(self.valid),
            table.i.payload.eq(self.v), table.i.valid.eq(self.valid),
            value.eq(table.o.payload - self.offset), encoder.i.payload.eq(value), encoder.i.valid.eq(table.o.valid),
            encoder.o.ready.eq(1),
        ]  # fmt: skip
        delay = table.latency + encoder.latency - dut.latency
        code = handed_down(m, dut.o.payload, delay, name="code")[-1]
        valid = handed_down(m, dut.o.valid, delay, name="code_valid")[-1]
        m.d.comb += [
            Assert(valid == encoder.o.valid, "each takes the time that it says"),
            Assert(~valid | (code == encoder.o.payload), "comparators give the code of table and encoder"),
            Cover(valid & code.all(), "every level is +1"),
            Cover(valid & ~code.any(), "every level is -1"),
        ]


def stairs(function, bits, fraction, scales, offset, family="generic"):
    table = function(Fixed(bits=bits, fraction=fraction), 10)
    return SameCode(Staircase(table, scales, offset, family=family), scales, offset)


@pytest.mark.parametrize("bits, fraction, scales", [(8, 4, [256]), (8, 4, [250, 140]), (10, 6, [300, 150, 70])], ids=str)
@pytest.mark.parametrize("function", [sigma_table, tanh_table], ids=["sigma", "tanh"])
@pytest.mark.parametrize("family", ["generic", "ecp5"])
def test_comparators_are_table_and_encoder(tmp_path, function, bits, fraction, scales, family):
    sigma = function is sigma_table
    harness = stairs(function, bits, fraction, scales if sigma else [2 * s for s in scales], 512 if sigma else 0, family)
    same(harness, tmp_path)


@pytest.mark.parametrize("gate", range(4), ids=GATES)
@pytest.mark.parametrize("model", ["eeg-2-2", "eeg-3-3"])
def test_comparators_of_the_shipped_models(tmp_path, model, gate):
    parameters = load_model(model).parameters
    table, offset = parameters.spec.gate_tables[gate], parameters.spec.gate_offsets[gate]
    scales = [int(scale) for scale in parameters.gate_scales[gate]]
    same(SameCode(Staircase(table, scales, offset), scales, offset), tmp_path)


def same(harness, folder):
    cycles = 4 + len(harness.scales)  # then what is in the pipelines at the start has left
    proven(harness, folder, cycles=cycles, cover=cycles + 2)


def test_a_wrong_threshold_is_found(tmp_path):
    """Off by one in one of three."""
    harness = stairs(sigma_table, 10, 6, [250, 140], 512)
    harness.dut.thresholds[1][0] += 1
    refuted(harness, tmp_path, cycles=8, message="comparators give the code of table and encoder")


class SameHalves(Harness):
    """The code is sigma's table, rounded to halves with ties up."""

    def __init__(self, dut, **options):
        super().__init__(dut, {"v": In(signed(dut.gate.table.input.bits)), "valid": In(1)}, **options)

    def claim(self, m):
        dut = self.dut
        m.submodules.table = table = PiecewiseLinear(dut.gate.table)
        m.d.comb += [
            dut.i.payload.eq(self.v), dut.i.valid.eq(self.valid), table.i.payload.eq(self.v), table.i.valid.eq(self.valid),
        ]  # fmt: skip
        delay = table.latency - dut.latency
        code, valid = (
            handed_down(m, value, delay, name=name)[-1] for name, value in (("code", dut.o.payload), ("came", dut.o.valid))
        )
        halves = Signal(4)
        m.d.comb += halves.eq(4 * table.o.payload + (1 << dut.gate.table.fraction) >> dut.gate.table.fraction + 1)
        m.d.comb += [
            Assert(valid == table.o.valid, "each takes the time that it says"),
            Assert(~valid | (code == halves), "comparators give the halves of the table"),
            *(Cover(valid & (code == n), f"{n} halves") for n in range(3)),
        ]


def halves(bits, fraction, out):
    return SameHalves(TernaryStaircase(Gate(kind="ternary", table=sigma_table(Fixed(bits=bits, fraction=fraction), out))))


@pytest.mark.parametrize("bits, fraction, out", [(8, 4, 10), (12, 8, 10), (10, 6, 4)])
def test_two_comparators_are_round_and_clip(tmp_path, bits, fraction, out):
    proven(halves(bits, fraction, out), tmp_path, cycles=6, cover=8)


@pytest.mark.parametrize("which", [0, 1])
def test_a_wrong_half_is_found(tmp_path, which):
    harness = halves(10, 6, 10)
    least = list(harness.dut.gate.ternary_thresholds)
    least[which] += 1
    harness.dut.gate.__dict__["ternary_thresholds"] = tuple(least)  # as computed once
    refuted(harness, tmp_path, cycles=8, message="comparators give the halves of the table")

"""Proof: the comparators that find h's code are Eq. 6 and the encoder, two circuits, for every c and every o."""

import pytest
from amaranth import signed
from amaranth.hdl import Assert, Cover
from amaranth.lib.wiring import In
from formal_bench import Harness, handed_down, proven, refuted
from mubinn.hw import Encoder, OutputProduct, OutputStairs, PiecewiseLinear
from mubinn.model.artifact import load_model
from mubinn.model.fixed import Fixed
from mubinn.model.gates import gate_formats
from mubinn.model.spec import LstmSpec

pytestmark = pytest.mark.formal


class SameCode(Harness):
    """c and o go to both; the comparators get o a cycle before c, and their code waits for the encoder's."""

    def __init__(self, spec, o_scales, h_scales, *, family="generic", **options):
        self.spec, self.o_scales, self.h_scales = spec, o_scales, h_scales
        members = {"c": In(signed(spec.cell.bits)), "o_code": In(spec.gate_levels), "valid": In(1)}
        o_gate = gate_formats(spec, [o_scales] * 4)[3]
        super().__init__(OutputStairs(spec, o_gate, h_scales, family=family), members, **options)
        self.parts_after = PiecewiseLinear(spec.cell_table), OutputProduct(spec, o_gate), Encoder(spec.h_bits, h_scales)
        self.cycles = sum(part.latency for part in self.parts_after)

    def claim(self, m):
        dut, (table, product, encoder) = self.dut, self.parts_after
        m.submodules.table, m.submodules.product, m.submodules.encoder = table, product, encoder
        c, valid = (handed_down(m, value, 1, name=name)[-1] for name, value in (("c", self.c), ("valid", self.valid)))
        m.d.comb += [
            dut.next_o.eq(self.o_code), dut.i.payload.eq(c), dut.i.valid.eq(valid),
            table.i.payload.eq(self.c), table.i.valid.eq(self.valid),
            product.i.p.o.eq(handed_down(m, self.o_code, table.latency, name="o")[-1]),
            product.i.p.tanh_c.eq(table.o.payload), product.i.valid.eq(table.o.valid),
            encoder.i.payload.eq(product.o.payload), encoder.i.valid.eq(product.o.valid), encoder.o.ready.eq(1),
        ]  # fmt: skip
        delay = self.cycles - dut.latency - 1
        code, came = (
            handed_down(m, value, delay, name=name)[-1] for name, value in (("code", dut.o.payload), ("came", dut.o.valid))
        )
        m.d.comb += [
            Assert(came == encoder.o.valid, "each takes the time that it says"),
            Assert(~came | (code == encoder.o.payload), "comparators give the code of Eq. 6 and the encoder"),
            Cover(came & code.all(), "every level is +1"),
            Cover(came & ~code.any(), "every level is -1"),
        ]


def stairs(bits, fraction, levels, family="generic"):
    spec = LstmSpec(
        input_size=1, hidden_size=1, gate_levels=levels, hidden_levels=levels, cell=Fixed(bits=bits, fraction=fraction),
        activation_fraction=6, h_fraction=5,
    )  # fmt: skip
    return SameCode(spec, [17 >> k for k in range(levels)], [17 >> k for k in range(levels)], family=family)


@pytest.mark.parametrize("bits, fraction", [(8, 4), (10, 6)])
@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("family", ["generic", "ecp5"])
def test_comparators_are_equation_6_and_encoder(tmp_path, bits, fraction, levels, family):
    same(stairs(bits, fraction, levels, family), tmp_path)


@pytest.mark.parametrize("model", ["eeg-1-1", "eeg-2-2", "eeg-3-3"])
def test_comparators_of_the_shipped_models(tmp_path, model):
    p = load_model(model).parameters
    o_scales, h_scales = ([int(scale) for scale in scales] for scales in (p.gate_scales[3], p.h_scales))
    same(SameCode(p.spec, o_scales, h_scales), tmp_path)


def same(harness, folder):
    cycles = harness.cycles + 1  # then what is in the pipelines at the start has left
    proven(harness, folder, cycles=cycles, cover=cycles + 2)


def test_a_wrong_threshold_is_found(tmp_path):
    """Off by one in one of eight."""
    harness = stairs(10, 6, 2)
    harness.dut.thresholds[1][5] += 1
    refuted(harness, tmp_path, cycles=harness.cycles + 1, message="comparators give the code of Eq. 6 and the encoder")

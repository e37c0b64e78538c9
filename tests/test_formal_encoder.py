"""Proof: the pipelined encoder is Algorithm 1, and loses, doubles and reorders nothing, whatever stalls."""

import pytest
from amaranth import Cat, signed
from amaranth.hdl import Assert
from amaranth.lib.wiring import In
from formal_bench import Harness, Tracked, algorithm_1, proven, refuted, stable
from mubinn.hw import Encoder

pytestmark = pytest.mark.formal


class Encodes(Harness):
    """The tracked number leaves as its code by Algorithm 1; on its way each stage holds its residual and first levels."""

    def __init__(self, dut, **options):
        members = {"x": In(signed(dut.bits)), "valid": In(1), "taken": In(1), "pick": In(1)}
        stages = [f"level_{k}.{part}" for k in range(dut.latency) for part in ("residual", "code", "valid")]
        super().__init__(dut, members, watched=stages, signed_wires=[s for s in stages if "residual" in s], **options)

    def claim(self, m):
        dut, levels = self.dut, self.dut.latency
        m.d.comb += [dut.i.payload.eq(self.x), dut.i.valid.eq(self.valid), dut.o.ready.eq(self.taken)]
        scales = [dut.scales[0] + int(self.wrong), *dut.scales[1:]]
        word = Tracked(
            m, pick=self.pick, goes_in=dut.i.valid & dut.i.ready, word=dut.i.payload,
            comes_out=dut.o.valid & dut.o.ready, out=dut.o.payload, most=levels,
            expected=lambda word: Cat(algorithm_1(word, scales)[0]),
        )  # fmt: skip
        stable(m, dut.o)
        m.d.comb += Assert(~dut.o.ready | dut.i.ready, "nothing waits but for the sink")
        bits, residuals = algorithm_1(word.word, dut.scales)
        valid = [self.inner[f"level_{k}.valid"] for k in range(levels)]
        m.d.comb += Assert(word.inside == sum(valid), "the stages hold what is inside")
        for k in range(levels):
            here = word.active & valid[k] & (sum(valid[k + 1 :], start=0) == word.ahead)
            m.d.comb += [
                Assert(~here | (self.inner[f"level_{k}.code"] == Cat(bits[: k + 1])), f"levels up to {k}"),
                Assert(~here | (self.inner[f"level_{k}.residual"] == residuals[k + 1]), f"residual after level {k}"),
            ]


@pytest.mark.parametrize(
    "bits, scales",
    [(8, [50]), (8, [0, 0]), (12, [160, 80]), (12, [700, 350, 180]), (16, [9000, 4000, 3000, 5])],
    ids=str,
)
def test_encoder_is_algorithm_1(tmp_path, bits, scales):
    proven(Encodes(Encoder(bits, scales)), tmp_path, cycles=2, cover=2 * len(scales) + 5)


@pytest.mark.parametrize("bits, scales", [(12, [160, 80]), (16, [9000, 4000, 3000, 5])], ids=str)
def test_encoder_without_a_last_register_is_algorithm_1(tmp_path, bits, scales):
    proven(Encodes(Encoder(bits, scales, registered=False)), tmp_path, cycles=2, cover=2 * len(scales) + 5)


def test_a_wrong_scale_is_found(tmp_path):
    harness = Encodes(Encoder(8, [50, 20]), wrong=True)
    refuted(harness, tmp_path, cycles=6, message="the word comes out as it went in")

"""Proof: bytes in are samples in, a result in is bytes out, each once and in order, whatever stalls on either side."""

from types import SimpleNamespace

import pytest
from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Cover
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from formal_bench import Harness, Tracked, proven, refuted, stable
from mubinn.build.formal import wires
from mubinn.hw.bytes import ByteCore

pytestmark = pytest.mark.formal


class AnyCore(wiring.Component):
    """In the core's place: takes samples and has results whenever it likes."""

    def __init__(self, sample_bits, result_bits):
        sample = data.StructLayout({"x": sample_bits, "last": 1})
        super().__init__({"i": In(stream.Signature(sample)), "o": Out(stream.Signature(result_bits))})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.i.ready.eq(AnySeq(1)), self.o.valid.eq(AnySeq(1)), self.o.payload.eq(AnySeq(len(self.o.payload)))]
        # A port that nothing reads would be no port.
        unused = Signal(len(Value.cast(self.i.payload)) + 2)
        m.d.sync += unused.eq(Cat(self.i.payload, self.i.valid, self.o.ready))
        return m


class Bytes(Harness):
    """Each side by itself: an arbitrary sample reaches the core once, as its bytes said; each result leaves as its bytes."""

    def __init__(self, dut, **options):
        core = AnyCore(dut.sample_bits, dut.result_bits)
        members = {"byte": In(8), "last": In(1), "valid": In(1), "taken": In(1), "pick": In(1)}
        bits = {f"core.{name}": count for name, count in wires(core).items() if "__" in name and "." not in name}
        registers = ["gathered", "last", "full", "have", "kept", "left"]
        super().__init__(
            dut, members, watched=[*registers, *bits], part_bits=bits, parts={dut.name: core}, **options,
        )  # fmt: skip

    def claim(self, m):
        dut = self.dut
        m.d.comb += [
            dut.i.p.data.eq(self.byte), dut.i.p.last.eq(self.last), dut.i.valid.eq(self.valid), dut.o.ready.eq(self.taken),
        ]  # fmt: skip
        self._samples(m)
        self._results(m)
        stable(m, dut.o)

    def core_stream(self, name):
        return SimpleNamespace(**{part: self.inner[f"core.{name}__{part}"] for part in ("payload", "valid", "ready")})

    def _samples(self, m):
        dut, inner, core = self.dut, self.inner, self.core_stream("i")
        count = -(-dut.sample_bits // 8)
        place, older = Signal(range(count + 1)), Signal(8 * count)
        takes = dut.i.valid & dut.i.ready
        newest = Cat(older[8:], self.byte)
        with m.If(takes):
            m.d.sync += [place.eq(Mux(place == count - 1, 0, place + 1)), older.eq(newest)]
        sample = Tracked(
            m, pick=self.pick, goes_in=takes & (place == count - 1), word=Cat(newest[: dut.sample_bits], self.last),
            comes_out=core.valid & core.ready, out=core.payload ^ int(self.wrong == "sample"), most=1,
        )  # fmt: skip
        m.d.comb += [
            Assert(place < count, "a byte of a sample"),
            Assert(inner["gathered"] == older, "the newest bytes are kept"),
            Assert(inner["have"] == place, "bytes counted"),
            Assert(inner["full"] == sample.inside, "full while a sample waits"),
            Assert(~inner["full"] | (place == 0), "no byte of the next sample beside a whole one"),
            Assert(~sample.active | (core.payload == sample.word), "the sample waits unchanged"),
        ]
        stable(m, core, name="core")

    def _results(self, m):
        dut, inner, core = self.dut, self.inner, self.core_stream("o")
        beats = -(-dut.result_bits // 8)
        result, beat = Signal(8 * beats), Signal(range(beats + 1), init=beats)
        out = dut.o
        with m.If(core.valid & core.ready):
            m.d.sync += [result.eq(core.payload), beat.eq(0)]
        with m.Elif(out.valid & out.ready):
            m.d.sync += beat.eq(beat + 1)
        byte = result.word_select(beat, 8) ^ int(self.wrong == "result")
        m.d.comb += [
            Assert(beat <= beats, "a byte of a result"),
            Assert(~core.ready | (beat == beats), "no result is taken before the last one has left"),
            Assert(out.valid == (beat != beats), "every byte of a result is offered"),
            Assert(~out.valid | (out.p.data == byte), "bytes in order"),
            Assert(~out.valid | (out.p.last == (beat == beats - 1)), "last on the final byte"),
            Assert(inner["left"] == beats - beat, "bytes left counted"),
            Assert((beat == beats) | (inner["kept"] == result >> (beat << 3)), "bytes left kept"),
            Cover(out.valid & out.ready & out.p.last & result[0], "a result leaves"),
        ]


@pytest.mark.parametrize("sample_bits, result_bits", [(8, 8), (12, 20), (5, 33), (24, 3)])
def test_bytes_are_samples_and_results(tmp_path, sample_bits, result_bits):
    dut = ByteCore("any_core", sample_bits=sample_bits, result_bits=result_bits)
    proven(Bytes(dut), tmp_path, cycles=2, cover=12)


@pytest.mark.parametrize("wrong, message", [("sample", "the word comes out as it went in"), ("result", "bytes in order")])
def test_a_wrong_bit_is_found(tmp_path, wrong, message):
    dut = ByteCore("any_core", sample_bits=12, result_bits=12)
    refuted(Bytes(dut, wrong=wrong), tmp_path, cycles=8, message=message)

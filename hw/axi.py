"""The core on AXI4-Stream, with registers on AXI4-Lite."""

import hashlib

from amaranth import Cat, ClockDomain, ClockSignal, Const, Instance, Module, Mux, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .axi_lite import LOAD_REGISTERS, REGISTERS, AxiLiteRegisters, axi_lite_members

__all__ = ["AxiCore", "result_words", "sample_bytes"]

WORD = 32


def sample_bytes(spec):
    """Bytes of a sample in `s_axis_tdata`."""
    return -(-spec.x.bits // 8)


def result_words(spec, score_bits):
    """Words of a result in `m_axis_tdata`: the label and, a word or two each, the scores; or an h."""
    return 1 + spec.classes * -(-score_bits // WORD)


class AxiCore(wiring.Component):
    """A core as a block between an AXI4-Stream of samples and one of results.

    A beat of `s_axis` has `samples_per_beat` samples, each in as many bytes as it needs, the first in the lowest; bits above a
    sample are ignored. Every step begins with a beat, so its last may be part filled. `tlast` goes with the last beat of a
    window. With a head `m_axis` has a packet a window: a word with the label, and `error` in bit 31, then each class's score,
    sign extended to one word or to two, the lower first. Without, it has a word for every h, sign extended, and
    `tlast` on the window's last. `tuser` is `error` in every word: of a missing or misplaced `tlast`.

    A restart over the registers drops what the core has of a window, and the rest of the window up to its `tlast`. A result
    that has begun to leave is not cut off; without a head a window whose first h have left ends with a word 0, with `tlast` and
    `tuser`.

    Parameters
    ----------
    name : str
        Verilog module of the core.
    core : Lstm
    samples_per_beat : int
        1 to 64.

    Members
    -------
    aclk, aresetn : In
        The one clock; synchronous reset, active low.
    s_axis_..., m_axis_..., s_axil_... : AXI4-Stream in and out, AXI4-Lite subordinate (`axi_lite.REGISTERS`)
    """

    def __init__(self, name, core, *, samples_per_beat=1):
        if not 1 <= samples_per_beat <= 64:
            raise ValueError(f"samples_per_beat must be 1 to 64, not {samples_per_beat}")
        if core.schedule.folding.contexts > 1:
            raise ValueError(
                f"core must have 1 context, not {core.schedule.folding.contexts}: a packet does not say whose it is"
            )
        self.name, self.spec, self.samples_per_beat = name, core.spec, samples_per_beat
        self.payload, self.loads = core.o.payload.shape(), core.load_map is not None
        self.score_bits = core.head.score_bits if core.head is not None else 0
        stream = {"s_axis_tdata": In(8 * sample_bytes(self.spec) * samples_per_beat), "s_axis_tlast": In(1),
                  "s_axis_tvalid": In(1), "s_axis_tready": Out(1), "m_axis_tdata": Out(WORD), "m_axis_tlast": Out(1),
                  "m_axis_tuser": Out(1), "m_axis_tvalid": Out(1), "m_axis_tready": In(1)}  # fmt: skip
        super().__init__({"aclk": In(1), "aresetn": In(1)} | stream | axi_lite_members("s_axil"))

    @property
    def constants(self):
        """Of the registers: the spec's hash, sizes, and how samples and results stand in their streams."""
        spec = self.spec
        digest = hashlib.sha256(spec.to_json().encode()).digest()
        return {
            "version": 1,
            "spec": int.from_bytes(digest[:4], "big"),
            "shape": spec.input_size | spec.hidden_size << 16,
            "format": spec.classes | result_words(spec, self.score_bits) << 8 | self.samples_per_beat << 16 | spec.x.bits << 24,
        }

    def description(self):
        """What a manifest says of it."""
        return {
            "samples_per_beat": self.samples_per_beat,
            "sample_bytes": sample_bytes(self.spec),
            "result_words": result_words(self.spec, self.score_bits),
            "registers": self.constants,
            "addresses": REGISTERS | (LOAD_REGISTERS if self.loads else {}),
        }

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain(local=True)
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        m.submodules.registers = registers = AxiLiteRegisters(self.constants, loads=self.loads)
        for name, member in axi_lite_members("").items():
            ours, theirs = getattr(self, f"s_axil{name}"), getattr(registers, f"axil{name}")
            m.d.comb += theirs.eq(ours) if member.flow == In else ours.eq(theirs)
        i_payload, o_payload = Signal(self.spec.x.bits + 1), Signal(self.payload)
        i_valid, i_ready, o_valid, o_ready = (Signal(name=name) for name in ("i_valid", "i_ready", "o_valid", "o_ready"))
        loading = {}
        if self.loads:
            loading = {"i_load__payload": registers.load.p, "i_load__valid": registers.load.valid, "o_loaded": registers.loaded,
                       "o_load__ready": registers.load.ready, "o_load_error": registers.load_error}  # fmt: skip
        m.submodules.core = Instance(
            self.name,
            i_clk=ClockSignal(),
            i_rst=ResetSignal() | registers.restart,
            i_i__payload=i_payload,
            i_i__valid=i_valid,
            o_i__ready=i_ready,
            o_o__payload=o_payload,
            o_o__valid=o_valid,
            i_o__ready=o_ready,
            **loading,
        )
        in_window = self._samples(m, registers, i_payload, i_valid, i_ready)
        self._results(m, registers, o_payload, o_valid & ~registers.restart, o_ready)
        m.d.comb += [
            registers.ready.eq(i_ready),
            registers.result.eq(self.m_axis_tvalid),
            registers.in_window.eq(in_window),
            registers.overrun.eq(self.s_axis_tvalid & ~self.s_axis_tready),
        ]
        ends = self.m_axis_tvalid & self.m_axis_tready & self.m_axis_tlast
        m.d.comb += [registers.window.eq(ends), registers.broken.eq(ends & self.m_axis_tuser)]
        return m

    def _samples(self, m, registers, payload, valid, ready):
        """Beats to samples. Returns whether a window has begun and not ended."""
        spec, n, width = self.spec, self.samples_per_beat, 8 * sample_bytes(self.spec)
        beat, last, full = Signal(n * width), Signal(name="beat_last"), Signal(name="beat_full")
        place, channel = Signal(range(n), name="place"), Signal(range(spec.input_size), name="channel")
        in_window, dropping = Signal(), Signal()
        last_channel = channel == spec.input_size - 1
        # The samples of a beat end with it, or with the step.
        final = Signal(name="final")
        m.d.comb += final.eq((place == n - 1) | last_channel)
        leaves, arrives = Signal(name="leaves"), Signal(name="arrives")
        m.d.comb += [
            payload.eq(Cat(beat[: spec.x.bits], last & final)),
            valid.eq(full & ~registers.restart),
            leaves.eq(valid & ready),
            self.s_axis_tready.eq(~registers.restart & (dropping | ~registers.hold & (~full | leaves & final))),
            arrives.eq(self.s_axis_tvalid & self.s_axis_tready),
        ]
        with m.If(leaves):
            m.d.sync += [
                beat.eq(beat >> width),
                place.eq(Mux(final, 0, place + 1)),
                # An early `tlast` ends the step too, for the core as for the beats.
                channel.eq(Mux(last_channel | last & final, 0, channel + 1)),
                full.eq(full & ~final),
            ]
        with m.If(arrives & ~dropping):
            m.d.sync += [beat.eq(self.s_axis_tdata), last.eq(self.s_axis_tlast), full.eq(1)]
        with m.If(arrives):
            m.d.sync += in_window.eq(~self.s_axis_tlast)
            with m.If(self.s_axis_tlast):
                m.d.sync += dropping.eq(0)
        with m.If(registers.restart):
            m.d.sync += [full.eq(0), place.eq(0), channel.eq(0), dropping.eq(in_window)]
        return in_window

    def _results(self, m, registers, payload, valid, ready):
        """A result is kept, and leaves word after word, while the core computes on."""
        spec = self.spec
        if spec.classes:
            words = [Cat(payload.label, Const(0, WORD - 1 - len(payload.label)), payload.error)]
            size = -(-self.score_bits // WORD) * WORD
            for score in payload.scores:
                wide = Signal(size)
                m.d.comb += wide.eq(score)
                words += [wide[k : k + WORD] for k in range(0, size, WORD)]
            last = Const(1, 1)
        else:
            h = Signal(WORD)
            m.d.comb += h.eq(payload.h)
            words, last = [h], payload.last
        kept, left = Signal(WORD * len(words), name="kept"), Signal(range(len(words) + 1), name="left")
        ends, error, cut = Signal(name="ends"), Signal(name="error"), Signal(name="cut")
        m.d.comb += [
            self.m_axis_tvalid.eq(left != 0),
            self.m_axis_tdata.eq(kept[:WORD]),
            self.m_axis_tlast.eq(ends & (left == 1)),
            self.m_axis_tuser.eq(error),
            ready.eq((left == 0) & ~cut),
        ]
        with m.If(valid & ready):
            m.d.sync += [kept.eq(Cat(*words)), left.eq(len(words)), ends.eq(last), error.eq(payload.error)]
        with m.Elif(self.m_axis_tvalid & self.m_axis_tready):
            m.d.sync += [kept.eq(kept >> WORD), left.eq(left - 1)]
        if not spec.classes:
            # Of a window whose end will not come.
            begun = Signal(name="begun")
            with m.If(valid & ready):
                m.d.sync += begun.eq(~last)
            with m.If(cut & (left == 0)):
                m.d.sync += [kept.eq(0), left.eq(1), ends.eq(1), error.eq(1), cut.eq(0)]
            with m.If(registers.restart & begun):
                m.d.sync += [cut.eq(1), begun.eq(0)]

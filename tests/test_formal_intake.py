"""Proof: every sample leaves the intake once, in order, as its code, and a step is ready just when all its codes are out."""

import pytest
from amaranth import Cat, Mux, Signal, signed
from amaranth.hdl import Assert, Assume, Cover
from amaranth.lib import data
from amaranth.lib.wiring import In
from formal_bench import Harness, Tracked, algorithm_1, proven, refuted, stable
from mubinn.hw.intake import Intake
from mubinn.model.fixed import Fixed
from mubinn.model.spec import LstmSpec

pytestmark = pytest.mark.formal

REGISTERS = ("channel", "step", "first", "in_bank", "claimed", "full", "kept")


class Intakes(Harness):
    """Samples of arbitrary windows, `last` anywhere; the sink stalls and the reader is done whenever they like."""

    def __init__(self, dut, **options):
        members = {"x": In(signed(dut.spec.x.bits)), "last": In(1), "valid": In(1)}
        members |= {"taken": In(1), "done": In(1), "pick": In(1), "pick_step": In(1)}
        stages = range(dut.spec.input_levels)
        encoder = [f"encoder.level_{k}.{part}" for k in stages for part in ("residual", "code", "valid")]
        beside = [f"beside_{k + 1}.{part}" for k in stages for part in ("first", "ends", "bank")]
        # A counter of one value is no wire.
        single = {"channel": dut.spec.input_size == 1, "step": dut.spec.max_steps == 1}
        registers = [name for name in REGISTERS if not single.get(name)]
        residuals = [name for name in encoder if "residual" in name]
        super().__init__(dut, members, watched=[*registers, *encoder, *beside], signed_wires=residuals, **options)

    def claim(self, m):
        dut = self.dut
        m.d.comb += [
            dut.i.p.x.eq(self.x), dut.i.p.last.eq(self.last), dut.i.valid.eq(self.valid),
            dut.codes.ready.eq(self.taken), dut.done.eq(self.done), Assume(~self.done | dut.ready),
        ]  # fmt: skip
        sample, flags = self._windows(m)
        self._codes(m, sample)
        self._steps(m, sample, flags)
        stable(m, dut.codes, name="codes")

    def _windows(self, m):
        """The contract's counting of channels, steps and windows, on the accepted samples."""
        spec, dut = self.dut.spec, self.dut
        self.takes = dut.i.valid & dut.i.ready
        channel, step = Signal(range(spec.input_size + 1)), Signal(range(spec.max_steps + 1))
        window_begins, bank = Signal(init=1), Signal()
        whole = channel == spec.input_size - 1
        ends = whole | self.last
        longest = whole & (step == spec.max_steps - 1)
        ends_window = self.last | longest
        error = (self.last & ~whole) | (longest & ~self.last)
        with m.If(self.takes):
            m.d.sync += channel.eq(Mux(ends, 0, channel + 1))
            with m.If(ends):
                m.d.sync += [step.eq(Mux(ends_window, 0, step + 1)), window_begins.eq(ends_window), bank.eq(~bank)]
        m.d.comb += [
            Assert(channel < spec.input_size, "a channel"),
            Assert(step < spec.max_steps, "a step"),
            Assert(self.inner.get("channel", 0) == channel, "channels counted"),
            Assert(self.inner.get("step", 0) == step, "steps counted"),
            Assert(self.inner["first"] == window_begins, "windows told apart"),
            Assert(self.inner["in_bank"] == bank, "banks in turn"),
        ]
        layout = data.StructLayout({"x": signed(spec.x.bits), "first": 1, "ends": 1, "bank": 1})
        sample = Signal(layout)
        m.d.comb += [
            sample.x.eq(self.x), sample.first.eq(channel == 0), sample.ends.eq(ends), sample.bank.eq(bank),
        ]  # fmt: skip
        return sample, Cat(window_begins, ends_window, error ^ int(self.wrong == "flags"))

    def _codes(self, m, sample):
        """No code is lost, doubled or out of order; each carries its bank and whether it is channel 0."""
        dut, levels = self.dut, self.dut.spec.input_levels
        out = dut.codes
        word = Tracked(
            m, pick=self.pick, goes_in=self.takes, word=sample.as_value(), comes_out=out.valid & out.ready,
            out=Cat(out.p.code, out.p.bank, out.p.first), most=levels,
            expected=lambda word: self._expected(sample.shape()(word)),
        )  # fmt: skip
        tracked = sample.shape()(word.word)
        bits, residuals = algorithm_1(tracked.x, dut.x_scales)
        valid = [self.inner[f"encoder.level_{k}.valid"] for k in range(levels)]
        m.d.comb += Assert(word.inside == sum(valid), "the stages hold what is inside")
        for k in range(levels):
            here = word.active & valid[k] & (sum(valid[k + 1 :], start=0) == word.ahead)
            place = [self.inner[f"beside_{k + 1}.{name}"] for name in ("first", "ends", "bank")]
            m.d.comb += [
                Assert(~here | (self.inner[f"encoder.level_{k}.code"] == Cat(bits[: k + 1])), f"levels up to {k}"),
                Assert(~here | (self.inner[f"encoder.level_{k}.residual"] == residuals[k + 1]), f"residual after level {k}"),
                Assert(~here | (Cat(place) == Cat(tracked.first, tracked.ends, tracked.bank)), f"place beside level {k}"),
            ]

    def _expected(self, word):
        return Cat(*algorithm_1(word.x, self.dut.x_scales)[0], word.bank ^ int(self.wrong == "bank"), word.first)

    def _steps(self, m, sample, flags):
        """An arbitrary step: not ready before its last code is out, then ready with its flags until it is done, and no code
        of a later step goes to its bank until then."""
        dut = self.dut
        active, bank, kept = Signal(name="step_active"), Signal(name="step_bank"), Signal(3, name="step_flags")
        ended = Signal(2, name="ended")  # of each bank: a step's last sample was taken, the step is not done
        for b in range(2):
            with m.If(self.takes & sample.ends & (sample.bank == b)):
                m.d.sync += ended[b].eq(1)
            with m.Elif(self.done & (dut.bank == b)):
                m.d.sync += ended[b].eq(0)
        with m.If(self.takes & sample.ends & self.pick_step & ~active):
            m.d.sync += [active.eq(1), bank.eq(sample.bank), kept.eq(flags)]
        with m.Elif(self.done & (dut.bank == bank)):
            m.d.sync += active.eq(0)
        ready = dut.ready & (dut.bank == bank)
        m.d.comb += [
            Assert(~(active & ready) | (dut.flags.as_value() == kept), "a ready step has its flags"),
            Assert(~(dut.ready & dut.codes.valid) | (dut.codes.p.bank != dut.bank), "no code goes to the bank being read"),
            Assert(~dut.ready | ended.bit_select(dut.bank, 1), "ready is a step whose last sample was taken"),
            Cover(active & ready & self.done & kept[1], "a window's last step is done"),
            Cover(active & ready & self.done & kept[2], "a step in error is done"),
            Cover(ended.all(), "two steps fit"),
        ]
        self._banks(m, active, bank, kept, ended)

    def _banks(self, m, active, bank, kept, ended):
        """Invariants: what the bits of the two banks mean, and which codes are still on their way to them."""
        dut, inner = self.dut, self.inner
        claimed, full = inner["claimed"], inner["full"]
        one = claimed[0] ^ claimed[1]
        m.d.comb += [
            Assert(claimed == ended, "claimed is a step's bank from its last sample until it is done"),
            Assert((full & ~claimed) == 0, "full only where claimed"),
            Assert(~one | (claimed.bit_select(inner["in_bank"], 1) == 0), "the free bank takes the next step"),
            Assert(dut.bank == inner["in_bank"] ^ one, "the older step is read first"),
            Assert(~active | claimed.bit_select(bank, 1), "the tracked step is not done"),
            Assert(~active | (inner["kept"].word_select(bank, 3) == kept), "the tracked step's flags are kept"),
        ]
        stages = range(dut.spec.input_levels)
        valid = [inner[f"encoder.level_{k}.valid"] for k in stages]
        ends = [inner[f"beside_{k + 1}.ends"] for k in stages]
        banks = [inner[f"beside_{k + 1}.bank"] for k in stages]
        for b in range(2):
            in_b = [v & (at == b) for v, at in zip(valid, banks, strict=True)]
            ending = [i & e for i, e in zip(in_b, ends, strict=True)]
            m.d.comb += [
                Assert(sum(ending) == (claimed[b] & ~full[b]), "a claimed bank waits for one ending code until it is full"),
                Assert(~full[b] | (sum(in_b) == 0), "no code is on its way to a full bank"),
                Assert(claimed[b] | (sum(in_b) == 0) | (inner["in_bank"] == b), "codes go to a claimed bank or the next"),
            ]
            for older in stages:
                m.d.comb += Assert(~ending[older] | (sum(in_b[:older], start=0) == 0), "an ending code is its step's last")


def intake(channels, scales, *, max_steps=3, bits=8):
    spec = LstmSpec(
        input_size=channels, hidden_size=1, input_levels=len(scales), max_steps=max_steps, x=Fixed(bits=bits, fraction=4)
    )
    return Intake(spec, scales)


@pytest.mark.parametrize(
    "channels, scales, max_steps", [(1, [40], 2), (3, [40, 20], 3), (4, [50, 20, 9], 1), (19, [60, 30], 5)]
)
def test_every_sample_leaves_once_and_a_step_is_ready_when_its_codes_are_out(tmp_path, channels, scales, max_steps):
    harness = Intakes(intake(channels, scales, max_steps=max_steps))
    proven(harness, tmp_path, cycles=2, cover=12)


@pytest.mark.parametrize(
    "wrong, message", [("bank", "the word comes out as it went in"), ("flags", "the tracked step's flags are kept")]
)
def test_a_wrong_bit_is_found(tmp_path, wrong, message):
    refuted(Intakes(intake(2, [40, 20]), wrong=wrong), tmp_path, cycles=7, message=message)

"""What the harnesses of the proofs share: the chain of checks, Algorithm 1 as a formula, and a tracked word of a stream."""

from amaranth import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.hdl import Assert, Cover
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from mubinn.build.formal import bounded, prove, translate, wires


class Harness(wiring.Component):
    """A component under proof, `dut`, and what is claimed of it. Members are its free inputs.

    Parameters
    ----------
    members : dict
    watched : sequence of str
        Wires inside `dut` that invariants speak of; `self.inner[name]` is each.
    signed_wires : sequence of str
        Those of them that are signed.
    parts : dict
        See `mubinn.build.formal.translate`.
    part_bits : dict
        {wire inside a part, as `watched` names it: bits}.
    wrong : bool
        Plants a fault in the claim or beside the component: the proof must find it.
    """

    def __init__(self, dut, members, *, watched=(), signed_wires=(), parts=None, part_bits=None, wrong=False):
        self.dut, self.wrong, self.parts = dut, wrong, parts
        bits = (wires(dut) if watched else {}) | (part_bits or {})
        ports = {name: "inner_" + name.replace(".", "_").replace("[", "_").replace("]", "") for name in watched}
        shapes = {name: signed(bits[name]) if name in signed_wires else unsigned(bits[name]) for name in watched}
        self.probes = {port: f"dut.{name}" for name, port in ports.items()}
        super().__init__(members | {port: In(shapes[name]) for name, port in ports.items()})
        self.inner = {name: getattr(self, port) for name, port in ports.items()}

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = self.dut
        self.claim(m)
        return m


def proven(harness, folder, **cycles):
    """Asserts that every check held, and that a bounded one was among them."""
    outcomes = prove(harness, folder, probes=harness.probes, parts=harness.parts, **cycles)
    assert all(outcome.ok for outcome in outcomes), outcomes[-1]
    assert [o.check for o in outcomes] == ["bounded", *["induction"] * bool(cycles["cycles"]), "cover"]


def refuted(harness, folder, *, cycles, message):
    """Asserts that the fault in the harness is found, in the assertion that should find it."""
    translate(harness, folder, probes=harness.probes, parts=harness.parts)
    outcome = bounded(folder, cycles=cycles)
    assert message in outcome.failed, outcome


def algorithm_1(value, scales):
    """Code bits, and the residual before each level and after the last: s = sign(r) with sign(0) = +1; r -= alpha * s."""
    bits, residuals = [], [value]
    for scale in scales:
        bits.append(residuals[-1] >= 0)
        residuals.append(residuals[-1] - Mux(bits[-1], scale, -scale))
    return bits, residuals


def handed_down(m, value, cycles, *, name, move=1):
    """`value` and its 1 to `cycles` cycles old forms, as a list."""
    stages = [value]
    for k in range(cycles):
        later = Signal.like(stages[-1], name=f"{name}_{k}")
        with m.If(move):
            m.d.sync += later.eq(stages[-1])
        stages.append(later)
    return stages


class Tracked:
    """One arbitrary word of a stream, followed from where it goes in to where it must come out.

    `pick` is a free input: the claim holds for whichever word it picks, so it holds for all.

    Members are signals: `active` (the word is inside), `word`, `ahead` (words in front of it), `inside` (words in all),
    `leaves` (it comes out now).
    """

    def __init__(self, m, *, pick, goes_in, word, comes_out, out, most, fills=True, expected=lambda word: word):
        self.active, self.word = Signal(name="tracked"), Signal(word.shape(), name="tracked_word")
        self.ahead, self.inside = Signal(range(most + 1), name="tracked_ahead"), Signal(range(most + 2), name="inside")
        self.leaves = self.active & comes_out & (self.ahead == 0)
        left = self.inside - comes_out
        m.d.sync += self.inside.eq(left + goes_in)
        with m.If(self.active & comes_out):
            m.d.sync += [self.ahead.eq(self.ahead - 1), self.active.eq(self.ahead != 0)]
        with m.If(pick & goes_in & ~self.active):
            m.d.sync += [self.active.eq(1), self.word.eq(word), self.ahead.eq(left)]
        m.d.comb += [
            Assert(self.inside <= most, "never more words inside than there is room"),
            Assert(~comes_out | (self.inside != 0), "a word comes out only where one went in"),
            Assert(~self.active | (self.ahead < self.inside), "the tracked word is inside"),
            Assert(~self.leaves | (out == expected(self.word)), "the word comes out as it went in"),
            Cover(self.leaves, "the tracked word comes out"),
        ]
        if fills:
            m.d.comb += Cover(self.inside == most, "as many words inside as there is room")


def stable(m, stream, *, name="o"):
    """Claims that a valid payload which is not taken stays, and stays valid."""
    payload = Value.cast(stream.payload)
    waits, before = Signal(name=f"{name}_waits"), Signal(len(payload), name=f"{name}_before")
    m.d.sync += [waits.eq(stream.valid & ~stream.ready), before.eq(payload)]
    m.d.comb += [
        Assert(~waits | stream.valid, f"{name}: valid stays until the word is taken"),
        Assert(~waits | (Cat(payload) == before), f"{name}: a waiting payload stays"),
        Cover(waits & stream.valid & stream.ready, f"{name}: a word waits, then is taken"),
    ]

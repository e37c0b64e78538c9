"""The prover itself: what it says of a proof, a refutation, an impossible assumption, a bad probe, and a missing solver."""

import pytest
from amaranth import Module, Signal
from amaranth.hdl import Assert, Assume, Cover
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from mubinn.build import tools
from mubinn.build.errors import ToolError
from mubinn.build.formal import bounded, covered, prove, translate, wires

pytestmark = pytest.mark.formal


class Counter(wiring.Component):
    """Counts 0 to 9 and over again, claims to stay below `limit`, and to get to `goal` where `step` allows it."""

    def __init__(self, limit, *, goal=9, step=None, loose=False):
        self.limit, self.goal, self.step, self.loose = limit, goal, step, loose
        super().__init__({"go": In(1), "shown": In(4)})

    def elaborate(self, platform):
        m = Module()
        count = Signal(4, name="count")
        with m.If(self.go):
            m.d.sync += count.eq(count + 1)
            with m.If((count == 9) if not self.loose else (count == 3)):
                m.d.sync += count.eq(0)
        m.d.comb += [Assert(count < self.limit, "below the limit"), Cover(count == self.goal, "the goal")]
        if self.step is not None:
            m.d.comb += Assume(self.go == self.step)
        return m


def test_a_claim_that_holds(tmp_path):
    outcomes = prove(Counter(10), tmp_path, cycles=2, cover=12)
    assert [(o.check, o.cycles, o.failed) for o in outcomes] == [("bounded", 2, ()), ("induction", 2, ()), ("cover", 12, ())]


def test_a_claim_that_fails(tmp_path):
    outcomes = prove(Counter(9), tmp_path, cycles=12)
    assert [(o.check, o.failed) for o in outcomes] == [("bounded", ("below the limit",))] and not outcomes[-1].ok


def test_a_claim_that_needs_an_invariant(tmp_path):
    """Below 6 always, since it turns at 3; but from 4 it would run on."""
    outcomes = prove(Counter(6, loose=True), tmp_path, cycles=2, base=20)
    assert [(o.check, o.failed) for o in outcomes] == [("bounded", ()), ("induction", ("below the limit",))]


def test_a_goal_out_of_reach(tmp_path):
    translate(Counter(10, step=0), tmp_path)
    assert covered(tmp_path, cycles=12).failed == ("the goal",)


def test_assumptions_that_contradict(tmp_path):
    translate(Counter(10, step=2), tmp_path)
    """Every assertion holds then; the covers tell."""
    assert bounded(tmp_path, cycles=3).ok
    assert covered(tmp_path, cycles=3).failed == ("the goal",)


def test_probes(tmp_path):
    assert wires(Counter(10))["count"] == 4
    translate(Counter(10), tmp_path, probes={"shown": "count"})
    with pytest.raises(ToolError, match=r"^yosys failed: ERROR: Assertion failed: selection contains 0 elements"):
        translate(Counter(10), tmp_path, probes={"shown": "counted"})


def test_base_covers_the_induction(tmp_path):
    with pytest.raises(ValueError, match=r"^base must be at least 4, not 3$"):
        prove(Counter(10), tmp_path, cycles=4, base=3)


def test_formulas_are_missing(tmp_path):
    with pytest.raises(ToolError, match=r"^smtbmc failed: .*; log: .*bounded\.log$"):
        bounded(tmp_path, cycles=1)


def test_no_solver(tmp_path, monkeypatch):
    found = tools.shutil.which
    monkeypatch.setattr(tools.shutil, "which", lambda name, **where: None if name == "z3" else found(name, **where))
    with pytest.raises(ToolError, match=r"^z3 is not installed: pip install 'mubinn\[dev\]'$"):
        bounded(tmp_path, cycles=1)

"""Faults in generated Verilog: where they are planted, that the testbench finds them, and what is not counted as one."""

import argparse

import pytest
from mubinn.build import cli, mutants
from mubinn.build.bench_mutants import summary
from mubinn.build.faults import KINDS, Fault, faults
from mubinn.build.mutants import Harness, Mutant, draw, make_core, plant

TEXT = """\
module top (clk, rst, a, q);
  wire [3:0] \\a.name ;
  input [3:0] a;
  wire [3:0] a;
  output [3:0] q;
  reg [3:0] q;
  wire [3:0] sum;
  wire [3:0] \\unread ;
  wire [3:0] moved;
  wire less;
  reg [1:0] memory [1:0];
  initial begin
    memory[0] = 2'h1;
  end
  assign sum = a + 4'h1;
  assign less = a < sum;
  assign moved = { a[1:0], 2'h0 };
  assign \\unread  = \\a.name ;
  assign \\a.name  = a;
  always @* begin
    q = less ? ~ sum : moved;
    if (less) begin
      q = memory[0];
    end
    if (rst) begin
      q = 4'h5;
    end
  end
endmodule
"""


def test_places_of_faults():
    found = {kind: {fault.after.strip() for fault in of_kind} for kind, of_kind in faults(TEXT).items()}
    assert found["operator"] == {"assign sum = a - 4'h1;"}
    assert found["comparison"] == {"assign less = a <= sum;"}
    assert found["inversion"] == {"if (!(less)) begin"}
    assert found["constant"] == {
        "assign sum = a + 4'h2;", "assign sum = a + 4'h0;",
        "assign moved = { a[1:0], 2'h1 };", "assign moved = { a[1:0], 2'h3 };",
    }  # fmt: skip
    assert found["swapped branches"] == {"q = less ? moved : ~ sum;"}
    assert found["slice"] == {"assign moved = { a [2:1], 2'h0 };"}
    assert found["shift"] == {"assign moved = { a[1:0], 1'h0 };", "assign moved = { a[1:0], 3'h0 };"}
    assert found["memory bit"] == {"memory[0] = 2'h0;", "memory[0] = 2'h3;"}
    assert "assign sum = (a + 4'h1) | 4'h8;" in found["stuck bit"] and "q = (memory[0]) & 4'he;" in found["stuck bit"]
    assert set(found) == set(KINDS)
    # What nothing reads, and what holds under reset, is left alone.
    assert not any("unread" in after or "a.name" in after or "5;" in after for kind in found.values() for after in kind)


def test_the_same_seed_draws_the_same_faults_and_none_twice():
    drawn = list(draw(TEXT, 3))
    assert drawn == list(draw(TEXT, 3)) != list(draw(TEXT, 4))
    assert len(drawn) == len(set(drawn)) == sum(map(len, faults(TEXT).values()))


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mutants") / "core"
    make_core("head", folder)
    return Harness(folder)


def changed(harness, before, after):
    """A fault by hand."""
    lines = harness.text.split("\n")
    (line,) = [number for number, text in enumerate(lines) if text == before]
    return Fault(kind="operator", line=line, before=before, after=after)


@pytest.mark.slow
def test_the_core_itself_passes_and_planted_faults_are_caught(harness):
    assert harness.run(harness.text, "same") == ("missed", "")
    found = plant(harness, count=4, seed=2)
    assert [mutant.outcome for mutant in found].count("caught") == 4
    assert all(mutant.words for mutant in found)


@pytest.mark.slow
def test_equivalent_and_invalid_mutants_are_told_apart(harness):
    hold = "  assign hold = pending & flags[1];"
    same = harness.judge(changed(harness, hold, "  assign hold = flags[1] & pending;"), 900, limit_s=120)
    assert (same.outcome, same.words) == ("equivalent", "proven by Yosys")
    broken = harness.judge(changed(harness, hold, "  assign hold = pending &;"), 901, limit_s=120)
    assert broken.outcome == "invalid" and "iverilog failed" in broken.words


@pytest.mark.slow
def test_what_only_a_longer_search_sees_is_missed(harness, monkeypatch):
    """Of mutants that were not caught; here one is given that would be, so that there is something to see."""
    monkeypatch.setattr(mutants, "SEARCH_UPDATES", 4000)
    hold = "  assign hold = pending & flags[1];"
    text = changed(harness, hold, "  assign hold = pending | flags[1];").planted(harness.text)
    assert harness.run(text, "902")[0] == "caught"
    # Yosys gets no time for its proofs: the search alone speaks.
    outcome, words = harness._explained(text, "902", limit_s=0)
    assert outcome == "missed" and words.startswith("only a longer search sees it: ")
    harness.run(harness.text, "903")
    outcome, words = harness._explained(harness.text, "903", limit_s=0)
    assert outcome == "unobserved" and words == f"no difference in {harness._more[1]} steps either"
    assert harness._more[1] > 800


@pytest.mark.parametrize(
    "outcomes, ok",
    [("caught caught", True), ("caught missed", False), ("equivalent invalid", False), ("caught unobserved", True)],
)
def test_a_missed_fault_is_not_ok(outcomes, ok):
    fault = Fault(kind="shift", line=1, before="  a", after="  b")
    found = [Mutant(fault=fault, outcome=outcome, words="", seconds=0.0) for outcome in outcomes.split()]
    figures = summary(argparse.Namespace(core="head", simulator="icarus", seed=1), found)
    assert figures["ok"] is ok and figures["caught"] == outcomes.count("caught") and len(figures["rows"]) == 2
    assert figures["planted"] == outcomes.count("caught") + outcomes.count("missed")
    assert figures["dropped_unobserved"] == outcomes.count("unobserved")
    assert figures["rows"][0]["line"] == 2 and figures["rows"][0]["before"] == "a"


@pytest.mark.parametrize(
    "options, message",
    [
        (["--count", "0"], "--count must be 1 to 10000, not 0"),
        (["--seed", "-1"], "--seed must be 0 to 2147483647, not -1"),
        (["--jobs", "0"], "--jobs must be 1 to 256, not 0"),
        (["--simulator", "amaranth"], "--simulator must be verilator or icarus, not amaranth"),
    ],
)
def test_bad_options_are_one_line(capsys, options, message):
    assert cli.main(["bench", "mutants", *options]) == 1
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error

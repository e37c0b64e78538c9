"""`mubinn bench equality`: what it runs in which simulator, what it counts, and that a failure says how to see it again."""

import dataclasses
import json

import pytest
from mubinn.build import equality
from mubinn.build.cli import main
from mubinn.sim.case import TRACE
from mubinn.sim.equality import Verdict, chosen_simulator
from mubinn.sim.random_case import random_case
from sim_cores import scratch

KEYS = {"ok", "seed", "specs", "runs", "steps", "records", "mismatches", "simulators", "coverage", "data", "failures"}


@pytest.mark.slow
@pytest.mark.parametrize("simulator", ["amaranth", "icarus", "verilator"])
def test_a_seed_is_equal_in_every_simulator(simulator):
    verdict = equality.run_one(48, simulator, scratch() / "cache")
    assert verdict.ok, verdict.differences
    case = random_case(48)
    assert (verdict.simulator, verdict.steps, verdict.features) == (simulator, case.case.steps, case.features)
    # Amaranth's bench counts a result once, the Verilog bench every field of it.
    expected = case.case.expected
    names = [*(name for name in TRACE if name in expected), "error"] if simulator == "amaranth" else expected
    assert verdict.records == sum(len(expected[name]) for name in names)


@pytest.mark.slow
def test_a_fault_in_the_verilog_is_seen(monkeypatch):
    """The first compared multiplication of the Verilog becomes an addition."""

    def faulty(component, name, family):
        text, product = real(component, name, "generic"), "$signed(scaled_0_0_a) * $signed(scaled_0_0_b)"
        assert product in text
        return text.replace(product, product.replace("*", "+"))

    real = equality.convert
    monkeypatch.setattr(equality, "convert", faulty)
    verdict = equality.run_one(48, "icarus", scratch() / "cache")
    assert not verdict.ok and verdict.mismatches > 0
    assert verdict.differences[0].startswith("z differs first at window "), verdict.differences


def test_a_quarter_goes_through_verilog():
    seeds = range(1, 101)
    for installed in (["verilator", "icarus"], ["verilator"]):
        chosen = {seed: chosen_simulator(random_case(seed), installed=installed) for seed in seeds}
        assert sum(name != "amaranth" for name in chosen.values()) >= 25
        assert all(chosen[seed] != "amaranth" for seed in seeds if seed % 4 == 0)
        assert set(chosen.values()) == {"amaranth", *installed}
    assert {chosen_simulator(random_case(seed), installed=[]) for seed in seeds} == {"amaranth"}


def verdict(seed, simulator="amaranth", **changes):
    base = Verdict(seed=seed, simulator=simulator, what="tiny", steps=5, records=50, cycles=100, mismatches=0,
                   features=("shape tiny", "lanes all"), differences=(), seconds=0.1)  # fmt: skip
    return dataclasses.replace(base, **changes)


@pytest.fixture
def bench(monkeypatch, tmp_path, capsys):
    """Exit code and JSON of the command, with verdicts in place of runs."""

    def run(verdicts, *arguments):
        monkeypatch.setattr(equality, "run_jobs", lambda work, **settings: verdicts)
        code = main(["bench", "equality", "--out", str(tmp_path), *arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_keys_and_counts(bench):
    code, found = bench([verdict(1), verdict(2, "verilator"), verdict(2, "icarus")], "--specs", "2")
    assert code == 0 and set(found) == KEYS and found["ok"]
    assert (found["seed"], found["specs"], found["runs"], found["steps"], found["records"]) == (1, 2, 3, 15, 150)
    assert found["mismatches"] == 0 and found["failures"] == []
    assert found["simulators"] == {"amaranth": 1, "icarus": 1, "verilator": 1}
    # A spec counts once, in whatever simulators it ran.
    simulators = {f"simulator {name}": 1 for name in ("amaranth", "icarus", "verilator")}
    assert found["coverage"] == {"shape tiny": 2, "lanes all": 2} | simulators


def test_a_failure_says_how_to_repeat_it(bench):
    wrong = verdict(7, "verilator", mismatches=2, differences=("z differs first at window 0, step 0, unit 0",))
    code, found = bench([verdict(6), wrong], "--seed", "6", "--specs", "2")
    assert code == 1 and not found["ok"] and found["mismatches"] == 2 and found["seed"] == 6
    (failure,) = found["failures"]
    assert failure["command"] == "mubinn bench equality --only 7 --simulator verilator"
    assert failure["differences"] == list(wrong.differences) and failure["seed"] == 7


def test_a_run_that_compared_nothing_is_a_failure(bench):
    code, found = bench([verdict(3, steps=0, records=0)], "--only", "3")
    assert code == 1 and found["seed"] == 3 and len(found["failures"]) == 1


def test_a_crash_is_a_verdict(monkeypatch, tmp_path):
    def crash(*arguments, **settings):
        raise RuntimeError("no")

    monkeypatch.setattr(equality, "run_seed", crash)
    found = equality.run_one(5, "amaranth", tmp_path)
    assert not found.ok and found.differences == ("RuntimeError: no",) and found.mismatches == 1

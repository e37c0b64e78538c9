"""`mubinn bench equality`: what it runs in which simulator, what it counts, and that a failure says how to see it again."""

import dataclasses
import json
from concurrent.futures import Future

import pytest
from mubinn.build import equality, equality_record
from mubinn.build.cli import main
from mubinn.build.errors import UserError
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


def test_axi_counts_where_it_ran(bench):
    on_axi = verdict(1, "axi", features=("axi", "dense"))
    _, found = bench([on_axi, verdict(2, features=("axi", "dense"))], "--specs", "2")
    assert found["coverage"]["axi"] == 1 and found["coverage"]["dense"] == 2


def test_only_networks_of_narrow_sums_are_drawn_for_icarus():
    work = equality.tasks(range(1, 321))
    in_verilog = [seed for seed, simulator in work if simulator == "network-verilog"]
    others = [seed for seed, simulator in work if simulator == "network"]
    assert sorted(in_verilog + others) == list(range(1, 81)) and len(in_verilog) > 8
    widest = {seed: equality._widest_sum(equality.random_network(seed)) for seed in in_verilog + others}
    assert all(seed % 3 == 0 and widest[seed] <= equality.WIDEST_IN_ICARUS for seed in in_verilog)
    assert all(seed % 3 or widest[seed] > equality.WIDEST_IN_ICARUS for seed in others)


def test_a_record_takes_the_place_of_runs(tmp_path, monkeypatch):
    """Of two runs one is clean: the other one, and one that is not in the record, are made again."""
    path, ran = tmp_path / "record.jsonl", []
    clean = {(seed, name): verdict(seed, name) for seed, name in ((1, "amaranth"), (2, "network"), (3, "reload"))}
    equality_record.save(path, "v1", clean | {(4, "amaranth"): verdict(4, mismatches=1)})
    work = [*clean, (4, "amaranth"), (5, "amaranth")]
    found = equality_record.load(path, "v1", work)
    assert set(found) == set(clean) and all(one.ok and one.records == 50 for one in found.values())
    assert found[1, "amaranth"].features == random_case(1).features and "reload" in found[3, "reload"].features
    assert found[2, "network"].what.startswith("network of")
    assert equality_record.load(path, "v2", work) == {} == equality_record.load(tmp_path / "none", "v1", work)
    with pytest.raises(UserError, match="its folder does not exist"):
        equality_record.load(tmp_path / "none" / "record.jsonl", "v1", work)

    class Pool:  # in this process
        def __init__(self, *_, **__):
            pass

        def submit(self, function, seed, simulator, cache):
            ran.append((seed, simulator))
            future = Future()
            future.set_result(verdict(seed, simulator))
            return future

        def shutdown(self, **_):
            pass

    monkeypatch.setattr(equality, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(equality_record, "version", lambda: "v1")
    settings = {"kept": tmp_path / "kept.jsonl", "cache": tmp_path, "record": path}
    assert len(equality.run_jobs(work, **settings)) == 5 and ran == [(4, "amaranth"), (5, "amaranth")]
    equality.run_jobs(work, **settings)
    assert len(ran) == 2


@pytest.mark.parametrize("text", ["{", '{"no": 1}', '{"version": "v1"}\n[1]', "[]"])
def test_another_file_is_no_record(tmp_path, text):
    path = tmp_path / "record.jsonl"
    path.write_text(text + "\n")
    with pytest.raises(UserError, match="must be an earlier --record of mubinn bench equality"):
        equality_record.load(path, "v1", [(1, "amaranth")])

"""Networks in hardware against the golden model: in Amaranth's simulator, as Verilog, and with a fault that must be seen."""

import dataclasses

import numpy as np
import pytest
from mubinn.build import equality
from mubinn.build.network import generate_network, simulate_network
from mubinn.hw import network as hardware
from mubinn.model.network_file import NetworkFile, load_network
from mubinn.sim.network_bench import expected_beats, run_network
from mubinn.sim.network_case import network_case
from mubinn.sim.random_network import NETWORK_CORNERS, random_network
from sim_cores import scratch

BROKEN = 8
"""A network whose windows are broken in every way."""


@pytest.mark.parametrize("seed", [*range(1, len(NETWORK_CORNERS) + 1), 13, 18, 66])
def test_a_network_is_its_golden_model(seed):
    found = run_network(random_network(seed))
    assert found.ok, found.differences
    assert found.records == len(expected_beats(random_network(seed).network, random_network(seed).windows))


@pytest.mark.parametrize("fault", ["backward windows forward", "a tag too high"])
def test_a_fault_is_seen(fault, monkeypatch):
    if fault == "a tag too high":
        case = random_network(3)
        crf = dataclasses.replace(case.network.crf, last=case.network.crf.last + np.eye(5, dtype=int)[4] * (1 << 20))

        class Other(hardware.Viterbi):
            def __init__(self, _, *arguments):
                super().__init__(crf, *arguments)

        monkeypatch.setattr(hardware, "Viterbi", Other)
    else:
        case = random_network(8)

        class Other(hardware.WindowBuffer):
            def __init__(self, *arguments, reverse=False):
                super().__init__(*arguments, reverse=False)

        monkeypatch.setattr(hardware, "WindowBuffer", Other)
    assert not run_network(case).ok


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 5])
def test_a_generated_network_is_equal_under_stalls(seed, tmp_path):
    case = random_network(seed)
    made = generate_network(NetworkFile(network=case.network), tmp_path / "core", foldings=case.foldings, family=case.family)
    assert load_network(tmp_path / "core/model.safetensors").network.kind == case.network.kind
    for stall in (0.0, 0.6):
        found = simulate_network(tmp_path / "core", made.manifest, simulator="icarus", stall=stall, cache=scratch() / "cache")
        assert found.ok and found.results == made.manifest["vectors"]["results"], found.differences


@pytest.mark.slow
def test_equality_runs_networks_in_both_ways():
    work = equality.tasks(range(1, 25))
    networks = [item for item in work if item[1].startswith("network")]
    assert len(networks) == 6 and {seed for seed, _ in networks} == set(range(1, 7))
    if "icarus" in equality.installed():
        assert ("network-verilog") in {simulator for _, simulator in networks}
    for simulator in ("network", "network-verilog"):
        verdict = equality.run_one(2, simulator, scratch() / "cache")
        assert verdict.ok and {"bidirectional", "crf", "dense"} <= set(verdict.features), verdict.differences


def test_cases_count_what_the_bench_counts():
    case = random_network(BROKEN)
    found = network_case(case.network, case.windows)
    beats = expected_beats(case.network, case.windows)
    assert found.windows[:, 2].sum() == len(beats) and found.expected["error"].sum() == sum(beat["error"] for beat in beats)
    for k, beat in enumerate(beats):
        for name, value in beat.items():
            assert found.undefined[name][k] == (value is None)
            assert value is None or found.expected[name][k].tolist() == [value]

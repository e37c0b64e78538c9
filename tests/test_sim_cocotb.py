"""The bench in Python on Icarus and Verilator, with stalls, and with a fault that it must see."""

import pytest
from mubinn.sim import tools
from mubinn.sim.cocotb_runner import read_results, simulate_cocotb
from mubinn.sim.tools import SimulatorError
from mubinn.sim.vectors import write_case
from sim_cores import broken_windows, copy_of, core, model_file, plant_fault, scratch


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_the_core_is_the_golden_model(simulator):
    folder, _ = core("head")
    result = simulate_cocotb(folder, simulator=simulator, cache=scratch() / "cache", stall=0.4, seed=2)
    assert (result.mismatches, result.windows, result.steps) == (0, 3, 15), result.differences
    assert result.simulator == simulator


def test_without_a_head_and_with_broken_windows(tmp_path):
    folder, manifest = core("stream")
    write_case(tmp_path, manifest, broken_windows(model_file("stream").model()))
    result = simulate_cocotb(folder, simulator="icarus", vectors=tmp_path, cache=scratch() / "cache", stall=0.3)
    assert (result.mismatches, result.windows) == (0, 5), result.differences


def test_a_fault_in_the_verilog_is_seen(tmp_path):
    folder, manifest = copy_of("head", tmp_path / "core")
    plant_fault(folder, manifest)
    result = simulate_cocotb(folder, simulator="icarus", cache=tmp_path / "cache", limit=1)
    assert result.mismatches > 10
    assert result.differences[0].startswith("z differs first at window 0, step 0, unit ")


def test_a_core_that_does_not_build(tmp_path):
    folder, manifest = copy_of("head", tmp_path / "core")
    (folder / manifest["verilog"]).write_text("module mubinn_lstm(; endmodule\n")
    with pytest.raises(SimulatorError, match=r"^cocotb on icarus: the bench did not run \(exit code 1\): "):
        simulate_cocotb(folder, simulator="icarus", cache=tmp_path / "cache")


def test_missing_simulators(monkeypatch, tmp_path):
    folder, _ = core("head")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SimulatorError, match=r"^iverilog is not installed: apt-get install"):
        simulate_cocotb(folder, simulator="icarus", cache=tmp_path)
    monkeypatch.setattr(tools.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SimulatorError, match=r"^cocotb is not installed: pip install 'mubinn\[sim\]'$"):
        simulate_cocotb(folder, simulator="icarus", cache=tmp_path)


def test_results_are_read(tmp_path):
    path = tmp_path / "results.xml"
    assert read_results(path) == (0, 0)
    path.write_text("<testsuites><testsuite><testcase name='a'/><testcase name='b'><failure/></testcase>"
                    "<testcase name='c'><skipped/></testcase></testsuite></testsuites>")  # fmt: skip
    assert read_results(path) == (2, 1)
    path.write_text("<testsuites><testsui")
    assert read_results(path) == (0, 0)

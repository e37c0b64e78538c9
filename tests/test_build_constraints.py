"""Constraint files of a generated folder: what they say, and that nextpnr takes the clock from them."""

import json

import numpy as np
import pytest
from mubinn.build.cli import main
from mubinn.build.constraints import constraint_files
from mubinn.build.generate import generate
from mubinn.build.targets import TARGETS
from mubinn.build.tools import run_tool
from mubinn.model.artifact import ModelFile
from mubinn.model.spec import LstmSpec
from mubinn.sim.random_parameters import random_parameters


def test_each_family_has_its_language():
    assert set(constraint_files("a")) == {"a.sdc"}
    assert set(constraint_files("a", family="ice40")) == {"a.sdc", "a.pcf"}
    files = constraint_files("a", family="ecp5", clock_mhz=62.5, bus_clock="aclk")
    assert set(files) == {"a.sdc", "a.lpf"}
    assert files["a.lpf"].startswith('FREQUENCY PORT "clk" 62.5 MHZ;\n')
    assert "create_clock -name clk -period 16.000 [get_ports {clk}]" in files["a.sdc"].splitlines()
    assert "# of the wrapper: create_clock -name aclk -period 16.000 [get_ports {aclk}]" in files["a.sdc"].splitlines()


def test_the_clock_is_that_of_the_chip_or_the_goal(tmp_path):
    core = str(tmp_path / "core")
    assert main(["generate", "eeg-1-1", "-o", core, "--target", "ecp5-25k"]) == 0
    assert 'PORT "clk" 80 MHZ' in (tmp_path / "core/mubinn_lstm.lpf").read_text()
    goal = ["--target", "ice40-up5k", "--steps-per-second", "9000", "--clock-mhz", "20"]
    assert main(["generate", "eeg-1-1", "-o", core, *goal]) == 0
    assert (tmp_path / "core/mubinn_lstm.pcf").read_text().startswith("set_frequency clk 20\n")
    assert not (tmp_path / "core/mubinn_lstm.lpf").exists()
    assert "mubinn_lstm.pcf" in json.loads((tmp_path / "core/manifest.json").read_text())["sha256"]


@pytest.mark.slow
@pytest.mark.parametrize(("chip", "endings"), [("ecp5-25k", ("lpf", "sdc")), ("ice40-up5k", ("pcf",))])
def test_nextpnr_reads_them(chip, endings, tmp_path):
    target, spec = TARGETS[chip], LstmSpec(input_size=1, hidden_size=2, input_levels=1, hidden_levels=1, weight_levels=1)
    model = ModelFile(preset="mubinn2", parameters=random_parameters(spec, np.random.default_rng(1)))
    generate(model, tmp_path / "core", family=target.family, clock_mhz=31)
    work = tmp_path / "core" / "work"
    work.mkdir()
    script = f"read_verilog ../mubinn_lstm.v ../mubinn_lstm_bytes.v; {target.synth} -top mubinn_lstm_bytes -json core.json"
    run_tool("yosys", ["-q", "-p", script], cwd=work, log="yosys.log", limit_s=600)
    for ending in endings:
        free = {"--lpf-allow-unconstrained" if target.family == "ecp5" else "--pcf-allow-unconstrained"} - {*target.options}
        arguments = [*target.options, *free, "--json", "core.json", f"--{ending}", f"../mubinn_lstm.{ending}"]
        log = run_tool(target.program, arguments, cwd=work, log="nextpnr.log", limit_s=600)
        assert "(PASS at 31.00 MHz)" in log

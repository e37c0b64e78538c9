"""Netlists after Yosys against the golden model, on both families, and that a fault in a netlist is found."""

import re

import pytest
from mubinn.build import cli
from mubinn.build.core_folder import read_manifest
from mubinn.build.errors import ToolError
from mubinn.build.gates import GATE_PRESETS, cell_models, check_gates, make_core, run_netlist, target_of
from mubinn.build.presets import PRESETS
from mubinn.build.targets import TARGETS
from sim_cores import scratch

KINDS = {
    "ice40-up5k": {"SB_LUT4", "SB_CARRY", "SB_DFFSR", "SB_DFFESR", "SB_RAM40_4K", "SB_MAC16"},
    "ecp5-25k": {"LUT4", "CCU2C", "TRELLIS_FF", "DP16KD", "MULT18X18D"},
}
LUT = {"ice40-up5k": r"(\.LUT_INIT\(16'h)([0-9a-f]{4})", "ecp5-25k": r"(\.INIT\(16'h)([0-9a-f]{4})"}


@pytest.mark.slow
@pytest.mark.parametrize("target", KINDS)
def test_tiny_netlist_is_the_golden_model_and_a_wrong_lut_is_not(target, tmp_path):
    make_core(f"tiny@{target}", tmp_path / "core")
    found = check_gates(tmp_path / "core", TARGETS[target], simulator="icarus", cache=scratch())
    assert found.ok and (found.windows, found.steps, found.results, found.mismatches) == (3, 9, 3, 0)
    assert KINDS[target] <= set(found.cells)
    # One LUT inverted.
    work = tmp_path / "core" / "gates" / target
    text = (work / "netlist.v").read_text()
    at = list(re.finditer(LUT[target], text))[150]
    wrong = f"{text[: at.start(2)]}{int(at[2], 16) ^ 0xFFFF:04x}{text[at.end(2) :]}"
    (work / "netlist.v").write_text(wrong)
    manifest = read_manifest(tmp_path / "core")
    faulty = run_netlist(
        tmp_path / "core", manifest, work / "netlist.v", TARGETS[target], simulator="icarus", cache=scratch(), windows=1
    )
    assert faulty.mismatches > 0 and not faulty.ok


def test_only_the_cells_in_use_are_modelled():
    ram = "  SB_RAM40_4K #(\n    .INIT_0(256'h0)\n  ) ram (\n    .RCLK(clk)\n  );\n"
    text = cell_models(ram, TARGETS["ice40-up5k"], startup_cycles=256)
    assert re.findall(r"^module (\w+)", text, re.MULTILINE) == ["SB_RAM40_4K"] and "woken < 256" in text
    assert "specify" not in text
    text = cell_models("  CCU2C #(\n  ) \\a  (\n  );\n  DP16KD #(\n  ) b (\n  );\n", TARGETS["ecp5-25k"])
    assert re.findall(r"^module (\w+)", text, re.MULTILINE) == ["CCU2C", "DP16KD", "LUT2", "LUT4"]


def test_a_cell_without_a_model_is_an_error():
    with pytest.raises(ToolError, match=r"^ecp5-25k: there is no model of the cell ALU54B to simulate$"):
        cell_models("  ALU54B alu (\n  );\n", TARGETS["ecp5-25k"])


def test_presets_are_cores_and_chips():
    for name in GATE_PRESETS:
        core = name.split("@")[0]
        assert target_of(name) in TARGETS and (core in ("tiny", "peephole", "gru") or name in PRESETS)


@pytest.mark.parametrize(
    "options, message",
    [
        (["--presets", "eeg-9-9"], "--presets must be among tiny@ice40-up5k, "),
        (["--windows", "0"], "--windows must be 1 to 36, not 0"),
        (["--stall", "1"], "--stall must be 0 to 0.95, not 1.0"),
        (["--simulator", "amaranth"], "--simulator must be verilator or icarus, not amaranth"),
    ],
)
def test_bad_options_are_one_line(capsys, options, message):
    assert cli.main(["bench", "gates", *options]) == 1
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error

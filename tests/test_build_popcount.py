"""Popcounts made of a family's cells: proven against the plain one through Yosys' own models of the cells, and their size."""

import json
import re

import pytest
from mubinn.build import cli, fabric, popcounts
from mubinn.build.errors import ToolError
from mubinn.build.fabric import rtlil_of, size_of
from mubinn.build.tools import run_tool
from mubinn.hw import XnorDot
from mubinn.hw.cells import FAMILIES, Fabric

CELLS = {
    "ice40": "+/ice40/cells_sim.v",
    "ecp5": "+/ecp5/ccu2c_sim.vh +/ecp5/common_sim.vh",
    "gowin": "+/gowin/cells_sim.v",
    "xc7": "+/xilinx/cells_sim.v",
}
assert sorted(FAMILIES) == sorted([*CELLS, "generic"])


def proof(folder, family, lanes, split, change=lambda text: text):
    """Log of the proof that a family's cells count what plain logic counts, whatever was there three cycles before."""
    for name, dut, platform in (
        ("plain", XnorDot(lanes, split=split), None),
        ("cells", XnorDot(lanes, split=split, family=family), Fabric(family)),
    ):
        text = rtlil_of(dut, name, platform)
        (folder / f"{name}.il").write_text(change(text) if name == "cells" else text)
    # -defer: iCE40's block RAM alone takes Yosys more than a minute.
    script = f"""
        read_verilog -defer {CELLS[family]}; read_rtlil cells.il; hierarchy -top cells; proc; flatten
        read_rtlil plain.il; proc; miter -equiv -flatten -make_outputs plain cells both; hierarchy -top both
        opt_clean; dffunmap; setattr -unset init w:*; opt -full
        sat -verify -seq 4 -prove-skip 3 -set in_rst 0 -prove trigger 0 both"""
    script = "; ".join(line.strip() for line in script.strip().splitlines())
    return run_tool("yosys", ["-p", script], cwd=folder, log="yosys.log", limit_s=300)


@pytest.mark.slow
@pytest.mark.parametrize("family", CELLS)
@pytest.mark.parametrize("lanes, split", [(1, 1), (5, 2), (24, 19), (31, 31)])
def test_cells_count_what_plain_logic_counts(tmp_path, family, lanes, split):
    assert "no model found: SUCCESS!" in proof(tmp_path, family, lanes, split)


@pytest.mark.slow
@pytest.mark.parametrize("family, cell", [("ice40", "LUT_INIT"), ("ecp5", "INIT0"), ("gowin", "ALU_MODE"), ("xc7", "INIT")])
def test_the_proof_finds_a_wrong_cell(tmp_path, family, cell):
    """The lowest bit of that parameter is another."""

    def change(text):
        changed, count = re.subn(rf"(parameter \\{cell} \S*)(\d)$", lambda m: m[1] + str(int(m[2]) ^ 1), text, flags=re.M)
        assert count
        return changed

    with pytest.raises(ToolError, match="yosys failed"):
        proof(tmp_path, family, 7, 7, change)


@pytest.mark.slow
@pytest.mark.parametrize("family, most", [("ice40", 2.4), ("ecp5", 2.4), ("gowin", 2.4), ("xc7", 1.5)])
def test_luts_of_a_lane(tmp_path, family, most):
    """XNOR, popcount and both registers of 132 lanes."""
    size = size_of(XnorDot(132, family=family), family, tmp_path)
    assert 0 < size.luts <= most * 132 and size.dsps == 0


@pytest.mark.slow
def test_unknown_cell_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setitem(fabric._KNOWN, "ice40", ())
    with pytest.raises(ToolError, match=r"^ice40: cell SB_DFF\w* is not counted; log: "):
        size_of(XnorDot(3), "ice40", tmp_path)


def test_a_bit_product_has_its_share_of_everything(monkeypatch, tmp_path, capsys):
    """Netlists of known size: the popcount 300, the tables 400 and their writer 80, scaling 96 a plane, on 10 lanes."""
    luts = {"yosys": 400, "generic": 350, "compressor": 300, "tables-3": 400, "writer-3": 80, "scale-1": 96, "scale-3": 288}
    monkeypatch.setattr(popcounts, "size_of", lambda dut, family, folder: fabric.Size(luts=luts[folder.name], dsps=1, cells={}))
    arguments = ["bench", "popcount", "--targets", "ice40", "xc7", "--levels", "3", "--lanes", "10", "--out", str(tmp_path)]
    assert cli.main([*arguments, "--json"]) == 0
    rows = {(row["target"], row["strategy"]): row for row in json.loads(capsys.readouterr().out)["rows"]}
    promised = "target activation_levels lanes strategy luts luts_per_lane luts_per_bit_product".split()
    assert all(row[key] is not None for row in rows.values() for key in promised)
    assert len(rows) == 7 and ("ice40", "distributed") not in rows
    # Four dot products share the writer, and the scaling with its 24 lanes each.
    assert rows["xc7", "compressor"]["luts_per_bit_product"] == pytest.approx((3 * 300 / 10 + 288 / 96) / 3)
    assert rows["xc7", "distributed"]["luts_per_bit_product"] == pytest.approx(((400 + 80 / 4) / 10 + 96 / 96) / 3)
    assert rows["xc7", "distributed"]["luts_per_lane"] == 40
    assert {key for key, row in rows.items() if row["chosen"]} == {("ice40", "compressor"), ("xc7", "distributed")}


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--lanes", "0"], "--lanes must be 1 to 768, not 0"),
        (["--levels", "6"], "--levels must be 1 to 5, not 6"),
        (["--targets", "asic"], "--targets must be ice40, ecp5, gowin, xc7, not 'asic'"),
    ],
)
def test_bench_refuses(capsys, arguments, message):
    assert cli.main(["bench", "popcount", *arguments]) == 1
    assert capsys.readouterr().err == f"mubinn: error: {message}\n"

"""Sizes of the ways of scaling: the bench's table, and that synthesis keeps every multiplier."""

import json

import pytest
from mubinn.build import cli, fabric, scalings
from mubinn.model.folding import Folding, Schedule


def test_bench_sizes_both_ways_with_the_multipliers_that_keep_up(monkeypatch, tmp_path, capsys):
    size = fabric.Size(luts=300, dsps=4, cells={"SB_LUT4": 300, "SB_DFF": 20, "SB_DFFESR": 5, "SB_MAC16": 4})
    monkeypatch.setattr(scalings, "size_of", lambda dut, family, folder: size)
    arguments = ["bench", "scaling", "--targets", "ice40", "--levels", "3", "--out", str(tmp_path), "--json"]
    assert cli.main(arguments) == 0
    rows = {(row["rows"], row["weight_planes"], row["scaling"]): row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert len(rows) == 8
    # 5 words: a batch of 2 cycles. A plane's 3 products of 4 rows take 8 multipliers, its one takes 2.
    assert [rows[1, 1, way]["scale_mults"] for way in ("gamma", "factored")] == [8, 2]
    assert [rows[1, 1, way]["batch_cycles"] for way in ("gamma", "factored")] == [2, 2]
    assert rows[1, 1, "gamma"]["flip_flops"] == 25


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--levels", "4"], "--levels must be 2, 3, not 4"),
        (["--targets", "xc7"], "--targets must be ice40, ecp5, not 'xc7'"),
    ],
)
def test_bench_refuses(capsys, arguments, message):
    assert cli.main(["bench", "scaling", *arguments]) == 1
    assert capsys.readouterr().err == f"mubinn: error: {message}\n"


@pytest.mark.slow
@pytest.mark.parametrize("scaling, scale_mults", [("gamma", 8), ("factored", 2)])
def test_ice40_keeps_every_multiplier(tmp_path, scaling, scale_mults):
    """Yosys 0.70 loses the DSP blocks of products whose registers are added to each other."""
    schedule = Schedule(scalings.eeg_spec(3), Folding(lanes=24, scale_mults=scale_mults, scaling=scaling))
    assert fabric.size_of(scalings.component(schedule), "ice40", tmp_path).dsps == scale_mults

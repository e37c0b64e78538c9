"""The papers' systems as cores: none has a multiplier that it need not have."""

import json

import pytest
from mubinn.build import cli, fabric
from mubinn.build.area import Area
from mubinn.build.systems import SYSTEMS, system_case
from mubinn.build.tools import run_tool
from mubinn.build.widths import Widths
from mubinn.hw import Lstm
from mubinn.hw.cells import Fabric
from mubinn.model.folding import SCALINGS, Folding, Schedule
from mubinn.model.spec import LstmSpec
from mubinn.sim.random_parameters import random_parameters
from numpy.random import default_rng

TERNARY = ("ternary", "ternary", "levels", "ternary")


def core(scales, kinds, *, classes=2, levels=2, scaling="gamma", family="ice40", **more):
    sizes = {f"{name}_levels": levels for name in ("input", "hidden", "gate", "weight", "bias")}
    spec = LstmSpec(input_size=3, hidden_size=6, classes=classes, max_steps=16, gate_kinds=kinds, **sizes, **more)
    folding = Folding(lanes=4, scale_mults=2, scaling=scaling)
    return Lstm(random_parameters(spec, default_rng(3), scales=scales), folding, family=family)


def multiplications(dut, family, folder):
    """Cells that multiply, before Yosys maps them to multipliers or to LUTs. A bit times a number is a choice, and none."""
    (folder / "top.il").write_text(fabric.rtlil_of(dut, "top", Fabric(family)))
    script = "read_rtlil top.il; hierarchy -top top; proc; flatten; opt_expr; opt_clean; write_json top.json"
    run_tool("yosys", ["-q", "-p", script], cwd=folder, log="yosys.log")
    cells = json.loads((folder / "top.json").read_text())["modules"]["top"]["cells"].values()
    found = [cell for cell in cells if cell["type"] in ("$mul", "MULT18X18D")]
    return sum(min(len(cell["connections"].get(port, "  ")) for port in "AB") > 1 for cell in found)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["ice40", "ecp5"])
@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("more", [{}, {"cell_levels": 5, "levels": 4}, {"levels": 1}], ids=str)
def test_shifts_and_ternary_gates_leave_no_multiplier(tmp_path, family, scaling, more):
    dut = core("power_of_two", TERNARY, scaling=scaling, family=family, **more)
    assert multiplications(dut, family, tmp_path) == 0
    area = Area(Widths(dut.parameters), dut.schedule, family)
    assert area.dsps() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "scales, kinds, count",
    [
        # Two of the scales, f * c, and the head's.
        ("ordered", ("levels",) * 4, 4),
        # Of a ternary f there is none.
        ("ordered", ("ternary", "ternary", "levels", "levels"), 3),
        # Shifts leave f * c.
        ("power_of_two", ("levels",) * 4, 1),
        # Tables of four gates and of tanh(c), i * g, f * c and o * tanh(c).
        ("power_of_two", ("fixed",) * 4, 8),
        ("power_of_two", ("ternary", "ternary", "fixed", "ternary"), 1),
    ],
)
def test_every_other_system_has_its_own(tmp_path, scales, kinds, count):
    dut = core(scales, kinds)
    assert multiplications(dut, "ice40", tmp_path) == count
    area = Area(Widths(dut.parameters), Schedule(dut.spec, dut.schedule.folding), "ice40")
    assert area.dsps() == count


def test_systems_are_what_they_say():
    for name, system in SYSTEMS.items():
        case = system_case(name, 1, "ecp5-25k")
        scales = [case.model_file.parameters.tensors()[key] for key in ("x_scales", "h_scales", "wx_scales", "wh_scales")]
        powers = all((s & s - 1 == 0).all() for s in scales)
        assert powers == name.startswith(("b_lstm", "mubinn1")) and case.name == f"{name}-1-1@ecp5-25k"
        assert case.model_file.spec.gate_kinds == system.gate_kinds
    assert SYSTEMS["b_lstm"].most_levels == 1


@pytest.mark.parametrize(
    "options, message",
    [
        (
            ["--target", "ice40-up5k"],
            "--target must be ecp5-25k or ecp5-85k, not ice40-up5k: it has too few multipliers",
        ),
        (["--levels", "1,x"], "--levels must be numbers 1 to 4 with commas between, not 1,x"),
        (["--levels", "5"], "--levels must be numbers 1 to 4 with commas between, not 5"),
        (["--systems", "best"], "--systems must be among b_lstm, mubinn1, mubinn2, qlrl, qlrl-o, mubinn1+qlrl-o, not 'best'"),
    ],
)
def test_bad_options_are_one_line(capsys, options, message):
    assert cli.main(["bench", "systems", *options]) == 1
    assert capsys.readouterr().err == f"mubinn: error: {message}\n"

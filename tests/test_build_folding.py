"""The estimate of a core, the choice of a folding by it, and `mubinn bench folding`."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from model_cases import random_parameters
from mubinn.build import calibrate, folding_rows
from mubinn.build.area import Area
from mubinn.build.choose import AHEAD, MARGIN, NEARLY, candidates, fastest, smallest
from mubinn.build.cli import main
from mubinn.build.errors import UserError
from mubinn.build.estimate import Estimator, coefficients
from mubinn.build.folding_cases import folding_case
from mubinn.build.generate import default_folding
from mubinn.build.memories import Mapped, mapped_memory
from mubinn.build.targets import TARGETS
from mubinn.build.widths import Widths
from mubinn.hw import Lstm
from mubinn.model.artifact import load_model
from mubinn.model.folding import Folding, Schedule
from mubinn.model.spec import LstmSpec

ICE40, ECP5 = TARGETS["ice40-up5k"], TARGETS["ecp5-25k"]


@pytest.fixture(scope="module")
def tiny():
    spec = LstmSpec(input_size=3, hidden_size=4, classes=2, max_steps=64, weight_levels=2, bias_levels=2)
    return random_parameters(spec, 1)


# Memories and multipliers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "family, memory, mapped",
    [
        # The weights of the shipped (2,2) model, 24 lanes: 96 bits, 1000 words.
        ("ice40", {"width": 96, "depth": 1000, "rom": True}, Mapped(brams=24)),
        ("ecp5", {"width": 96, "depth": 1000, "rom": True}, Mapped(brams=6)),
        # Its operands, a write enable a lane.
        ("ice40", {"width": 48, "depth": 16, "enables": 24}, Mapped(brams=3)),
        ("ecp5", {"width": 48, "depth": 16, "enables": 24}, Mapped(lut_rams=24)),
        ("ice40", {"width": 16, "depth": 100}, Mapped(brams=1)),
        ("ecp5", {"width": 16, "depth": 100}, Mapped(brams=1)),
        # Its head's weights and its biases.
        ("ice40", {"width": 8, "depth": 200, "rom": True}, Mapped(brams=1)),
        ("ecp5", {"width": 8, "depth": 200, "rom": True}, Mapped(logic_bits=1600)),
        ("ice40", {"width": 8, "depth": 100, "rom": True}, Mapped(logic_bits=800)),
        # The modes of a block RAM: 2048 x 2, 512 x 8, 256 x 16 and 16384 x 1, 2048 x 9, 512 x 36.
        ("ice40", {"width": 2, "depth": 2048, "rom": True}, Mapped(brams=1)),
        ("ice40", {"width": 8, "depth": 512, "rom": True}, Mapped(brams=1)),
        ("ice40", {"width": 17, "depth": 256, "rom": True}, Mapped(brams=2)),
        ("ice40", {"width": 2, "depth": 2049, "rom": True}, Mapped(brams=2, muxes=2)),
        ("ecp5", {"width": 1, "depth": 16384, "rom": True}, Mapped(brams=1)),
        ("ecp5", {"width": 9, "depth": 2048, "rom": True}, Mapped(brams=1)),
        ("ecp5", {"width": 36, "depth": 512, "rom": True}, Mapped(brams=1)),
        # What is read at once has no block RAM.
        ("ice40", {"width": 8, "depth": 4, "sync": False}, Mapped(logic_bits=32)),
        ("ecp5", {"width": 8, "depth": 40, "sync": False}, Mapped(lut_rams=6, muxes=16)),
    ],
)
def test_memories_of_known_shape(family, memory, mapped):
    assert mapped_memory(family, **memory) == mapped


@pytest.mark.parametrize("family, brams, dsps", [("ice40", 30, 6), ("ecp5", 8, 6)])
def test_blocks_of_the_eeg_core(family, brams, dsps):
    """As nextpnr counts them: docs/architecture.md."""
    parameters = load_model("eeg-2-2").parameters
    area = Area(Widths(parameters), Schedule(parameters.spec, default_folding(parameters.spec)), family)
    assert (area.brams(), area.dsps()) == (brams, dsps)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["ice40-up5k", "ecp5-25k"])
def test_estimate_of_a_core_against_its_cells(target, tmp_path):
    """A core that is not among those the coefficients come from; 15 % is what the estimate claims."""
    case = folding_case(2001, target, size="small")
    found = calibrate.counted_case(case, tmp_path)
    estimate = Estimator(case.model_file.parameters, TARGETS[target])(case.folding)
    assert abs(estimate.luts - found["packed"]["luts"]) <= 0.15 * found["packed"]["luts"]
    for name in ("brams", "dsps"):
        counted = sum(part.get(name, 0) for part in found["parts"].values())
        assert getattr(estimate, name) == counted == found["packed"][name]
    assert {"dots", "scale", "activation", "hidden_code", "bytes"} <= set(found["parts"])
    assert calibrate.counted_case(case, tmp_path) == found  # kept, not measured again


# Choice ---------------------------------------------------------------------------------------------------------------


def size(estimate):
    return estimate.luts, estimate.brams, estimate.dsps, *vars(estimate.folding).values()


def everything(parameters, target):
    """Estimates of all candidates and all groups ahead that fit."""
    spec, estimator = parameters.spec, Estimator(parameters, target)
    foldings = [replace(folding, ahead=ahead) for folding in candidates(spec) for ahead in (0, *AHEAD)]
    found = [estimator(folding) for folding in foldings if Schedule(spec, folding).ahead == folding.ahead]
    return [e for e in found if all(getattr(e, name) <= share * target.capacity[name] for name, share in MARGIN.items())]


@pytest.mark.parametrize("target", [ICE40, ECP5], ids=lambda target: target.name)
def test_choice_is_that_of_brute_force(tiny, target):
    found = everything(tiny, target)
    fewest = min(e.cycles_per_step for e in found)
    assert fastest(tiny, target).estimate == min((e for e in found if e.cycles_per_step <= NEARLY * fewest), key=size)
    every = sorted({e.cycles_per_step for e in found})
    for cycles in (every[0], every[len(every) // 3], every[-1], every[len(every) // 2] + 1):
        least = min((e for e in found if e.cycles_per_step <= cycles), key=size)
        chosen = smallest(tiny, target, steps_per_second=target.clock_mhz * 1e6 / cycles)
        assert chosen.estimate == least


@pytest.mark.parametrize("target, rate", [("ice40-up5k", 23000), ("ecp5-25k", 100000)])
def test_goals_are_met_by_the_exact_prediction(target, rate):
    parameters = load_model("eeg-2-2").parameters
    chosen = smallest(parameters, TARGETS[target], steps_per_second=rate)
    assert chosen.steps_per_second >= rate
    assert (
        Lstm(parameters, chosen.folding, family=TARGETS[target].family).predicted_cycles_per_step
        == chosen.estimate.cycles_per_step
    )
    for name, share in MARGIN.items():
        assert getattr(chosen.estimate, name) <= share * TARGETS[target].capacity[name]


def test_what_waits_in_flip_flops_is_counted():
    """On iCE40 groups read ahead are no bargain: two weight planes of the EEG core take 6,704 logic cells with eight groups
    ahead, 2,500 more than without, and do not fit."""
    estimator = Estimator(load_model("eeg-2-2").parameters, ICE40)
    folding = Folding(lanes=24, weight_planes=2, scale_mults=4, scaling="factored", ahead=8)
    assert abs(estimator(folding).luts - 6704) < 0.15 * 6704
    assert estimator(folding).luts - estimator(replace(folding, ahead=0)).luts > 2000


def test_what_is_fixed_stays(tiny):
    chosen = fastest(tiny, ECP5, fixed={"rows": 1, "lanes": 2, "ahead": 0})
    assert (chosen.folding.rows, chosen.folding.lanes, chosen.folding.ahead) == (1, 2, 0)
    assert fastest(tiny, ECP5).estimate.cycles_per_step < chosen.estimate.cycles_per_step


def test_a_faster_clock_needs_less(tiny):
    slow, fast = (smallest(tiny, ECP5, steps_per_second=800_000, clock_mhz=clock) for clock in (40, 160))
    assert fast.estimate.luts < slow.estimate.luts and fast.estimate.cycles_per_step <= 200


def test_what_is_too_large_says_what_it_needs():
    spec = LstmSpec(input_size=100, hidden_size=200, weight_levels=4, bias_levels=4)
    with pytest.raises(UserError, match=r"^no folding fits ice40-up5k: the smallest needs (.*, )?2\d\d block RAMs of 30"):
        smallest(random_parameters(spec, 1), ICE40, steps_per_second=1, fixed={"rows": 1, "weight_planes": 1, "ahead": 0})


@pytest.mark.parametrize(
    "options, message",
    [
        (["--target", "ecp5-25k", "--steps-per-second", "1e9", "--rows", "1", "--lanes", "24"],
         r"--steps-per-second must be at most \d+ on ecp5-25k at 80 MHz, not 1e\+09: that is the best that fits, "
         r"1 x 24 x 2 with \d+ multipliers \((gamma|factored)\) and 1 of the head, \d+ cycles a step"),
        (["--steps-per-second", "5"], "--target must say for which chip"),
        (["--clock-mhz", "5"], "--clock-mhz must come with --steps-per-second or --fastest"),
        (["--target", "ecp5-25k", "--fastest", "--clock-mhz", "-1"], "--clock-mhz must be greater than 0, not -1"),
        (["--target", "ecp5-25k", "--steps-per-second", "0"], "--steps-per-second must be greater than 0, not 0"),
        (["--target", "ecp5-25k", "--fastest", "--steps-per-second", "5"], "--fastest must come without --steps-per-second"),
        (["--target", "none", "--fastest"], "--target must be ice40-up5k, ecp5-25k, ecp5-85k, not 'none'"),
    ],
)  # fmt: skip
def test_generate_refuses_in_one_line(options, message, tmp_path, capsys):
    assert main(["generate", "eeg-2-2", "-o", str(tmp_path / "core"), *options]) == 1
    error = capsys.readouterr().err.strip()
    assert error.count("\n") == 0
    assert re.fullmatch(f"mubinn: error: {message}", error), error
    assert not (tmp_path / "core").exists()


def test_generate_takes_the_choice(tmp_path, capsys):
    options = ["--target", "ice40-up5k", "--steps-per-second", "20000", "--rows", "1", "--weight-planes", "1", "--json"]
    assert main(["generate", "eeg-2-2", "-o", str(tmp_path / "core"), *options]) == 0
    figures = json.loads(capsys.readouterr().out)
    manifest = json.loads((tmp_path / "core" / "manifest.json").read_text())
    assert manifest["folding"] == figures["folding"] and figures["steps_per_second"] >= 20000
    assert manifest["predicted_cycles_per_step"] == figures["estimated_cycles_per_step"]


# Calibration and bench ------------------------------------------------------------------------------------------------


def test_fit_finds_what_was_planted():
    rng = np.random.default_rng(1)
    planted = {"one": 40.0, "lanes": 2.5, "sums": 1.25}
    rows = []
    for _ in range(200):
        values = {"one": 1, "lanes": int(rng.integers(10, 900)), "sums": int(rng.integers(10, 900)), "bits": 0}
        luts = sum(planted[name] * values[name] for name in planted)
        rows.append((values, luts, 1 / luts))
    found = calibrate._least_squares(rows)
    assert found.pop("bits") == np.mean(calibrate.BOUNDS["bits"])  # never seen: what is assumed
    assert found == {name: pytest.approx(value, rel=0.02) for name, value in planted.items()}


def test_coefficients_name_what_there_is():
    """Each is of a number that some core has: nothing is left of an older `Area`."""
    targets = ("ice40-up5k", "ecp5-25k")
    cases = [folding_case(seed, target, size="small") for seed in range(1001, 1012) for target in targets]
    assert any(case.folding.ahead for case in cases) and any(case.spec.classes == 0 for case in cases)
    for family, parts in coefficients().items():
        known = {}
        for case in cases:
            area = Area(Widths(case.model_file.parameters), Schedule(case.spec, case.folding), family)
            for part, numbers in area.parts().items():
                known.setdefault(part, set()).update(numbers)
        assert set(parts) == set(known)
        for part, values in parts.items():
            assert set(values) <= known[part] and all(value > 0 for value in values.values())


def test_cases_are_seeded_and_fit():
    for target in ("ice40-up5k", "ecp5-25k"):
        first, again, other = (folding_case(seed, target) for seed in (1, 1, 2))
        assert (first.spec, first.folding) == (again.spec, again.folding) != (other.spec, other.folding)
        estimate = Estimator(first.model_file.parameters, TARGETS[target])(first.folding)
        assert all(getattr(estimate, name) <= TARGETS[target].capacity[name] for name in MARGIN)


def test_bench_compares_and_keeps(tmp_path, monkeypatch, capsys):
    """Counts that are 10 % off are fine, 20 % are not; cycles are simulated once."""
    case = folding_case(1, "ice40-up5k")
    estimate = Estimator(case.model_file.parameters, ICE40)(case.folding)
    share, simulated = 1.1, []

    def counted(case, out):
        kept = out / f"{case.name}.json"
        packed = {"luts": round(estimate.luts / share), "brams": estimate.brams, "dsps": estimate.dsps}
        return (json.loads(kept.read_text()) if kept.exists() else {}) | {"packed": packed}

    def cycles(core, steps):
        simulated.append(core)
        return [estimate.cycles_per_step] * (steps - 1)

    monkeypatch.setattr(folding_rows, "counted_case", counted)
    monkeypatch.setattr(folding_rows, "step_cycles", cycles)
    arguments = ["bench", "folding", "--specs", "1", "--pack-only", "--out", str(tmp_path), "--json"]
    assert main(arguments) == 0
    figures = json.loads(capsys.readouterr().out)
    (row,) = figures["rows"]
    assert row["predicted_luts"] == estimate.luts and row["placed_luts"] == round(estimate.luts / 1.1)
    assert figures["worst_error_percent"] == row["error_percent"]["luts"] == pytest.approx(10, abs=0.1)
    assert row["error_percent"]["cycles_per_step"] == 0 and not row["routed"]
    share = 1.2
    assert main(arguments) == 1 and len(simulated) == 1
    assert not json.loads(capsys.readouterr().out)["ok"]


@pytest.mark.parametrize(
    "options, message",
    [
        (["--specs", "0"], "--specs must be 1 to 1000, not 0"),
        (["--seed", "0"], "--seed must be 1 to 1000, not 0"),
        (["--calibrate", "--cores", "5"], "--cores must be 6 to 100, not 5"),
    ],
)
def test_bench_refuses(options, message, capsys):
    assert main(["bench", "folding", *options]) == 1
    assert capsys.readouterr().err == f"mubinn: error: {message}\n"

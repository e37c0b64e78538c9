"""`mubinn bench engine`: what it measures, and what it refuses."""

import json

import pytest
from mubinn.build.cli import main
from mubinn.build.presets import PRESETS, UNPLACED


@pytest.mark.slow
def test_a_core_takes_the_predicted_cycles(capsys):
    assert main(["bench", "engine", "--presets", "eeg-1-1@ecp5-25k", "--steps", "2", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["name"] == "eeg-1-1@ecp5-25k" and row["ahead"] == 23
    # So many groups read ahead leave nothing to wait for.
    assert row["ideal_cycles_per_step"] == row["cycles_per_step"] == row["predicted_cycles_per_step"] == 300
    assert {"name", "cycles_per_step", "predicted_cycles_per_step", "ideal_cycles_per_step", "utilization"} <= set(row)
    # 157 columns in three words of 60 lanes, 100 units: 300 words of 240 bits, in 7 blocks of 512 x 36.
    assert row["weight_brams"] == 7 and row["memory_ratio"] == 7 * 18 * 1024 / (4 * 100 * 157)
    assert row["utilization"] == row["ideal_cycles_per_step"] / row["cycles_per_step"]


def test_names_are_models_and_targets():
    for name, preset in (PRESETS | UNPLACED).items():
        assert name == preset.name and name.startswith(f"{preset.model}@{preset.target}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--presets", "eeg-9-9"], "--presets must be among lstm-1-20@ecp5-25k, "),
        (["--steps", "0"], "--steps must be 1 to 1000, not 0"),
    ],
)
def test_bad_options_are_one_line(capsys, options, message):
    assert main(["bench", "engine", *options]) == 1
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error

"""The generated folder: complete, the same bytes every time, lint-clean, and refused where it was touched."""

import json
import os
import subprocess

import numpy as np
import pytest
from model_cases import random_parameters
from mubinn.build.core_folder import read_manifest
from mubinn.build.errors import UserError
from mubinn.build.generate import default_folding, generate
from mubinn.build.reports import load_figures, save_figures
from mubinn.model.artifact import ModelFile
from mubinn.model.folding import Folding, Schedule
from mubinn.model.spec import LstmSpec, SpecError
from mubinn.sim.tools import verilator_root


@pytest.fixture(scope="module")
def small():
    spec = LstmSpec(input_size=5, hidden_size=7, classes=2, max_steps=64)
    return ModelFile(preset="mubinn2", parameters=random_parameters(spec, 1))


@pytest.fixture(scope="module")
def folder(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("generate") / "core"
    generate(small, out, folding=Folding(rows=1, lanes=4))
    return out


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_folder_has_everything(folder):
    manifest = read_manifest(folder)
    names = set(contents(folder)) - {"manifest.json"}
    assert names == set(manifest["sha256"])
    assert {"mubinn_lstm.v", "mubinn_lstm_bytes.v", "mubinn_lstm_tb.v", "model.safetensors"} <= names
    assert {"mubinn_lstm_weights.hex", "mubinn_lstm_bias.hex", "mubinn_lstm_head.hex"} <= names
    words = (folder / "mubinn_lstm_weights.hex").read_text().split()
    assert len(words) == 7 * 2 * 3  # units, weight planes, words of 4 columns
    assert manifest["weight_bits"] == 4 * 7 * 12 * 2


@pytest.mark.parametrize("name", ["mubinn_lstm.v", "mubinn_lstm_bytes.v", "mubinn_lstm_tb.v"])
def test_verilog_says_what_made_it_and_what_one_may_do(folder, name):
    text = (folder / name).read_text()
    assert text.startswith("// mubinn ") and "amaranth" in text.splitlines()[0]
    assert "without attribution" in text and "SPDX-License-Identifier: 0BSD" in text
    assert str(folder) not in text


def test_every_module_has_the_prefix(folder):
    modules = [line.split()[1] for line in (folder / "mubinn_lstm.v").read_text().splitlines() if line.startswith("module ")]
    assert modules and all(m.lstrip("\\").startswith("mubinn_lstm") for m in modules)


def test_same_model_same_bytes(small, folder, tmp_path):
    generate(small, tmp_path / "again", folding=Folding(rows=1, lanes=4))
    assert contents(tmp_path / "again") == contents(folder)


LINT = ["-Wall", "-Wno-DECLFILENAME", "-Wno-PROCASSINIT", "-Wno-UNUSEDSIGNAL", "-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC"]


@pytest.mark.slow
@pytest.mark.parametrize("top", ["mubinn_lstm", "mubinn_lstm_bytes"])
def test_lint_clean(folder, top):
    sources = [f"{top}.v"] if top == "mubinn_lstm" else ["mubinn_lstm.v", f"{top}.v"]
    root = verilator_root()
    command = [root / "bin" / "verilator_bin", "--lint-only", *LINT, "--top-module", top, *sources]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"VERILATOR_ROOT": str(root)}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and "%Warning" not in done.stderr, done.stderr


def test_a_touched_file_is_refused(small, tmp_path):
    out = tmp_path / "core"
    generate(small, out, folding=Folding(lanes=4))
    path = out / "mubinn_lstm.v"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(UserError, match=r"mubinn_lstm\.v: sha256 differs from manifest\.json: make the folder again"):
        read_manifest(out)
    path.unlink()
    with pytest.raises(UserError, match=r"mubinn_lstm\.v: missing: make the folder again with mubinn generate"):
        read_manifest(out)


def test_no_manifest(tmp_path):
    with pytest.raises(UserError, match=r"manifest\.json: no such file: make the folder with mubinn generate"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match=r"manifest\.json: not a manifest of mubinn generate"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "fold, message",
    [
        ({"rows": 8}, r"^rows must be 1 to 7 \(hidden_size\), not 8$"),
        ({"lanes": 13}, r"^lanes must be 1 to 12 \(input_size \+ hidden_size\), not 13$"),
        ({"weight_planes": 3, "lanes": 4}, r"^weight_planes must be 1 to 2 \(weight_levels\), not 3$"),
        ({"scale_mults": 0}, r"^scale_mults must be 1 to 4096, not 0$"),
        ({"head_mults": 4, "lanes": 4}, r"^head_mults must be 1 to 2 \(classes\), not 4$"),
        ({"head_mults": 65}, r"^head_mults must be 1 to 64, not 65$"),
        ({"ahead": 65}, r"^ahead must be 0 to 64, not 65$"),
        ({"rows": 1.5}, r"^rows must be an integer 1 to 512, not 1.5$"),
    ],
)
def test_folding_out_of_range_writes_nothing(small, tmp_path, fold, message):
    with pytest.raises(SpecError, match=message):
        generate(small, tmp_path / "core", folding=Folding(**fold))
    assert not list(tmp_path.iterdir())


def test_bad_name(small, tmp_path):
    with pytest.raises(UserError, match=r"^--name must be a Verilog identifier of letters, digits and _, not '1x'$"):
        generate(small, tmp_path / "core", name="1x")


def test_foreign_folder_is_not_replaced(small, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=r"must be empty or hold manifest.json"):
        generate(small, tmp_path, folding=Folding(lanes=4))
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_figures_are_kept(folder):
    save_figures(folder, "eval", {"accuracy": 0.5})
    assert load_figures(folder)["eval"] == {"accuracy": 0.5}
    (folder / "reports" / "bad.json").write_text("{")
    with pytest.raises(UserError, match=r"bad\.json: not a report of mubinn"):
        load_figures(folder)
    (folder / "reports" / "bad.json").unlink()
    assert json.loads((folder / "reports" / "eval.json").read_text()) == {"accuracy": 0.5}


def test_eval_of_a_folder_is_kept_for_the_report(folder, tmp_path, capsys):
    from mubinn.build import cli
    from mubinn.model.windows import Windows, save_windows

    rng = np.random.default_rng(1)
    windows = Windows(
        x=rng.normal(size=(6, 5, 5)).astype(np.float32),
        y=np.arange(6) % 2,
        subject=np.full(6, -1),
        start=np.full(6, -1),
        fs=None,
    )
    save_windows(tmp_path / "w.npz", windows)
    assert cli.main(["eval", str(folder), "--data", str(tmp_path / "w.npz")]) == 0
    assert load_figures(folder)["eval"]["windows"] == 6
    assert cli.main(["report", str(folder)]) == 0
    page = (folder / "report.html").read_text()
    assert "<svg" in page and "Not placed yet" in page and "Not simulated yet" in page and "<script" not in page
    assert capsys.readouterr().out.endswith("report.html\n")


@pytest.mark.parametrize("levels, mults, cycles", [(1, 2, 500), (2, 4, 1000), (3, 8, 1500), (5, 12, 2500)])
def test_default_folding_never_waits_for_multipliers(levels, mults, cycles):
    """4 x 24 lanes of the EEG shape: 5 words a plane, so the words alone decide the cycles of a step."""
    spec = LstmSpec(
        input_size=19, hidden_size=100, classes=2,
        input_levels=levels, hidden_levels=levels, gate_levels=levels, weight_levels=levels,
    )  # fmt: skip
    folding = default_folding(spec)
    assert folding.scale_mults == mults
    assert Schedule(spec, folding).ideal_cycles_per_step == cycles

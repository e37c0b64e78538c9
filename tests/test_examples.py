"""The examples run as they say, and show what the golden model does."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mubinn.build.fusesoc import core_file, core_name
from mubinn.build.generate import generate
from mubinn.model.artifact import load_model
from mubinn.sim.tools import verilator_root
from sim_cores import core

EXAMPLES = Path(__file__).parent.parent / "examples"


def fusesoc(folder, *arguments):
    """Output of FuseSoC in a folder of its own."""
    environment = os.environ | {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), str(verilator_root() / "bin"), os.environ["PATH"])),
        "XDG_CONFIG_HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
    }
    command = [sys.executable, "-m", "fusesoc.main", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.slow
def test_an_amaranth_design_with_the_core(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / "amaranth_monitor.py"), run_name="__main__")
    assert capsys.readouterr().out.startswith("lamp [0, 1], golden model [0, 1]\n")
    assert "module monitor(" in (tmp_path / "out" / "monitor.v").read_text()


@pytest.mark.slow
def test_a_fusesoc_project_with_the_core(tmp_path):
    model_file = load_model("eeg-2-2")
    generate(model_file, tmp_path / "core")
    roots = ("--cores-root", str(tmp_path / "core"), "--cores-root", str(EXAMPLES / "fusesoc"))
    said = fusesoc(tmp_path, *roots, "run", "--target", "sim", "mubinn:examples:monitor")
    label = model_file.model().run(np.full((1, 1, 19), 32)).label[0]
    assert f"MONITOR lamp={label} after " in said and "Padding" not in said


@pytest.mark.parametrize("kind", ["head", "stream"])
def test_the_generated_core_file_runs_the_testbench(kind, tmp_path):
    folder, manifest = core(kind)
    name = core_name(manifest["name"])
    said = fusesoc(tmp_path, "--cores-root", str(folder), "run", "--target", "sim", name)
    assert f"windows={manifest['vectors']['windows']} " in said and said.count(" mismatches=0 ") == 1 and " PASS" in said


def test_lint_by_the_core_file(tmp_path):
    folder, manifest = core("head")
    said = fusesoc(tmp_path, "--cores-root", str(folder), "run", "--target", "lint", core_name(manifest["name"]))
    assert "verilator" in said and "%Error" not in said


def test_what_a_core_file_names():
    folder, manifest = core("head")
    text = (folder / f"{manifest['name']}.core").read_text()
    assert f"name: {core_name(manifest['name'])}\n" in text and "mubinn_lstm_tb.v" in text
    assert json.loads((folder / "manifest.json").read_text())["sha256"][f"{manifest['name']}.core"]
    with_cells = manifest | {"cells": "mubinn_lstm_cells.v", "axi": {"verilog": "mubinn_lstm_axi.v", "top": "mubinn_lstm_axi"}}
    text = core_file(with_cells, ["vectors/z.hex"])
    assert "    filesets: [rtl, cells, testbench, vectors]\n" in text and "    toplevel: mubinn_lstm_axi\n" in text
    # Synthesis knows the cells: only simulators read the models.
    assert "  bytes:\n    filesets: [rtl, bytes]\n" in text

"""What the README says to type: the make targets exist, the command lines parse, what is quick is run."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from mubinn.build import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.M | re.S)
LINES = [line for language, text in BLOCKS if not language for line in text.splitlines()]
COMMANDS = [line for line in LINES if line.startswith("mubinn ")]
# | what | measured | `mubinn ...` |
MEASURED = re.findall(r"^\| [^|]+\| [^|]+\| `([^`|]+)` \|$", README, flags=re.M)


def parsed(line):
    program, *argv = shlex.split(line)
    assert program == "mubinn"
    return cli._parser(argv).parse_args(argv)


@pytest.mark.parametrize("line", COMMANDS + [line for line in MEASURED if line.startswith("mubinn ")])
def test_commands_parse(line):
    assert callable(parsed(line).run)


def test_every_verb_is_explained():
    assert set(re.findall(r"^\| `mubinn (\w+)` \|", README, flags=re.M)) == set(cli.VERBS)


def test_make_targets():
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    # Under `make test` these would make the inner make say where it enters and leaves.
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    for target, last in (("demo", "mubinn demo"), ("test", "python -m pytest")):
        assert f"make {target}" in LINES
        done = subprocess.run(["make", "-n", target], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and done.stdout.rstrip().endswith(last)


def test_ci_calls_the_test_command():
    assert re.search(r"^make test VENV=", (ROOT / ".ci/run").read_text(), flags=re.M)
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


def test_every_measured_figure_has_its_command():
    table = README.split("| what | measured | command |\n|---|---|---|\n")[1].split("\n\n")[0]
    rows = [row for row in table.splitlines() if row.startswith("|")]
    assert len(rows) == len(MEASURED)


def test_eval_as_shown(capsys):
    (line,) = [line for line in COMMANDS if line.startswith("mubinn eval")]
    assert cli.main(shlex.split(line)[1:]) == 0
    assert "accuracy" in capsys.readouterr().out


def test_python_example(capsys):
    (text,) = [text for language, text in BLOCKS if language == "python"]
    exec(compile(text, "README.md", "exec"), {})
    assert capsys.readouterr().out


def test_constraints_are_plain_versions():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    assert "torch==2.13.0" in lines

"""The command line: one line and exit code 1 for every error, one JSON object for machines, verbs found by name."""

import builtins
import importlib
import json
import os
import shlex
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from mubinn.build import cli, errors, paths, verb_bench
from mubinn.build.errors import ToolError, UserError, one_line
from mubinn.model.data import DataError
from mubinn.model.spec import SpecError

MODULES = [f"mubinn.build.verb_{name}" for name in cli.VERBS if name != "bench"]
MODULES += [f"{verb_bench.PREFIX}{name}" for name in verb_bench.VERBS]


@pytest.fixture
def verb(monkeypatch):
    """A verb `try` whose run() is what the test wants."""

    def make(run):
        def add_arguments(parser):
            parser.add_argument("--count", type=int)

        module = types.SimpleNamespace(HELP="Tries.", EXAMPLE="mubinn try", add_arguments=add_arguments, run=run)
        monkeypatch.setitem(cli.VERBS, "try", "only here")
        monkeypatch.setitem(sys.modules, "mubinn.build.verb_try", module)

    return make


def raising(error):
    def run(args):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("a must be 1 to 2, not 3"), "a must be 1 to 2, not 3"),
        (ToolError("yosys failed: out of luts"), "yosys failed: out of luts"),
        (DataError("d.npz: x is missing"), "d.npz: x is missing"),
        (SpecError("two\nlines  here"), "two lines here"),
        (KeyboardInterrupt(), "interrupted"),
        (MemoryError(), "out of memory"),
        (PermissionError(13, "Permission denied", "/x/y"), "/x/y: Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"),
         "torch is not installed: pip install 'mubinn[train]'"),
        (ModuleNotFoundError("No module named 'cocotb_tools.runner'", name="cocotb_tools.runner"),
         "cocotb_tools is not installed: pip install 'mubinn[sim]'"),
        (ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib.pyplot"),
         "matplotlib is not installed: pip install 'mubinn[report]'"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)  # fmt: skip
def test_errors_are_one_line(verb, capsys, error, line):
    verb(raising(error))
    assert cli.main(["try"]) == 1
    assert capsys.readouterr() == ("", f"mubinn: error: {line}\n")
    assert cli.main(["try", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": line} and err == f"mubinn: error: {line}\n"


@pytest.mark.parametrize("error", [ValueError("ours"), KeyError("a"), ModuleNotFoundError("numpy", name="numpy")])
def test_a_bug_keeps_its_traceback(verb, error):
    assert one_line(error) is None
    verb(raising(error))
    with pytest.raises(type(error)):
        cli.main(["try"])


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        ([], "the following arguments are required: VERB; see mubinn --help"),
        (["frobnicate"], "argument VERB: invalid choice: 'frobnicate' (choose from "),
        (["try", "--count", "x"], "argument --count: invalid int value: 'x'; see mubinn try --help"),
        (["try", "more"], "unrecognized arguments: more; see mubinn --help"),
        (["try", "--js"], "unrecognized arguments: --js; see mubinn --help"),
        (["eval"], "the following arguments are required: MODEL, --data; see mubinn eval --help"),
        (["bench", "naps"], "argument VERB: invalid choice: 'naps' (choose from "),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_one_line(verb, capsys, argv, line):
    verb(lambda args: 0)
    assert cli.main(argv) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"mubinn: error: {line}") and err.count("\n") == 1


RESULTS = [(0, 0), (None, 0), (1, 1), ({}, 0), ({"ok": True}, 0), ({"ok": False}, 1)]


@pytest.mark.parametrize(("result", "code"), RESULTS)
def test_exit_codes(verb, result, code):
    verb(lambda args: result)
    assert cli.main(["try"]) == code


def test_json_is_the_only_thing_on_stdout(verb, capsys):
    def run(args):
        print("for people")
        return {"n": np.int64(3), "a": np.array([1.5, 2.0]), "path": Path("out/x"), "none": None}

    verb(run)
    assert cli.main(["try"]) == 0
    assert capsys.readouterr() == ("for people\n", "")
    assert cli.main(["try", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"n": 3, "a": [1.5, 2.0], "path": "out/x", "none": None}
    assert out.count("\n") == 1 and err == "for people\n"


def test_help_and_version(capsys):
    assert cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n    {name} " in out for name in cli.VERBS)
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("mubinn 0.")
    assert cli.main(["bench", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n    {name} " in out for name in verb_bench.VERBS)


@pytest.mark.parametrize("name", MODULES)
def test_every_verb_has_help_and_an_example_that_parses(name, capsys):
    module = importlib.import_module(name)
    words = name.removeprefix("mubinn.build.").removeprefix("verb_").split("_", 1)  # bench_golden: two words
    assert cli.main([*words, "--help"]) == 0
    out = capsys.readouterr().out
    assert "--json" in out and module.EXAMPLE.strip().splitlines()[0] in out
    examples = module.EXAMPLE.strip().splitlines()
    for line in examples:
        program, *argv = shlex.split(line)
        assert program == "mubinn" and argv[: len(words)] == words
        assert cli._parser(argv).parse_args(argv).run is module.run


def test_missing_torch_is_one_line(monkeypatch, capsys):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(name, *rest, **more)

    for name in [name for name in sys.modules if name.split(".")[0] == "torch"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    from mubinn.build import bench_golden

    with pytest.raises(ModuleNotFoundError) as caught:
        bench_golden.compare(None, None)
    assert one_line(caught.value) == "torch is not installed: pip install 'mubinn[train]'"


def test_the_installed_command_exits_with_one():
    command = Path(sys.executable).parent / "mubinn"
    done = subprocess.run([command, "eval", "no", "--data", "no"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "mubinn: error: no: no such file, nor one of eeg-fp, eeg-1-1, eeg-2-2, eeg-3-3\n"


def test_every_extra_exists():
    from importlib.metadata import metadata

    assert set(errors.EXTRAS.values()) <= set(metadata("mubinn").get_all("Provides-Extra"))


# Files and folders that are whole or not there -----------------------------------------------------------------------


def listing(path):
    return sorted(os.listdir(path))


def test_write(tmp_path):
    paths.write_text(tmp_path / "a", "µ\r\n")
    assert (tmp_path / "a").read_bytes() == b"\xc2\xb5\r\n" and listing(tmp_path) == ["a"]
    with pytest.raises(UserError, match=f"^{tmp_path}/no/a: can't be written: No such file or directory$"):
        paths.write_text(tmp_path / "no/a", "")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"^{tmp_path}/folder: can't be written: Is a directory$"):
        paths.write_bytes(tmp_path / "folder", b"")
    assert listing(tmp_path) == ["a", "folder"]


def fill(path, text):
    with paths.new_folder(path, marker="manifest.json") as folder:
        (folder / "manifest.json").write_text(text)
        (folder / text).write_text("")


def test_new_folder(tmp_path):
    target = tmp_path / "deep/er/core"
    fill(target, "one")
    assert listing(target) == ["manifest.json", "one"]
    fill(target, "two")
    assert listing(target) == ["manifest.json", "two"] and listing(target.parent) == ["core"]
    (tmp_path / "empty").mkdir()
    fill(tmp_path / "empty", "three")
    assert listing(tmp_path / "empty") == ["manifest.json", "three"]


def test_new_folder_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill("core", "one")
    assert listing("core") == ["manifest.json", "one"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_new_folder_interrupted(tmp_path, error):
    fill(tmp_path / "core", "old")
    with pytest.raises(error), paths.new_folder(tmp_path / "core", marker="manifest.json") as folder:
        (folder / "half").write_text("")
        raise error
    assert listing(tmp_path) == ["core"] and listing(tmp_path / "core") == ["manifest.json", "old"]


def test_new_folder_refuses(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=f"^{tmp_path}/file: must be a folder$"):
        fill(tmp_path / "file", "x")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("")
    text = "must be empty or hold manifest.json: it has files that mubinn did not write"
    with pytest.raises(UserError, match=f"^{tmp_path}/mine: {text}$"):
        fill(tmp_path / "mine", "x")
    with pytest.raises(UserError, match=f"^{tmp_path}/file: must be a folder$"):
        fill(tmp_path / "file/x/y", "x")
    assert listing(tmp_path) == ["file", "mine"] and listing(tmp_path / "mine") == ["thesis.tex"]

"""Trainings in their order, none twice, and the file that keeps their results; the trainings themselves are made up."""

import json
import subprocess
import threading
import time
from importlib.metadata import version
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mubinn.build import records
from mubinn.build.errors import ToolError, UserError
from mubinn.build.records import Record, packed, source, unpacked
from mubinn.build.trainings import Job, run_all


class Made(Job):
    """A training that only writes down that it ran."""

    ran: ClassVar[list] = []
    lock = threading.Lock()

    def run(self):
        assert self.start is None or self.start.model.is_file(), "it started without the model"
        if "fails" in self.options:
            raise ToolError(f"{self.name}: failed")
        time.sleep(0.01)
        found = {"test_label": [0, 1] * 50, "test": {"auc": 0.5}, "options": list(self.options), "source": source()}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model.write_bytes(b"model")
        self.write(found)
        with self.lock:
            self.ran.append((self.folder.name, self.name))
        return found


def jobs_in(out, *, groups=3, fails=()):
    """Per group a parent and two that start from its model."""
    plan = []
    for k in range(groups):
        folder, options = out / f"group-{k}", ("fails",) if k in fails else ()
        parent = Made(folder, "fp", (*options, "-o", str(folder / "fp.model")))
        plan.append(parent)
        for name in ("2-2", "3-3"):
            plan.append(Made(folder, name, ("--start", str(parent.model), "-o", str(folder / f"{name}.model")), start=parent))
    return plan


@pytest.fixture(autouse=True)
def nothing_ran():
    Made.ran.clear()


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_each_runs_once_behind_its_parent(tmp_path, jobs):
    run_all(jobs_in(tmp_path), jobs)
    assert len(Made.ran) == 9 == len(set(Made.ran))
    if jobs == 1:  # group after group, so that an interruption leaves whole ones
        assert [group for group, _ in Made.ran] == [f"group-{k}" for k in range(3) for _ in range(3)]
    run_all(jobs_in(tmp_path), jobs)
    assert len(Made.ran) == 9


def test_a_record_takes_the_place_of_trainings(tmp_path):
    path = tmp_path / "record.jsonl"
    run_all(jobs_in(tmp_path / "first"), 2, record=path, out=tmp_path / "first")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["training"] for line in lines] == [f"group-{k}/{name}" for k in range(3) for name in ("2-2", "3-3", "fp")]
    assert all(line["result"]["source"] == source() and len(line["result"]["test_label"]["zlib"]) < 100 for line in lines)
    Made.ran.clear()
    # The same folder on another machine, without results, and a folder of another name.
    for job in jobs_in(tmp_path / "first"):
        job.result.unlink()
    before = path.read_bytes()
    for out in (tmp_path / "first", tmp_path / "second" / "deeper"):
        run_all(jobs_in(out), 2, record=path, out=out)
        assert not Made.ran and path.read_bytes() == before
        assert all(job.found()["test_label"] == [0, 1] * 50 for job in jobs_in(out))


def test_a_parent_is_trained_again_where_only_its_model_is_missing(tmp_path, capsys):
    plan, path = jobs_in(tmp_path, groups=2), tmp_path / "record.jsonl"
    run_all(plan, 2, record=path, out=tmp_path)
    Made.ran.clear()
    for job in plan:
        job.model.unlink()
    plan[1].result.unlink()
    text = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in text if '"group-0/2-2"' not in line))
    run_all(plan, 2, record=path, out=tmp_path)
    assert Made.ran == [("group-0", "fp"), ("group-0", "2-2")]
    assert path.read_text() == "".join(text) and "differ" not in capsys.readouterr().err
    # And one that comes out otherwise is told.
    plan[0].write(plan[0].found() | {"test_label": [1] * 100})
    plan[0].model.unlink()
    plan[1].result.unlink()
    run_all(plan[:3], 1)
    assert "trained again for its model, and some of its test windows differ" in " ".join(capsys.readouterr().err.split())


def test_results_of_a_run_that_failed_are_recorded_by_the_next(tmp_path):
    path = tmp_path / "record.jsonl"
    with pytest.raises(ToolError, match="fp: failed"):
        run_all(jobs_in(tmp_path, fails={1}), 1, record=path, out=tmp_path)
    assert {group for group, _ in Made.ran} == {"group-0"}
    path.unlink()
    run_all(jobs_in(tmp_path, groups=1), 1, record=path, out=tmp_path)
    assert len(path.read_text().splitlines()) == 3


def test_a_record_of_other_options_is_refused(tmp_path):
    path = tmp_path / "record.jsonl"
    run_all(jobs_in(tmp_path, groups=1), 1, record=path, out=tmp_path)
    path.write_text(path.read_text().replace('fp.model"', 'other.model"'))
    (tmp_path / "group-0" / "fp.json").unlink()
    with pytest.raises(ToolError, match=r"record.jsonl: group-0/fp is of other options: .*other.model; delete its line"):
        run_all(jobs_in(tmp_path, groups=1), 1, record=path, out=tmp_path)
    assert not (tmp_path / "group-0" / "fp.json").exists()


@pytest.mark.parametrize("changed", [("--start", "of/another.model"), ("-o", "of/another.model"), ("--seed", "of/fp.model")])
def test_only_the_folder_of_a_file_may_differ(tmp_path, changed):
    job = Job(tmp_path, "3-3", ("--start", "a/fp.model", "--seed", "1", "-o", "a/3-3.model"))
    moved = dict(zip(job.options[::2], job.options[1::2], strict=True)) | {"--start": "b/fp.model", "-o": "b/3-3.model"}
    job.write({"options": [part for item in moved.items() for part in item]})
    assert job.found() is not None
    job.write({"options": [part for item in (moved | dict([changed])).items() for part in item]})
    with pytest.raises(ToolError, match=rf"3-3.json: is of other options: .*{changed[1]}"):
        job.found()


def test_the_source_is_a_commit_of_the_program(tmp_path, monkeypatch):
    """Files besides the program, a record that grows for instance, change nothing; outside a checkout it is the version."""

    def git(*arguments):
        command = ["git", "-C", tmp_path, "-c", "user.name=n", "-c", "user.email=e", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    program = tmp_path / "build" / "records.py"
    program.parent.mkdir()
    for path in (program, tmp_path / "record.jsonl"):
        path.write_text("1")
    monkeypatch.setattr(records, "__file__", str(program))
    assert source() == version("mubinn")
    git("init", "-q")
    assert source() == version("mubinn")  # not one of its files
    git("add", "-A")
    git("commit", "-qm", "all")
    commit = git("rev-parse", "--short=10", "HEAD")
    (tmp_path / "record.jsonl").write_text("2")
    assert source() == commit
    (tmp_path / "other.py").write_text("")
    assert source() == f"{commit} changed"


@given(st.recursive(
    st.lists(st.integers(-(1 << 31) + 1, (1 << 31) - 1), max_size=40) | st.lists(st.booleans(), max_size=30)
    | st.lists(st.floats(allow_nan=False), max_size=30) | st.integers() | st.text(max_size=5) | st.none()
    | st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=3), max_size=20),
    lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=4), max_leaves=5,
))  # fmt: skip
def test_what_is_packed_comes_back(value):
    once = json.loads(json.dumps(packed(value)))
    assert unpacked(once) == value


def test_lists_of_lists_are_packed_too():
    counts = [[k % 7, 10, 0, 1, 2] for k in range(500)]
    assert set(packed({"a": counts})["a"]) == {"shape", "zlib"} and unpacked(packed({"a": counts})) == {"a": counts}


@pytest.mark.parametrize("line", ["{", "[]", '{"training": "a"}', '{"training": "a", "result": {"shape": [1], "zlib": "AA"}}'])
def test_another_file_is_refused(tmp_path, line):
    path = tmp_path / "record.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(UserError, match=r"record.jsonl:1: must be a line of an earlier --record"):
        Record(path)

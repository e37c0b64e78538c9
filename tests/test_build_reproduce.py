"""`mubinn reproduce`: its plan, its comparisons on made-up results, what it computes without training, and one table whole."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mubinn.build.cli import main  # noqa: E402
from mubinn.build.paper import TABLES  # noqa: E402
from mubinn.build.reproduce import differences, measured, plan, table_text  # noqa: E402
from mubinn.build.reproduce_computed import memory  # noqa: E402
from mubinn.model.tag_score import figures_of, sentence_counts, span_f1  # noqa: E402
from mubinn.model.tagging import load_tagging  # noqa: E402
from mubinn.model.train.config import TrainError  # noqa: E402
from mubinn.model.train.staircases import gate_staircase  # noqa: E402
from mubinn.model.train.tag_config import TagConfig  # noqa: E402
from test_train_tagger import sentences  # noqa: E402, F401

TERNARY = ("ternary", "ternary", "levels", "ternary")


def write(out, role, seed, name, spans):
    """Result of a tagger that found `spans` of two in every one of 50 sentences, and nothing wrong."""
    folder = out / role / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    counts = [[8 + spans, 10, spans, spans, 2] for _ in range(50)]
    (folder / f"{name}.json").write_text(json.dumps({"test_counts": counts, "epoch": 4, "epochs": 10, "seconds": 20.0}))


def made_up(out, *, relearned=2):
    for seed in (0, 1):
        for row in TABLES["table6"].rows:
            write(out, "ner", seed, row.name, {"fp": 2, "BI-BF-NEW": relearned}.get(row.name, 1))
    return {"ner": "nowhere"}


def test_each_training_is_planned_once_and_shared_between_tables(tmp_path):
    data = {"ner": "n", "pos": "p", "chunking": "c"}
    names = {}
    for item, table in TABLES.items():
        jobs = plan(table, data, [0, 1], tmp_path)
        names[item] = {job.result for job in jobs}
        assert len(jobs) == len(names[item]) == 2 * len({(row.data, row.name) for row in table.rows})
        assert all(job.verb == "tagger" for job in jobs)
    assert names["table4"] <= names["table5"] and names["fig2"] - names["table6"] == names["table4"] - names["table6"]
    job = next(job for job in plan(TABLES["table4"], data, [0], tmp_path) if job.name.endswith("0.2-0.4"))
    assert job.options[job.options.index("--gates") + 1] == "GI,GF,BI,BF"
    assert job.options[job.options.index("--round") + 1] == "0.2,0.4"
    assert not plan(TABLES["table6"], {}, [0], tmp_path)


def test_rows_without_data_stay_empty_and_the_others_are_compared(tmp_path):
    table, data = TABLES["table6"], made_up(tmp_path)
    rows, pairs = measured(table, data, [0, 1], tmp_path), differences(table, data, [0, 1], tmp_path)
    by_name = {(row["settings"], row["data"]): row["ours"] for row in rows}
    assert by_name["BI, BF", "pos"] is None
    assert by_name["Bi-LSTM-CRF", "ner"]["f1"] == {"mean": 1.0, "deviation": 0.0, "by_seed": [1.0, 1.0]}
    assert by_name["BI, BF", "ner"]["f1"]["mean"] == pytest.approx(2 / 3)
    assert by_name["BI, BF", "ner"]["epochs"]["mean"] == 5 and by_name["BI, BF", "ner"]["seconds"]["mean"] == 2
    found = {(pair["settings"], pair["minus"]): pair for pair in pairs}
    assert found["BI, BF, NEW", "Bi-LSTM-CRF"]["difference"] == 0 and found["BI, BF, NEW", "Bi-LSTM-CRF"]["ok"]
    assert found["BI, BF", "BI, BF, NEW"]["difference"] == pytest.approx(-100 / 3) and found["BI, BF", "BI, BF, NEW"]["ok"]
    text = table_text(table.title, rows, pairs)
    assert "not measured" in text and "0.788" in text and "limit -10, held" in text


def test_the_interval_is_over_sentences_and_seeds(tmp_path):
    """Where every sentence is alike nothing varies; where they differ the interval holds the difference."""
    table, data = TABLES["table6"], made_up(tmp_path)
    pair = differences(table, data, [0, 1], tmp_path)[0]
    assert pair["difference_interval"] == pytest.approx([pair["difference"]] * 2)
    path = tmp_path / "ner/seed-1/BI-BF.json"
    result = json.loads(path.read_text())
    result["test_counts"][::2] = [[10, 10, 2, 2, 2] for _ in range(25)]
    path.write_text(json.dumps(result))
    low, high = differences(table, data, [0, 1], tmp_path)[0]["difference_interval"]
    assert low < differences(table, data, [0, 1], tmp_path)[0]["difference"] < high and high - low > 1


def test_a_missed_limit_exits_1(tmp_path, capsys):
    command = ["reproduce", "table6", "--ner", "nowhere", "--seeds", "0,1", "--out", str(tmp_path), "--json"]
    made_up(tmp_path)
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "table6.json").read_text())["differences"] == found["differences"]
    assert (tmp_path / "table6.svg").read_text().startswith("<?xml") and (tmp_path / "table6.png").stat().st_size > 5000
    made_up(tmp_path, relearned=1)
    assert main(command) == 1


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["table6"], "--ner must be given for table6"),
        (["fig5"], "--eeg must be given for fig5"),
        (["memory", "--seeds", "x"], "--seeds must be integers with commas between them, not 'x'"),
        (["memory", "--jobs", "0"], "--jobs must be 1 to 64, not 0"),
    ],
)
def test_bad_options(tmp_path, capsys, command, message):
    assert main(["reproduce", *command, "--out", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err


def test_memory_by_hand(tmp_path, capsys):
    rows = {(row["activation_levels"], row["weight_levels"]): row for row in memory(2, 3)}
    numbers = 4 * 3 * (2 + 3 + 1)
    assert rows[None, None]["bits"] == 32 * (numbers + 8) and rows[None, None]["times_less"] == 1
    assert rows[2, 3]["weight_bits"] == 3 * numbers + 36 * 16 and rows[2, 3]["state_bits"] == 2 * 8 + 6 * 16
    assert len(rows) == 36
    assert main(["reproduce", "memory", "--out", str(tmp_path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 36 and (tmp_path / "memory.svg").is_file()


def test_the_gradient_argument_holds_to_the_last_digits(tmp_path, capsys):
    """Eq. 11 and 12 are identities; the second term falls with r, and at r = 1/2 it is no small one."""
    assert main(["reproduce", "gates", "--out", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert all(row["eq11_error"] < 1e-12 and row["eq12_error"] < 1e-9 for row in found["shares"])
    seconds = [row["second"] for row in found["shares"]]
    assert seconds == sorted(seconds, reverse=True) and seconds[0] > 0.5 and seconds[-1] < 0.05
    assert main(["reproduce", "gates", "--model", "none.safetensors", "--out", str(tmp_path)]) == 1


def test_counts_of_sentences_give_the_figures_of_seqeval(sentences):  # noqa: F811
    data = load_tagging(sentences)
    rng = np.random.default_rng(1)
    found = np.where(rng.random(len(data.test.tag)) < 0.3, rng.integers(len(data.tags), size=len(data.test.tag)), data.test.tag)
    figures = figures_of(sentence_counts(data.test, found, data.tags))
    assert {name: figures[name] for name in ("precision", "recall", "f1")} == pytest.approx(
        span_f1(data.test, found, data.tags)
    )
    assert figures["accuracy"] == (found == data.test.tag).mean()


@pytest.mark.parametrize(
    ("rounding", "values"), [((0.5, 1.0), [0, 0.5, 1]), ((0.2, 0.4), [0, 0.2, 0.4]), ((0.25, 0.75), [0, 0.25, 0.5, 0.75])]
)
def test_gates_are_rounded_and_clipped(rounding, values):
    from mubinn.model.train.layer import FINE

    arguments = {"kinds": tuple(kind.replace("levels", "fixed") for kind in TERNARY), "rounding": rounding, "width": 1}
    table = gate_staircase(np.zeros((4, 1), np.int64), np.full(4, np.inf), **arguments, **FINE)
    for row in (0, 1, 3):
        assert np.unique(table.values.view(4, -1)[row].numpy()).tolist() == pytest.approx(values)
    assert len(np.unique(table.values.view(4, -1)[2].numpy())) > 1000


def test_other_roundings_are_for_full_precision():
    assert TagConfig(preset="fp", gates=("BI", "NEW"), rounding=("0.2", "0.4")).layer["rounding"] == (0.2, 0.4)
    with pytest.raises(TrainError, match=r"^rounding must be 0.5,1 with preset qlrl, not 0.2,0.4$"):
        TagConfig(preset="qlrl", rounding=(0.2, 0.4))
    for bad in ((0.3, 0.4), (0, 1), (0.5, 2), ("a", "b"), (0.5,)):
        with pytest.raises(TrainError, match=r"^rounding must be r,c with 0 < r <= c <= 1 and c a multiple of r, not"):
            TagConfig(rounding=bad)


def test_a_table_from_training_to_picture(tmp_path, sentences, capsys):  # noqa: F811
    command = [
        "reproduce",
        "table4",
        "--ner",
        str(sentences),
        "--seeds",
        "0",
        "--epochs",
        "1,1,1,1",
        "--out",
        str(tmp_path),
        "--json",
    ]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["ours"] is not None for row in found["rows"]] == [True] * 3
    assert (tmp_path / "table4.png").is_file() and len(list((tmp_path / "ner/seed-0").glob("*.json"))) == 3
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "ner/seed-0").glob("*.json")}
    assert main(command) == 0  # nothing is trained twice
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "ner/seed-0").glob("*.json")}

"""The tagger in training: its CRF against all paths, its integers against the golden network, resumption, the verbs."""

import itertools
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mubinn.build.cli import main  # noqa: E402
from mubinn.model.network_file import is_network, load_network  # noqa: E402
from mubinn.model.tagging import load_tagging  # noqa: E402
from mubinn.model.train.config import TrainError  # noqa: E402
from mubinn.model.train.crf import Crf  # noqa: E402
from mubinn.model.train.tag_config import TagConfig  # noqa: E402
from mubinn.model.train.tag_export import tagger_file  # noqa: E402
from mubinn.model.train.tag_loop import train_tagger  # noqa: E402
from mubinn.model.train.tag_run import TagRun  # noqa: E402

SMALL = {"input_size": 12, "hidden_size": 5, "layers": 2, "float_epochs": 2, "weight_epochs": 1, "activation_epochs": 1,
         "cell_epochs": 1, "batch_size": 8, "lr": 2e-2, "levels": (2, 2)}  # fmt: skip
NOUNS, VERBS = ("fox", "dog", "Tree", "r2d2"), ("runs", "barks", "sees")


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    """A language of determiners, nouns and verbs."""
    folder, rng = tmp_path_factory.mktemp("language"), np.random.default_rng(1)
    for part, count in (("train", 60), ("dev", 12), ("test", 12)):
        lines = []
        for _ in range(count):
            for _ in range(int(rng.integers(1, 3))):
                lines += ["the\tB-N", f"{rng.choice(NOUNS)}\tI-N", f"{rng.choice(VERBS)}\tO"]
            lines.append("")
        (folder / f"{part}.tsv").write_text("\n".join(lines))
    return folder


def test_crf_is_the_sum_over_all_paths():
    torch.manual_seed(1)
    crf, tags = Crf(3), torch.tensor([[0, 1], [2, 1], [1, 0], [2, 0]])
    with torch.no_grad():
        for p in crf.parameters():
            p.normal_()
    emissions, lengths = torch.randn(4, 2, 3), torch.tensor([4, 2])

    def score(k, path):
        inside = sum(emissions[t, k, tag] for t, tag in enumerate(path))
        between = sum(crf.transitions[i, j] for i, j in itertools.pairwise(path))
        return crf.first[path[0]] + crf.last[path[-1]] + inside + between

    losses, decoded = [], crf.decode(emissions, lengths)
    for k, length in enumerate(lengths.tolist()):
        paths = {path: score(k, path) for path in itertools.product(range(3), repeat=length)}
        losses.append(torch.logsumexp(torch.stack(list(paths.values())), 0) - paths[tuple(tags[:length, k].tolist())])
        assert tuple(decoded[:length, k].tolist()) == max(paths, key=paths.get)
    assert torch.allclose(crf.loss(emissions, tags, lengths), torch.stack(losses).mean(), atol=1e-5)


@pytest.mark.parametrize(
    ("preset", "gates"),
    [("mubinn2", ()), ("qlrl", ("BI", "BF", "NEW")), ("qlrl", ("BI", "BF", "BO", "NEW", "B(UVW)")), ("mubinn2", ("GI", "GF"))],
)
def test_the_network_in_training_is_the_golden_one(sentences, preset, gates):
    data = load_tagging(sentences)
    run = TagRun(TagConfig(preset=preset, gates=gates, **SMALL), data)
    for position in range(len(run.epochs)):
        run.epoch(position)
    file = tagger_file(run.network, data, max_steps=8)
    run.network.eval()
    word, case, _, lengths = (torch.from_numpy(a) for a in data.test.padded(np.arange(len(data.test))))
    with torch.no_grad():
        h = run.network.features(word, case, lengths).double().numpy() * 2.0 ** file.network.layers[-1].forward.spec.h_fraction
    equal = []
    for k, length in enumerate(lengths.tolist()):
        samples = file.vocabulary.samples(word[:length, k].numpy(), case[:length, k].numpy())
        equal += (h[:length, k] == file.network.run(samples[None]).features[0]).ravel().tolist()
    # tanh(c) is a table in the chip and exact here: a code next to its threshold may differ, and the codes behind it.
    assert np.mean(equal) > 0.95


def test_a_tagger_learns_and_a_stopped_one_ends_with_the_same_bytes(sentences, tmp_path):
    learns = {"float_epochs": 6, "activation_epochs": 3, "hidden_size": 8, "levels": (3, 3), "batch_size": 4, "dropout": 0.0}
    config = TagConfig(preset="qlrl", **(SMALL | learns))
    whole = train_tagger(config, sentences, tmp_path / "whole", max_steps=8)
    assert whole.test["f1"] > 0.9 and is_network(tmp_path / "whole")

    def stop(event):
        if "record" in event and event["record"]["epoch"] == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_tagger(config, sentences, tmp_path / "stopped", max_steps=8, progress=stop)
    assert not (tmp_path / "stopped").exists()
    train_tagger(config, sentences, tmp_path / "stopped", max_steps=8)
    ours, again = (load_network(tmp_path / name) for name in ("whole", "stopped"))
    for layer, other in zip(ours.network.layers, again.network.layers, strict=True):
        for p, q in zip(layer.directions, other.directions, strict=True):
            assert all(np.array_equal(value, q.tensors()[name]) for name, value in p.tensors().items())
    epochs = [json.loads(line)["epoch"] for line in (tmp_path / "stopped.jsonl").read_text().splitlines()]
    assert epochs == list(range(11))


def test_from_floats_to_a_core_that_tags_real_words(sentences, tmp_path, capsys):
    sizes = ["--input", "12", "--hidden", "4", "--batch-size", "8", "--lr", "0.02", "--max-steps", "8"]
    start = ["tagger", "--data", str(sentences), *sizes]
    assert main([*start, "--preset", "fp", "--epochs", "2,0,0,0", "-o", str(tmp_path / "fp")]) == 0
    assert not is_network(tmp_path / "fp")
    levels = ["--preset", "mubinn2", "--levels", "2,2", "--epochs", "9,1,1,1", "--start", str(tmp_path / "fp")]
    assert main([*start, *levels, "-o", str(tmp_path / "tagger")]) == 0
    assert "epoch 1/3" in capsys.readouterr().err
    assert main(["eval", str(tmp_path / "tagger"), "--data", str(sentences), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["sentences"] == 12 and 0 <= figures["f1"] <= 1 and figures["accuracy"] > 0.5
    assert main(["generate", str(tmp_path / "tagger"), "-o", str(tmp_path / "core"), "--lanes", "16"]) == 0
    assert "4 LSTM cores" in capsys.readouterr().out
    simulate = ["simulate", str(tmp_path / "core"), "--simulator", "icarus", "--json"]
    assert main([*simulate, "--data", str(sentences), "--windows", "2", "--stall", "0.2"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["sentences"] == 2 and figures["mismatches"] == 0 and figures["records"] >= 6
    assert main(["eval", str(tmp_path / "core"), "--data", str(sentences)]) == 0
    assert main(["report", str(tmp_path / "core")]) == 0
    page = (tmp_path / "core" / "report.html").read_text()
    assert "tags by a linear-chain CRF" in page and "<b>0 mismatches</b>" in page and "layer 2, backward" in page
    assert "on a test sentence" in page and "Not placed yet" in page and "<script" not in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"preset": "b_lstm"}, "preset must be fp, mubinn2, qlrl for a tagger"),
     ({"levels": (0, 2)}, "levels must be A,W, each 1 to 5"),
     ({"preset": "qlrl", "gates": ("BI",)}, "gates must name NEW with preset qlrl"),
     ({"gates": ("BI", "NEW"), "preset": "mubinn2"}, "gates must not be rounded with preset mubinn2"),
     ({"gates": ("GX",)}, "gates must be of GI, GF, GO"),
     ({"hidden_size": 0}, "hidden_size must be 1 to 512, not 0"),
     ({"lr": float("nan")}, "lr must be 1e-07 to 1, not nan")],
)  # fmt: skip
def test_bad_settings_are_named(changes, message):
    with pytest.raises(TrainError, match=message):
        TagConfig(**changes)


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--device", "abacus"], "device must be one that torch has, not 'abacus'"),
     (["--start", "none"], "none: no such file"),
     (["--threads", "0"], "--threads must be 1 to 256, not 0"),
     (["--epochs", "1"], "--epochs must be 4 integers with commas between them, not '1'"),
     (["--tag-column", "5"], "must have column 5, not only 2")],
)  # fmt: skip
def test_bad_options_are_named(sentences, tmp_path, capsys, options, message):
    assert main(["tagger", "--data", str(sentences), "-o", str(tmp_path / "t"), *options]) == 1
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1
    assert not (tmp_path / "t").exists()


def test_what_a_network_can_not_do_is_said(sentences, tmp_path, capsys):
    config = TagConfig(preset="qlrl", **(SMALL | {"float_epochs": 1}))
    train_tagger(config, sentences, tmp_path / "t", max_steps=8)
    core = str(tmp_path / "core")
    assert main(["generate", str(tmp_path / "t"), "-o", core]) == 0
    other = tmp_path / "other"
    other.mkdir()
    for part in ("train", "dev", "test"):
        (other / f"{part}.tsv").write_text("a\tX\nb\tY\n")
    for command, message in (
        (["generate", str(tmp_path / "t"), "-o", core, "--fastest"], "--fastest must be left out"),
        (["generate", str(tmp_path / "t"), "-o", core, "--head-mults", "9"], "--head-mults must be 1 to 3, not 9"),
        (["eval", str(tmp_path / "t"), "--data", str(other)], "--data must be the data that"),
        (["eval", str(tmp_path / "t"), "--data", str(sentences), "--split", "time"], "--split must be left out"),
        (["simulate", core, "--cocotb"], "--simulator must be verilator or icarus"),
        (["simulate", core, "--windows", "2"], "--windows must be left out without --data"),
    ):
        capsys.readouterr()
        assert main(command) == 1
        assert message in capsys.readouterr().err

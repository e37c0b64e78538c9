"""What can be loaded where: models and foldings that are refused, the limits of SPRAM, the image of the command line."""

import json
from dataclasses import replace

import numpy as np
import pytest
from mubinn.build import cli, verb_generate
from mubinn.build.generate import generate
from mubinn.hw.constants import widest
from mubinn.hw.lstm import Lstm
from mubinn.hw.network import NetworkCore
from mubinn.model.artifact import ModelFile, save_model
from mubinn.model.folding import LOADS, WEIGHT_MEMORIES, Folding
from mubinn.model.network import Layer, Network
from mubinn.model.spec import SpecError
from mubinn.sim.cocotb_runner import simulate_cocotb
from mubinn.sim.simulate import simulate
from reload_cases import SPEC, all_core, models
from sim_cores import scratch

SPRAM = Folding(rows=1, lanes=4, scale_mults=2, loads="weights", weight_memory="spram")


def test_models_that_have_no_place_are_refused():
    loaded = models()
    core = all_core(loaded)
    with pytest.raises(SpecError, match="hidden_size must be the core's 4, not 5"):
        core.load_map.words(models(SPEC.replace(hidden_size=5), 1)[0])
    wide = replace(loaded[0], x_scales=np.array([1 << 14, 1 << 13]))
    with pytest.raises(SpecError, match="x_scales must have at most"):
        core.load_map.words(wide)
    weights = Lstm(loaded[0], Folding(lanes=4, loads="weights"))
    with pytest.raises(SpecError, match="scales, biases and head must be the core's"):
        weights.load_map.words(loaded[1])
    with pytest.raises(ValueError, match="of one spec"):
        widest([loaded[0], models(SPEC.replace(hidden_size=5), 1)[0]], core.schedule)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"loads": "some"}, "loads must be none, weights or all, not 'some'"),
        ({"load_banks": 2}, "load_banks must be 1, not 2, with nothing to load"),
        ({"loads": "all", "contexts": 2}, "contexts must be 1, not 2, with loads all"),
        ({"loads": "all", "scaling": "factored"}, "scaling must be gamma, not factored, with loads all"),
        ({"weight_memory": "flash"}, "weight_memory must be block or spram, not 'flash'"),
        ({"weight_memory": "spram"}, "loads must be weights or all, and load_banks 1, with weight_memory spram"),
    ],
)
def test_foldings_that_can_not_be(changes, message):
    with pytest.raises(SpecError, match=message):
        Folding(**changes)


def test_the_command_line_knows_what_a_folding_knows():
    """It has the words of its own, since the folding takes long to import."""
    assert (verb_generate.LOADS, verb_generate.WEIGHT_MEMORIES) == (LOADS, WEIGHT_MEMORIES)


def test_spram_has_its_limits():
    with pytest.raises(SpecError, match="4 \\* rows \\* lanes \\* weight_planes must be at most 64 in spram, not 80"):
        replace(SPRAM, lanes=20).checked(SPEC.replace(hidden_size=40))
    with pytest.raises(SpecError, match="weight words must be at most 16384 in spram, not 29760"):
        replace(SPRAM, lanes=16).checked(SPEC.replace(input_size=1, hidden_size=480))
    with pytest.raises(ValueError, match="family must be ice40 with weight_memory spram, not 'ecp5'"):
        Lstm(models(count=1)[0], SPRAM, family="ecp5")
    with pytest.raises(ValueError, match="foldings must load nothing"):
        network = Network(layers=(Layer(forward=models(SPEC.replace(classes=0), 1)[0]),))
        NetworkCore(network, [[Folding(lanes=4, loads="all")]])


@pytest.mark.parametrize("simulator", ["icarus", "amaranth", pytest.param("verilator", marks=pytest.mark.slow)])
def test_spram_is_loaded_by_every_bench(simulator, tmp_path):
    model = ModelFile(preset="mubinn2", parameters=models(count=1)[0])
    generate(model, tmp_path / "core", folding=SPRAM, family="ice40")
    found = simulate(tmp_path / "core", simulator=simulator, cache=scratch() / "cache", stall=0.2)
    assert found.mismatches == 0 and found.steps > 10, found.differences
    verilog = (tmp_path / "core" / "mubinn_lstm.v").read_text()
    assert verilog.count("SB_SPRAM256KA ") == 1
    if simulator == "icarus":
        by_cocotb = simulate_cocotb(tmp_path / "core", simulator="icarus", cache=scratch() / "cache")
        assert by_cocotb.mismatches == 0, by_cocotb.differences


def test_image_of_the_command_line(tmp_path, capsys):
    first, second, _ = (ModelFile(preset="mubinn2", parameters=p) for p in models())
    for name, model in (("a", first), ("b", second)):
        save_model(tmp_path / f"{name}.safetensors", model)
    core, a, b = tmp_path / "core", str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors")
    assert cli.main(["generate", a, "-o", str(core), "--loads", "all", "--also", b]) == 0
    capsys.readouterr()
    files = [tmp_path / "b.hex", tmp_path / "b.bin"]
    for out in files:
        assert cli.main(["image", str(core), b, "-o", str(out), "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["file"] == str(out)
    words = [int(line, 16) for line in files[0].read_text().split()]
    assert words == np.frombuffer(files[1].read_bytes(), dtype="<u4").tolist() and len(words) == said["words"]
    manifest = json.loads((core / "manifest.json").read_text())
    assert words[0] == manifest["load"]["identity"]
    assert (core / "vectors" / "load.hex").read_text().split()[0] == f"{words[0]:08x}"
    for bad in (["image", str(core), "eeg-2-2", "-o", str(files[0])], ["image", str(tmp_path), b, "-o", str(files[0])]):
        assert cli.main(bad) == 1
    plain = ["generate", a, "-o", str(tmp_path / "plain")]
    assert cli.main(plain) == 0
    assert cli.main(["image", str(tmp_path / "plain"), b, "-o", str(files[0])]) == 1
    assert "the core loads nothing" in capsys.readouterr().err
    for more in (["--also", b], ["--fastest", "--target", "ice40-up5k", "--loads", "all"],
                 ["--loads", "weights", "--weight-memory", "spram"]):  # fmt: skip
        assert cli.main([*plain, *more]) == 1

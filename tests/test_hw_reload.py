"""Models one after another into one running core: never a wrong answer, always an error where a transfer is wrong."""

import json
import zlib
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator
from mubinn.build import cli, verb_generate
from mubinn.build.generate import generate
from mubinn.hw.axi import AxiCore
from mubinn.hw.constants import widest
from mubinn.hw.lstm import Lstm
from mubinn.hw.network import NetworkCore
from mubinn.hw.ram import Ram
from mubinn.hw.rom import Rom
from mubinn.model.artifact import ModelFile, save_model
from mubinn.model.folding import LOADS, WEIGHT_MEMORIES, Folding, Schedule
from mubinn.model.network import Layer, Network
from mubinn.model.spec import LstmSpec, SpecError
from mubinn.sim.axi import simulate_axi
from mubinn.sim.cocotb_runner import simulate_cocotb
from mubinn.sim.pysim import run_amaranth
from mubinn.sim.random_case import CORNERS, random_case
from mubinn.sim.random_parameters import random_parameters
from mubinn.sim.random_reload import random_reload
from mubinn.sim.reload import run_reload
from mubinn.sim.simulate import simulate
from mubinn.sim.stopwatch import step_cycles
from mubinn.sim.transfers import BREAKS, broken, right
from sim_cores import scratch

SPEC = LstmSpec(input_size=3, hidden_size=4, classes=2)
SPRAM = Folding(rows=1, lanes=4, scale_mults=2, loads="weights", weight_memory="spram")


def models(spec=SPEC, count=3, scales="ordered"):
    return [random_parameters(spec, np.random.default_rng(seed), scales=scales) for seed in range(count)]


def all_core(loaded, **changes):
    folding = Folding(rows=1, lanes=4, scale_mults=4, loads="all", **changes)
    return Lstm(loaded[0], folding, loaded_bits=widest(loaded, Schedule(loaded[0].spec, folding)))


@pytest.mark.parametrize("seed", [2, 8, 14, 25, 26, 35])
def test_three_models_through_a_running_core(seed):
    case = random_reload(seed)
    found = run_reload(case.core(), case.models, seed=seed, **case.stalls)
    assert found.ok, found.differences
    assert found.transfers >= 8 and found.windows >= 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 10, 13, 16, 27, 29, 31, 37, 38])
def test_and_through_more(seed):
    test_three_models_through_a_running_core(seed)


def test_what_is_drawn():
    features = [random_reload(seed).features for seed in range(1, 40)]
    assert all("reload" in own for own in features)
    for name in ("reload of all", "reload of weights", "reload into 2 banks", "reload of a peephole", "spram"):
        assert any(name in own for own in features), name


def test_the_harness_knows_the_models_apart():
    loaded = models()
    core = all_core(loaded)
    words = core.load_map.words
    core.load_map.words = lambda p: words(loaded[(loaded.index(p) + 1) % 3])
    found = run_reload(core, loaded, seed=1)
    assert found.mismatches > 0 and any("scores" in text for text in found.differences)


def test_the_harness_sees_a_core_that_takes_wrong_transfers():
    loaded = models()
    core = all_core(loaded)
    words = core.load_map.words
    core.load_map.words = lambda p: [*words(p)[:-1], words(p)[-1] ^ 1]
    found = run_reload(core, loaded, seed=1)
    assert found.mismatches > 0


@pytest.mark.parametrize("seed", [seed for seed in range(1, len(CORNERS)) if seed % 5 == 1])
def test_a_core_that_can_load_is_the_golden_model_before_it_does(seed):
    case = random_case(seed)
    if case.folding.contexts > 1 or case.cost > 3e6 or case.spec.gate_levels > 4:
        case = random_case(38)
    folding = replace(case.folding, loads="all", scaling="gamma", load_banks=1 + seed % 2)
    found = run_amaranth(Lstm(case.parameters, folding, family=case.family), case.case, **case.run_settings())
    assert found.ok, found.differences


@pytest.mark.parametrize("family", ["generic", "ecp5"])
def test_it_takes_the_predicted_cycles(family):
    spec = SPEC.replace(hidden_size=12, classes=2)
    core = Lstm(models(spec, 1)[0], Folding(rows=2, lanes=5, scale_mults=8, loads="all"), family=family)
    predicted = core.predicted_cycles_per_step
    assert step_cycles(core, 12)[-6:] == [predicted] * 6


def drive(core, process):
    simulator = Simulator(core)
    simulator.add_clock(1e-8)
    simulator.add_testbench(process)
    simulator.run()


async def send(ctx, core, beats):
    for word, first, last in beats:
        ctx.set(core.load.payload.as_value(), word | first << 32 | last << 33)
        ctx.set(core.load.valid, 1)
        await ctx.tick().until(core.load.ready)
        ctx.set(core.load.valid, 0)
    for _ in range(12):
        await ctx.tick()


@pytest.mark.parametrize("banks", [1, 2])
@pytest.mark.parametrize("what", BREAKS)
def test_every_kind_of_break(what, banks):
    """The core has parameters after it only if it had them aside; a right transfer mends all."""
    loaded = models()
    core = all_core(loaded, load_banks=banks)
    words, rng = core.load_map.words(loaded[1]), np.random.default_rng(3)
    seen = {}

    async def process(ctx):
        wrong = broken(words, what, rng)
        await send(ctx, core, wrong.beats)
        seen["broken"] = ctx.get(core.loaded), ctx.get(core.load_error), wrong.beats[-1][2]
        await send(ctx, core, right(words, 1).beats[:2])
        seen["next"] = ctx.get(core.load_error)
        await send(ctx, core, right(words, 1).beats)
        seen["right"] = ctx.get(core.loaded), ctx.get(core.load_error), ctx.get(core.loader.bank)

    drive(core, process)
    has, error, ended = seen["broken"]
    if what != "headless":  # dropped word by word, it touches nothing
        assert has == (banks == 2)
    assert error == 1 or not ended
    assert seen["next"] == 1
    assert seen["right"] == (1, 0, banks - 1)


def test_a_reset_neither_gives_nor_takes_parameters():
    loaded = models()
    core = all_core(loaded)
    words = right(core.load_map.words(loaded[1]), 1).beats
    seen = []

    async def process(ctx):
        await send(ctx, core, words[: len(words) // 2])
        seen.append(ctx.get(core.loaded))
        for ends in (False, True):
            if ends:
                await send(ctx, core, words)
                seen.append(ctx.get(core.loaded))
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            await ctx.tick()
            seen.append((ctx.get(core.loaded), ctx.get(core.i.ready)))

    m, domain = Module(), ClockDomain("sync")
    m.domains += domain
    m.submodules.core = core
    reset = domain.rst
    drive(m, process)
    assert seen == [0, (0, 0), 1, (1, 1)]


def test_a_memory_that_is_loaded_reads_as_a_rom():
    words = [int(w) for w in np.random.default_rng(4).integers(0, 1 << 40, size=20)]
    for register in (False, True):
        for banks in (1, 2):
            rom, ram = Rom(words, 40, output_register=register), Ram(words, 40, output_register=register, banks=banks)
            assert rom.latency == ram.latency
            read = []

            async def process(ctx, ram=ram, read=read):
                for row in (3, 17):
                    for column in range(ram.columns):
                        new = 1 << 39 | row
                        ctx.set(ram.write, {"valid": 1, "row": row, "column": column, "word": new >> 32 * column & 0xFFFFFFFF})
                        await ctx.tick()
                ctx.set(ram.write, {"valid": 0})
                for bank in range(ram.banks):
                    ctx.set(ram.bank, bank)
                    for row in range(20):
                        ctx.set(ram.address, row)
                        await ctx.tick().repeat(ram.latency)
                        read.append(ctx.get(ram.data))

            drive(ram, process)
            changed = [1 << 39 | row if row in (3, 17) else word for row, word in enumerate(words)]
            # The bank that is not read is written.
            assert read[:20] == (changed if banks == 1 else words)
            if banks == 2:
                assert [read[20 + row] for row in (3, 17)] == [changed[3], changed[17]]


def test_a_transfer_says_for_whom_it_is():
    loaded = models()
    core = all_core(loaded)
    words = core.load_map.words(loaded[2])
    assert words[0] == core.load_map.identity and len(words) == core.load_map.word_count
    assert words[-1] == zlib.crc32(b"".join(word.to_bytes(4, "little") for word in words[:-1]))
    other = Lstm(loaded[0], replace(core.schedule.folding, lanes=3), loaded_bits=core.loaded_bits)
    assert other.load_map.identity != core.load_map.identity


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


@pytest.mark.parametrize("banks", [1, 2])
def test_over_the_registers(banks, tmp_path):
    model = ModelFile(preset="mubinn2", parameters=models(count=1)[0])
    folding = Folding(rows=2, lanes=7, scale_mults=8, loads="all", load_banks=banks)
    generate(model, tmp_path / "core", folding=folding, axi=1)
    settings = {"windows": 30, "per_episode": 10, "simulator": "icarus", "cache": scratch() / "cache"}
    found = simulate_axi(tmp_path / "core", model.model(), **settings)
    assert found.ok, found.differences
    core = Lstm(model.parameters, folding)
    assert {"load_first", "load", "load_last"} < set(AxiCore("core", core).description()["addresses"])


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

"""Models one after another into one running core: never a wrong answer, always an error where a transfer is wrong."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator
from mubinn.build.generate import generate
from mubinn.hw.axi import AxiCore
from mubinn.hw.lstm import Lstm
from mubinn.hw.ram import Ram
from mubinn.hw.rom import Rom
from mubinn.model.artifact import ModelFile
from mubinn.model.folding import Folding
from mubinn.sim.axi import simulate_axi
from mubinn.sim.pysim import run_amaranth
from mubinn.sim.random_case import CORNERS, random_case
from mubinn.sim.random_reload import random_reload
from mubinn.sim.reload import run_reload
from mubinn.sim.stopwatch import step_cycles
from mubinn.sim.transfers import BREAKS, broken, right
from reload_cases import SPEC, all_core, models
from sim_cores import scratch


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

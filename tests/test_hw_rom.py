"""Read-only memories: what comes out and when, plain and made of block RAM; and how few block RAMs there are."""

import random

import pytest
from hw_bench import simulate
from mubinn.hw import Rom
from mubinn.hw.cells import FAMILIES
from mubinn.hw.rom_plan import block_count
from rom_bench import random_words, run_verilog, verilog_of
from sim_cores import scratch

SIZES = {
    "ice40": [(2048, 2), (1000, 3), (512, 8), (200, 16), (700, 20), (1900, 13), (2500, 5), (17, 16)],
    "ecp5": [(16384, 1), (8000, 2), (3000, 4), (2000, 9), (1000, 18), (500, 36), (600, 40), (4700, 13), (1100, 37), (17, 16)],
}


@pytest.mark.parametrize("register", [False, True], ids=["latency-1", "latency-2"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("depth, width", [(1, 1), (1, 9), (2, 1), (5, 3), (37, 70), (300, 2)])
def test_words_come_out_after_the_latency(family, depth, width, register):
    dut = Rom(random_words(depth, width), width, family=family, output_register=register)
    assert dut.latency == 1 + register
    order = random.Random(1).choices(range(depth), k=3 * depth + 10)
    got = []

    async def bench(ctx):
        for address in order + order[: dut.latency]:
            ctx.set(dut.address, address)
            got.append(ctx.get(dut.data))
            await ctx.tick()

    simulate(dut, bench)
    assert got[dut.latency :] == [dut.words[address] for address in order]


@pytest.mark.slow
@pytest.mark.parametrize("register", [False, True], ids=["latency-1", "latency-2"])
@pytest.mark.parametrize("family, depth, width", [(family, *size) for family in SIZES for size in SIZES[family]])
def test_block_rams_hold_every_word(tmp_path, family, depth, width, register):
    dut = Rom(random_words(depth, width), width, family=family, output_register=register)
    cell = {"ice40": "SB_RAM40_4K #(", "ecp5": "DP16KD #("}[family]
    assert verilog_of(dut).count(cell) == block_count(depth, width, family) > 0
    assert run_verilog(dut, tmp_path, scratch() / "cache", "icarus") == dict(enumerate(dut.words))

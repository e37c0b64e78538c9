"""Read-only memories: what comes out and when, plain and made of block RAM; and how few block RAMs there are."""

import random
import re

import pytest
from hw_bench import simulate
from mubinn.hw import Rom
from mubinn.hw.cells import FAMILIES
from mubinn.hw.rom_plan import SHAPES, block_count, is_small, muxed_bits, rom_plan
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


# Registered and not: where several blocks are multiplexed, the select goes along.
RUNS = [(family, *size, True) for family in SIZES for size in SIZES[family]]
RUNS += [("ice40", 700, 20, False), ("ecp5", 500, 36, False), ("ecp5", 600, 40, False), ("ecp5", 1100, 37, False)]


@pytest.mark.slow
@pytest.mark.parametrize("family, depth, width, register", RUNS)
def test_block_rams_hold_every_word(tmp_path, family, depth, width, register):
    dut = Rom(random_words(depth, width), width, family=family, output_register=register)
    cell = {"ice40": "SB_RAM40_4K #(", "ecp5": "DP16KD #("}[family]
    assert verilog_of(dut).count(cell) == block_count(depth, width, family) > 0
    assert run_verilog(dut, tmp_path, scratch() / "cache", "icarus") == dict(enumerate(dut.words))


@pytest.mark.slow
@pytest.mark.parametrize("family, depth, width", [("ice40", 700, 20), ("ecp5", 600, 40), ("ecp5", 4700, 13)])
def test_block_rams_hold_every_word_in_verilator(tmp_path, family, depth, width):
    dut = Rom(random_words(depth, width), width, family=family, output_register=True)
    assert run_verilog(dut, tmp_path, scratch() / "cache", "verilator") == dict(enumerate(dut.words))


@pytest.mark.slow
@pytest.mark.parametrize("family, parameter", [("ice40", "INIT_0"), ("ecp5", "INITVAL_00")])
def test_a_wrong_bit_is_found(tmp_path, family, parameter):
    dut = Rom(random_words(300, 5), 5, family=family)
    pattern = rf"(\.{parameter}\(\d+'h\w*)(\w)\)"
    text, count = re.subn(pattern, lambda m: f"{m[1]}{int(m[2], 16) ^ 1:x})", verilog_of(dut), count=1)
    assert count == 1
    found = run_verilog(dut, tmp_path, scratch() / "cache", "icarus", text)
    assert [address for address, word in enumerate(dut.words) if found[address] != word] == [0]


def test_small_memories_take_no_block():
    for family in SHAPES:
        for depth, width in ((1, 1), (16, 300), (128, 2)):
            dut = Rom(random_words(depth, width), width, family=family, output_register=True)
            assert block_count(depth, width, family) == 0 == len(rom_plan(depth, width, family))
            assert "SB_RAM40" not in verilog_of(dut) and "DP16KD" not in verilog_of(dut)


@pytest.mark.parametrize(
    "depth, width, family, blocks",
    [
        (1000, 96, "ice40", 24),
        (250, 384, "ice40", 24),
        (700, 96, "ice40", 18),
        (500, 96, "ice40", 12),
        (257, 1, "ice40", 1),
        (600, 720, "ecp5", 40),
        (512, 720, "ecp5", 20),
        (3000, 3000, "ecp5", 501),
        (100000, 100, "ice40", 2444),  # 391 x 256 rows of 100 bits, in 4096 each: not one more
        (4608, 13, "ecp5", 4),  # 4 and 9 bits of 4096 rows, and all 13 of the last 512
        (17, 16, "ecp5", 1),
    ],
)
def test_number_of_blocks(depth, width, family, blocks):
    assert block_count(depth, width, family) == blocks


def all_cuts(shapes, units, width):
    """Fewest (blocks, multiplexed bits) of every memory up to that size, by all cuts there are; depths in `units`."""
    unit = min(rows for rows, _ in shapes)
    best = {}
    for depth in range(1, units + 1):
        for bits in range(1, width + 1):
            if any(depth * unit <= rows and bits <= columns for rows, columns in shapes):
                best[depth, bits] = 1, 0
                continue
            ways = [(best[cut, bits], best[depth - cut, bits], bits) for cut in range(1, depth // 2 + 1)]
            ways += [(best[depth, cut], best[depth, bits - cut], 0) for cut in range(1, bits // 2 + 1)]
            best[depth, bits] = min((one[0] + two[0], one[1] + two[1] + muxes) for one, two, muxes in ways)
    return best


@pytest.mark.parametrize("family, units, width", [("ice40", 20, 50), ("ice40", 4, 200), ("ecp5", 40, 45), ("ecp5", 3, 300)])
def test_no_cuts_take_fewer_blocks(family, units, width):
    shapes = SHAPES[family]
    unit = min(rows for rows, _ in shapes)
    for (depth, bits), (blocks, muxes) in all_cuts(shapes, units, width).items():
        for rows in {depth * unit, depth * unit - unit + 1}:
            if not is_small(rows, bits):
                plan = rom_plan(rows, bits, family)
                assert (block_count(rows, bits, family), len(plan), muxed_bits(plan)) == (blocks, blocks, muxes), (rows, bits)


@pytest.mark.parametrize("family", SHAPES)
def test_a_plan_holds_every_bit_once(family):
    rng = random.Random(1)
    for _ in range(100):
        depth, width = rng.choice(
            [(rng.randint(17, 3000), rng.randint(16, 90)), (rng.randint(4000, 40000), rng.randint(1, 20))]
        )
        plan, area = rom_plan(depth, width, family), 0
        for k, block in enumerate(plan):
            assert block.shape in SHAPES[family]
            assert 1 <= block.rows <= block.shape[0] and 1 <= block.bits <= block.shape[1]
            assert 0 <= block.row <= depth - block.rows and 0 <= block.bit <= width - block.bits
            area += block.rows * block.bits
            for other in plan[:k]:
                apart_rows = block.row + block.rows <= other.row or other.row + other.rows <= block.row
                assert apart_rows or block.bit + block.bits <= other.bit or other.bit + other.bits <= block.bit
        assert area == depth * width


@pytest.mark.parametrize(
    "arguments, settings, message",
    [
        (([1], 0), {}, "width must be at least 1, not 0"),
        (([], 4), {}, "words must be at least one, not none"),
        (([3, 16], 4), {}, "word 1 must be 0 to 15, not 16"),
        (([-1], 4), {}, "word 0 must be 0 to 15, not -1"),
        (([1], 4), {"family": "flash"}, "family must be generic, ice40, ecp5, gowin, xc7, not 'flash'"),
    ],
)
def test_refused(arguments, settings, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Rom(*arguments, **settings)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((0, 1, "ice40"), "depth must be at least 1, not 0"),
        ((1, 0, "ice40"), "width must be at least 1, not 0"),
        ((1, 1, "xc7"), "family must be ice40 or ecp5, not 'xc7'"),
    ],
)
@pytest.mark.parametrize("function", [rom_plan, block_count])
def test_planning_refused(function, arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(*arguments)

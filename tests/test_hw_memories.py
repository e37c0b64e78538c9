"""The folded engine's memories: every bit of a weight in its place, planes of x and h read as written."""

import numpy as np
import pytest
from engine_cases import FOLDINGS, engine_spec, pack
from hw_bench import simulate
from model_cases import random_parameters
from mubinn.hw.store import PlaneStore
from mubinn.hw.weights import WeightStore, weight_words
from mubinn.model.folding import Schedule


@pytest.mark.parametrize("folding", FOLDINGS, ids=str)
def test_weight_memory_has_every_bit_in_its_place(folding):
    spec = engine_spec()
    schedule, parameters = Schedule(spec, folding), random_parameters(spec, 8)
    words = weight_words(schedule, parameters.wx_codes, parameters.wh_codes)
    codes = np.concatenate([parameters.wx_codes, parameters.wh_codes], axis=1)
    dut, data = WeightStore(schedule, words), []

    async def bench(ctx):
        for address in range(len(words)):
            ctx.set(dut.address, address)
            await ctx.tick()
            data.append([ctx.get(dut.weights[k]) for k in range(folding.rows * 4 * folding.weight_planes)])

    simulate(dut, bench)
    assert len(data) == schedule.groups * schedule.passes * schedule.words
    for unit in range(spec.hidden_size):
        for gate in range(4):
            for plane in range(spec.weight_levels):
                for column in range(spec.columns):
                    group, row = divmod(unit, folding.rows)
                    number, at = divmod(plane, folding.weight_planes)
                    word, lane = divmod(column, folding.lanes)
                    entry = data[(group * schedule.passes + number) * schedule.words + word]
                    bit = entry[(row * 4 + gate) * folding.weight_planes + at] >> lane & 1
                    assert bit == codes[gate * spec.hidden_size + unit, column] >> plane & 1


@pytest.mark.parametrize("folding", FOLDINGS[:4], ids=str)
def test_plane_store_keeps_x_and_h_of_both_banks(folding):
    """x and h codes written in random turns, h first when both come, then every word read back."""
    spec = engine_spec(input_levels=3, hidden_levels=2)
    schedule, rng = Schedule(spec, folding), np.random.default_rng(9)
    dut = PlaneStore(schedule)
    codes = [rng.integers(0, 8, size=(2, 5)), rng.integers(0, 4, size=(2, 7))]
    read = {}

    async def bench(ctx):
        left = [[(b, n) for b in range(2) for n in range(part.shape[1])] for part in codes]
        while left[0] or left[1]:
            sends = [bool(queue) and rng.random() < 0.6 for queue in left]
            for stream, queue, part, send in zip((dut.x, dut.h), left, codes, sends, strict=True):
                ctx.set(stream.valid, send)
                if send:
                    bank, n = queue[0]
                    ctx.set(stream.payload, {"code": int(part[bank, n]), "bank": bank, "first": int(n == 0)})
            await ctx.delay(0)
            assert ctx.get(dut.x.ready) == (not sends[1])
            if sends[1]:
                left[1].pop(0)
            elif sends[0]:
                left[0].pop(0)
            await ctx.tick()
        ctx.set(dut.x.valid, 0)
        ctx.set(dut.h.valid, 0)
        for bank in range(2):
            for word in range(schedule.words):
                ctx.set(dut.bank, bank)
                ctx.set(dut.word, word)
                await ctx.tick()
                read[bank, word] = [ctx.get(dut.planes[k]) for k in range(schedule.levels)]

    simulate(dut, bench)
    for bank in range(2):
        columns = np.concatenate([codes[0][bank], codes[1][bank]])
        for word in range(schedule.words):
            part = columns[word * folding.lanes : (word + 1) * folding.lanes]
            assert read[bank, word] == [pack(part >> level & 1) for level in range(3)]

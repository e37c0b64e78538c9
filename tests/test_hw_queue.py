"""The queue: what is put comes out in order, the oldest at once, the places going round."""

from collections import deque

import numpy as np
import pytest
from hw_bench import simulate
from mubinn.hw.queue import Queue


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_words_leave_in_order(depth):
    dut, rng, held, taken = Queue(6, depth=depth), np.random.default_rng(depth), deque(), 0

    async def bench(ctx):
        nonlocal taken
        for _ in range(200):
            if held:
                assert ctx.get(dut.o) == held[0]
            put = len(held) < depth and rng.random() < 0.6
            take = bool(held) and rng.random() < 0.5
            word = int(rng.integers(64))
            ctx.set(dut.put, put)
            ctx.set(dut.take, take)
            ctx.set(dut.i, word)
            await ctx.tick()
            if take:
                held.popleft()
                taken += 1
            if put:
                held.append(word)

    simulate(dut, bench)
    assert taken > 20


def test_depth_is_checked():
    with pytest.raises(ValueError, match=r"^depth must be at least 1, not 0$"):
        Queue(4, depth=0)

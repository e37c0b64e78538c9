"""Distributed arithmetic: the tables and what is read from them against the sum of the decoded values."""

import numpy as np
import pytest
from amaranth import Elaboratable, Module
from amaranth.lib import wiring
from hw_bench import simulate
from mubinn.hw import DistributedDot, Tables, TableWriter
from mubinn.hw.cells import FAMILIES
from mubinn.model.binarize import decode


class Both(Elaboratable):
    def __init__(self, writer, dot):
        self.writer, self.dot = writer, dot

    def elaborate(self, platform):
        m = Module()
        m.submodules.writer, m.submodules.dot = self.writer, self.dot
        wiring.connect(m, self.writer.o, self.dot.table)
        return m


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("lanes, group, scales", [(1, 1, (3,)), (8, 4, (1,)), (14, 4, (20, 11)), (17, 5, (90, 50, 26, 9, 0))])
@pytest.mark.parametrize("seed", [1])
def test_dot_is_the_sum_of_values(family, lanes, group, scales, seed):
    """Two steps, each with codes of its own, the extreme ones first; words of weights with gaps."""
    rng = np.random.default_rng(seed)
    tables = Tables(lanes=lanes, scales=scales, group=group)
    writer, dot = TableWriter(tables), DistributedDot(tables, family=family)
    codes = rng.integers(0, 1 << len(scales), size=(2, lanes))
    codes[0] = (1 << len(scales)) - 1
    weights = rng.integers(0, 2, size=(2, 12, lanes))
    weights[:, 0], weights[:, 1] = 0, 1
    got, sent, seen = [], [], []

    async def feed(ctx):
        cycle = 0

        async def tick():
            nonlocal cycle
            await ctx.delay(0)
            if ctx.get(dot.o.valid):
                got.append(ctx.get(dot.o.payload))
                seen.append(cycle)
            await ctx.tick()
            cycle += 1

        for step in range(2):
            ctx.set(writer.i.valid, 1)
            ctx.set(writer.i.payload, codes[step].tolist())
            for k in range(1 << group):
                await ctx.delay(0)
                assert ctx.get(writer.i.ready) == (k == (1 << group) - 1)
                await tick()
            ctx.set(writer.i.valid, 0)
            for total, word in [(1, np.ones(lanes, dtype=int)), *((0, word) for word in weights[step])]:
                ctx.set(dot.i.valid, 1)
                ctx.set(dot.i.payload, {"weights": sum(int(bit) << k for k, bit in enumerate(word)), "total": total})
                if not total:
                    sent.append(cycle)
                await tick()
                ctx.set(dot.i.valid, 0)
                while rng.random() < 0.3:
                    await tick()
        for _ in range(dot.latency + 2):
            await tick()

    simulate(Both(writer, dot), feed)
    values = decode(codes, list(scales))
    want = ((2 * weights - 1) * values[:, None]).sum(2).ravel().tolist()
    assert got == want
    assert {b - a for a, b in zip(sent, seen, strict=True)} == {dot.latency}


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"lanes": 0, "scales": (1,), "group": 4}, r"^lanes must be 1 to 65536, not 0$"),
        ({"lanes": 4, "scales": (1,), "group": 7}, r"^group must be 1 to 6, not 7$"),
        ({"lanes": 4, "scales": (1, -1), "group": 4}, r"^scales must be one or more numbers not below 0, not \(1, -1\)$"),
    ],
)
def test_tables_refuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        Tables(**arguments)


def test_dot_refuses_a_family():
    with pytest.raises(ValueError, match=r"^family must be generic, ice40, ecp5, gowin, xc7, not 'ise'$"):
        DistributedDot(Tables(lanes=4, scales=(1,), group=4), family="ise")

"""Where windows enter and leave: the intake and its flags, the head and its ties."""

import numpy as np
import pytest
from engine_cases import engine_spec
from hw_bench import simulate
from model_cases import random_parameters
from mubinn.hw import Head
from mubinn.hw.intake import Intake
from mubinn.model.binarize import codebook
from mubinn.model.spec import LstmSpec


@pytest.mark.parametrize("pool", ["mean", "last"])
@pytest.mark.parametrize("classes, mults", [(1, 1), (2, 1), (2, 2), (5, 1), (5, 2), (5, 3), (5, 5)])
def test_head_sums_and_takes_the_lowest_of_the_greatest(pool, classes, mults):
    spec = engine_spec(classes=classes, pool=pool, max_steps=8)
    parameters = random_parameters(spec, 10)
    if classes == 5:  # two equal classes: ties go to the lower
        weight, bias = parameters.head_weight.copy(), parameters.head_bias.copy()
        weight[3], bias[3] = weight[1], bias[1]
        tensors = parameters.tensors() | {"head_weight": weight, "head_bias": bias}
        parameters = type(parameters)(spec=spec, **tensors)
    rng = np.random.default_rng(11)
    h = codebook(parameters.h_scales)[rng.integers(0, 4, size=(3, 4, 7))]
    step = h @ parameters.head_weight.T + parameters.head_bias
    scores = step.sum(axis=1) if pool == "mean" else step[:, -1]
    dut, got, delays = Head(parameters, mults=mults), [], []

    async def bench(ctx):
        sent = 0
        for w in range(3):
            for t in range(4):
                for u in range(7):
                    flags = {"first": int(t == 0), "last": int(t == 3), "error": 0}
                    ctx.set(dut.i.valid, 1)
                    ctx.set(dut.i.payload, {"h": int(h[w, t, u]), "flags": flags})
                    for wait in range(dut.beats + int(rng.integers(0, 2))):
                        await look(ctx, sent)
                        ctx.set(dut.i.valid, 0)
                        sent += wait == 0
        for _ in range(20):
            await look(ctx, sent)

    cycle, since = [0], [0]

    async def look(ctx, sent):
        if ctx.get(dut.i.valid):
            since[0] = cycle[0]
        if ctx.get(dut.o.valid):
            got.append((ctx.get(dut.o.p.label), [ctx.get(dut.o.p.scores[k]) for k in range(classes)]))
            delays.append(cycle[0])
        cycle[0] += 1
        await ctx.tick()

    simulate(dut, bench)
    assert got == [(int(np.argmax(s)), s.tolist()) for s in scores]
    assert delays[-1] - since[0] == dut.latency


@pytest.mark.parametrize("mults", [0, 3])
def test_head_refuses_multipliers_without_a_class(mults):
    with pytest.raises(ValueError, match=rf"^mults must be 1 to 2, not {mults}$"):
        Head(random_parameters(engine_spec(classes=2), 1), mults=mults)


@pytest.mark.parametrize("fault", ["early", "missing"])
def test_intake_flags_a_broken_window_and_recovers(fault):
    """An early `last` ends its window with the error flag, so does a window that is too long; the next is right."""
    spec = LstmSpec(input_size=3, hidden_size=1, max_steps=4)
    dut, steps = Intake(spec, [100, 50]), []
    # Samples as (last) of every beat: a good window of 2 steps, the broken one, a good one of 1 step.
    good2, good1 = [0, 0, 0, 0, 0, 1], [0, 0, 1]
    broken = [0, 0, 0, 0, 1] if fault == "early" else [0] * 12
    want = [(1, 0, 0), (0, 1, 0)]
    want += [(1, 0, 0), (0, 1, 1)] if fault == "early" else [(1, 0, 0), (0, 0, 0), (0, 0, 0), (0, 1, 1)]
    want += [(1, 1, 0)]

    async def feed(ctx):
        for last in good2 + broken + good1:
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, {"x": 7, "last": last})
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)

    async def take(ctx):
        ctx.set(dut.codes.ready, 1)
        for _ in range(120):
            done = 0
            if ctx.get(dut.ready):
                flags = dut.flags
                steps.append((ctx.get(flags.first), ctx.get(flags.last), ctx.get(flags.error)))
                done = 1
            ctx.set(dut.done, done)
            await ctx.tick()
            ctx.set(dut.done, 0)
            if done:
                await ctx.tick()

    simulate(dut, feed, take)
    assert steps == want

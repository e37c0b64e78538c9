"""The folded engine's arithmetic: dot products, scaling multipliers, bias add."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from engine_cases import FOLDINGS, engine_spec, pack
from hw_bench import simulate
from model_cases import random_parameters
from mubinn.hw import DotProducts, PreActivation, Scale
from mubinn.hw.alpha import AlphaSum, Weighted
from mubinn.hw.scale import Gammas
from mubinn.hw.scaling import scale_of
from mubinn.model.fixed import Fixed, saturate, shift_half_up
from mubinn.model.folding import SCALINGS, Folding, Schedule


@pytest.mark.parametrize("folding", FOLDINGS, ids=str)
def test_dot_products_count_x_and_h_apart(folding):
    schedule = Schedule(engine_spec(), folding)
    rng = np.random.default_rng(1)
    lanes, padded = folding.lanes, schedule.words * folding.lanes
    dut = DotProducts(schedule)
    passes = 3
    planes = rng.integers(0, 2, size=(passes, 2, padded))
    weights = rng.integers(0, 2, size=(passes, dut.weights, padded))
    planes[..., 12:], weights[..., 12:] = 0, 1  # padding disagrees
    agree = planes[:, None] == weights[:, :, None]
    x_want = agree[..., :5].sum(-1).reshape(passes, -1).tolist()
    h_want = agree[..., 5:12].sum(-1).reshape(passes, -1).tolist()
    x_got, h_got = [], []

    async def bench(ctx):
        queue = [(p, w) for p in range(passes) for w in range(schedule.words)]
        for _ in range(passes * schedule.words + 40):
            sends = bool(queue) and rng.random() < 0.7
            ctx.set(dut.i.valid, sends)
            if sends:
                p, w = queue.pop(0)
                part = slice(w * lanes, (w + 1) * lanes)
                ctx.set(
                    dut.i.payload,
                    {
                        "planes": [pack(plane[part]) for plane in planes[p]],
                        "weights": [pack(row[part]) for row in weights[p]],
                        "place": {"x_end": int(w == schedule.x_words - 1), "last": int(w == schedule.words - 1)},
                    },
                )
            if ctx.get(dut.x.valid):
                x_got.append([ctx.get(dut.x.p.counts[k]) for k in range(len(x_want[0]))])
            if ctx.get(dut.h.valid):
                h_got.append([ctx.get(dut.h.p.counts[k]) for k in range(len(h_want[0]))])
            await ctx.tick()

    simulate(dut, bench)
    assert x_got == x_want and h_got == h_want


@pytest.mark.parametrize("first", [0, 1], ids=["later-step", "first-step"])
@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("family", ["generic", "ecp5"])
@pytest.mark.parametrize("folding", FOLDINGS, ids=str)
def test_scale_sums_gamma_times_dot(folding, family, scaling, first):
    """Two groups back to back, batches at the times the engine gives them; sums against sum gamma * (2 p - n)."""
    spec = engine_spec(input_levels=2, hidden_levels=1, wx_fraction=7)
    check_sums(Schedule(spec, replace(folding, scaling=scaling)), random_parameters(spec, 3), first, family=family)


def check_sums(schedule, parameters, first, *, family="generic"):
    spec, folding = schedule.spec, schedule.folding
    gammas = Gammas.of(parameters, schedule)
    rng = np.random.default_rng(2)
    groups, rows, planes = 2, folding.rows, schedule.passes * folding.weight_planes
    shape = (groups, schedule.passes, rows, 4, folding.weight_planes, schedule.levels)
    x_counts, h_counts = rng.integers(0, 6, size=shape), rng.integers(0, 8, size=shape)

    def sums(counts, gamma, n, shift):
        whole = np.zeros((4, planes, schedule.levels), dtype=np.int64)
        whole[:, : spec.weight_levels] = gamma
        dots = (2 * counts - n).transpose(0, 2, 3, 1, 4, 5).reshape(groups, rows, 4, planes, -1)
        return (dots * whole).sum(axis=(3, 4)) << shift

    want = sums(x_counts, gammas.x, 5, spec.x_shift)
    if not first:
        want = want + sums(h_counts, gammas.h, 7, spec.h_shift)
    dut, got, late, delays = scale_of(parameters, schedule, family=family), [], [], []

    async def bench(ctx):
        period, words = schedule.pass_cycles, schedule.words
        for cycle in range((groups * schedule.passes + 2) * period + dut.latency + 20):
            number, slot = divmod(cycle, period)
            running = number < groups * schedule.passes
            place = divmod(number, schedule.passes)
            x_now, h_now = running and slot == schedule.x_words - 1, running and slot == words - 1
            ctx.set(dut.x.valid, x_now)
            ctx.set(dut.h.valid, h_now)
            if x_now:
                ctx.set(dut.x.payload, {"counts": x_counts[place].ravel().tolist()})
            if h_now:
                ctx.set(dut.h.payload, {"counts": h_counts[place].ravel().tolist(), "flags": {"first": first}})
                late.append(cycle)
            if ctx.get(dut.o.valid):
                got.append([ctx.get(dut.o.p.sums[k]) for k in range(4 * rows)])
                delays.append(cycle - late[schedule.passes * len(got) - 1] - dut.latency)
                assert ctx.get(dut.o.p.flags.first) == first
            await ctx.tick()

    simulate(dut, bench)
    assert got == want.reshape(groups, -1).tolist()
    assert delays == waits_in_turn(schedule, groups)


def waits_in_turn(schedule, groups):
    """Cycles that the last h batch of each group waits for its turn, batches being served one after another."""
    free, waits = 0, []
    for number in range(groups * schedule.passes):
        for slot in (schedule.x_words - 1, schedule.words - 1):
            arrival = number * schedule.pass_cycles + slot
            begins = max(free, arrival)
            free = begins + schedule.batch_cycles
        if (number + 1) % schedule.passes == 0:
            waits.append(begins - arrival)
    return waits


@pytest.mark.parametrize(
    "x, h",
    [
        (((5,), 0, 1), ((3,), 0, 1)),
        (((4 * 134, 4 * 77), -16036, 19), ((159, 95), -12700, 100)),  # eeg-2-2
        (((0, 0), 0, 3), ((0, 0), 0, 9)),
        (((0, 0), 0, 3), ((7, 0), -13, 31)),
        (((1, 1 << 14), -9, 5), ((1 << 9, 3), 0, 200)),
        (((90, 45, 23, 11, 6, 3, 2, 1), -181 * 4, 8), ((720, 361, 181, 90, 46, 22, 12, 5), -1437 * 60, 120)),
    ],
    ids=str,
)
def test_alpha_sum_weighs_counts(x, h):
    """Least and greatest counts, then random ones, of x, of h and masked, in random turns."""
    parts = [Weighted(factors=factors, constant=constant, most=most) for factors, constant, most in (x, h)]
    dut, rng = AlphaSum(x=parts[0], h=parts[1]), np.random.default_rng(4)
    levels = len(parts[0].factors)
    items, want = [], []
    for number in range(120):
        counts = [[0, p.most][number % 2] + np.zeros(levels, dtype=int) for p in parts]
        if number >= 12:
            counts = [rng.integers(0, p.most + 1, size=levels) for p in parts]
        is_h, masked = int(rng.integers(2)), int(rng.random() < 0.2)
        items.append({"x": counts[0].tolist(), "h": counts[1].tolist(), "is_h": is_h, "masked": masked})
        part = parts[is_h]
        want.append(0 if masked else part.constant + int(np.dot(counts[is_h], part.factors)))
    got = []

    async def bench(ctx):
        for cycle in range(len(items) + dut.latency):
            ctx.set(dut.i, items[min(cycle, len(items) - 1)])
            if cycle >= dut.latency:
                got.append(ctx.get(dut.o))
            await ctx.tick()

    simulate(dut, bench)
    assert got == want
    assert max(len(chunk) for chunk in dut.chunks) == 3 or levels * max(p.most for p in parts) < 4


@pytest.mark.parametrize("x, h", [(0, 14), (14, 2)], ids=["x-far-above", "h-far-above"])
@pytest.mark.parametrize("scaling", SCALINGS)
def test_scale_with_far_apart_binary_points(scaling, x, h):
    """No operand could hold the shift that the parts differ by."""
    spec = engine_spec(x=Fixed(bits=16, fraction=x), wx_fraction=x, h_fraction=h, wh_fraction=h, bias_fraction=4)
    assert abs(spec.x_shift - spec.h_shift) >= 24
    schedule = Schedule(spec, Folding(rows=2, lanes=5, scale_mults=3, scaling=scaling))
    check_sums(schedule, random_parameters(spec, 3), first=0)


@pytest.mark.parametrize("rows", [1, 3, 7])
@pytest.mark.parametrize("classes", [0, 3])
def test_preactivation_adds_bias_rounds_and_saturates(rows, classes):
    """Bias add: every unit of two steps in order, padding left out, ties up, saturation at both ends."""
    spec = engine_spec(classes=classes)
    schedule, parameters = Schedule(spec, Folding(rows=rows, lanes=4)), random_parameters(spec, 5)
    rng = np.random.default_rng(6)
    sum_shape = Scale(schedule, Gammas.of(parameters, schedule)).sum_shape
    units = schedule.groups * rows
    sums = rng.integers(-(1 << sum_shape.width - 1), 1 << sum_shape.width - 1, size=(2, units, 4))
    sums[0, 0] = (1 << spec.z_shift - 1) - parameters.bias().reshape(4, -1)[:, 0]  # exact ties
    dut = PreActivation(schedule, sum_shape, bias_codes=parameters.bias_codes, bias_scales=parameters.bias_scales)
    got, seen, first = [], [], []

    async def bench(ctx):
        groups = [sums[s, g * rows : (g + 1) * rows].ravel().tolist() for s in range(2) for g in range(schedule.groups)]
        for cycle in range(len(groups) * schedule.group_cycles + 30):
            number, slot = divmod(cycle, schedule.group_cycles)
            sends = slot == 0 and number < len(groups)
            ctx.set(dut.i.valid, sends)
            if sends:
                ctx.set(dut.i.payload, {"sums": groups[number], "flags": {"last": number & 1}})
                first.append(cycle)
            if ctx.get(dut.o.valid):
                got.append([ctx.get(dut.o.p.z[k]) for k in range(4)])
                seen.append(cycle)
            await ctx.tick()

    simulate(dut, bench)
    bias = parameters.bias().reshape(4, -1).T
    want = saturate(shift_half_up(sums[:, :7] + bias, spec.z_shift), spec.z.bits).reshape(-1, 4)
    assert got == want.tolist()
    assert seen[0] - first[0] == dut.latency
    assert {b - a for a, b in pairwise(seen[: min(rows, 7)])} <= {schedule.unit_interval}

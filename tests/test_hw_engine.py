"""The folded engine's parts: dot products, scaling multiplier, bias add, memories, head."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hw_bench import simulate
from model_cases import random_parameters
from mubinn.hw import DotProducts, Head, PreActivation, Scale
from mubinn.hw.alpha import AlphaSum, Weighted
from mubinn.hw.intake import Intake
from mubinn.hw.scale import Gammas
from mubinn.hw.scaling import scale_of
from mubinn.hw.store import PlaneStore
from mubinn.hw.weights import WeightStore, weight_words
from mubinn.model.binarize import codebook
from mubinn.model.fixed import Fixed, saturate, shift_half_up
from mubinn.model.folding import SCALINGS, Folding, Schedule
from mubinn.model.spec import LstmSpec

FOLDINGS = [
    Folding(rows=1, lanes=4, weight_planes=1, scale_mults=4),
    Folding(rows=2, lanes=5, weight_planes=2, scale_mults=3),  # nothing divides
    Folding(rows=3, lanes=12, weight_planes=3, scale_mults=40),  # all columns, several multipliers a gate row
    Folding(rows=1, lanes=1, weight_planes=1, scale_mults=1),
    Folding(rows=7, lanes=3, weight_planes=2, scale_mults=28),
]


def engine_spec(**changes):
    sizes = {"input_size": 5, "hidden_size": 7, "weight_levels": 3, "input_levels": 2, "hidden_levels": 2}
    return LstmSpec(**(sizes | changes))


def pack(bits):
    """bits[0] becomes the least significant bit."""
    return sum(int(b) << k for k, b in enumerate(bits))


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

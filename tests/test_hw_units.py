"""Every unit of the datapath against integers of the golden model or against arithmetic by hand, latency included."""

import numpy as np
import pytest
from amaranth import Elaboratable, Module, Signal, signed
from amaranth.lib import data
from hw_bench import simulate, through
from mubinn.hw import (
    Activation,
    Cell,
    Encoder,
    OutputProduct,
    OutputStairs,
    PiecewiseLinear,
    Staircase,
    XnorDot,
    XnorProduct,
)
from mubinn.hw.cells import FAMILIES
from mubinn.hw.delay import Delay
from mubinn.hw.layouts import pulse
from mubinn.model.binarize import codebook, decode, encode
from mubinn.model.fixed import Fixed, saturate, shift_half_up
from mubinn.model.gates import gate_formats
from mubinn.model.spec import LstmSpec
from mubinn.model.tables import sigma_table, tanh_table

KINDS = [
    ("levels",) * 4,
    ("ternary", "ternary", "levels", "ternary"),
    ("ternary", "ternary", "fixed", "fixed"),
    ("fixed", "fixed", "levels", "fixed"),
]


def by_hand(spec, gate, code, scales):
    """Number of a gate's code."""
    if spec.gate_kinds[gate] == "levels":
        return decode(code, scales, spec.gate_offsets[gate])
    return np.asarray(code) * (spec.one // 2 if spec.gate_kinds[gate] == "ternary" else 1)


def whole(dut):
    return lambda ctx: ctx.get(dut.o.payload)


@pytest.mark.parametrize("a, b, low, high", [("1100", "1010", 1, 1), ("1111", "1111", 2, 2), ("0000", "1111", 0, 0)])
def test_xnor_dot_by_hand(a, b, low, high):
    dut = XnorDot(4, split=2)
    bits = {"a": int(a[::-1], 2), "b": int(b[::-1], 2)}
    got, latency = through(dut, [bits], lambda ctx: (ctx.get(dut.o.p.low), ctx.get(dut.o.p.high)))
    assert got == [(low, high)] and latency == {dut.latency}


@pytest.mark.parametrize("lanes, split", [(1, 1), (2, 1), (3, 3), (24, 19), (60, 7), (61, 61), (132, 132)])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_xnor_dot_counts(family, lanes, split, seed):
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, size=(30, 2, lanes))
    bits[0], bits[1, 0], bits[1, 1] = 1, 0, 1
    items = [{k: sum(int(v) << n for n, v in enumerate(row)) for k, row in zip("ab", pair, strict=True)} for pair in bits]
    agree = bits[:, 0] == bits[:, 1]
    want = list(zip(agree[:, :split].sum(1).tolist(), agree[:, split:].sum(1).tolist(), strict=True))
    dut = XnorDot(lanes, split=split, family=family)
    got, latency = through(dut, items, lambda ctx: (ctx.get(dut.o.p.low), ctx.get(dut.o.p.high)), rng=rng, gap=0.3)
    assert got == want and latency == {dut.latency}


@pytest.mark.parametrize(
    "arguments, message",
    [((0, None), "^lanes must be at least 1, not 0$"), ((4, 0), "^split must be 1 to 4, not 0$"), ((4, 5), "not 5$")],
)
def test_xnor_dot_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        XnorDot(arguments[0], split=arguments[1])


def test_xnor_dot_refuses_a_family():
    with pytest.raises(ValueError, match=r"^family must be generic, ice40, ecp5, gowin, xc7, not 'ise'$"):
        XnorDot(4, family="ise")


@pytest.mark.parametrize("family", FAMILIES)
def test_xnor_dot_of_every_input(family):
    """All pairs of 7 lanes, split at every column in turn."""
    lanes = 7
    for split in (3, 7):
        dut = XnorDot(lanes, split=split, family=family)
        items = [{"a": a, "b": b} for a in range(1 << lanes) for b in (0, 0b1010011)]
        got, _ = through(dut, items, lambda ctx, dut=dut: (ctx.get(dut.o.p.low), ctx.get(dut.o.p.high)))
        agree = [f"{~(item['a'] ^ item['b']) & 127:07b}"[::-1] for item in items]
        assert got == [(bits[:split].count("1"), bits[split:].count("1")) for bits in agree]


@pytest.mark.parametrize("scales", [[5], [3, 1], [4, 2, 1], [0, 0], [7, 7, 7], [100, 50, 25, 12, 6, 3, 2, 1]], ids=str)
@pytest.mark.parametrize("registered", [True, False])
def test_encoder_is_algorithm_1(scales, registered):
    values = np.arange(-128, 128)
    dut = Encoder(8, scales, registered=registered)
    got, latency = through(_Taken(dut), [int(v) for v in values], whole(dut))
    assert got == encode(values, scales).tolist() and latency == {dut.latency} == {len(scales) - (not registered)}


class _Taken(Elaboratable):
    """A component whose output is always taken."""

    def __init__(self, dut):
        self.dut, self.i, self.o = dut, dut.i, dut.o

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = self.dut
        m.d.comb += self.dut.o.ready.eq(1)
        m.d.sync += Signal().eq(1)  # a clock even where the component has no register
        return m


@pytest.mark.parametrize("registered", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_encoder_waits(seed, registered):
    """Random stalls on both sides lose, double and reorder nothing."""
    rng = np.random.default_rng(seed)
    values, dut, got = rng.integers(-128, 128, size=60), Encoder(8, [50, 20, 9], registered=registered), []

    async def feed(ctx):
        for value in values:
            while rng.random() < 0.4:
                await ctx.tick()
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, int(value))
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)

    async def take(ctx):
        for _ in range(1000):
            ctx.set(dut.o.ready, int(rng.random() < 0.5))
            await ctx.delay(0)
            if ctx.get(dut.o.valid) and ctx.get(dut.o.ready):
                got.append(ctx.get(dut.o.payload))
            await ctx.tick()

    simulate(dut, feed, take)
    assert got == encode(values, [50, 20, 9]).tolist()


@pytest.mark.parametrize("levels", [(1, 1), (2, 2), (3, 3), (4, 3)], ids=str)
@pytest.mark.parametrize("constant, shift", [(0, 0), (16, 0), (8, 3)])
def test_xnor_product_of_every_pair(levels, constant, shift):
    """Eq. 5's multiplier, as look-up and as decoders with a multiplier, against the products of the decoded values."""
    a_scales, b_scales = [40 >> k for k in range(levels[0])], [100 >> k for k in range(levels[1])]
    pairs = [(a, b) for a in range(1 << levels[0]) for b in range(1 << levels[1])]
    dut = XnorProduct(codebook(a_scales, 64), codebook(b_scales), constant=constant, shift=shift)
    got, latency = through(dut, [{"a": a, "b": b} for a, b in pairs], whole(dut))
    want = [(int(codebook(a_scales, 64)[a]) * int(codebook(b_scales)[b]) << shift) + constant for a, b in pairs]
    assert got == want and latency == {1}


@pytest.mark.parametrize("table", [sigma_table, tanh_table])
@pytest.mark.parametrize("bits, fraction, out", [(8, 4, 6), (10, 5, 10), (10, 9, 8)])
@pytest.mark.parametrize("family, registered, stages", [("generic", False, 3), ("generic", True, 4), ("ecp5", True, 6)])
def test_piecewise_linear_on_every_input(table, bits, fraction, out, family, registered, stages):
    table = table(Fixed(bits=bits, fraction=fraction), out)
    values = np.arange(table.input.low, table.input.high + 1)
    dut = PiecewiseLinear(table, family=family, registered=registered)
    got, latency = through(dut, [int(v) for v in values], whole(dut))
    assert got == table(values).tolist() and latency == {dut.latency} == {stages}


@pytest.mark.parametrize("scales, offset", [([64], 128), ([85, 43], 128), ([60, 30, 15], 128), ([0, 0], 128), ([200, 90], 0)])
@pytest.mark.parametrize("family", ["generic", "ecp5"])
def test_staircase_is_table_and_encoder(scales, offset, family):
    """Comparators give the bits of the table followed by the encoder, on every input."""
    table = (sigma_table if offset else tanh_table)(Fixed(bits=10, fraction=6), 8)
    values = np.arange(table.input.low, table.input.high + 1)
    dut = Staircase(table, scales, offset, family=family)
    got, latency = through(dut, [int(v) for v in values], whole(dut))
    assert got == encode(table(values), scales, offset).tolist() and latency == {dut.latency}
    assert dut.latency == (len(scales) if family == "generic" else 2 * len(scales) - 1)


@pytest.mark.parametrize("family", ["generic", "ecp5"])
@pytest.mark.parametrize("kinds", KINDS, ids="-".join)
def test_activation_has_the_gates_in_order(family, kinds):
    spec = LstmSpec(input_size=1, hidden_size=1, gate_levels=2, z=Fixed(bits=8, fraction=4), gate_kinds=kinds)
    scales = np.array([[300, 150], [256, 128], [500, 250], [200, 100]])
    rng = np.random.default_rng(4)
    z = rng.integers(-128, 128, size=(50, 4))
    gates = gate_formats(spec, scales)
    dut = Activation(spec, gates, family=family)
    got, latency = through(dut, z.tolist(), lambda ctx: [ctx.get(dut.o.p[g]) for g in range(4)], rng=rng, gap=0.2)
    values = [table(z[:, gate]) for gate, table in enumerate(spec.gate_tables)]
    want = [
        {
            "levels": encode(value, scales[gate], offset),
            "ternary": np.floor(2 * value / spec.one + 0.5).astype(int),
            "fixed": value & 4 * spec.one - 1,
        }[kind]
        for gate, (kind, value, offset) in enumerate(zip(kinds, values, spec.gate_offsets, strict=True))
    ]
    assert got == np.stack(want, axis=1).tolist() and latency == {dut.latency}


@pytest.mark.parametrize("cell_levels", [0, 3, 5])
@pytest.mark.parametrize(
    "gate_levels, kinds",
    [(1, KINDS[0]), (2, KINDS[0]), (4, KINDS[0]), (2, KINDS[1]), (5, KINDS[1]), (2, KINDS[2]), (3, KINDS[3])],
    ids=str,
)
@pytest.mark.parametrize("cell", [Fixed(bits=16, fraction=11), Fixed(bits=8, fraction=3)], ids=["16.11", "8.3"])
@pytest.mark.parametrize("family", ["generic", "ecp5"])
def test_cell_is_equation_5(cell_levels, gate_levels, kinds, cell, family):
    """Two windows of random codes: exact products, one rounding, saturation, zero at a window's start."""
    units = 13  # the same unit comes again later than `latency` cycles after
    sizes = {"gate_levels": gate_levels, "cell_levels": cell_levels, "gate_kinds": kinds}
    spec = LstmSpec(input_size=1, hidden_size=units, cell=cell, **sizes)
    rng = np.random.default_rng(7)
    scales = np.sort(rng.integers(1, 600, size=(4, gate_levels)), axis=1)[:, ::-1]
    cell_scales = [cell.high // 2, cell.high // 4, cell.high // 8, 3, 1][:cell_levels]
    tops = {"levels": 1 << gate_levels, "ternary": 3, "fixed": spec.one + 1}
    codes = rng.integers(0, [tops[kind] for kind in kinds], size=(2, 6, units, 4))
    want, items = [], []
    for window in codes:
        c = np.zeros(units, dtype=np.int64)
        for t, step in enumerate(window):
            i, f, g = (by_hand(spec, k, step[:, k], scales[k]) for k in range(3))
            c = saturate(shift_half_up((f * c << spec.fc_shift) + (i * g << spec.ig_shift), spec.cell_shift), cell.bits)
            if cell_levels:
                c = decode(encode(c, cell_scales), cell_scales)
            want += c.tolist()
            items += [{"codes": unit.tolist(), "first": int(t == 0)} for unit in step]
    dut = Cell(spec, gate_formats=gate_formats(spec, scales), cell_scales=cell_scales, family=family)
    got, latency = through(dut, items, whole(dut))
    assert got == want and latency == {dut.latency}


@pytest.mark.parametrize("gate_levels, h_fraction", [(1, 8), (2, 8), (3, 14), (2, 20 - 8)])
@pytest.mark.parametrize("kind", ["levels", "ternary", "fixed"])
def test_output_is_equation_6(gate_levels, h_fraction, kind):
    kinds = (*["levels"] * 3, kind)
    spec = LstmSpec(input_size=1, hidden_size=1, gate_levels=gate_levels, h_fraction=h_fraction, gate_kinds=kinds)
    scales = [900 >> k for k in range(gate_levels)]
    rng = np.random.default_rng(3)
    top = {"levels": 1 << gate_levels, "ternary": 3, "fixed": spec.one + 1}[kind]
    tanh_c, o = rng.integers(-1024, 1025, size=80), rng.integers(0, top, size=80)
    dut = OutputProduct(spec, gate_formats(spec, [scales] * 4)[3])
    items = [{"o": int(a), "tanh_c": int(b)} for a, b in zip(o, tanh_c, strict=True)]
    got, latency = through(dut, items, whole(dut))
    product = by_hand(spec, 3, o, scales) * tanh_c
    assert got == saturate(shift_half_up(product, spec.h_shift_down), spec.h_bits).tolist()
    assert latency == {dut.latency}


class Together(Elaboratable):
    """Comparators of h whose o comes with c: c waits a cycle, as it does behind the cell."""

    def __init__(self, dut):
        self.dut, self.latency = dut, dut.latency + 1
        operands = data.StructLayout({"c": signed(dut.spec.cell.bits), "o": dut.spec.gate_bits[3]})
        self.i, self.o = pulse(operands).flip().create(), dut.o

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = self.dut
        m.d.sync += [self.dut.i.valid.eq(self.i.valid), self.dut.i.payload.eq(self.i.p.c)]
        m.d.comb += self.dut.next_o.eq(self.i.p.o)
        return m


@pytest.mark.parametrize("gate_levels, hidden_levels, kind", [(1, 1, "levels"), (2, 2, "levels"), (3, 3, "levels"),
                         (2, 1, "levels"), (1, 3, "ternary")])  # fmt: skip
@pytest.mark.parametrize("family", ["generic", "ecp5"])
def test_output_stairs_are_equation_6_and_encoder(gate_levels, hidden_levels, kind, family):
    """Every c of a narrow format with every code of o, in random order and with gaps."""
    cell = Fixed(bits=9, fraction=5)
    sizes = {"gate_levels": gate_levels, "hidden_levels": hidden_levels, "gate_kinds": (*["levels"] * 3, kind)}
    spec = LstmSpec(input_size=1, hidden_size=1, cell=cell, h_fraction=7, **sizes)
    o_scales, h_scales = [270 >> k for k in range(gate_levels)], [70 >> k for k in range(hidden_levels)]
    rng, codes = np.random.default_rng(5), 3 if kind == "ternary" else 1 << gate_levels
    pairs = rng.permutation([(c, o) for c in range(cell.low, cell.high + 1) for o in range(codes)])
    dut = Together(OutputStairs(spec, gate_formats(spec, [o_scales] * 4)[3], h_scales, family=family))
    items = [{"c": int(c), "o": int(o)} for c, o in pairs]
    got, latency = through(dut, items, whole(dut), rng=rng, gap=0.2)
    product = by_hand(spec, 3, pairs[:, 1], o_scales) * spec.cell_table(pairs[:, 0])
    want = encode(saturate(shift_half_up(product, spec.h_shift_down), spec.h_bits), h_scales)
    assert got == want.tolist() and latency == {dut.latency}
    assert dut.dut.latency == (hidden_levels - 1) * (1 if family == "generic" else 2)


def test_delay_refuses():
    with pytest.raises(ValueError, match=r"^cycles must not be negative, not -1$"):
        Delay(1, -1)


def test_encoder_refuses():
    with pytest.raises(ValueError, match=r"^bits must be at least 2, not 1$"):
        Encoder(1, [1])

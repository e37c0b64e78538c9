"""Cores made of a family's cells: their Verilog, with our models of the cells, is the golden model too."""

import re

import numpy as np
import pytest
from hw_bench import simulate
from mubinn.build.generate import generate
from mubinn.build.targets import TARGETS
from mubinn.hw.lstm import Lstm
from mubinn.hw.multiplier import registered_product
from mubinn.sim.bench import build_bench, run_bench
from mubinn.sim.cell_models import CELL_MODELS, verilog_sources
from sim_cores import FOLDINGS, model_file, scratch


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["head", "stream"])
@pytest.mark.parametrize("family", CELL_MODELS)
def test_core_of_a_family_equals_golden(tmp_path, family, kind):
    manifest = generate(model_file(kind), tmp_path / "core", folding=FOLDINGS[kind], family=family).manifest
    verilog, models = (path.read_text() for path in verilog_sources(tmp_path / "core", manifest))
    cells = re.findall(r"^module (\w+)", models, re.MULTILINE)
    assert any(re.search(rf"^  {cell} ", verilog, re.MULTILINE) for cell in cells)
    command = build_bench(tmp_path / "core", manifest, simulator="icarus", cache=scratch())
    result = run_bench(command, tmp_path / "core" / "vectors", simulator="icarus", stall_in=0.2, stall_out=0.3)
    assert result.ok, result.differences


def test_targets_are_of_families_with_models():
    assert {target.family for target in TARGETS.values()} == set(CELL_MODELS)


@pytest.mark.parametrize("a_bits, b_bits", [(18, 18), (5, 11), (20, 4)])
def test_product_is_two_cycles_late(a_bits, b_bits):
    from amaranth import Module, signed, unsigned
    from amaranth.lib import wiring
    from amaranth.lib.wiring import In, Out

    class Product(wiring.Component):
        a: In(signed(a_bits))
        b: In(unsigned(b_bits))
        o: Out(signed(a_bits + b_bits + 1))

        def elaborate(self, platform):
            m = Module()
            m.d.comb += self.o.eq(registered_product(m, platform, self.a, self.b, name="test"))
            return m

    rng = np.random.default_rng(1)
    a = [-(1 << a_bits - 1), (1 << a_bits - 1) - 1, *rng.integers(-(1 << a_bits - 1), 1 << a_bits - 1, size=30).tolist()]
    b = [(1 << b_bits) - 1, (1 << b_bits) - 1, *rng.integers(0, 1 << b_bits, size=30).tolist()]
    dut, got = Product(), []

    async def bench(ctx):
        for x, y in zip([*a, 0, 0], [*b, 0, 0], strict=True):
            ctx.set(dut.a, x)
            ctx.set(dut.b, y)
            got.append(ctx.get(dut.o))
            await ctx.tick()

    simulate(dut, bench)
    assert got[2:] == [x * y for x, y in zip(a, b, strict=True)]


def test_family_of_a_core():
    file = model_file("head")
    latencies = {family: Lstm(file.parameters, FOLDINGS["head"], family=family).latency for family in ("generic", *CELL_MODELS)}
    assert latencies["generic"] == latencies["ice40"] < latencies["ecp5"]

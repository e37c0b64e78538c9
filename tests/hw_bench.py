"""Drives a component with streams `i` and `o` in Amaranth's simulator; the tests of the datapath's units share it."""

from amaranth.sim import Simulator

CYCLE_LIMIT = 50_000


def simulate(dut, *testbenches):
    """Run until the last testbench ends; testbenches before it run beside it."""
    sim = Simulator(dut)
    sim.add_clock(1e-8)
    for bench in testbenches[:-1]:
        sim.add_testbench(bench, background=True)
    sim.add_testbench(testbenches[-1])
    sim.run()


def through(dut, items, read, *, rng=None, gap=0.0):
    """Feed `items` (payload values) to a pipeline that never waits; what came out, and the latency of each.

    A share `gap` of the cycles, drawn from rng, brings nothing. Asserts that exactly one result follows each item.
    """
    got, sent, seen = [], [], []

    async def bench(ctx):
        left = list(items)
        for cycle in range(CYCLE_LIMIT):
            sends = bool(left) and (rng is None or rng.random() >= gap)
            ctx.set(dut.i.valid, sends)
            if sends:
                ctx.set(dut.i.payload, left.pop(0))
                sent.append(cycle)
            await ctx.delay(0)
            if ctx.get(dut.o.valid):
                got.append(read(ctx))
                seen.append(cycle)
            if not left and len(got) >= len(items) and cycle > sent[-1] + 30:
                return
            if not left and cycle > sent[-1] + 200:
                return
            await ctx.tick()
        raise AssertionError(f"no end within {CYCLE_LIMIT} cycles")

    simulate(dut, bench)
    assert len(got) == len(items), f"{len(items)} items in, {len(got)} results out"
    return got, {b - a for a, b in zip(sent, seen, strict=True)}

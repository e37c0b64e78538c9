"""A case through Amaranth's own simulator: no Verilog, no tool, for unit tests and random specs."""

import json
import random
import time

from amaranth import Cat, ClockDomain, Elaboratable, Module, Signal
from amaranth.sim import Simulator

from .collector import Collector, sample_words
from .signals import describe_streams
from .transfers import right

__all__ = ["load_own", "run_amaranth"]

_TAKEN, _RESULT, _WAITS = 1, 2, 4


class _Bench(Elaboratable):
    """The core with a reset of its own, and one signal that tells what happens in a cycle."""

    def __init__(self, core):
        self.core = core
        self.sync = ClockDomain("sync")
        self.events = Signal(len(core.trace) + 3)

    def elaborate(self, platform):
        m = Module()
        core = self.core
        m.domains += self.sync
        m.submodules.core = core
        streams = [core.i.valid & core.i.ready, core.o.valid & core.o.ready, core.o.valid & ~core.o.ready]
        m.d.comb += self.events.eq(Cat(*streams, *(valid for valid, _ in core.trace.values())))
        return m


def run_amaranth(core, case, *, stall_in=0.0, stall_out=0.0, seed=1, reset_at=None):
    """Drive an `mubinn.hw.Lstm` with the samples of a case and compare every record of its trace and results.

    Parameters as of `bench.run_bench`. A core can be simulated once. Returns a BenchResult.
    """
    started = time.monotonic()
    bench = _Bench(core)
    run = _Run(bench, case, stall_in=stall_in, stall_out=stall_out, seed=seed, reset_at=reset_at)
    simulator = Simulator(bench)
    simulator.add_clock(1e-8)
    simulator.add_testbench(run.drive)
    if core.loader is not None and not core.loader.starts_loaded:
        simulator.add_testbench(load_own(core), background=True)
    simulator.run()
    return run.collector.compared(
        simulator="amaranth", accepted=run.accepted, cycles=run.cycles, seconds=time.monotonic() - started
    )


def load_own(core):
    """Process that gives a core its own parameters, where it has none from the start."""

    async def process(ctx):
        for word, first, last in right(core.load_map.words(core.parameters), 0).beats:
            ctx.set(core.load.payload.as_value(), word | first << 32 | last << 33)
            ctx.set(core.load.valid, 1)
            await ctx.tick().until(core.load.ready)
        ctx.set(core.load.valid, 0)

    return process


class _Run:
    """The testbench of one run."""

    def __init__(self, bench, case, *, stall_in, stall_out, seed, reset_at):
        self.bench, self.core = bench, bench.core
        self.stall_in, self.stall_out, self.seed, self.reset_at = stall_in, stall_out, seed, reset_at
        manifest = describe_streams(self.core) | {"spec": json.loads(self.core.spec.to_json())}
        self.collector, self.words = Collector(case, manifest), sample_words(case, manifest)
        schedule = self.core.schedule
        busy = schedule.rounds * schedule.groups * schedule.group_cycles + schedule.spec.input_size + schedule.spec.hidden_size
        # Cycles without any event after which a core that has nothing left to do, or that still has, is done for.
        self.quiet = 2 * (busy + self.core.latency) + 64
        stalls = 1 / (1 - max(stall_in, stall_out))
        self.patience = int((8 * self.quiet + self.core.startup_cycles + 1000) * stalls)
        if self.core.load_map is not None:
            self.patience += 8 * self.core.load_map.word_count
        self._start()

    def _start(self):
        self.collector.clear()
        self.random = random.Random(self.seed)
        self.sent = self.accepted = self.cycles = self.last_event = 0
        self.waiting = None

    async def drive(self, ctx):
        """Until everything expected has been seen and nothing happens any more, or for too long nothing happens."""
        core, events = self.core, self.bench.events
        i_payload, o_payload = core.i.payload.as_value(), core.o.payload.as_value()
        traced = [(8 << k, name, value) for k, (name, (_, value)) in enumerate(core.trace.items())]
        valid = ready = False
        while True:
            if self.cycles == self.reset_at:
                await self._reset(ctx)
                valid = ready = False
            if not valid and self.sent < len(self.words) and self.random.random() >= self.stall_in:
                ctx.set(i_payload, self.words[self.sent])
                ctx.set(core.i.valid, 1)
                self.sent += 1
                valid = True
            wanted = self.random.random() >= self.stall_out
            if wanted != ready:
                ctx.set(core.o.ready, int(wanted))
                ready = wanted
            event = ctx.get(events)
            if event or self.waiting is not None:
                self._look(ctx, event, traced, o_payload)
            await ctx.tick()
            self.cycles += 1
            if event & _TAKEN:
                self.accepted += 1
                valid = False
                ctx.set(core.i.valid, 0)
                ctx.set(i_payload, (1 << len(i_payload)) - 1 - self.words[self.sent - 1])  # must not matter
            if event & ~_WAITS:
                self.last_event = self.cycles
            elif self.cycles - self.last_event > (self.quiet if self._complete() else self.patience):
                return

    def _complete(self):
        return self.accepted == len(self.words) and self.collector.seen >= self.collector.expected

    async def _reset(self, ctx):
        self.reset_at = None
        ctx.set(self.core.i.valid, 0)
        ctx.set(self.core.o.ready, 0)
        ctx.set(self.bench.sync.rst, 1)
        await ctx.tick()
        ctx.set(self.bench.sync.rst, 0)
        self._start()

    def _look(self, ctx, event, traced, o_payload):
        for bit, name, value in traced:
            if event & bit:
                self.collector.record(name, ctx.get(value), self.cycles)
        payload = ctx.get(o_payload) if event & (_RESULT | _WAITS) else None
        if self.waiting is not None and payload != self.waiting:
            self.collector.protocol += 1
        self.waiting = payload if event & _WAITS else None
        if event & _RESULT:
            self.collector.results.append(payload)

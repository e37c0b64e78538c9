"""Models one after another into one running core, in Amaranth's simulator: broken transfers among them, random stalls."""

import random
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from amaranth.sim import Simulator
from mubinn.model.lstm import Model

from .signals import describe_streams
from .transfers import BREAKS, broken, right

__all__ = ["ReloadResult", "run_reload"]

PATIENCE = 40_000
"""Cycles without any event after which a core is stuck."""


@dataclass(frozen=True, kw_only=True)
class ReloadResult:
    """What was seen: `steps` of all windows, `records` compared results, transfers and how many of them were wrong."""

    windows: int
    steps: int
    records: int
    transfers: int
    rejected: int
    cycles: int
    mismatches: int
    differences: tuple
    seconds: float

    @property
    def ok(self):
        return self.mismatches == 0 and self.records > 0


def run_reload(core, models, *, seed=1, transfers=8, stall_in=0.1, stall_out=0.1, stall_load=0.2):
    """Load a core with models in turn, right and wrong, while windows follow each other through it.

    Every window's results must be those of the model that the core had when the window began; a core without one takes no
    window; a wrong transfer never gives parameters, and its error is seen; a right one always does.

    Parameters
    ----------
    core : Lstm
        Whose folding loads something. It can be simulated once.
    models : sequence of Parameters
        For the core; its own is the first.
    transfers : int
        At least so many as models; about half are broken.
    """
    started = time.monotonic()
    run = _Run(core, models, seed=seed, transfers=transfers, stalls=(stall_in, stall_out, stall_load))
    simulator = Simulator(core)
    simulator.add_clock(1e-8)
    for process in (run.observe, run.samples, run.results, run.loads):
        simulator.add_testbench(process)
    simulator.run()
    return run.found(time.monotonic() - started)


class _Run:
    def __init__(self, core, models, *, seed, transfers, stalls):
        self.core, self.models = core, [Model(p) for p in models]
        self.rng, self.random = np.random.default_rng([seed, 6]), random.Random(seed)
        self.stall_in, self.stall_out, self.stall_load = stalls
        self.streams = describe_streams(core)
        self.banks = core.schedule.folding.load_banks
        self.transfers = self._transfers([core.load_map.words(p) for p in models], transfers)
        self.has = 0 if core.loader.starts_loaded else None
        self.coming = None  # the transfer that ended last, until it counts
        self.sent = self.windows = self.steps = self.records = self.cycles = self.rejected = self.after = 0
        self.expected, self.wrong = deque(), []
        self.window, self.over = None, False

    def _transfers(self, words, count):
        """All models in turn, and breaks between; the last is right."""
        found = []
        for number in range(count):
            model = number % len(words)
            while number != count - 1 and self.rng.random() < 0.5:
                what = BREAKS[int(self.rng.integers(len(BREAKS)))]
                if len(words[model]) > 3:
                    found.append(broken(words[model], what, self.rng))
                    break
            found.append(right(words[model], model))
        return found

    # What goes in ----------------------------------------------------------------------------------------------------

    def _new_window(self):
        spec = self.core.spec
        steps = int(self.rng.integers(1, min(5, spec.max_steps) + 1))
        x = self.rng.integers(spec.x.low, spec.x.high + 1, size=(steps, spec.input_size))
        self.window = x
        flat = x.reshape(-1).tolist()
        return [(value & (1 << spec.x.bits) - 1) | (k == len(flat) - 1) << spec.x.bits for k, value in enumerate(flat)]

    async def samples(self, ctx):
        core = self.core
        while self.after < 3 and not self.over:
            for word in self._new_window():
                await self._offer(ctx, core.i, word, stall=self.stall_in)

    async def _offer(self, ctx, stream, word, *, stall):
        while self.random.random() < stall and not self.over:
            await ctx.tick()
        ctx.set(stream.payload.as_value(), word)
        ctx.set(stream.valid, 1)
        ready = False
        while not ready and not self.over:
            *_, ready = await ctx.tick().sample(stream.ready)
        ctx.set(stream.valid, 0)

    async def results(self, ctx):
        while not self.over:
            ctx.set(self.core.o.ready, int(self.random.random() >= self.stall_out))
            await ctx.tick()

    async def loads(self, ctx):
        load = self.core.load
        for transfer in self.transfers:
            for _ in range(self.random.choice([0, 1, 50, 400])):
                await ctx.tick()
            for word, first, last in transfer.beats:
                await self._offer(ctx, load, word | first << 32 | last << 33, stall=self.stall_load)
            self.sent += 1
            if transfer.beats[-1][2]:
                # It ends, and its verdict comes before the next begins: a cycle a byte, and the check.
                for _ in range(12):
                    await ctx.tick()
                if transfer.model is None and not ctx.get(self.core.load_error):
                    self._differs(f"transfer {self.sent} ({transfer.what}): no error")
            self.rejected += transfer.model is None

    # What is seen ----------------------------------------------------------------------------------------------------

    async def observe(self, ctx):
        core, loads, quiet = self.core, _Beats(self.transfers), 0
        i, o, load = core.i, core.o, core.load
        bank, loaded, begun = 0, int(core.loader.starts_loaded), False
        of_i = i.payload.as_value()[-1]
        signals = (i.valid & i.ready, of_i, o.valid & o.ready, o.payload.as_value(), load.valid & load.ready, core.loaded,
                   core.loader.bank)  # fmt: skip
        async for _, _, taken, last, given, payload, beat, now, now_bank in ctx.tick().sample(*signals):
            self.cycles += 1
            quiet = 0 if taken or given or beat else quiet + 1
            if (now and not loaded) or now_bank != bank:
                if self.coming is None:
                    self._differs(f"cycle {self.cycles}: parameters without a right transfer")
                self.has = self.coming
            elif loaded and not now:
                self.has = None
            loaded, bank = now, now_bank
            if beat:
                self.coming = loads.next()
            if taken and not begun:
                self._begins()
            if taken:
                begun = not last
            if given:
                self._compare(int(payload))
            done = self.sent == len(self.transfers) and self.after >= 3 and not self.expected
            if done or quiet > PATIENCE or len(self.wrong) > 20:
                if not done:
                    self._differs(f"stuck after {self.sent} transfers and {self.windows} windows")
                self.over = True
                return

    def _begins(self):
        """A window has begun, with the model that the core has now."""
        if self.has is None:
            self._differs(f"cycle {self.cycles}: a window without parameters")
            return
        trace = self.models[self.has].run(self.window[None], record=() if self.core.spec.classes else ("h",))
        self.windows, self.steps = self.windows + 1, self.steps + len(self.window)
        self.after += self.sent == len(self.transfers)
        if trace.scores is not None:
            self.expected.append({"label": [int(trace.label[0])], "scores": trace.scores[0].tolist(), "error": [0]})
            return
        h = trace.h[0].reshape(-1).tolist()
        for k, value in enumerate(h):
            self.expected.append({"h": [value], "last": [int(k == len(h) - 1)], "error": [0]})

    def _compare(self, payload):
        if not self.expected:
            self._differs(f"cycle {self.cycles}: a result too many")
            return
        want, self.records = self.expected.popleft(), self.records + 1
        for name, at in self.streams["result"]["fields"].items():
            values = want[name]
            bits = at["bits"] // len(values)
            for k, value in enumerate(values):
                got = payload >> at["lsb"] + k * bits & (1 << bits) - 1
                if got != value & (1 << bits) - 1:
                    self._differs(f"window {self.windows}: {name} {got}, want {value}")

    def _differs(self, text):
        self.wrong.append(text)

    def found(self, seconds):
        return ReloadResult(
            windows=self.windows,
            steps=self.steps,
            records=self.records,
            transfers=len(self.transfers),
            rejected=self.rejected,
            cycles=self.cycles,
            mismatches=len(self.wrong),
            differences=tuple(self.wrong[:5]),
            seconds=seconds,
        )


class _Beats:
    """Which right transfer has come to its end with a beat."""

    def __init__(self, transfers):
        self.ends = [
            transfer.model if k == len(transfer.beats) - 1 else None
            for transfer in transfers
            for k, _ in enumerate(transfer.beats)
        ]
        self.at = 0

    def next(self):
        self.at += 1
        return self.ends[self.at - 1]

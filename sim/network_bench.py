"""A network core in Amaranth's simulator, against its golden model."""

import random
from dataclasses import dataclass

import numpy as np
from amaranth import Module, ResetInserter, Signal
from amaranth.sim import Simulator
from mubinn.hw.network import NetworkCore

__all__ = ["NetworkResult", "expected_beats", "run_network", "sample_beats"]


@dataclass(frozen=True, kw_only=True)
class NetworkResult:
    """What a run found: compared records, their differences in words, cycles."""

    steps: int
    records: int
    cycles: int
    differences: tuple

    @property
    def ok(self):
        return self.records > 0 and not self.differences


def sample_beats(network, windows):
    """[(x, last)] of the windows of a RandomNetwork in the order of the stream."""
    beats = []
    for x, samples in windows:
        values = [int(v) for v in np.asarray(x).ravel()]
        values = values[:samples] if samples else values
        beats += [(v, int(k == len(values) - 1 and samples != 0)) for k, v in enumerate(values)]
    return beats


def expected_beats(network, windows):
    """[{field: value}] of the result stream; a value that is not defined is None."""
    beats = []
    for x, samples in windows:
        broken = int(samples is not None)
        trace = network.run(np.asarray(x)[None])
        if network.kind == "label":
            scores = None if broken else _scores(network, x)
            beats.append({"label": None if broken else int(trace.label[0]), "error": broken, "scores": scores})
            continue
        if network.kind == "h":
            values = [{"h": int(v)} for v in trace.features[0].ravel()]
        elif network.kind == "step":
            rows = zip(trace.tag[0], trace.scores[0], strict=True)
            values = [{"label": int(tag), "scores": [int(s) for s in scores]} for tag, scores in rows]
        else:
            values = [{"tag": int(tag)} for tag in trace.tag[0]]
        if broken:
            values = [dict.fromkeys(value) for value in values]
        ends = [{"last": int(k == len(values) - 1), "error": broken * int(k == len(values) - 1)} for k in range(len(values))]
        beats += [value | end for value, end in zip(values, ends, strict=True)]
    return beats


def _scores(network, x):
    """Of a last layer with a head of its own."""
    for models in network._models[:-1]:
        parts = [models[0].run(x[None], record=("h",)).h]
        if len(models) > 1:
            parts.append(models[1].run(np.ascontiguousarray(x[None, ::-1]), record=("h",)).h[:, ::-1])
        x = np.concatenate(parts, axis=2)[0]
    return [int(s) for s in network._models[-1][0].run(x[None]).scores[0]]


def run_network(case, *, patience=20_000):
    """NetworkResult of a RandomNetwork."""
    core = NetworkCore(case.network, case.foldings, head_mults=case.head_mults, family=case.family)
    samples, expected = sample_beats(case.network, case.windows), expected_beats(case.network, case.windows)
    rng = random.Random(case.seed)
    m, reset = Module(), Signal()
    m.submodules.core = ResetInserter(reset)(core)
    found, cycles, protocol = [], 0, []

    async def bench(ctx):
        nonlocal cycles
        reset_at, sent, quiet, held = case.reset_at, 0, 0, None
        valid = False
        while quiet < (200 if sent == len(samples) and len(found) >= len(expected) else patience):
            if cycles == reset_at:
                ctx.set(reset, 1)
                ctx.set(core.i.valid, 0)
                ctx.set(core.o.ready, 0)
                await ctx.tick()
                ctx.set(reset, 0)
                found.clear()
                sent, quiet, held, valid, cycles = 0, 0, None, False, cycles + 1
                continue
            if not valid and sent < len(samples) and rng.random() >= case.stall_in:
                valid = True
                ctx.set(core.i.p.x, samples[sent][0])
                ctx.set(core.i.p.last, samples[sent][1])
                ctx.set(core.i.valid, 1)
            ready = rng.random() >= case.stall_out
            ctx.set(core.o.ready, int(ready))
            taken = valid and ctx.get(core.i.ready)
            payload = ctx.get(core.o.payload.as_value()) if ctx.get(core.o.valid) else None
            if held is not None and payload != held:
                protocol.append(f"payload changed or left while it waited in cycle {cycles}")
            held = payload if not ready else None
            if payload is not None and ready:
                found.append(_fields(ctx, core))
            quiet = 0 if taken or (payload is not None and ready) else quiet + 1
            await ctx.tick()
            cycles += 1
            if taken:
                sent, valid = sent + 1, False
                ctx.set(core.i.valid, 0)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    differences = protocol + _differences(found, expected)
    steps = sum(len(x) for x, _ in case.windows)
    return NetworkResult(steps=steps, records=len(found), cycles=cycles, differences=tuple(differences[:5]))


def _fields(ctx, core):
    values = {}
    for name, _ in core.o.p.shape():
        if name == "scores":
            values[name] = [ctx.get(score) for score in core.o.p.scores]
        else:
            values[name] = ctx.get(core.o.p[name])
    return values


def _differences(found, expected):
    differences = []
    if len(found) != len(expected):
        differences.append(f"{len(found)} results, not {len(expected)}")
    for k, (ours, golden) in enumerate(zip(found, expected, strict=False)):
        for name, value in golden.items():
            if value is not None and ours[name] != value:
                differences.append(f"result {k}: {name} is {ours[name]}, not {value}")
    return differences

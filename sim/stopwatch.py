"""How many cycles each step of a window takes in the circuit, in Amaranth's simulator."""

import numpy as np
from amaranth.sim import Simulator

from .pysim import load_own
from .tools import SimulatorError

__all__ = ["step_cycles"]

MOST_CYCLES = 2_000_000


def step_cycles(core, steps, *, seed=1, progress=lambda done: None):
    """Cycles between the ends of neighbouring steps of one window: random samples always there, results always taken.

    Parameters
    ----------
    core : mubinn.hw.Lstm
    steps : int
        At least 2.
    seed : int
        Of the samples; they don't change the cycles.

    Returns
    -------
    list of int [steps - 1]

    Raises SimulatorError where the circuit stops.
    """
    ends, samples = [], np.random.default_rng(seed)

    async def bench(ctx):
        ctx.set(core.i.valid, 1)
        ctx.set(core.o.ready, 1)
        for cycle in range(MOST_CYCLES):
            ctx.set(core.i.p.x, int(samples.integers(core.spec.x.low, core.spec.x.high + 1)))
            if ctx.get(core.sequencer.done):
                ends.append(cycle)
                progress(len(ends))
                if len(ends) == steps:
                    return
            await ctx.tick()
        raise SimulatorError(f"no end of {steps} steps within {MOST_CYCLES} cycles")

    simulator = Simulator(core)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    if core.loader is not None and not core.loader.starts_loaded:
        simulator.add_testbench(load_own(core), background=True)
    simulator.run()
    return np.diff(ends).tolist()

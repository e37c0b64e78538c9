"""An Amaranth design with an `Lstm` in it: a lamp that shows the class of the last window.

    python examples/amaranth_monitor.py

simulates it on shipped EEG windows, cut short, compares with the golden model, and writes out/monitor.v.
"""

from pathlib import Path

import numpy as np
from amaranth import Module, Signal
from amaranth.back import verilog
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from mubinn.hw import Lstm
from mubinn.hw.layouts import sample
from mubinn.model.artifact import load_model
from mubinn.model.data import load_windows
from mubinn.model.folding import Folding
from mubinn.model.zoo import data_path

STEPS = 3


class Monitor(wiring.Component):
    """Samples go in, a channel a beat; `lamp` is the class of the last window that was not broken, `known` once there is one.

    Members
    -------
    samples : In(stream of x and last, as `Lstm` takes them)
    lamp, known : Out
    """

    def __init__(self, parameters):
        self.lstm = Lstm(parameters, Folding(lanes=24, scale_mults=4))
        super().__init__({"samples": In(stream.Signature(sample(parameters.spec))), "lamp": Out(1), "known": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.lstm = lstm = self.lstm
        wiring.connect(m, wiring.flipped(self.samples), lstm.i)
        m.d.comb += lstm.o.ready.eq(1)
        with m.If(lstm.o.valid & ~lstm.o.p.error):
            m.d.sync += [self.lamp.eq(lstm.o.p.label), self.known.eq(1)]
        return m


def simulated(monitor, windows):
    """Class that the lamp shows after each window, integers [windows, steps, channels]."""
    seen, results = [], Signal(range(len(windows) + 1))
    top = Module()
    top.submodules.monitor = monitor
    with top.If(monitor.lstm.o.valid):
        top.d.sync += results.eq(results + 1)

    async def drive(ctx):
        for number, window in enumerate(windows):
            for step, channels in enumerate(window):
                for channel, x in enumerate(channels):
                    last = step == len(window) - 1 and channel == len(channels) - 1
                    ctx.set(monitor.samples.payload, {"x": int(x), "last": int(last)})
                    ctx.set(monitor.samples.valid, 1)
                    await ctx.tick().until(monitor.samples.ready)
            ctx.set(monitor.samples.valid, 0)
            await ctx.tick().until(results == number + 1)
            seen.append(ctx.get(monitor.lamp))

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return seen


def main():
    model_file = load_model("eeg-2-2")
    x = model_file.quantize_input(load_windows(data_path("eeg-sample")).x[:, :STEPS])
    # A window of each class.
    x = x[np.unique(model_file.model().run(x).label, return_index=True)[1]]
    labels = model_file.model().run(x).label.tolist()
    lamps = simulated(Monitor(model_file.parameters), x)
    print(f"lamp {lamps}, golden model {labels}")
    if lamps != labels:
        raise SystemExit("the lamp is not the golden model's class")
    out = Path("out")
    out.mkdir(exist_ok=True)
    (out / "monitor.v").write_text(verilog.convert(Monitor(model_file.parameters), name="monitor"))
    print("out/monitor.v")


if __name__ == "__main__":
    main()

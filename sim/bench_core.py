"""The bench in Python: cocotb on Verilator or Icarus, fed by the files that `mubinn generate` wrote.

`cocotb_runner.simulate_cocotb` starts it, with its settings as JSON in the environment variable MUBINN_BENCH.
"""

import dataclasses
import json
import os
import random
import time
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from .case import first_windows
from .collector import Collector, sample_words
from .vectors import read_case

__all__ = ["core_equals_golden"]


@cocotb.test()
async def core_equals_golden(dut):
    """Every record of the trace and every result is the golden model's, and nothing is left over."""
    settings = json.loads(os.environ["MUBINN_BENCH"])
    manifest = json.loads((Path(settings["folder"]) / "manifest.json").read_text())
    case = first_windows(read_case(settings["vectors"], manifest), settings["windows"])
    started = time.monotonic()
    run = _Run(dut, manifest, case, Path(settings["vectors"]), stall=settings["stall"], seed=settings["seed"])
    await run.drive()
    result = run.collector.compared(
        simulator=settings["simulator"], accepted=run.accepted, cycles=run.cycles, seconds=time.monotonic() - started
    )
    Path(settings["result"]).write_text(json.dumps(dataclasses.asdict(result)))
    assert result.ok, "; ".join(result.differences) or "nothing was compared"


class _Run:
    """Source, sink and monitor of one run; all sample at the rising edge, and what they drive follows it."""

    def __init__(self, dut, manifest, case, vectors, *, stall, seed):
        self.dut, self.manifest, self.vectors, self.stall = dut, manifest, vectors, stall
        self.random = random.Random(seed)
        self.words, self.collector = sample_words(case, manifest), Collector(case, manifest)
        self.taps = [(tap["name"], getattr(dut, tap["valid"]), getattr(dut, tap["value"])) for tap in manifest["taps"]]
        spec = manifest["spec"]
        busy = manifest["ideal_cycles_per_step"] + manifest["latency_cycles"] + spec["input_size"] + spec["hidden_size"]
        self.quiet = 2 * busy + 64
        self.patience = int((8 * self.quiet + manifest["startup_cycles"] + 1000) / (1 - stall))
        self.load = manifest.get("load")
        if self.load:
            self.patience += 8 * self.load["words"]
        self.accepted = self.cycles = 0

    async def drive(self):
        dut = self.dut
        dut.rst.value = 1
        dut.i__valid.value = 0
        dut.i__payload.value = 0
        dut.o__ready.value = 0
        if self.load:
            dut.load__valid.value = 0
            dut.load__payload.value = 0
        Clock(dut.clk, 10, unit="ns").start()
        for _ in range(3):
            await RisingEdge(dut.clk)
        dut.rst.value = 0
        await RisingEdge(dut.clk)
        if self.load:
            cocotb.start_soon(self._load())
        last_event = sent = 0
        valid = ready = False
        waiting = None
        while self.cycles - last_event <= (self.quiet if self._complete() else self.patience):
            await RisingEdge(dut.clk)
            self.cycles += 1
            event = False
            for name, tap_valid, value in self.taps:
                if int(tap_valid.value):
                    self.collector.record(name, int(value.value), self.cycles)
                    event = True
            payload = int(dut.o__payload.value) if int(dut.o__valid.value) else None
            if waiting is not None and payload != waiting:
                self.collector.protocol += 1
            waiting = payload if not ready else None
            if ready and payload is not None:
                self.collector.results.append(payload)
                event = True
            taken = valid and int(dut.i__ready.value)
            if taken:
                self.accepted += 1
                event = True
            if taken or not valid:
                valid = sent < len(self.words) and self.random.random() >= self.stall
                dut.i__valid.value = int(valid)
                if valid:
                    dut.i__payload.value = self.words[sent]
                    sent += 1
            ready = self.random.random() >= self.stall
            dut.o__ready.value = int(ready)
            if event:
                last_event = self.cycles

    async def _load(self):
        """The parameters of the folder's model, which the core may have already."""
        dut, lines = self.dut, (self.vectors / "load.hex").read_text().split()
        for number, line in enumerate(lines):
            dut.load__payload.value = int(line, 16) | (number == 0) << 32 | (number == len(lines) - 1) << 33
            dut.load__valid.value = 1
            await RisingEdge(dut.clk)
            while not int(dut.load__ready.value):
                await RisingEdge(dut.clk)
        dut.load__valid.value = 0

    def _complete(self):
        return self.accepted == len(self.words) and self.collector.seen >= self.collector.expected

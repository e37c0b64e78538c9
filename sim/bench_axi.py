"""The bench of the core on AXI, with cocotbext-axi as the other side of every bus.

`cocotb_runner.simulate_axi` starts it, with its settings as JSON in the environment variable MUBINN_BENCH.
"""

import json
import os
import random
import time
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp, AxiStreamBus, AxiStreamSink, AxiStreamSource
from mubinn.hw.axi_lite import ID, LOAD_REGISTERS, REGISTERS, Register

from .axi_frames import frames_of, same
from .vectors import read_case

__all__ = ["axi_core_equals_golden"]


@cocotb.test()
async def axi_core_equals_golden(dut):
    """Every window's packet is the golden model's, through stalls, resets and restarts; and the registers say so."""
    settings = json.loads(os.environ["MUBINN_BENCH"])
    manifest = json.loads((Path(settings["folder"]) / "manifest.json").read_text())
    started = time.monotonic()
    bench = _Bench(dut, manifest, settings)
    await bench.run([read_case(vectors, manifest) for vectors in settings["vectors"]])
    found = bench.figures | {"differences": bench.differences[:10], "mismatches": len(bench.differences)}
    found |= {"simulator": settings["simulator"], "seconds": time.monotonic() - started}
    Path(settings["result"]).write_text(json.dumps(found))
    assert not bench.differences, "; ".join(bench.differences[:3])


class _Bench:
    """One episode a case: whole, or cut off by a reset, or restarted over the registers somewhere inside."""

    def __init__(self, dut, manifest, settings):
        self.dut, self.manifest, self.settings = dut, manifest, settings
        self.random = random.Random(settings["seed"])
        self.differences = []
        self.figures = dict.fromkeys(("windows", "steps", "words", "resets", "restarts", "broken"), 0)
        dut.aresetn.value = 0
        Clock(dut.aclk, 10, unit="ns").start()
        at = (dut.aclk, dut.aresetn, False)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), *at)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), *at)
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), *at)
        for logger in (self.source.log, self.sink.log, self.registers.write_if.log, self.registers.read_if.log):
            logger.setLevel("WARNING")
        stall = settings["stall"]
        for side in (self.source, self.sink):
            side.set_pause_generator(self._pauses(stall) if stall else None)
        self.held = False
        spec, self.steps = manifest["spec"], 0
        busy = manifest["predicted_cycles_per_step"] + manifest["latency_cycles"] + spec["input_size"] + spec["hidden_size"]
        self.patience = int((40 * busy + manifest["startup_cycles"] + 400) / (1 - stall))

    def _pauses(self, stall):
        while True:
            yield self.random.random() < stall

    def differs(self, text):
        self.differences.append(text)

    async def run(self, cases):
        rng = np.random.default_rng(self.settings["seed"])
        await self._reset()
        await self._identity()
        if "load" in self.manifest:
            await self._loads()
        for number, case in enumerate(cases):
            frames = frames_of(case, self.manifest, rng=rng)
            kind = self.settings["episodes"][number % len(self.settings["episodes"])]
            await getattr(self, f"_{kind}")(f"episode {number}, {kind}", case, frames)

    async def _reset(self):
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, self.random.randint(1, 4))
        self.dut.aresetn.value = 1
        await RisingEdge(self.dut.aclk)
        while not self.sink.empty():
            self.sink.recv_nowait()
        self.frames_taken, self.in_frame = 0, False

    async def _identity(self):
        axi = self.manifest["axi"]
        for name, want in {"id": ID, **axi["registers"]}.items():
            got = await self._read(name)
            if got != want:
                self.differs(f"register {name}: got {got:#x}, want {want:#x}")
        for address in sorted({max(REGISTERS.values()) + 4, 0x3C} - set(axi["addresses"].values())):
            if (await self.registers.read(address, 4)).resp != AxiResp.SLVERR:
                self.differs(f"address {address:#x}: a read must answer SLVERR")
            if (await self.registers.write(address, b"\0\0\0\0")).resp != AxiResp.SLVERR:
                self.differs(f"address {address:#x}: a write must answer SLVERR")

    async def _loads(self):
        """A transfer that is cut, one with a wrong bit, and a right one."""
        text = Path(self.settings["folder"]) / self.manifest["vectors"]["folder"] / "load.hex"
        words = [int(line, 16) for line in text.read_text().split()]
        at = self.random.randrange(1, len(words) - 1)
        flipped = [word ^ (k == at) << self.random.randrange(32) for k, word in enumerate(words)]
        for what, sent, wrong in (("cut", words[: at + 1], True), ("flipped", flipped, True), ("right", words, False)):
            for number, word in enumerate(sent):
                await self._until(Register.LOAD_READY)
                name = "load_first" if number == 0 else "load_last" if number == len(sent) - 1 else "load"
                await self.registers.write_dword(LOAD_REGISTERS[name], word)
            await ClockCycles(self.dut.aclk, 16)
            if bool(await self._read("errors") & Register.LOAD) != wrong:
                self.differs(f"transfer, {what}: error {not wrong}")
            if bool(await self._read("status") & Register.LOADED) == (wrong and self.manifest["folding"]["load_banks"] == 1):
                self.differs(f"transfer, {what}: loaded {wrong}")

    async def _until(self, bit):
        while not await self._read("status") & bit:
            pass

    async def _read(self, name):
        return await self.registers.read_dword(REGISTERS[name])

    async def _write(self, name, value):
        await self.registers.write_dword(REGISTERS[name], value)

    async def _send(self, frames, start=0):
        for data in frames.sent[start:]:
            await self.source.send(data)

    def _compare(self, what, packet, number, frames):
        words, error = frames.results[number]
        got = np.frombuffer(bytes(packet.tdata), dtype="<u4").tolist()
        users = packet.tuser if isinstance(packet.tuser, list) else [packet.tuser]
        flagged = bool(users[-1])
        if flagged != error or not same(got, words):
            self.differs(f"{what}: window {number}: got {got}, error {flagged}; want {words}, error {error}")
        self.figures["words"] += len(got)

    async def _next(self, what, number):
        """The next packet, or None where none comes."""
        for _ in range(self.patience):
            if not self.sink.empty():
                return self.sink.recv_nowait()
            await RisingEdge(self.dut.aclk)
        self.differs(f"{what}: no packet for window {number}")
        return None

    async def _receive(self, what, frames, numbers):
        """Packets of these windows, and that no other comes."""
        for number in numbers:
            packet = await self._next(what, number)
            if packet is None:
                return
            self._compare(what, packet, number, frames)
        for _ in range(self.patience // 8):
            await RisingEdge(self.dut.aclk)
            if not self.sink.empty():
                self.differs(f"{what}: a packet more than there are windows: {self.sink.recv_nowait()}")
                return

    async def _whole(self, what, case, frames):
        """All windows; then the counters and flags tell how many and how many broken."""
        await self._write("control", Register.CLEAR)
        await self._write("errors", Register.BROKEN | Register.OVERRUN)
        cocotb.start_soon(self._send(frames))
        await self._receive(what, frames, range(len(frames.results)))
        broken = sum(error for _, error in frames.results)
        want = {"windows": len(frames.results), "broken": broken}
        for name, count in want.items():
            if (got := await self._read(name)) != count:
                self.differs(f"{what}: register {name}: got {got}, want {count}")
        errors = await self._read("errors")
        if bool(errors & Register.BROKEN) != bool(broken):
            self.differs(f"{what}: errors {errors:#x} with {broken} broken windows")
        await self._write("errors", Register.BROKEN)
        if (errors := await self._read("errors")) & Register.BROKEN:
            self.differs(f"{what}: errors {errors:#x} after the flag was cleared")
        first, second = await self._cycles(), await self._cycles()
        if not first < second:
            self.differs(f"{what}: cycles went from {first} to {second}")
        self._done(case, len(frames.results), broken)

    async def _cycles(self):
        low = await self._read("cycles_low")
        return low | await self._read("cycles_high") << 32

    def _done(self, case, windows, broken=0):
        self.figures["windows"] += windows
        self.figures["steps"] += int(case.windows[:, 0].sum())
        self.figures["broken"] += broken

    async def _before(self, what, frames):
        """Windows received until some moment at random; the source goes on."""
        cocotb.start_soon(self._send(frames))
        wanted, number = self.random.randint(0, len(frames.results) - 1), 0
        while number < wanted:
            packet = await self._next(what, number)
            if packet is None:
                return number
            self._compare(what, packet, number, frames)
            number += 1
        await ClockCycles(self.dut.aclk, self.random.randint(1, max(2, self.patience // 20)))
        return number

    async def _cut(self, what, case, frames):
        """A reset in the middle: what had come was right, and so is everything after it from a window's start."""
        number = await self._before(what, frames)
        while not self.sink.empty():
            self._compare(what, self.sink.recv_nowait(), number, frames)
            number += 1
        self.source.clear()
        await self._reset()
        self.figures["resets"] += 1
        cocotb.start_soon(self._send(frames))
        await self._receive(f"{what}, after it", frames, range(len(frames.results)))
        self._done(case, number + len(frames.results))

    async def _restart(self, what, case, frames):
        """A restart over the registers: windows that had begun may be missing, all others are right."""
        watch = cocotb.start_soon(self._watch())
        self.frames_taken, self.in_frame = 0, False
        number = await self._before(what, frames)
        await self._write("control", Register.HOLD)
        await ClockCycles(self.dut.aclk, 3)
        await self._write("control", Register.HOLD | Register.RESET)
        await ClockCycles(self.dut.aclk, 3)
        after = self.frames_taken + self.in_frame
        begun = frames.first_after[after - 1] if after else 0
        await self._write("control", 0)
        self.figures["restarts"] += 1
        # Packets that left before the restart, in order, then those of the windows that had not begun.
        got = []
        quiet = 0
        while quiet < self.patience:
            await RisingEdge(self.dut.aclk)
            quiet += 1
            if not self.sink.empty():
                got.append(self.sink.recv_nowait())
                quiet = 0
        total = len(frames.results)
        # Without a head the window that was leaving is cut short, and says so.
        # A broken window's packet looks like one too: the last before the restart is the one that was cut.
        short = [n for n, packet in enumerate(got[: begun - number]) if self._cut_short(packet, frames, number + n)]
        if short:
            got.pop(short[-1])
        early = len(got) - (total - begun)
        if not 0 <= early <= begun - number:
            self.differs(f"{what}: {len(got)} packets after window {number}, of {total} windows of which {begun} had begun")
        else:
            for packet, which in zip(got, [*range(number, number + early), *range(begun, total)], strict=True):
                self._compare(what, packet, which, frames)
        watch.cancel()
        self._done(case, number + len(got))

    def _cut_short(self, packet, frames, number):
        """Whether a packet is the beginning of a window's, and then the word that closes it."""
        if self.manifest["spec"]["classes"] or number >= len(frames.results):
            return False
        words = np.frombuffer(bytes(packet.tdata), dtype="<u4").tolist()
        wanted = frames.results[number][0]
        users = packet.tuser if isinstance(packet.tuser, list) else [packet.tuser]
        return len(words) <= len(wanted) and words[-1] == 0 and bool(users[-1]) and same(words[:-1], wanted[: len(words) - 1])

    async def _watch(self):
        """How many packets the core has taken, and whether it is within one."""
        dut = self.dut
        while True:
            await RisingEdge(dut.aclk)
            if dut.aresetn.value and dut.s_axis_tvalid.value and dut.s_axis_tready.value:
                ends = bool(dut.s_axis_tlast.value)
                self.frames_taken += ends
                self.in_frame = not ends

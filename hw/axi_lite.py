"""Registers of a core on AXI4-Lite."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .loader import LoadWord

__all__ = ["LOAD_REGISTERS", "REGISTERS", "AxiLiteRegisters", "Register", "axi_lite_members"]

ADDRESS_BITS = 6
OKAY, SLVERR = 0, 2

REGISTERS = {
    "id": 0x00,
    "version": 0x04,
    "spec": 0x08,
    "shape": 0x0C,
    "format": 0x10,
    "control": 0x14,
    "status": 0x18,
    "errors": 0x1C,
    "cycles_low": 0x20,
    "cycles_high": 0x24,
    "windows": 0x28,
    "broken": 0x2C,
    "stalled": 0x30,
}
"""Byte address of each register, 32 bits wide."""

LOAD_REGISTERS = {"load_first": 0x34, "load": 0x38, "load_last": 0x3C}
"""Of a core that loads parameters: a word written to one of these is a word of a transfer, its first, one in it, its last."""

ID = int.from_bytes(b"MuBN", "big")


class Register:
    """Bits of the registers that have fields.

    control: `hold`, samples wait; written 1, `reset` restarts the core and `clear` the counters. status: the core would take a
    sample; a result waits; a window has begun. errors, cleared by writing 1: a window was broken by a missing or misplaced
    `tlast`; a sample had to wait (`overrun`: a source that can't wait has lost one).

    Of a core that loads parameters, status: it has some; a word of a transfer can be written, else it is refused with SLVERR.
    errors: a transfer was wrong, and no right one came after it; writing does not clear that.
    """

    HOLD, RESET, CLEAR = 1, 2, 4
    READY, RESULT, IN_WINDOW, LOADED, LOAD_READY = 1, 2, 4, 8, 16
    BROKEN, OVERRUN, LOAD = 1, 2, 4


def axi_lite_members(prefix):
    """Members of an AXI4-Lite subordinate by the names of its specification."""
    sizes = {"awaddr": ADDRESS_BITS, "awprot": 3, "awvalid": 1, "wdata": 32, "wstrb": 4, "wvalid": 1, "bready": 1,
             "araddr": ADDRESS_BITS, "arprot": 3, "arvalid": 1, "rready": 1}  # fmt: skip
    driven = {"awready": 1, "wready": 1, "bresp": 2, "bvalid": 1, "arready": 1, "rdata": 32, "rresp": 2, "rvalid": 1}
    return {f"{prefix}_{name}": In(bits) for name, bits in sizes.items()} | {
        f"{prefix}_{name}": Out(bits) for name, bits in driven.items()
    }


class AxiLiteRegisters(wiring.Component):
    """The registers of REGISTERS. A read or write takes two cycles and more, one of each at a time; an address between them
    answers SLVERR. Bytes without strobe are left alone.

    Parameters
    ----------
    constants : {"version", "spec", "shape", "format": int}
    loads : bool
        Whether the core loads parameters.

    Members
    -------
    axil_... : an AXI4-Lite subordinate
    ready, result, in_window : In, of the status
    broken, overrun : In, a pulse each
    window : In, a pulse for every result
    hold, restart : Out, of the control; restart is a pulse
    load : Out(stream of LoadWord); loaded, load_error : In, if the core loads any
    """

    def __init__(self, constants, *, loads=False):
        self.constants, self.loads = constants, loads
        self.addresses = REGISTERS | (LOAD_REGISTERS if loads else {})
        more = {"load": Out(stream.Signature(LoadWord)), "loaded": In(1), "load_error": In(1)} if loads else {}
        inputs = ("ready", "result", "in_window", "broken", "overrun", "window")
        super().__init__(
            axi_lite_members("axil") | {name: In(1) for name in inputs} | {"hold": Out(1), "restart": Out(1)} | more
        )

    def elaborate(self, platform):
        m = Module()
        clear = Signal()
        counters = {name: Signal(32, name=f"{name}_counted") for name in ("windows", "broken", "stalled")}
        counters["cycles"] = Signal(64, name="cycles_counted")
        pulses = {"cycles": 1, "windows": self.window, "broken": self.broken, "stalled": self.overrun}
        for name, counter in counters.items():
            m.d.sync += counter.eq(counter + pulses[name])
            with m.If(clear):
                m.d.sync += counter.eq(0)
        errors, high = Signal(2), Signal(32)
        m.d.sync += self.restart.eq(0)
        self._write(m, errors, clear)
        # The high half is that of the cycle in which the low half was read.
        status = [self.ready, self.result, self.in_window]
        if self.loads:
            status += [self.loaded, ~self.load.valid]
        flags = Cat(errors, self.load_error) if self.loads else errors
        values = {"id": ID, **self.constants, "control": self.hold, "status": Cat(*status), "errors": flags,
                  "cycles_low": counters["cycles"][:32], "cycles_high": high, "windows": counters["windows"],
                  "broken": counters["broken"], "stalled": counters["stalled"]}  # fmt: skip
        m.d.comb += self.axil_arready.eq(~self.axil_rvalid)
        with m.If(self.axil_rvalid & self.axil_rready):
            m.d.sync += self.axil_rvalid.eq(0)
        with m.If(self.axil_arvalid & self.axil_arready):
            m.d.sync += [self.axil_rvalid.eq(1), self.axil_rresp.eq(SLVERR), self.axil_rdata.eq(0)]
            with m.Switch(self.axil_araddr[2:]):
                for name, address in REGISTERS.items():
                    with m.Case(address >> 2):
                        m.d.sync += [self.axil_rdata.eq(values[name]), self.axil_rresp.eq(OKAY)]
            with m.If(self.axil_araddr[2:] == REGISTERS["cycles_low"] >> 2):
                m.d.sync += high.eq(counters["cycles"][32:])
        return m

    def _write(self, m, errors, clear):
        address, word, strobes = Signal(ADDRESS_BITS - 2), Signal(32), Signal(4)
        have_address, have_word = Signal(), Signal()
        m.d.comb += [self.axil_awready.eq(~have_address), self.axil_wready.eq(~have_word)]
        with m.If(self.axil_awvalid & self.axil_awready):
            m.d.sync += [address.eq(self.axil_awaddr[2:]), have_address.eq(1)]
        with m.If(self.axil_wvalid & self.axil_wready):
            m.d.sync += [word.eq(self.axil_wdata), strobes.eq(self.axil_wstrb), have_word.eq(1)]
        with m.If(self.axil_bvalid & self.axil_bready):
            m.d.sync += self.axil_bvalid.eq(0)
        cleared = Signal(2)
        if self.loads:
            with m.If(self.load.ready):
                m.d.sync += self.load.valid.eq(0)
        with m.If(have_address & have_word & ~self.axil_bvalid):
            m.d.sync += [have_address.eq(0), have_word.eq(0), self.axil_bvalid.eq(1), self.axil_bresp.eq(SLVERR)]
            with m.Switch(address):
                # All that can be written is in the lowest byte.
                with m.Case(REGISTERS["control"] >> 2):
                    m.d.sync += self.axil_bresp.eq(OKAY)
                    with m.If(strobes[0]):
                        m.d.sync += [self.hold.eq(word[0]), self.restart.eq(word[1])]
                        m.d.comb += clear.eq(word[2])
                with m.Case(REGISTERS["errors"] >> 2):
                    m.d.sync += self.axil_bresp.eq(OKAY)
                    with m.If(strobes[0]):
                        m.d.comb += cleared.eq(word[:2])
                if self.loads:
                    for name, at in LOAD_REGISTERS.items():
                        with m.Case(at >> 2):
                            self._load(m, word, strobes, name)
        m.d.sync += errors.eq(errors & ~cleared | Cat(self.broken, self.overrun))

    def _load(self, m, word, strobes, name):
        """A word waits until the core takes it; meanwhile another is refused, and so is a part of one."""
        with m.If(~self.load.valid & strobes.all()):
            m.d.sync += [
                self.axil_bresp.eq(OKAY),
                self.load.valid.eq(1),
                self.load.p.word.eq(word),
                self.load.p.first.eq(name == "load_first"),
                self.load.p.last.eq(name == "load_last"),
            ]

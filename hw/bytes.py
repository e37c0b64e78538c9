"""The core behind a byte-wide bus: for packages with few pins, and for a microcontroller's parallel port."""

from amaranth import Cat, ClockSignal, Instance, Module, Mux, ResetSignal, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .ram import LOAD_BITS

__all__ = ["ByteCore"]

_BYTE = data.StructLayout({"data": 8, "last": 1})


class ByteCore(wiring.Component):
    """A core's two streams, each as bytes, least significant first.

    A sample is ceil(bits / 8) bytes, sign extended or not (the bits above the sample are ignored); `last` counts on its final
    byte. A result is its payload in bytes, `last` on the final one. One byte a cycle, and a cycle to hand a sample to
    the core; a result is read while the core computes on.

    Parameters
    ----------
    name : str
        Verilog module of the core, with ports as Amaranth names them: i__payload (x, then last on top), o__payload ...
    sample_bits, result_bits : int
        Widths of x and of the core's output payload.
    loads : bool
        Whether the core loads parameters. Bytes with `load` are those of a transfer then, four a word, `last` with its final
        byte; it begins with the first of them after a reset or after the one before.

    Members
    -------
    i : In(stream of data: 8 bits, last; load, if the core loads anything)
    loaded, load_error : Out(1), then
        The core's.
    o : Out(stream of data: 8 bits, last)
    """

    def __init__(self, name, *, sample_bits, result_bits, loads=False):
        self.name, self.sample_bits, self.result_bits, self.loads = name, sample_bits, result_bits, loads
        taken = data.StructLayout({"data": 8, "last": 1, "load": 1}) if loads else _BYTE
        members = {"loaded": Out(1), "load_error": Out(1)} if loads else {}
        super().__init__({"i": In(stream.Signature(taken)), "o": Out(stream.Signature(_BYTE)), **members})

    def elaborate(self, platform):
        m = Module()
        core = {"i_valid": Signal(), "i_ready": Signal(), "o_valid": Signal(), "o_ready": Signal()}
        payload, result = Signal(self.sample_bits + 1), Signal(self.result_bits)
        load_free, loading = self._load(m) if self.loads else (None, {})
        of_sample = ~self.i.p.load if self.loads else 1
        m.submodules.core = Instance(
            self.name,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            i_i__payload=payload,
            i_i__valid=core["i_valid"],
            o_i__ready=core["i_ready"],
            o_o__payload=result,
            o_o__valid=core["o_valid"],
            i_o__ready=core["o_ready"],
            **loading,
        )
        # Bytes of a sample gather, the newest on top, and go to the core together.
        count = -(-self.sample_bits // 8)
        gathered, last = Signal(8 * count, name="gathered"), Signal(name="last")
        full, have = Signal(name="full"), Signal(range(count + 1), name="have")
        m.d.comb += [
            payload.eq(Cat(gathered[: self.sample_bits], last)),
            core["i_valid"].eq(full),
            # Not in the cycle in which the core takes a sample: the way from its ready would go on through everything here.
            self.i.ready.eq(Mux(self.i.p.load, load_free, ~full) if self.loads else ~full),
        ]
        with m.If(full & core["i_ready"]):
            m.d.sync += full.eq(0)
        with m.If(self.i.valid & self.i.ready & of_sample):
            m.d.sync += [
                gathered.eq(Cat(gathered, self.i.p.data)[8:]),
                last.eq(self.i.p.last),
                have.eq(Mux(have == count - 1, 0, have + 1)),
                full.eq(have == count - 1),
            ]
        # A result is kept and shifted out.
        beats = -(-self.result_bits // 8)
        kept, left = Signal(8 * beats, name="kept"), Signal(range(beats + 1), name="left")
        m.d.comb += [
            self.o.valid.eq(left != 0),
            self.o.p.data.eq(kept[:8]),
            self.o.p.last.eq(left == 1),
            core["o_ready"].eq(left == 0),
        ]
        with m.If(core["o_valid"] & core["o_ready"]):
            m.d.sync += [kept.eq(result), left.eq(beats)]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [kept.eq(kept >> 8), left.eq(left - 1)]
        return m

    def _load(self, m):
        """Bytes to words of a transfer: (whether a byte can be taken, ports of the core)."""
        word, place, full = Signal(LOAD_BITS), Signal(range(LOAD_BITS // 8)), Signal(name="load_full")
        first, last, ready = Signal(init=1, name="load_first"), Signal(name="load_last"), Signal(name="load_ready")
        takes = self.i.valid & self.i.p.load & ~full
        with m.If(takes):
            ends = place == LOAD_BITS // 8 - 1
            m.d.sync += [
                word.eq(Cat(word, self.i.p.data)[8:]),
                last.eq(self.i.p.last),
                place.eq(Mux(ends | self.i.p.last, 0, place + 1)),
                full.eq(ends | self.i.p.last),
            ]
        with m.If(full & ready):
            m.d.sync += [full.eq(0), first.eq(last)]
        return ~full, {
            "i_load__payload": Cat(word, first, last),
            "i_load__valid": full,
            "o_load__ready": ready,
            "o_loaded": self.loaded,
            "o_load_error": self.load_error,
        }

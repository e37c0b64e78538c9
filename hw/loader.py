"""Loader: parameters from a stream into the registers and memories of a core, never in use before their CRC is right."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from .codes import lookup
from .delay import handed_on
from .ram import LOAD_BITS, LoadWrite

__all__ = ["LoadWord", "Loader"]

LoadWord = data.StructLayout({"word": LOAD_BITS, "first": 1, "last": 1})
"""A word of a transfer, and whether it is its first or its last."""

BYTES = LOAD_BITS // 8


class Loader(wiring.Component):
    """Takes transfers: a word that says for which core it is, the parameters, and the CRC-32 of all that, `last` with it.

    With one bank a transfer waits until the core rests, and from its first word on the core has no parameters. With two it goes
    into the bank that is not read while the core goes on; the core changes over when it rests. Either way parameters count only
    when a transfer has as many words as it must have, is for this core, and its CRC is right. Else there is an `error`, until
    the next right transfer: with one bank the core stays without parameters, with two it keeps what it has. A `first` begins a
    new transfer and gives up one that has not ended. A word takes five cycles.

    A reset ends a transfer, but neither does it give parameters nor take them.

    Parameters
    ----------
    regions : sequence of (rows, columns)
        Where the words go, region by region, row by row.
    registers : sequence of Signal
        Region 0, one a row, if there are any. Driven here.
    identity : int
        First word of every transfer.
    banks : int
        1 or 2.
    loaded : bool
        Whether the core has parameters from the start.

    Members
    -------
    load : In(stream of LoadWord)
    rests : In(1)
        No window has begun that has not ended.
    stop : Out(1)
        No window may begin.
    loaded, error : Out(1)
        The core has parameters; a transfer was wrong, and no right one came after it.
    writes : Out, a LoadWrite for each region
    bank : Out(1)
        The one that is read.
    """

    def __init__(self, regions, registers, *, identity, banks=1, loaded=True):
        self.regions, self.registers = list(regions), list(registers)
        self.identity, self.banks, self.starts_loaded = identity, banks, loaded
        members = {f"write_{k}": Out(LoadWrite) for k in range(len(self.regions))}
        flags = {"rests": In(1), "stop": Out(1), "loaded": Out(1), "error": Out(1), "bank": Out(1)}
        super().__init__({"load": In(stream.Signature(LoadWord)), **flags, **members})

    @property
    def writes(self):
        return [getattr(self, f"write_{k}") for k in range(len(self.regions))]

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = CRC32_ISO_HDLC(data_width=8).create()
        loaded = Signal(init=int(self.starts_loaded), reset_less=True)
        bank, waits = Signal(reset_less=True), Signal()
        m.d.comb += [self.loaded.eq(loaded), self.bank.eq(bank), self.stop.eq(~loaded | waits)]

        kept, left, ends, bad = Signal(LOAD_BITS), Signal(range(BYTES + 1)), Signal(), Signal()
        took, opens, accepts, begun, commit = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [took.eq(self.load.valid & self.load.ready), opens.eq(took & self.load.p.first)]
        with m.FSM(name="transfer"):
            with m.State("IDLE"):
                # What belongs to no transfer is dropped.
                begins = self.load.valid & self.load.p.first
                m.d.comb += self.load.ready.eq(~self.load.p.first)
                m.d.sync += begun.eq(0)
                with m.If(begins):
                    m.next = "WAIT" if self.banks == 1 else "LOAD"
                with m.Elif(self.load.valid):
                    m.d.sync += self.error.eq(1)
            with m.State("WAIT"):
                m.d.comb += waits.eq(1)
                with m.If(self.rests):
                    m.d.sync += loaded.eq(0)
                    m.next = "LOAD"
            with m.State("LOAD"):
                m.d.comb += [self.load.ready.eq(left == 0), accepts.eq(took)]
                m.d.sync += begun.eq(begun | took)
                with m.If(opens & begun):
                    m.d.sync += self.error.eq(1)
                with m.If((left == 1) & ends):
                    m.next = "CHECK"
            with m.State("CHECK"):
                right = crc.match_detected & ~bad
                m.d.sync += self.error.eq(~right)
                if self.banks == 1:
                    m.d.sync += loaded.eq(right)
                    m.next = "IDLE"
                else:
                    m.next = "IDLE"
                    with m.If(right):
                        m.next = "CHANGE"
            if self.banks == 2:
                with m.State("CHANGE"):
                    m.d.comb += waits.eq(1)
                    with m.If(self.rests):
                        m.d.comb += commit.eq(1)
                        m.d.sync += [bank.eq(~bank), loaded.eq(1)]
                        m.next = "IDLE"

        # A word's bytes enter the CRC one after another.
        with m.If(accepts):
            m.d.sync += [kept.eq(self.load.p.word), left.eq(BYTES), ends.eq(self.load.p.last)]
        with m.Elif(left != 0):
            m.d.sync += [kept.eq(kept >> 8), left.eq(left - 1)]
        m.d.comb += [crc.start.eq(accepts & opens), crc.data.eq(kept[:8]), crc.valid.eq(left != 0)]
        self._place(m, accepts, opens, bad)
        self._registers(m, commit)
        return m

    def _place(self, m, accepts, opens, bad):
        """Where a word goes, and whether a transfer has its words in order."""
        rows, columns = (max(size[k] for size in self.regions) for k in (0, 1))
        region, full = Signal(range(max(2, len(self.regions)))), Signal()
        row, column = Signal(range(max(2, rows))), Signal(range(max(2, columns)))
        ends = [
            at == lookup(m, region, [size[k] - 1 for size in self.regions], name=f"last_{k}", shape=at.shape())
            for k, at in enumerate((row, column))
        ]
        write, to = Signal(LoadWrite), Signal(range(max(2, len(self.regions))))
        m.d.sync += write.valid.eq(0)
        with m.If(opens & accepts):
            m.d.sync += [region.eq(0), row.eq(0), column.eq(0), full.eq(0)]
            m.d.sync += bad.eq((self.load.p.word != self.identity) | self.load.p.last)
        with m.Elif(accepts & full):
            m.d.sync += bad.eq(bad | ~self.load.p.last)
        with m.Elif(accepts):
            m.d.sync += [
                bad.eq(bad | self.load.p.last),
                write.valid.eq(1),
                write.row.eq(row),
                write.column.eq(column),
                write.word.eq(self.load.p.word),
                to.eq(region),
                column.eq(Mux(ends[1], 0, column + 1)),
            ]
            with m.If(ends[1]):
                m.d.sync += row.eq(Mux(ends[0], 0, row + 1))
                with m.If(ends[0]):
                    m.d.sync += [region.eq(region + 1), full.eq(region == len(self.regions) - 1)]
        for k, out in enumerate(self.writes):
            m.d.comb += [out.eq(write), out.valid.eq(write.valid & (to == k))]

    def _registers(self, m, commit):
        write = self.writes[0]
        for k, register in enumerate(self.registers):
            into = register
            if self.banks == 2:
                into = Signal.like(register, name=f"next_{register.name}", reset_less=True)
                with m.If(commit):
                    m.d.sync += handed_on([into, register])
            with m.If(write.valid & (write.row == k)):
                m.d.sync += into.eq(write.word)

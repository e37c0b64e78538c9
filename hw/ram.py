"""Memory that the engine reads and a loader writes: block RAM, or single-ported RAM where block RAM is short."""

from amaranth import Cat, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from mubinn.model.folding import SPRAM_ROWS

from .cells import is_real
from .rom import Rom

__all__ = ["LOAD_BITS", "LoadWrite", "Ram", "memory_of"]

LOAD_BITS = 32
"""Of a word that is loaded."""

LoadWrite = data.StructLayout({"valid": 1, "row": 22, "column": 10, "word": LOAD_BITS})
"""Where a loaded word goes: to bits 32 * column and up of a row."""

SPRAM_BITS = 16
"""Of a block of SPRAM; four stand side by side."""


class Ram(wiring.Component):
    """Memory with the reading side of a `Rom`: a word follows its address by `latency` cycles, one every cycle.

    Parameters
    ----------
    words : sequence of int
        What it holds before anything is loaded; in SPRAM, which has no such contents, only their number counts.
    width : int
        Bits of a word.
    family : str
    output_register : bool
        One cycle more, and the data comes from a register.
    banks : int
        2: one is read while the other is written.
    spram : bool
        Single-ported RAM of the UltraPlus, `SPRAM_ROWS` words at most: nothing is read while it is written.

    Members
    -------
    address : In(range(max(2, number of words)))
    data : Out(width)
    write : In(LoadWrite)
    bank : In(1)
        The one that is read; of two the other is written.
    """

    def __init__(self, words, width, *, family="generic", output_register=False, banks=1, spram=False):
        self.words, self.width, self.family = list(words), width, family
        self.output_register, self.banks, self.spram = bool(output_register), banks, spram
        self.columns = -(-width // LOAD_BITS)
        members = {"address": In(range(max(2, len(self.words)))), "data": Out(width), "write": In(LoadWrite), "bank": In(1)}
        super().__init__(members)

    @property
    def latency(self):
        return 2 if self.output_register else 1

    @property
    def rows(self):
        """Of a bank."""
        return max(2, len(self.words)) if self.banks == 1 else 1 << len(self.address)

    def elaborate(self, platform):
        m = Module()
        read = [self._column(m, platform, k) for k in range(self.columns)]
        value = Cat(*read)
        if self.output_register:
            register = Signal(self.width, name="output_register", reset_less=True)
            m.d.sync += register.eq(value)
            value = register
        m.d.comb += self.data.eq(value)
        return m

    def _column(self, m, platform, number):
        """A memory of its own for the bits that one word loads: so no tool need know how to write a part of one."""
        bits = min(LOAD_BITS, self.width - LOAD_BITS * number)
        writes = Signal(name=f"writes_{number}")
        m.d.comb += writes.eq(self.write.valid & (self.write.column == number))
        row = self.write.row[: len(self.address)]
        if self.spram:
            if is_real(platform, "ice40"):
                address = Signal(range(SPRAM_ROWS), name=f"address_{number}")
                with m.If(writes):
                    m.d.comb += address.eq(row)
                with m.Else():
                    m.d.comb += address.eq(self.address)
                cuts = range(0, bits, SPRAM_BITS)
                parts = [
                    _spram(m, f"spram_{number}_{cut}", address, self.write.word[cut : cut + SPRAM_BITS], writes) for cut in cuts
                ]
                return Cat(*parts)[:bits]
            init = []
        else:
            low = LOAD_BITS * number
            init = [word >> low & (1 << bits) - 1 for word in self.words]
        memory = Memory(shape=bits, depth=self.rows * self.banks, init=init)
        m.submodules[f"memory_{number}"] = memory
        port, write = memory.read_port(), memory.write_port()
        own, other = ([self.bank], [~self.bank]) if self.banks == 2 else ([], [])
        m.d.comb += [
            port.addr.eq(Cat(self.address, *own)),
            write.addr.eq(Cat(row, *other)),
            write.data.eq(self.write.word),
            write.en.eq(writes),
        ]
        return port.data


def memory_of(words, width, *, family="generic", output_register=False, banks=0):
    """A Rom, or of 1 or 2 banks a Ram."""
    settings = {"family": family, "output_register": output_register}
    return Ram(words, width, banks=banks, **settings) if banks else Rom(words, width, **settings)


def _spram(m, name, address, word, writes):
    """16384 words of 16 bits, read a cycle after the address."""
    output = Signal(SPRAM_BITS, name=f"{name}_output")
    m.submodules[name] = Instance(
        "SB_SPRAM256KA",
        i_ADDRESS=address,
        i_DATAIN=Cat(word, Const(0, SPRAM_BITS - len(word))) if len(word) < SPRAM_BITS else word,
        i_MASKWREN=Const(15, 4),
        i_WREN=writes,
        i_CHIPSELECT=Const(1),
        i_CLOCK=ClockSignal(),
        i_STANDBY=Const(0),
        i_SLEEP=Const(0),
        i_POWEROFF=Const(1),
        o_DATAOUT=output,
    )
    return output

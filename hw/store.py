"""Operand store: the activation planes of x and h, a bank a step, a word of columns at a time."""

from amaranth import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .cells import PIPELINED
from .delay import Delay
from .layouts import pulse

__all__ = ["PlaneStore"]


SPARE = 8
"""Cycles of a step in which x may be written, more than it has channels."""


class PlaneStore(wiring.Component):
    """Codes of x and h in one packed column space, x first, read a word of `lanes` columns at a time.

    Of two banks b holds the operands of the steps with parity b: x of the step and h of the step before. With more contexts
    there is a bank more than contexts, and steps take them in turn: h goes as many banks on as there are contexts. One code
    is written a cycle; h goes first and x waits (its stream is not ready). Data follows the read address by one cycle. Lanes
    behind the last column are never written and read 0. A code is written `write_stages` cycles after it is given, and can be
    read in the cycle after that. Where several contexts leave no cycle free for x, as a unit is done every cycle, x and h are
    in memories of their own.

    Parameters
    ----------
    schedule : Schedule
    family : str
        Where an adder deserves a register of its own (`PIPELINED`), so does the choice of what is written where.

    Members
    -------
    x : In(stream of code: input_levels bits, bank, first: channel 0)
    h : In(stream of code: hidden_levels bits, bank, first: unit 0), never held back
    bank, word : In
        Read address.
    planes : Out(levels times lanes bits)
    """

    def __init__(self, schedule, *, family="generic"):
        self.schedule = schedule
        self.write_stages = int(family in PIPELINED)
        spec = schedule.spec
        writes = spec.hidden_size + spec.input_size
        self.apart = schedule.folding.contexts > 1 and schedule.ideal_cycles_per_step < writes + SPARE
        bank = unsigned(schedule.folding.contexts.bit_length())
        x_code = data.StructLayout({"code": unsigned(spec.input_levels), "bank": bank, "first": 1})
        h_code = data.StructLayout({"code": unsigned(spec.hidden_levels), "bank": bank, "first": 1})
        super().__init__(
            {
                "x": In(stream.Signature(x_code)),
                "h": In(pulse(h_code)),
                "bank": In(bank),
                "word": In(range(max(2, schedule.words))),
                "planes": Out(data.ArrayLayout(unsigned(schedule.folding.lanes), schedule.levels)),
            }
        )

    @property
    def depth(self):
        """Words of a bank."""
        return 1 << (max(2, self.schedule.words) - 1).bit_length()

    @property
    def memory_bits(self):
        """Of all banks, and of both memories where there are two."""
        return (self.depth << len(self.bank)) * self.schedule.folding.lanes * self.schedule.levels * (1 + self.apart)

    def elaborate(self, platform):
        m = Module()
        schedule = self.schedule
        spec, lanes, levels = schedule.spec, schedule.folding.lanes, schedule.levels
        if self.apart:
            return self._apart(m)
        memory = Memory(shape=unsigned(lanes * levels), depth=(self.depth << len(self.bank)), init=[])
        m.submodules.memory = memory
        read, write = memory.read_port(), memory.write_port(granularity=levels)
        address_bits = len(self.word)
        m.d.comb += [
            read.addr.eq(Cat(self.word, self.bank)),
            self.x.ready.eq(~self.h.valid),
        ]
        x_place = self._place(m, "x", self.x.valid & self.x.ready, self.x.p.first, 0, spec.input_size)
        h_place = self._place(m, "h", self.h.valid, self.h.p.first, spec.input_size, spec.hidden_size)
        lane, word = (Mux(self.h.valid, h, x) for h, x in zip(h_place, x_place, strict=True))
        code = Mux(self.h.valid, self.h.p.code, self.x.p.code)
        bank = Mux(self.h.valid, self.h.p.bank, self.x.p.bank)
        enable = self.h.valid | self.x.valid
        at = Signal(levels)
        place = data.StructLayout({"at": levels, "address": address_bits + len(self.bank), "lane": range(lanes), "valid": 1})
        later = Delay(place, self.write_stages)
        m.submodules.write = later
        m.d.comb += [
            at.eq(code),
            later.i.at.eq(at),
            later.i.address.eq(Cat(word[:address_bits], bank)),
            later.i.lane.eq(lane),
            later.i.valid.eq(enable),
            write.addr.eq(later.o.address),
            write.data.eq(later.o.at.replicate(lanes)),
            write.en.eq(Mux(later.o.valid, 1 << later.o.lane, 0)),
        ]
        for level in range(levels):
            m.d.comb += self.planes[level].eq(Cat(read.data[k * levels + level] for k in range(lanes)))
        return m

    def _apart(self, m):
        """Memories of x and of h, read together."""
        schedule, lanes, levels = self.schedule, self.schedule.folding.lanes, self.schedule.levels
        read = {}
        m.d.comb += self.x.ready.eq(1)
        for name, of, column, count in (
            ("x", self.x, 0, schedule.spec.input_size),
            ("h", self.h, schedule.spec.input_size, schedule.spec.hidden_size),
        ):
            memory = Memory(shape=unsigned(lanes * levels), depth=self.depth << len(self.bank), init=[])
            m.submodules[f"{name}_memory"] = memory
            port, write = memory.read_port(), memory.write_port(granularity=levels)
            lane, word = self._place(m, name, of.valid, of.p.first, column, count)
            at = Signal(levels, name=f"{name}_at")
            place = data.StructLayout({"at": levels, "address": len(write.addr), "lane": range(lanes), "valid": 1})
            m.submodules[f"{name}_write"] = later = Delay(place, self.write_stages)
            m.d.comb += [
                port.addr.eq(Cat(self.word, self.bank)),
                at.eq(of.p.code),
                later.i.at.eq(at),
                later.i.address.eq(Cat(word[: len(self.word)], of.p.bank)),
                later.i.lane.eq(lane),
                later.i.valid.eq(of.valid),
                write.addr.eq(later.o.address),
                write.data.eq(later.o.at.replicate(lanes)),
                write.en.eq(Mux(later.o.valid, 1 << later.o.lane, 0)),
            ]
            read[name] = port.data
        last, of_x = schedule.x_words - 1, Signal(lanes)
        shared = (1 << schedule.split) - 1
        m.d.sync += of_x.eq(Mux(self.word < last, (1 << lanes) - 1, Mux(self.word == last, shared, 0)))
        for level in range(levels):
            planes = {name: Cat(value[k * levels + level] for k in range(lanes)) for name, value in read.items()}
            m.d.comb += self.planes[level].eq(planes["x"] & of_x | planes["h"] & ~of_x)
        return m

    def _place(self, m, name, step, first, column, count):
        """(lane, word) of the running column of a part that starts at `column` and has `count` columns."""
        lanes = self.schedule.folding.lanes
        start, last = divmod(column, lanes), (column + count - 1) // lanes
        lane = Signal(range(lanes), name=f"{name}_lane")
        now_lane = Mux(first, start[1], lane)
        if start[0] == last:  # all in one word
            with m.If(step):
                m.d.sync += lane.eq(now_lane + 1)
            return now_lane, Const(last, len(self.word))
        wraps = now_lane == lanes - 1
        with m.If(step):
            m.d.sync += lane.eq(Mux(wraps, 0, now_lane + 1))
        word = Signal.like(self.word, name=f"{name}_word")
        now_word = Mux(first, start[0], word)
        with m.If(step & wraps):
            m.d.sync += word.eq(now_word + 1)
        with m.Elif(step):
            m.d.sync += word.eq(now_word)
        return now_lane, now_word

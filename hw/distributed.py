"""Dot products by distributed arithmetic: one weight bit negates a whole activation code, so a few columns are one look-up.

The decoded values v of `group` columns have 2^group sums over the columns whose weight bit is 1. They are computed once
a step and written to LUT RAM; a weight word then reads one sum a group, for all activation planes, scales inside.
"""

from dataclasses import dataclass
from operator import index

from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from mubinn.model.fixed import signed_bits

from .blocks import sum_words
from .cells import FAMILIES
from .chain import Bit
from .codes import decoded
from .layouts import pulse
from .popcount import total as total_of

__all__ = ["DistributedDot", "TableWriter", "Tables"]


@dataclass(frozen=True, kw_only=True)
class Tables:
    """Sizes of the tables.

    Parameters
    ----------
    lanes : int
        Columns, at least 1.
    scales : tuple of int
        Scale of each activation plane, not negative.
    group : int
        Columns of a table, 1 to 6. The last table may have columns to spare, which count nothing.
    """

    lanes: int
    scales: tuple
    group: int

    def __post_init__(self):
        for name, high in (("lanes", 1 << 16), ("group", 6)):
            object.__setattr__(self, name, index(getattr(self, name)))
            if not 1 <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be 1 to {high}, not {getattr(self, name)}")
        if not self.scales or min(self.scales) < 0:
            raise ValueError(f"scales must be one or more numbers not below 0, not {self.scales}")

    @property
    def tables(self):
        return -(-self.lanes // self.group)

    @property
    def sum_bits(self):
        most = sum(self.scales) * self.group
        return signed_bits(-most, most)

    @property
    def zero(self):
        """What a table holds for 0: its entries are not negative, as the adders of a family want them."""
        return 1 << self.sum_bits - 1

    @property
    def dot_bits(self):
        most = sum(self.scales) * self.lanes
        return signed_bits(-most, most)

    @property
    def entries(self):
        """One entry of every table."""
        return data.StructLayout({"address": self.group, "sums": data.ArrayLayout(unsigned(self.sum_bits), self.tables)})


class TableWriter(wiring.Component):
    """Sums for the tables of a step, an entry of every table a cycle, in the order of a Gray code: each differs from the one
    before by the value of one column.

    Takes 2^group cycles; the codes are taken with the last of them. Any number of `DistributedDot` share one.

    Parameters
    ----------
    tables : Tables

    Members
    -------
    i : In(stream of codes [lanes])
    o : Out(stream of Tables.entries), never held back
    """

    def __init__(self, tables):
        self.tables = tables
        codes = data.ArrayLayout(len(tables.scales), tables.lanes)
        super().__init__({"i": In(stream.Signature(codes)), "o": Out(pulse(tables.entries))})

    def elaborate(self, platform):
        m = Module()
        t = self.tables
        step, following = Signal(t.group), Signal(t.group)
        # The lowest 1 of the next step's number is the bit that its Gray code flips, and the bit above says to what.
        m.d.comb += [
            following.eq(step + 1),
            self.o.valid.eq(self.i.valid),
            self.o.p.address.eq(step ^ (step >> 1)),
            self.i.ready.eq(step == (1 << t.group) - 1),
        ]
        column, adds = Signal(range(t.group)), Signal()
        for k in reversed(range(t.group)):
            with m.If(following[k]):
                above = following[k + 1] if k + 1 < t.group else 0
                m.d.comb += [column.eq(k), adds.eq(~above)]
        with m.If(self.i.valid):
            m.d.sync += step.eq(following)
        for number in range(t.tables):
            columns = [self.i.p[c] for c in range(number * t.group, min(t.lanes, (number + 1) * t.group))]
            code = Signal(len(t.scales), name=f"code_{number}")
            with m.Switch(column):
                for k, value in enumerate(columns):
                    with m.Case(k):
                        m.d.comb += code.eq(value)
            value = decoded(m, code, t.scales, name=f"value_{number}")
            used = column < len(columns) if len(columns) < t.group else 1
            now = Signal(t.sum_bits, init=t.zero, name=f"sum_{number}")
            with m.If(self.i.valid & used):
                m.d.sync += now.eq(Mux(self.i.ready, t.zero, now + Mux(adds, value, -value)))
            if len(columns) < t.group:
                with m.If(self.i.ready):
                    m.d.sync += now.eq(t.zero)
            m.d.comb += self.o.p.sums[number].eq(now)
        return m


class DistributedDot(wiring.Component):
    """Sum of +v or -v over all columns, for a word of weight bits a cycle, `latency` cycles later.

    Before the first word of a step comes one whose weights are all 1 with `total`: nothing leaves for it. The words with a
    1 are added, those with a 0 are the total's rest: 2 * sum - total.

    Parameters
    ----------
    tables : Tables
    family : str
        See `XnorDot`; the tables want a family with LUT RAM, which iCE40 is not.

    Members
    -------
    table : In(stream of Tables.entries), never held back
    i : In(stream of weights: lanes bits, total), never held back
    o : Out(stream of signed), never held back
    """

    latency = 3

    def __init__(self, tables, *, family="generic"):
        if family not in FAMILIES:
            raise ValueError(f"family must be {', '.join(FAMILIES)}, not {family!r}")
        self.tables, self.family = tables, family
        word = data.StructLayout({"weights": unsigned(tables.lanes), "total": 1})
        super().__init__({"table": In(pulse(tables.entries)), "i": In(pulse(word)), "o": Out(pulse(signed(tables.dot_bits)))})

    def elaborate(self, platform):
        m = Module()
        t = self.tables
        words = []
        for number in range(t.tables):
            memory = Memory(shape=t.sum_bits, depth=1 << t.group, init=[], attrs={"ram_style": "distributed"})
            m.submodules[f"table_{number}"] = memory
            write, read = memory.write_port(), memory.read_port(domain="comb")
            word = Signal(t.sum_bits, name=f"word_{number}")
            m.d.comb += [
                write.en.eq(self.table.valid),
                write.addr.eq(self.table.p.address),
                write.data.eq(self.table.p.sums[number]),
                read.addr.eq(self.i.p.weights[number * t.group : (number + 1) * t.group]),
            ]
            m.d.sync += word.eq(read.data)
            words.append(word)
        total_bits = (t.tables * ((1 << t.sum_bits) - 1)).bit_length()
        found, total = Signal(total_bits), Signal(signed(total_bits + 1))
        if self.family == "generic":
            m.d.sync += found.eq(total_of(words))
        else:
            bits = [([Bit((bit,)) for bit in word], (1 << t.sum_bits) - 1) for word in words]
            sums = sum_words(m, platform, self.family, bits, [])
            m.d.sync += [bit.eq(value) for bit, value in zip(found, sums, strict=True)]
        stages = [Signal(2, name=f"control_{k}") for k in range(2)]
        m.d.sync += [stages[0].eq(self.i.valid & 1 | self.i.p.total << 1), stages[1].eq(stages[0])]
        valid, is_total = stages[1]
        # Every table's zero is in both sums: 2 * (sum + zeros) - (total + zeros) has it once too many.
        with m.If(valid & is_total):
            m.d.sync += total.eq(found + t.tables * t.zero)
        m.d.sync += [self.o.valid.eq(valid & ~is_total), self.o.payload.eq((found << 1) - total)]
        return m

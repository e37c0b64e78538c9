"""Whole windows in a memory: read again step by step, from the first to the last or the other way round."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["WindowBuffer"]

READ_AHEAD = 4


class WindowBuffer(wiring.Component):
    """Two windows of values: one is filled while the other is read, each value once.

    A step is `width` values in their order. A window ends with `last`, at the latest after `max_steps` steps; where `last`
    comes in the middle of a step, that step is read whole and the values that are missing are not defined. One value a cycle
    in and out; the first leaves two cycles after its window is complete.

    Parameters
    ----------
    shape : Shape
        Of a value.
    width : int
        Values of a step.
    max_steps : int
    reverse : bool
        Steps are read from the last to the first.

    Members
    -------
    i : In(stream of value, last: the window's last)
    o : Out(stream of value, last)
    """

    def __init__(self, shape, width, max_steps, *, reverse=False):
        self.shape, self.width, self.max_steps, self.reverse = shape, width, max_steps, reverse
        payload = data.StructLayout({"value": shape, "last": 1})
        super().__init__({"i": In(stream.Signature(payload)), "o": Out(stream.Signature(payload))})

    def elaborate(self, platform):
        m = Module()
        width, size = self.width, self.width * self.max_steps
        depth = 1 << max(1, (size - 1).bit_length())
        m.submodules.memory = memory = Memory(shape=self.shape, depth=2 * depth, init=[])
        write, read = memory.write_port(), memory.read_port()
        full, ends = Signal(2), [Signal(range(depth), name=f"end_{bank}") for bank in range(2)]

        # Filling: `end` is where the last step of a bank's window begins.
        bank, channel, base = Signal(name="in_bank"), Signal(range(width), name="in_channel"), Signal(range(depth), name="base")
        taken, last_channel = self.i.valid & self.i.ready, channel == width - 1
        closes = self.i.p.last | last_channel & (base == size - width)
        m.d.comb += [
            self.i.ready.eq(~full.bit_select(bank, 1)),
            write.en.eq(taken),
            write.addr.eq(Cat((base + channel)[: len(base)], bank)),
            write.data.eq(self.i.p.value),
        ]
        with m.If(taken):
            m.d.sync += channel.eq(Mux(last_channel | closes, 0, channel + 1))
            with m.If(closes):
                m.d.sync += [base.eq(0), bank.eq(~bank), full.bit_select(bank, 1).eq(1)]
                for number, end in enumerate(ends):
                    with m.If(bank == number):
                        m.d.sync += end.eq(base)
            with m.Elif(last_channel):
                m.d.sync += base.eq(base + width)

        # Reading, where the values find room behind the memory.
        m.submodules.out = out = SyncFIFOBuffered(width=len(self.o.payload.as_value()), depth=READ_AHEAD)
        under_way, last_later = Signal(), Signal()
        out_bank, out_channel, begun = Signal(), Signal(range(width)), Signal()
        step, end = Signal(range(depth)), Mux(out_bank, ends[1], ends[0])
        now = Mux(begun, step, end) if self.reverse else step
        go = Signal()
        last_of_step, last_step = out_channel == width - 1, now == (0 if self.reverse else end)
        m.d.comb += [
            go.eq(full.bit_select(out_bank, 1) & (out.level + under_way < READ_AHEAD - 1)),
            read.en.eq(1),
            read.addr.eq(Cat((now + out_channel)[: len(step)], out_bank)),
            out.w_en.eq(under_way),
            out.w_data.eq(Cat(read.data, last_later)),
            self.o.valid.eq(out.r_rdy),
            out.r_en.eq(self.o.ready),
            self.o.payload.as_value().eq(out.r_data),
        ]
        m.d.sync += [under_way.eq(go), last_later.eq(last_of_step & last_step)]
        with m.If(go):
            m.d.sync += [out_channel.eq(Mux(last_of_step, 0, out_channel + 1)), begun.eq(1), step.eq(now)]
            with m.If(last_of_step):
                m.d.sync += step.eq(now - width if self.reverse else now + width)
                with m.If(last_step):
                    m.d.sync += [full.bit_select(out_bank, 1).eq(0), out_bank.eq(~out_bank), begun.eq(0), step.eq(0)]
        return m

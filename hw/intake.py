"""Input side: samples to codes, steps and windows kept in order, broken windows flagged."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .delay import handed_on
from .encoder import Encoder
from .layouts import Flags, sample

__all__ = ["Intake"]


class Intake(wiring.Component):
    """Encodes samples, tells complete steps, and finds out where windows begin and end.

    A step is `input_size` samples; `last` marks the last sample of a window's last step. A `last` on any other sample, or a
    window of more than `max_steps` steps, ends the window at that step with the flag `error`: its result is not defined, the
    next window is right again. One sample a cycle. Two steps fit: the one being computed and the next.

    Steps belong to the contexts in turn, whose windows know nothing of each other.

    Parameters
    ----------
    spec : LstmSpec
    x_scales : sequence of int
    contexts : int
    stops : bool
        Whether it has the last three members, of one context.

    Members
    -------
    i : In(stream of x, last)
    codes : Out(stream of code, bank, first: channel 0)
    ready : Out(1)
        The step of bank `bank` is complete, all codes taken.
    flags : Out(Flags)
        Of that step.
    done : In(1)
        Pulse: that step has been read, its bank may be filled again.
    bank : Out(1)
    store_bank : Out
        That step's bank of the operand store, which is `bank` where there is one context.
    stop : In(1)
        No window may begin.
    between : Out(1)
        The next sample begins a window.
    begins : Out(1)
        Pulse with that sample.
    """

    def __init__(self, spec, x_scales, *, contexts=1, stops=False):
        self.spec, self.x_scales, self.contexts, self.stops = spec, x_scales, contexts, stops
        banks = unsigned(contexts.bit_length())
        code = data.StructLayout({"code": unsigned(spec.input_levels), "bank": banks, "first": 1})
        more = {"store_bank": Out(banks)} if contexts > 1 else {}
        if stops:
            more |= {"stop": In(1), "between": Out(1), "begins": Out(1)}
        super().__init__(
            {
                "i": In(stream.Signature(sample(spec))),
                "codes": Out(stream.Signature(code)),
                "ready": Out(1),
                "flags": Out(Flags),
                "done": In(1),
                "bank": Out(1),
                **more,
            }
        )
        if contexts == 1:
            self.store_bank = self.bank

    def elaborate(self, platform):
        m = Module()
        spec = self.spec
        m.submodules.encoder = encoder = Encoder(spec.x.bits, self.x_scales)
        full = Signal(2)
        kept = Signal(data.ArrayLayout(Flags, 2))

        # Where samples go in: channel, step, bank.
        channel, steps = Signal(range(spec.input_size), name="channel"), self._of_contexts("step", range(spec.max_steps))
        step = steps[0]
        in_bank, broken = Signal(name="in_bank"), Signal(name="broken")
        last_channel = channel == spec.input_size - 1
        taken, ends_step, ends_window = Signal(), Signal(), Signal()
        # A bank that samples are still on their way to is not free for the next step but one: `claimed` tells.
        claimed = Signal(2)
        free = ~claimed.bit_select(in_bank, 1)
        if self.stops:
            free &= ~(self.stop & self.between)
        m.d.comb += [
            encoder.i.valid.eq(self.i.valid & free),
            encoder.i.payload.eq(self.i.p.x),
            self.i.ready.eq(encoder.i.ready & free),
            taken.eq(self.i.valid & self.i.ready),
            ends_step.eq(last_channel | self.i.p.last),
            ends_window.eq(self.i.p.last | (last_channel & (step == spec.max_steps - 1))),
            broken.eq(self.i.p.last != (last_channel & ends_window)),
        ]
        firsts = self._of_contexts("first", 1, init=1)
        first = firsts[0]
        if self.stops:
            m.d.comb += [self.between.eq(first & (channel == 0)), self.begins.eq(taken & self.between)]
        into = self._counted(m, "into", taken & ends_step)
        with m.If(taken):
            m.d.sync += channel.eq(Mux(ends_step, 0, channel + 1))
            with m.If(ends_step):
                m.d.sync += [
                    # The next step is the next context's, so they go round.
                    *handed_on([Mux(ends_window, 0, step + 1), *reversed(steps)]),
                    *handed_on([ends_window, *reversed(firsts)]),
                    in_bank.eq(~in_bank),
                    claimed.bit_select(in_bank, 1).eq(1),
                    kept[in_bank].first.eq(first),
                    kept[in_bank].last.eq(ends_window),
                    kept[in_bank].error.eq(broken),
                ]

        # Beside the encoder: which of its codes begin and end a step.
        place = data.StructLayout({"first": 1, "ends": 1, "bank": 1, **({"into": into.shape()} if into is not None else {})})
        beside = [Signal(place, name=f"beside_{k}") for k in range(encoder.latency + 1)]
        m.d.comb += [
            beside[0].first.eq(channel == 0),
            beside[0].ends.eq(ends_step),
            beside[0].bank.eq(in_bank),
        ]
        if into is not None:
            m.d.comb += beside[0].into.eq(into)
        with m.If(encoder.i.ready):
            m.d.sync += handed_on(beside)
        out = beside[-1]
        m.d.comb += [
            self.codes.valid.eq(encoder.o.valid),
            self.codes.p.code.eq(encoder.o.payload),
            self.codes.p.bank.eq(out.bank if into is None else out.into),
            self.codes.p.first.eq(out.first),
            encoder.o.ready.eq(self.codes.ready),
        ]
        # Where complete steps go out.
        with m.If(self.codes.valid & self.codes.ready & out.ends):
            m.d.sync += full.bit_select(out.bank, 1).eq(1)
        with m.If(self.done):
            m.d.sync += [
                full.bit_select(self.bank, 1).eq(0),
                claimed.bit_select(self.bank, 1).eq(0),
                self.bank.eq(~self.bank),
            ]
        if into is not None:
            m.d.comb += self.store_bank.eq(self._counted(m, "out_of", self.done))
        m.d.comb += [self.ready.eq(full.bit_select(self.bank, 1)), self.flags.eq(kept[self.bank])]
        return m

    def _of_contexts(self, name, shape, **settings):
        """A register a context, that of the step now in front."""
        return [Signal(shape, name=f"{name}_{k}" if k else name, **settings) for k in range(self.contexts)]

    def _counted(self, m, name, step):
        """Banks of the operand store in turn; None where there are but the two."""
        if self.contexts == 1:
            return None
        bank = Signal(range(self.contexts + 1), name=name)
        with m.If(step):
            m.d.sync += bank.eq(Mux(bank == self.contexts, 0, bank + 1))
        return bank

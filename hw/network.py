"""Several LSTM cores as one: stacked layers, both directions of a window, and a head that answers every step."""

import numpy as np
from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from mubinn.model.binarize import codebook

from .layouts import sample
from .lstm import Lstm
from .step_head import StepHead
from .viterbi import Viterbi
from .window import WindowBuffer

__all__ = ["BiLstm", "NetworkCore"]


class BiLstm(wiring.Component):
    """Both directions of a layer, each on an engine of its own.

    The forward core takes the samples as they come, the backward core from a buffer that turns each window round; both write h
    to buffers from which each step leaves whole: h of the forward direction, then of the backward one. A window leaves when
    both have it, while the next goes in.

    Parameters
    ----------
    forward, backward : Lstm
        Without heads.

    Members
    -------
    i : In(stream of x, last), as Lstm's
    o : Out(stream of h, last, error)
        `error` with `last` alone.
    """

    def __init__(self, forward, backward):
        self.forward, self.backward = forward, backward
        spec = forward.spec
        self.h_bits = max(core.o.p.h.shape().width for core in (forward, backward))
        self.turned = WindowBuffer(signed(spec.x.bits), spec.input_size, spec.max_steps, reverse=True)
        self.kept = [
            WindowBuffer(signed(self.h_bits), core.spec.hidden_size, spec.max_steps, reverse=core is backward)
            for core in (forward, backward)
        ]
        super().__init__({"i": In(stream.Signature(sample(spec))), "o": Out(stream.Signature(_feature(self.h_bits)))})

    def elaborate(self, platform):
        m = Module()
        forward, backward, turned, kept = self.forward, self.backward, self.turned, self.kept
        m.submodules.forward, m.submodules.backward, m.submodules.turned = forward, backward, turned
        m.submodules.kept_forward, m.submodules.kept_backward = kept
        m.d.comb += [
            self.i.ready.eq(forward.i.ready & turned.i.ready),
            forward.i.valid.eq(self.i.valid & turned.i.ready),
            turned.i.valid.eq(self.i.valid & forward.i.ready),
            forward.i.p.eq(self.i.p),
            turned.i.p.value.eq(self.i.p.x),
            turned.i.p.last.eq(self.i.p.last),
            backward.i.valid.eq(turned.o.valid),
            turned.o.ready.eq(backward.i.ready),
            backward.i.p.x.eq(turned.o.p.value),
            backward.i.p.last.eq(turned.o.p.last),
        ]
        for core, buffer in zip((forward, backward), kept, strict=True):
            m.d.comb += [buffer.i.p.value.eq(core.o.p.h), buffer.i.p.last.eq(core.o.p.last)]
        m.d.comb += [
            kept[1].i.valid.eq(backward.o.valid),
            backward.o.ready.eq(kept[1].i.ready),
        ]
        # What the forward core finds wrong with a window goes along: at most the windows between here and the output.
        m.submodules.errors = errors = SyncFIFO(width=1, depth=4)
        closes = forward.o.p.last
        m.d.comb += [
            kept[0].i.valid.eq(forward.o.valid & (errors.w_rdy | ~closes)),
            forward.o.ready.eq(kept[0].i.ready & (errors.w_rdy | ~closes)),
            errors.w_en.eq(forward.o.valid & forward.o.ready & closes),
            errors.w_data.eq(forward.o.p.error),
        ]
        # Step by step: the one's units, then the other's.
        turn, unit = Signal(), Signal(range(max(core.spec.hidden_size for core in (forward, backward))))
        units = [core.spec.hidden_size for core in (forward, backward)]
        m.d.comb += [
            self.o.valid.eq(Mux(turn, kept[1].o.valid, kept[0].o.valid)),
            self.o.p.h.eq(Mux(turn, kept[1].o.p.value, kept[0].o.p.value)),
            self.o.p.last.eq(turn & kept[1].o.p.last),
            self.o.p.error.eq(self.o.p.last & errors.r_data),
            kept[0].o.ready.eq(self.o.ready & ~turn),
            kept[1].o.ready.eq(self.o.ready & turn),
            errors.r_en.eq(self.o.valid & self.o.ready & self.o.p.last),
        ]
        with m.If(self.o.valid & self.o.ready):
            ends = unit == Mux(turn, units[1] - 1, units[0] - 1)
            m.d.sync += [unit.eq(Mux(ends, 0, unit + 1)), turn.eq(turn ^ ends)]
        return m


class NetworkCore(wiring.Component):
    """A network: samples in, what its head says out. Any stall on either side is legal.

    Parameters
    ----------
    network : mubinn.model.network.Network
    foldings : sequence of sequence of Folding
        One for each direction of each layer.
    head_mults : int
        Multipliers of the head for every step, 1 to its classes.
    family, startup_cycles
        As Lstm.

    Members
    -------
    i : In(stream of x, last)
    o : Out(stream)
        By `network.kind`. h: a feature a beat: h, last, error. label: a beat a window, as Lstm's. step: a beat a step: label,
        scores, last, error. crf: a beat a step: tag, last, error. `error` comes with `last`, and tells of a missing or
        misplaced `last` at the input: what was said of that window is not defined.
    """

    def __init__(self, network, foldings, *, head_mults=1, family="generic", startup_cycles=0):
        self.network, self.family, self.startup_cycles = network, family, startup_cycles
        most = max(folding.contexts for own in foldings for folding in own)
        if most > 1:
            raise ValueError(f"foldings must have 1 context, not {most}: layers don't hand on whose a step is")
        if any(folding.loads != "none" for own in foldings for folding in own):
            raise ValueError("foldings must load nothing: a network has no transfer")
        self.layers = []
        for k, (layer, own) in enumerate(zip(network.layers, foldings, strict=True)):
            wait = 0 if k else startup_cycles
            cores = [
                Lstm(p, folding, family=family, startup_cycles=wait) for p, folding in zip(layer.directions, own, strict=True)
            ]
            self.layers.append(cores[0] if len(cores) == 1 else BiLstm(*cores))
        top = self.layers[-1]
        self.head = self.viterbi = None
        if network.kind in ("h", "label"):
            payload = top.o.p.shape()
        else:
            greatest = max(int(np.abs(codebook(p.h_scales)).max()) for p in network.layers[-1].directions)
            self.head = StepHead(network.head, greatest, mults=head_mults, family=family)
            fields = dict(self.head.o.p.shape())
            if network.kind == "crf":
                self.viterbi = Viterbi(network.crf, self.head.head.score_bits, network.max_steps)
                fields = dict(self.viterbi.o.p.shape())
            payload = data.StructLayout({name: field.shape for name, field in fields.items()} | {"error": 1})
        super().__init__({"i": In(stream.Signature(sample(network.spec))), "o": Out(stream.Signature(payload))})

    @property
    def cores(self):
        """The LSTM cores, layer after layer, forward before backward."""
        return [
            core
            for layer in self.layers
            for core in ([layer.forward, layer.backward] if isinstance(layer, BiLstm) else [layer])
        ]

    @property
    def predicted_cycles_per_step(self):
        """Cycles of a step while windows follow each other: those of the slowest part."""
        cycles = [core.predicted_cycles_per_step for core in self.cores]
        if self.head is not None:
            cycles.append(self.head.interval * self.head.features)
        if self.viterbi is not None:
            tags = self.network.crf.tags
            cycles.append(tags * (tags + 3) + 7)  # and its step's share of the way back
        return max(cycles)

    @property
    def latency(self):
        """No longer from the last sample of a window of max_steps steps to its last result, in cycles."""
        steps, cycles = self.network.max_steps, 0
        for layer in self.layers:
            cores = [layer.forward, layer.backward] if isinstance(layer, BiLstm) else [layer]
            step = max(core.predicted_cycles_per_step + core.latency for core in cores)
            # A layer of two directions begins a window where the one before ends it.
            cycles += int(step) * (2 * steps if len(cores) > 1 else 2)
        if self.head is not None:
            cycles += self.head.interval * self.head.features + self.head.head.latency
        if self.viterbi is not None:
            tags = self.network.crf.tags
            cycles += tags * (tags + 3) + 4 * steps
        return cycles

    def elaborate(self, platform):
        m = Module()
        source = wiring.flipped(self.i)
        windows = 4 * len(self.layers) + 4
        m.submodules.errors = errors = SyncFIFO(width=1, depth=windows)
        before = None
        for k, layer in enumerate(self.layers):
            m.submodules[f"layer_{k}"] = layer
            if before is None:
                wiring.connect(m, source, layer.i)
            else:
                # Only the first layer sees the windows as they come; the error goes past the others.
                passes = ~before.o.p.last | errors.w_rdy if k == 1 else 1
                m.d.comb += [
                    layer.i.valid.eq(before.o.valid & passes),
                    before.o.ready.eq(layer.i.ready & passes),
                    layer.i.p.x.eq(before.o.p.h),
                    layer.i.p.last.eq(before.o.p.last),
                ]
                if k == 1:
                    taken = before.o.valid & before.o.ready & before.o.p.last
                    m.d.comb += [errors.w_en.eq(taken), errors.w_data.eq(before.o.p.error)]
            before = layer
        kind, top = self.network.kind, self.layers[-1]
        single = len(self.layers) == 1
        if kind in ("h", "label"):
            m.d.comb += [self.o.valid.eq(top.o.valid), top.o.ready.eq(self.o.ready), self.o.p.eq(top.o.p)]
            closes = self.o.p.last if kind == "h" else 1
            if single:
                m.d.comb += self.o.p.error.eq(top.o.p.error & closes)
            else:
                m.d.comb += [
                    self.o.p.error.eq(errors.r_data & closes),
                    errors.r_en.eq(self.o.valid & self.o.ready & closes),
                ]
            return m
        m.submodules.head = head = self.head
        passes = ~top.o.p.last | errors.w_rdy if single else 1
        m.d.comb += [
            head.i.valid.eq(top.o.valid & passes),
            top.o.ready.eq(head.i.ready & passes),
            head.i.p.h.eq(top.o.p.h),
            head.i.p.last.eq(top.o.p.last),
        ]
        if single:
            taken = top.o.valid & top.o.ready & top.o.p.last
            m.d.comb += [errors.w_en.eq(taken), errors.w_data.eq(top.o.p.error)]
        answers = head.o
        if self.viterbi is not None:
            m.submodules.viterbi = viterbi = self.viterbi
            m.d.comb += [
                viterbi.i.valid.eq(head.o.valid),
                head.o.ready.eq(viterbi.i.ready),
                viterbi.i.p.scores.eq(head.o.p.scores),
                viterbi.i.p.last.eq(head.o.p.last),
            ]
            answers = viterbi.o
        m.d.comb += [
            self.o.valid.eq(answers.valid),
            answers.ready.eq(self.o.ready),
            *(self.o.p[name].eq(answers.p[name]) for name, _ in answers.p.shape()),
            self.o.p.error.eq(answers.p.last & errors.r_data),
            errors.r_en.eq(self.o.valid & self.o.ready & answers.p.last),
        ]
        return m


def _feature(h_bits):
    return data.StructLayout({"h": signed(h_bits), "last": 1, "error": 1})

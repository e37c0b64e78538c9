"""Dense head that answers every step: scores of the classes from the features of a step."""

from types import SimpleNamespace

import numpy as np
from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .head import Head

__all__ = ["StepHead"]


class StepHead(wiring.Component):
    """The head of a core, asked at the end of each step. Takes a feature every `interval` cycles; a step's scores wait in a
    register while the next step comes in, and that step's last feature waits for them to leave.

    Parameters
    ----------
    head : mubinn.model.network.StepHead
    greatest : int
        No feature is farther from 0.
    mults : int
        Multipliers, 1 to the number of classes.
    family : str

    Members
    -------
    i : In(stream of h: decoded, last: the window's last feature)
    o : Out(stream of label, scores, last: of the window)
    """

    def __init__(self, head, greatest, *, mults=1, family="generic"):
        self.features = head.weight.shape[1]
        # What Head reads of a core's parameters: every step is a window of its own here.
        spec = SimpleNamespace(hidden_size=self.features, classes=head.classes, pool="last", max_steps=1,
                               head_bits=head.weight_bits, hidden_levels=1)  # fmt: skip
        parameters = SimpleNamespace(spec=spec, h_scales=np.array([greatest]), head_weight=head.weight, head_bias=head.bias)
        self.head = Head(parameters, mults=mults, family=family, takes_codes=False)
        self.interval = self.head.beats
        classes, score = head.classes, signed(self.head.score_bits)
        label = unsigned(max(1, (classes - 1).bit_length()))
        fields = {"label": label, "scores": data.ArrayLayout(score, classes), "last": 1}
        feature = data.StructLayout({"h": self.head.h_shape, "last": 1})
        super().__init__({"i": In(stream.Signature(feature)), "o": Out(stream.Signature(data.StructLayout(fields)))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.head = head = self.head
        feature, left = Signal(range(self.features)), Signal(range(self.interval + 1))
        # From a step's last feature on, until its scores have left.
        pending, last = Signal(), Signal()
        ends = feature == self.features - 1
        taken = self.i.valid & self.i.ready
        m.d.comb += [
            self.i.ready.eq((left == 0) & ~(ends & pending)),
            head.i.valid.eq(taken),
            head.i.p.h.eq(self.i.p.h),
            head.i.p.flags.first.eq(1),
            head.i.p.flags.last.eq(1),
            self.o.p.label.eq(head.o.p.label),
            self.o.p.scores.eq(head.o.p.scores),
            self.o.p.last.eq(last),
        ]
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [self.o.valid.eq(0), pending.eq(0)]
        with m.If(head.o.valid):
            m.d.sync += self.o.valid.eq(1)
        with m.If(taken):
            m.d.sync += [feature.eq(Mux(ends, 0, feature + 1)), left.eq(self.interval - 1)]
            with m.If(ends):
                m.d.sync += [pending.eq(1), last.eq(self.i.p.last)]
        return m

"""Dense head: w * h + b summed over the steps of a window, and the class with the greatest sum."""

import numpy as np
from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from mubinn.model.binarize import codebook
from mubinn.model.fixed import signed_bits

from .codes import lookup, value_shape
from .delay import handed_on
from .layouts import Flags, pulse, result, tagged
from .multiplier import registered_product

__all__ = ["Head", "score_bits"]


def score_bits(parameters):
    """Width of the sums over the longest window, with any h."""
    spec = parameters.spec
    h = int(np.abs(codebook(parameters.h_scales)).max())
    top = np.abs(parameters.head_weight).sum(axis=1) * h + np.abs(parameters.head_bias)
    top = int(top.max()) * (spec.max_steps if spec.pool == "mean" else 1)
    return signed_bits(-top, top)


class Head(wiring.Component):
    """Sums of every class over a window, one multiplier, a class a cycle.

    Pool "mean" sums over all steps (the mean times the number of steps, so the class is that of the mean), "last" over the
    last step alone. Units come in order, at least `classes` cycles apart. The result leaves `latency` cycles after
    the window's last unit. Ties go to the lowest class.

    Parameters
    ----------
    parameters : Parameters

    Members
    -------
    i : In(stream of h: decoded, flags)
    o : Out(stream of label, error, scores)
        The payload stays until the next window's.
    """

    def __init__(self, parameters):
        self.parameters = parameters
        spec = parameters.spec
        self.h_shape = value_shape(codebook(parameters.h_scales))
        self.score_bits = score_bits(parameters)
        self.latency = 6 + spec.classes
        super().__init__({"i": In(pulse(tagged(h=self.h_shape))), "o": Out(pulse(result(spec, self.score_bits)))})

    def elaborate(self, platform):
        m = Module()
        p, spec = self.parameters, self.parameters.spec
        classes = spec.classes
        weights = [int(w) for w in p.head_weight.T.ravel()]  # a unit's classes side by side
        memory = Memory(shape=signed(spec.head_bits), depth=len(weights), init=weights)
        m.submodules.weights = memory
        weight = memory.read_port()

        # 1: a unit's h stays for `classes` cycles while the weights of its classes pass by.
        unit, k, left = Signal(range(spec.hidden_size)), Signal(range(classes)), Signal(range(classes + 1))
        h, flags = Signal(self.h_shape), Signal(Flags)
        busy = left != 0
        address = Signal(range(len(weights)))
        with m.If(busy):
            m.d.sync += left.eq(left - 1)
            m.d.sync += k.eq(Mux(k == classes - 1, 0, k + 1))
            m.d.sync += address.eq(Mux(address == len(weights) - 1, 0, address + 1))
            with m.If(k == classes - 1):
                m.d.sync += unit.eq(Mux(unit == spec.hidden_size - 1, 0, unit + 1))
        with m.If(self.i.valid):
            m.d.sync += [h.eq(self.i.p.h), flags.eq(self.i.p.flags), left.eq(classes)]
        m.d.comb += weight.addr.eq(address)

        # 2: operands from memory. 3: their registers. 4: the product; the bias joins the first unit's.
        stage = data.StructLayout({"valid": 1, "k": k.shape(), "opens": 1, "starts": 1, "ends": 1, "error": 1})
        stages = [Signal(stage, name=f"stage_{n}") for n in range(5)]
        opens = unit == 0
        m.d.sync += [
            stages[0].valid.eq(busy),
            stages[0].k.eq(k),
            stages[0].opens.eq(opens),
            stages[0].starts.eq(opens & (flags.first | (spec.pool == "last"))),
            stages[0].ends.eq((unit == spec.hidden_size - 1) & flags.last),
            stages[0].error.eq(flags.error),
        ]
        m.d.sync += handed_on(stages)
        h_later = Signal.like(h)
        m.d.sync += h_later.eq(h)
        product = registered_product(m, platform, h_later, weight.data, name="term")
        bias_now = lookup(m, stages[1].k, p.head_bias, name="bias_now")
        bias = Signal.like(bias_now, name="bias")
        m.d.sync += bias.eq(Mux(stages[1].opens, bias_now, 0))
        term = Signal(signed(max(len(product), len(bias)) + 1))
        m.d.sync += term.eq(product + bias)

        # 5: the term. 6: the sums go round, a class a cycle. 7: the greatest of the last round wins, the sum just written
        # against the best.
        scores = [Signal(signed(self.score_bits), name=f"score_{n}") for n in range(classes)]
        best, now, then = Signal(signed(self.score_bits)), stages[3], stages[4]
        with m.If(now.valid):
            new = Mux(now.starts, 0, scores[0]) + term
            m.d.sync += [a.eq(b) for a, b in zip(scores, [*scores[1:], new], strict=True)]
        leads = (then.k == 0) | (scores[-1] > best)
        label = Signal.like(self.o.p.label)
        with m.If(then.valid & leads):
            m.d.sync += [best.eq(scores[-1]), label.eq(then.k)]
        closes = Signal()
        m.d.comb += closes.eq(then.valid & then.ends & (then.k == classes - 1))
        m.d.sync += self.o.valid.eq(closes)
        with m.If(closes):
            # The ring is whole again in the cycle after its last class.
            m.d.sync += [self.o.p.label.eq(Mux(leads, then.k, label)), self.o.p.error.eq(then.error)]
            m.d.sync += [self.o.p.scores[n].eq(score) for n, score in enumerate(scores)]
        return m

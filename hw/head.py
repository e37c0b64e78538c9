"""Dense head: w * h + b summed over the steps of a window, and the class with the greatest sum."""

import operator

import numpy as np
from amaranth import Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from mubinn.model.binarize import codebook
from mubinn.model.fixed import signed_bits

from .cells import PIPELINED
from .codes import decoded_shape, lookup
from .delay import handed_on
from .greatest import Greatest
from .layouts import Flags, pulse, result, tagged
from .multiplier import registered_product
from .ram import memory_of
from .shift import is_shift

__all__ = ["Head", "score_bits"]


def score_bits(parameters):
    """Width of the sums over the longest window, with any h."""
    spec = parameters.spec
    h = int(np.abs(codebook(parameters.h_scales)).max())
    top = np.abs(parameters.head_weight).sum(axis=1) * h + np.abs(parameters.head_bias)
    top = int(top.max()) * (spec.max_steps if spec.pool == "mean" else 1)
    return signed_bits(-top, top)


class Head(wiring.Component):
    """Sums of every class over a window, `mults` classes a cycle.

    Pool "mean" sums over all steps (the mean times the number of steps, so the class is that of the mean), "last" over the
    last step alone. Units come in order, at least `beats` cycles apart. The result leaves `latency` cycles after
    the window's last unit, and the next window's must not come before. Ties go to the lowest class.

    Parameters
    ----------
    parameters : Parameters
    mults : int
        Multipliers, 1 to the number of classes. A unit takes `beats` = classes / mults cycles, rounded up.
    family : str
        Whose block RAM holds the weights.
    contexts : int
        Streams whose steps come in turn, each with sums of its own.
    takes_codes : bool or None
        Whether h comes as its code; if None where all its scales are powers of two, as products are shifts then.
    loaded_bits : int or None
        Width of the sums where parameters are loaded.
    banks : int
        Of the memory then, else 0.

    Members
    -------
    i : In(stream of h: decoded or its code, flags)
    context : In, of several contexts
        Of the unit that comes.
    o : Out(stream of label, error, scores, and of several contexts which)
        The payload stays until the next window's.
    """

    def __init__(self, parameters, *, mults=1, contexts=1, family="generic", takes_codes=None, loaded_bits=None, banks=0):
        self.parameters, self.mults, self.contexts = parameters, operator.index(mults), contexts
        spec = parameters.spec
        if not 1 <= self.mults <= spec.classes:
            raise ValueError(f"mults must be 1 to {spec.classes}, not {mults}")
        self.beats = -(-spec.classes // self.mults)
        self.takes_codes = is_shift(parameters.h_scales) if takes_codes is None else takes_codes
        decoded = decoded_shape(parameters.h_scales)
        self.h_shape, self.value_bits = unsigned(spec.hidden_levels) if self.takes_codes else decoded, decoded.width
        self.score_bits = loaded_bits or score_bits(parameters)
        self.words = self.words_of(parameters)
        settings = {"family": family, "output_register": family in PIPELINED}
        self.memory = memory_of(self.words, self.mults * spec.head_bits, banks=banks, **settings)
        self.greatest = Greatest(spec.classes, signed(self.score_bits))
        self.latency = 4 + self.memory.latency + self.beats + self.greatest.latency
        more = {"context": In(range(contexts))} if contexts > 1 else {}
        unit = tagged(h=self.h_shape)
        super().__init__({"i": In(pulse(unit)), "o": Out(pulse(result(spec, self.score_bits, contexts))), **more})

    def words_of(self, parameters):
        """Weights as the memory has them: a word has the classes of a beat, lowest first; a unit's beats follow each other."""
        bits = parameters.spec.head_bits
        return [
            sum(int(w) % (1 << bits) << k * bits for k, w in enumerate(word))
            for word in self._in_beats(parameters.head_weight.T).reshape(-1, self.mults)
        ]

    def _in_beats(self, of_classes):
        """int array [..., classes] -> [..., beats, mults], zeros behind the last class."""
        padding = [(0, 0)] * (of_classes.ndim - 1) + [(0, self.beats * self.mults - self.parameters.spec.classes)]
        return np.pad(of_classes, padding).reshape(*of_classes.shape[:-1], self.beats, self.mults)

    def elaborate(self, platform):
        m = Module()
        spec, memory = self.parameters.spec, self.memory
        m.submodules.weights, m.submodules.greatest = memory, self.greatest
        # 1: a unit's h stays for `beats` cycles while the weights of its classes pass by.
        unit, k = Signal(range(spec.hidden_size)), Signal(range(self.beats))
        left, address = Signal(range(self.beats + 1)), Signal(range(len(self.words)))
        h, flags = Signal(self.h_shape), Signal(Flags)
        busy, opens, last_unit, last_class = left != 0, unit == 0, unit == spec.hidden_size - 1, k == self.beats - 1
        with m.If(busy):
            m.d.sync += [left.eq(left - 1), k.eq(Mux(last_class, 0, k + 1))]
            m.d.sync += address.eq(Mux(address == len(self.words) - 1, 0, address + 1))
            with m.If(last_class):
                m.d.sync += unit.eq(Mux(last_unit, 0, unit + 1))
        with m.If(self.i.valid):
            m.d.sync += [h.eq(self.i.p.h), flags.eq(self.i.p.flags), left.eq(self.beats)]
        m.d.comb += memory.address.eq(address)
        several = self.contexts > 1
        more = {"ends": 1, "context": range(self.contexts)} if several else {}
        stage = data.StructLayout({"valid": 1, "k": k.shape(), "opens": 1, "starts": 1, "closes": 1, "error": 1, **more})
        now = Signal(stage)
        if several:
            context = Signal(range(self.contexts))
            with m.If(self.i.valid):
                m.d.sync += context.eq(self.context)
            m.d.comb += [now.ends.eq(last_unit), now.context.eq(context)]
        m.d.comb += [
            now.valid.eq(busy),
            now.k.eq(k),
            now.opens.eq(opens),
            now.starts.eq(opens & (flags.first | (spec.pool == "last"))),
            now.closes.eq(busy & last_unit & last_class & flags.last),
            now.error.eq(flags.error),
        ]
        # Then the weight from memory, the operands' registers, the product, the term, and the sums.
        stages = [now, *(Signal(stage, name=f"stage_{n}") for n in range(1, memory.latency + 5))]
        m.d.sync += handed_on(stages)
        scores = self._sums(m, platform, h, stages)
        closing = stages[-1]
        m.d.comb += [
            self.greatest.i.valid.eq(closing.closes),
            *(self.greatest.i.p[n].eq(score) for n, score in enumerate(scores)),
            self.o.valid.eq(self.greatest.o.valid),
            self.o.p.label.eq(self.greatest.o.p.label),
            *(self.o.p.scores[n].eq(self.greatest.o.p.numbers[n]) for n in range(spec.classes)),
        ]
        with m.If(closing.closes):
            m.d.sync += self.o.p.error.eq(closing.error)
            if several:
                m.d.sync += self.o.p.context.eq(closing.context)
        return m

    def _sums(self, m, platform, h, stages):
        """Sums of the classes, in their order in the cycle after a unit's last."""
        memory, spec = self.memory, self.parameters.spec
        later = [h, *(Signal(self.h_shape, name=f"h_{n}", reset_less=True) for n in range(1, memory.latency + 1))]
        m.d.sync += handed_on(later)
        at, summed = stages[memory.latency + 1], stages[memory.latency + 3]
        weights = memory.data.as_signed() if self.mults == 1 else data.View(self._word(), memory.data)
        lanes = []
        biases_of = self.parameters.head_bias
        for n in range(self.mults):
            biases = [biases_of[k] if k < spec.classes else 0 for k in range(n, self.beats * self.mults, self.mults)]
            weight = weights if self.mults == 1 else weights[n]
            term = self._term(m, platform, later[-1], weight, at, biases, name=f"_{n}" if n else "")
            # They go round, a beat a cycle; with a step's last unit behind those of all other contexts.
            names = [f"score_{beat * self.mults + n}" for beat in range(self.beats * self.contexts)]
            scores = [Signal(signed(self.score_bits), name=name, reset_less=True) for name in names]
            with m.If(summed.valid):
                new = Mux(summed.starts, 0, scores[0]) + term
                m.d.sync += [a.eq(b) for a, b in zip(scores, [*scores[1:], new], strict=True)]
                if self.contexts > 1:
                    with m.If(~summed.ends):
                        m.d.sync += [scores[self.beats - 1].eq(new), *(a.eq(a) for a in scores[self.beats :])]
            lanes.append(scores[-self.beats :])
        in_order = [score for beat in zip(*lanes, strict=True) for score in beat]
        return in_order[: self.parameters.spec.classes]

    def _sum_of_shifts(self, m, code, weight, bits, *, name):
        """h * weight of two cycles ago: every level adds the weight, shifted, or takes it away."""
        product = Signal(signed(bits), name=f"{name}_product", reset_less=True)
        signs = Signal(len(code), name=f"{name}_code", reset_less=True)
        operand = Signal(signed(len(weight)), name=f"{name}_weight", reset_less=True)
        m.d.sync += [signs.eq(code), operand.eq(weight)]
        total = Const(0, signed(1))
        for sign, scale in zip(signs, self.parameters.h_scales.tolist(), strict=True):
            if scale:
                term = operand << scale.bit_length() - 1
                total = total + Mux(sign, term, -term)
        m.d.sync += product.eq(total)
        return product

    def _word(self):
        return data.ArrayLayout(signed(self.parameters.spec.head_bits), self.mults)

    def _term(self, m, platform, h, weight, at, biases, *, name):
        """Product of h and a weight; the bias joins the first unit's."""
        bias_now = lookup(m, at.k, biases, name=f"bias_now{name}")
        bias = Signal.like(bias_now, name=f"bias{name}", reset_less=True)
        bits = self.value_bits + len(weight)
        term = Signal(signed(max(bits, len(bias)) + 1), name=f"term{name}", reset_less=True)
        if self.takes_codes:
            product = self._sum_of_shifts(m, h, weight, bits, name=f"term{name}")
        else:
            product = registered_product(m, platform, h, weight, name=f"term{name}", joins=len(term))
        m.d.sync += [bias.eq(Mux(at.opens, bias_now, 0)), term.eq(product + bias)]
        return term

"""The numbers of a model as a core that can load others has them: scales, thresholds and biases in registers."""

from dataclasses import dataclass

import numpy as np
from amaranth import Signal, signed, unsigned
from mubinn.model.fixed import signed_bits
from mubinn.model.spec import GATES

from .head import score_bits
from .ram import LOAD_BITS
from .scale import Gammas

__all__ = ["LoadedConstants", "LoadedGate", "Register", "widest", "widths"]

MARGIN_BITS = 1
"""More than the models need that are known when a core is made."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Register:
    """A register of a core, and what a model puts there.

    signal : Signal
    value : function of Parameters to int
    """

    signal: Signal
    value: object


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedGate:
    """As `mubinn.model.gates.Gate` of the kind levels, its scales and the thresholds of its staircase in registers."""

    table: object
    scales: tuple
    offset: int
    thresholds: tuple
    kind: str = "levels"

    @property
    def bits(self):
        return len(self.scales)


def widths(parameters, schedule):
    """{what: bits} of everything whose width depends on a model's numbers."""
    spec, gammas = parameters.spec, Gammas.of(parameters, schedule)
    names = ("x_scales", "h_scales", "gate_scales", "cell_scales", "bias_scales", "peephole_scales")
    tops = {name: getattr(parameters, name) for name in names} | {"x_gammas": gammas.x, "h_gammas": gammas.h}
    found = {name: max(1, int(np.max(values)).bit_length()) for name, values in tops.items() if values is not None}
    found["sums"] = gammas.sum_bits(spec)
    if spec.classes:
        bias = parameters.head_bias
        found["head_bias"] = signed_bits(int(bias.min()), int(bias.max()))
        found["scores"] = score_bits(parameters)
    return found


def widest(models, schedule):
    """{what: bits} that hold all of some models of one spec, and `MARGIN_BITS` more: of what a core must have room for.

    Raises
    ------
    ValueError
        The models' specs differ.
    """
    models = list(models)
    if any(model.spec != schedule.spec for model in models):
        raise ValueError("models must be of one spec")
    found = [widths(model, schedule) for model in models]
    most = {what: max(own[what] for own in found) + MARGIN_BITS for what in found[0]}
    return most | {what: min(bits, LOAD_BITS) for what, bits in most.items() if what == "head_bias"}


class LoadedConstants:
    """Attributes of `mubinn.model.parameters.Parameters`, the scales and the head's bias lists of registers.

    Parameters
    ----------
    parameters : Parameters
        What the registers have before anything is loaded, and what the memories have.
    bits : {what: bits}
        Of `widths`.
    """

    output_compares = False

    def __init__(self, parameters, bits):
        self.parameters, self.spec, self.bits = parameters, parameters.spec, bits
        self.registers = []
        spec = self.spec
        self.wx_codes, self.wh_codes = parameters.wx_codes, parameters.wh_codes
        self.bias_codes, self.peephole_codes = parameters.bias_codes, parameters.peephole_codes
        self.head_weight = parameters.head_weight
        self.x_scales, self.h_scales = (self._scales(name) for name in ("x_scales", "h_scales"))
        self.cell_scales = self._scales("cell_scales") if spec.cell_levels else None
        self.bias_scales = [self._scales("bias_scales", gate) for gate in range(len(GATES))]
        self.peephole_scales = None
        if spec.cell_kind == "peephole":
            self.peephole_scales = [self._scales("peephole_scales", gate) for gate in range(len(GATES))]
        self.gates = tuple(self._gate(gate, of) for gate, of in enumerate(parameters.gates))
        self.head_bias = None
        if spec.classes:
            shape = signed(bits["head_bias"])
            of = [lambda p, k=k: p.head_bias[k] for k in range(spec.classes)]
            self.head_bias = [self._register(f"head_bias_{k}", shape, value) for k, value in enumerate(of)]

    def _register(self, name, shape, value):
        signal = Signal(shape, name=name, init=int(value(self.parameters)), reset_less=True)
        self.registers.append(Register(signal=signal, value=value))
        return signal

    def _scales(self, name, gate=None):
        place, count = () if gate is None else (gate,), getattr(self.parameters, name).shape[-1]
        prefix = name if gate is None else f"{name}_{gate}"
        of = [lambda p, k=k: getattr(p, name)[*place, k] for k in range(count)]
        return [self._register(f"{prefix}_{k}", unsigned(self.bits[name]), value) for k, value in enumerate(of)]

    def _gate(self, number, gate):
        """Gates without scales are the same in every model, and so is the GRU's fourth."""
        if gate.kind != "levels" or (self.spec.cell_kind == "gru" and number == 3):
            return gate
        scales = tuple(self._scales("gate_scales", number))
        shape = signed(gate.table.input.bits + 1)

        def threshold(level, code):
            return lambda p: p.gates[number].thresholds[level][code]

        thresholds = tuple(
            tuple(
                self._register(f"threshold_{number}_{level}_{code}", shape, threshold(level, code))
                for code in range(1 << level)
            )
            for level in range(len(scales))
        )
        return LoadedGate(table=gate.table, scales=scales, offset=gate.offset, thresholds=thresholds)

"""From the sums of a group to one unit's pre-activations after another: bias, one rounding, saturation."""

import numpy as np
from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from mubinn.model.binarize import codebook

from .cells import PIPELINED
from .codes import decoded
from .delay import handed_on
from .layouts import Flags, gates, pulse, tagged
from .rom import Rom

__all__ = ["PreActivation", "saturated"]


def saturated(value, bits):
    """Value clipped to a signed number of `bits` bits: in range when all bits from the sign of the result up agree."""
    if len(value) <= bits:
        return value
    sign, above = value[-1], value[bits - 1 :]
    high = (1 << bits - 1) - 1
    clipped = Mux(sign, ~high, high)
    return Mux(above.all() | ~above.any(), value[:bits].as_signed(), clipped)


class PreActivation(wiring.Component):
    """Adds a unit's biases to its sums, rounds half up to the pre-activation format and saturates.

    Takes a group of `rows` units, gives its units in order, `schedule.unit_interval` cycles apart, the first `latency`
    cycles later; units that only pad the last group are left out. Biases are codes in a memory, decoded here; a memory with an
    output register makes the latency one longer.

    Parameters
    ----------
    schedule : Schedule
    sum_shape : Shape
        Of the sums.
    bias_codes : int array [4 * hidden_size]
    bias_scales : int array [4, bias_levels]
    family : str
        Whose block RAM holds the biases.

    Members
    -------
    i : In(stream of sums [rows * 4], flags)
    o : Out(stream of z [4] in the format spec.z, flags)
    """

    def __init__(self, schedule, sum_shape, *, bias_codes, bias_scales, family="generic"):
        self.schedule, self.bias_scales = schedule, bias_scales
        spec, rows = schedule.spec, schedule.folding.rows
        codes = np.asarray(bias_codes).reshape(4, spec.hidden_size)
        # The codes of a unit's four gates are one word.
        self.words = [sum(int(codes[g, u]) << g * spec.bias_levels for g in range(4)) for u in range(spec.hidden_size)]
        self.memory = Rom(self.words, 4 * spec.bias_levels, family=family, output_register=family in PIPELINED)
        self.latency = 2 + self.memory.latency
        self.sum_shape = sum_shape
        sums = data.StructLayout({"sums": data.ArrayLayout(sum_shape, rows * 4), "flags": Flags})
        super().__init__({"i": In(pulse(sums)), "o": Out(pulse(tagged(z=gates(signed(spec.z.bits)))))})

    def elaborate(self, platform):
        m = Module()
        spec, rows, interval = self.schedule.spec, self.schedule.folding.rows, self.schedule.unit_interval
        m.submodules.bias_memory = memory = self.memory

        # The group's sums, the next unit's in front.
        held = Signal(data.ArrayLayout(self.sum_shape, rows * 4), reset_less=True)
        flags, left, wait = Signal(Flags), Signal(range(rows + 1)), Signal(range(interval))
        unit, next_unit, emit = Signal(range(spec.hidden_size)), Signal(range(spec.hidden_size)), Signal()
        last_unit = unit == spec.hidden_size - 1
        m.d.comb += [
            emit.eq((left != 0) & (wait == 0)),
            next_unit.eq(Mux(emit, Mux(last_unit, 0, unit + 1), unit)),
            memory.address.eq(next_unit),
        ]
        m.d.sync += unit.eq(next_unit)
        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.If(emit):
            m.d.sync += [
                # The last unit's stay: nothing need stand before them but what loads them.
                *[held[k].eq(held[k + 4]) for k in range(4 * rows - 4)],
                left.eq(Mux(last_unit, 0, left - 1)),
                wait.eq(interval - 1),
            ]
        with m.If(self.i.valid):
            m.d.sync += [held.eq(self.i.p.sums), flags.eq(self.i.p.flags), left.eq(rows)]

        # Rounding half up is the addition of half a unit, put into the bias.
        half = 1 << spec.z_shift >> 1
        beside = data.StructLayout({"valid": 1, "flags": Flags})
        stages = [Signal(beside, name=f"beside_{k}") for k in range(self.memory.latency + 2)]
        m.d.comb += [stages[0].valid.eq(emit), stages[0].flags.eq(flags)]
        m.d.sync += handed_on(stages)
        m.d.comb += [self.o.valid.eq(stages[-1].valid), self.o.p.flags.eq(stages[-1].flags)]
        for gate in range(4):
            # The front unit waits for its bias where that comes a cycle later.
            front = [held[gate], *(Signal(self.sum_shape, name=f"front_{gate}_{k}") for k in range(1, self.memory.latency))]
            m.d.sync += handed_on(front)
            scales = self.bias_scales[gate] << spec.bias_shift
            code = memory.data.word_select(gate, spec.bias_levels)
            value = decoded(m, code, scales, half, name=f"bias_{gate}")
            top = int(np.abs(codebook(scales, half)).max())
            shape = signed(max(len(held[gate]), top.bit_length() + 1) + 1)
            added = Signal(shape, name=f"added_{gate}")
            m.d.sync += [
                added.eq(front[-1] + value),
                self.o.p.z[gate].eq(saturated(added >> spec.z_shift, spec.z.bits)),
            ]
        return m

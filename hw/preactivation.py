"""From the sums of a group to one unit's pre-activations after another: bias, one rounding, saturation."""

import numpy as np
from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from mubinn.model.binarize import codebook

from .codes import decoded
from .layouts import Flags, gates, pulse, tagged

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
    cycles later; units that only pad the last group are left out. Biases are codes in a memory, decoded here.

    Parameters
    ----------
    schedule : Schedule
    sum_shape : Shape
        Of the sums.
    bias_codes : int array [4 * hidden_size]
    bias_scales : int array [4, bias_levels]

    Members
    -------
    i : In(stream of sums [rows * 4], flags)
    o : Out(stream of z [4] in the format spec.z, flags)
    """

    latency = 3

    def __init__(self, schedule, sum_shape, *, bias_codes, bias_scales):
        self.schedule, self.bias_scales = schedule, bias_scales
        spec, rows = schedule.spec, schedule.folding.rows
        codes = np.asarray(bias_codes).reshape(4, spec.hidden_size)
        # The codes of a unit's four gates are one word.
        self.words = [sum(int(codes[g, u]) << g * spec.bias_levels for g in range(4)) for u in range(spec.hidden_size)]
        self.sum_shape = sum_shape
        sums = data.StructLayout({"sums": data.ArrayLayout(sum_shape, rows * 4), "flags": Flags})
        super().__init__({"i": In(pulse(sums)), "o": Out(pulse(tagged(z=gates(signed(spec.z.bits)))))})

    def elaborate(self, platform):
        m = Module()
        spec, rows, interval = self.schedule.spec, self.schedule.folding.rows, self.schedule.unit_interval
        memory = Memory(shape=unsigned(4 * spec.bias_levels), depth=spec.hidden_size, init=self.words)
        m.submodules.bias_memory = memory
        bias = memory.read_port()

        # The group's sums, the next unit's in front.
        held = Signal(data.ArrayLayout(self.sum_shape, rows * 4), reset_less=True)
        flags, left, wait = Signal(Flags), Signal(range(rows + 1)), Signal(range(interval))
        unit, next_unit, emit = Signal(range(spec.hidden_size)), Signal(range(spec.hidden_size)), Signal()
        last_unit = unit == spec.hidden_size - 1
        m.d.comb += [
            emit.eq((left != 0) & (wait == 0)),
            next_unit.eq(Mux(emit, Mux(last_unit, 0, unit + 1), unit)),
            bias.addr.eq(next_unit),
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
        added_valid, added_flags = Signal(), Signal(Flags)
        m.d.sync += [
            added_valid.eq(emit),
            added_flags.eq(flags),
            self.o.valid.eq(added_valid),
            self.o.p.flags.eq(added_flags),
        ]
        for gate in range(4):
            scales = self.bias_scales[gate] << spec.bias_shift
            code = bias.data.word_select(gate, spec.bias_levels)
            value = decoded(m, code, scales, half, name=f"bias_{gate}")
            top = int(np.abs(codebook(scales, half)).max())
            shape = signed(max(len(held[gate]), top.bit_length() + 1) + 1)
            added = Signal(shape, name=f"added_{gate}")
            m.d.sync += [
                added.eq(held[gate] + value),
                self.o.p.z[gate].eq(saturated(added >> spec.z_shift, spec.z.bits)),
            ]
        return m

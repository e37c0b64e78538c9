"""From the sums of a group to one unit's pre-activations after another: bias, one rounding, saturation."""

import numpy as np
from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .cells import PIPELINED
from .codes import decoded, most
from .delay import handed_on
from .layouts import Flags, gates, pulse, tagged
from .ram import memory_of

__all__ = ["PreActivation", "saturated", "unit_words"]


def saturated(value, bits):
    """Value clipped to a signed number of `bits` bits: in range when all bits from the sign of the result up agree."""
    if len(value) <= bits:
        return value
    sign, above = value[-1], value[bits - 1 :]
    high = (1 << bits - 1) - 1
    clipped = Mux(sign, ~high, high)
    return Mux(above.all() | ~above.any(), value[:bits].as_signed(), clipped)


def unit_words(codes, levels):
    """Words of the codes [4 * units] of a unit's four gates each."""
    return [sum(int(code) << gate * levels for gate, code in enumerate(of_unit)) for of_unit in np.reshape(codes, (4, -1)).T]


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
    banks : int
        Of the memory, 0 where nothing is loaded into it.
    rounds : bool
        Whether z leaves; else the sums do, with half a unit of z in them already, a cycle sooner.

    Members
    -------
    i : In(stream of sums [rows * 4], flags)
    o : Out(stream of z [4] in the format spec.z, or sums [4], flags)
    """

    def __init__(self, schedule, sum_shape, *, bias_codes, bias_scales, family="generic", banks=0, rounds=True):
        self.schedule, self.bias_scales, self.rounds = schedule, bias_scales, rounds
        spec, rows = schedule.spec, schedule.folding.rows
        self.words = unit_words(bias_codes, spec.bias_levels)
        settings = {"family": family, "output_register": family in PIPELINED}
        self.memory = memory_of(self.words, 4 * spec.bias_levels, banks=banks, **settings)
        self.latency = 1 + rounds + self.memory.latency
        self.sum_shape = sum_shape
        self.added_bits = max(self._added_shape(gate).width for gate in range(4))
        sums = data.StructLayout({"sums": data.ArrayLayout(sum_shape, rows * 4), "flags": Flags})
        unit = {"z": gates(signed(spec.z.bits))} if rounds else {"sums": gates(signed(self.added_bits))}
        super().__init__({"i": In(pulse(sums)), "o": Out(pulse(tagged(**unit)))})

    @property
    def half(self):
        """Rounding half up is the addition of half a unit, put into the bias."""
        return 1 << self.schedule.spec.z_shift >> 1

    def _added_shape(self, gate):
        """Of a sum with its bias."""
        top = sum(most(scale) for scale in self._scales(gate)) + self.half
        return signed(max(self.sum_shape.width, top.bit_length() + 1) + 1)

    def _scales(self, gate):
        return [scale << self.schedule.spec.bias_shift for scale in self.bias_scales[gate]]

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

        beside = data.StructLayout({"valid": 1, "flags": Flags})
        stages = [Signal(beside, name=f"beside_{k}") for k in range(self.latency)]
        m.d.comb += [stages[0].valid.eq(emit), stages[0].flags.eq(flags)]
        m.d.sync += handed_on(stages)
        m.d.comb += [self.o.valid.eq(stages[-1].valid), self.o.p.flags.eq(stages[-1].flags)]
        for gate in range(4):
            # The front unit waits for its bias where that comes a cycle later.
            front = [held[gate], *(Signal(self.sum_shape, name=f"front_{gate}_{k}") for k in range(1, self.memory.latency))]
            m.d.sync += handed_on(front)
            code = memory.data.word_select(gate, spec.bias_levels)
            value = decoded(m, code, self._scales(gate), self.half, name=f"bias_{gate}")
            added = Signal(self._added_shape(gate), name=f"added_{gate}")
            m.d.sync += added.eq(front[-1] + value)
            if self.rounds:
                m.d.sync += self.o.p.z[gate].eq(saturated(added >> spec.z_shift, spec.z.bits))
            else:
                m.d.comb += self.o.p.sums[gate].eq(added)
        return m

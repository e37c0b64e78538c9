"""Gates one after another, and no row of g where i is 0: the parts that a core with `Folding.skip` has of its own."""

from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .activation import activation_of, code_of
from .cells import PIPELINED
from .codes import decoded, lookup, most
from .delay import Delay, delayed
from .layouts import Flags, Place, flags_of, gates, pulse, tagged
from .preactivation import saturated, unit_words
from .rom import Rom
from .weights import GATE_ORDER

__all__ = ["GateCodes", "GateSequencer", "RowPreActivation", "Token"]

OF_I, OF_G = 0, 2
"""Of GATES."""

Token = data.StructLayout({"valid": 1, "needed": 1, "flags": Flags})
"""A unit whose row of g is read, or left out."""


class GateSequencer(wiring.Component):
    """Walks through gates in the order of GATE_ORDER, units, passes and slots of a step, a slot a cycle.

    As `Sequencer`, but for one row at a time: g's row of a unit is left out where `needed` says that its i is 0, and takes
    `schedule.unit_interval` slots then. g waits until all of i's codes are there.

    Parameters
    ----------
    schedule : Schedule

    Members
    -------
    ready, first, hold, done, written, word, address, valid, place, group, units
        As of `Sequencer`; group comes with the first slot of g's rows alone.
    gate, unit : Out
        Whose row it is.
    next_unit : Out
        That of the next cycle.
    needed : In(1)
        Whether g of the unit matters, of the address `next_unit` of the cycle before.
    complete : In(1)
        All codes of i of the step are there.
    ends : Out(1)
        Pulse with the last slot of a row of g, or of what is left of it.
    """

    def __init__(self, schedule):
        self.schedule = s = schedule
        self.row_words = s.passes * s.words
        units = range(s.spec.hidden_size)
        inputs = {name: In(1) for name in "ready first hold written needed complete".split()}
        outputs = {name: Out(1) for name in "done valid group ends".split()}
        super().__init__(
            inputs
            | outputs
            | {
                "word": Out(range(max(2, s.words))),
                "address": Out(range(max(2, s.rounds * s.groups * self.row_words))),
                "place": Out(Place),
                "units": Out(1),
                "gate": Out(2),
                "unit": Out(units),
                "next_unit": Out(units),
            }
        )

    def elaborate(self, platform):
        m = Module()
        s, units = self.schedule, self.schedule.spec.hidden_size
        slots = max(s.pass_cycles, s.unit_interval)
        turn, slot, number = Signal(2), Signal(range(max(2, slots))), Signal(range(max(2, s.passes)))
        of_g, skipped, go, starts = Signal(), Signal(), Signal(), Signal(init=1)
        m.d.comb += [
            of_g.eq(turn == len(GATE_ORDER) - 1),
            skipped.eq(of_g & ~self.needed),
            self.gate.eq(lookup(m, turn, GATE_ORDER, name="gate_now", shape=2)),
        ]
        ends_pass, ends_row, ends_gate = Signal(), Signal(), Signal()
        reads = slot < s.words
        m.d.comb += [
            ends_pass.eq(Mux(skipped, slot == s.unit_interval - 1, slot == s.pass_cycles - 1)),
            ends_row.eq(ends_pass & (skipped | (number == s.passes - 1))),
            ends_gate.eq(ends_row & (self.unit == units - 1)),
            go.eq(self.ready & ~self._waits(m, slot) & ~(of_g & (~self.complete | (starts & self.hold)))),
            self.word.eq(slot),
            self.valid.eq(go & reads & ~skipped),
            self.group.eq(go & starts & of_g),
            self.ends.eq(go & ends_row & of_g),
            self.done.eq(go & ends_gate & of_g),
            self.units.eq(1),
            self.place.x_end.eq(slot == s.x_words - 1),
            self.place.last.eq(slot == s.words - 1),
            self.next_unit.eq(self.unit),
        ]
        with m.If(go):
            m.d.sync += [slot.eq(Mux(ends_pass, 0, slot + 1)), starts.eq(ends_row)]
            with m.If(ends_pass):
                m.d.sync += number.eq(Mux(ends_row, 0, number + 1))
            with m.If(ends_row):
                m.d.comb += self.next_unit.eq(Mux(ends_gate, 0, self.unit + 1))
            with m.If(ends_gate):
                m.d.sync += turn.eq(turn + 1)
        m.d.sync += self.unit.eq(self.next_unit)
        last = s.rounds * s.groups * self.row_words - 1
        with m.If(self.done):
            m.d.sync += self.address.eq(0)
        with m.Elif(go & skipped & ends_row):
            m.d.sync += self.address.eq(self.address + self.row_words)
        with m.Elif(self.valid & (self.address != last)):
            m.d.sync += self.address.eq(self.address + 1)
        return m

    def _waits(self, m, slot):
        """Whether the slot's word has h codes that are not written yet: only a step's first rows can meet such."""
        s, units = self.schedule, self.schedule.spec.hidden_size
        # Those of the step before that are written, and then those of this one; a step's end leaves them as the next's before.
        have = Signal(range(-3 * units, 2 * units + 1), init=units)
        m.d.sync += have.eq(have + self.written - Mux(self.done, units, 0))
        need = lookup(m, slot, [s.units_needed(k) for k in range(s.words)] + [0], name="need")
        return ~self.first & (have < need)


class RowPreActivation(wiring.Component):
    """A row's sum with its bias, rounded half up to the pre-activation format and saturated: `PreActivation` of one gate.

    One row a cycle, `latency` cycles later.

    Parameters
    ----------
    schedule : Schedule
    sum_shape : Shape
    bias_codes : int array [4 * hidden_size]
    bias_scales : int array [4, bias_levels]
    family : str

    Members
    -------
    i : In(stream of sums [1], flags)
    o : Out(stream of z in the format spec.z, flags)
    """

    def __init__(self, schedule, sum_shape, *, bias_codes, bias_scales, family="generic"):
        self.schedule, self.sum_shape, self.bias_scales = schedule, sum_shape, bias_scales
        spec, self.flags = schedule.spec, flags_of(schedule)
        self.words = unit_words(bias_codes, spec.bias_levels)
        self.memory = Rom(self.words, 4 * spec.bias_levels, family=family, output_register=family in PIPELINED)
        self.latency = self.memory.latency + 2
        sums = data.StructLayout({"sums": data.ArrayLayout(sum_shape, 1), "flags": self.flags})
        z = data.StructLayout({"z": signed(spec.z.bits), "flags": self.flags})
        super().__init__({"i": In(pulse(sums)), "o": Out(pulse(z))})

    def elaborate(self, platform):
        m = Module()
        spec = self.schedule.spec
        m.submodules.bias_memory = memory = self.memory
        half = 1 << spec.z_shift >> 1
        m.d.comb += memory.address.eq(self.i.p.flags.unit)
        flags, waits = self.i.p.flags, memory.latency
        gate = delayed(m, "gate", flags.gate, waits)
        scales = [[scale << spec.bias_shift for scale in own] for own in self.bias_scales]
        codes = [memory.data.word_select(k, spec.bias_levels) for k in range(4)]
        values = [
            decoded(m, code, own, half, name=f"bias_{k}") for k, (code, own) in enumerate(zip(codes, scales, strict=True))
        ]
        top = max(sum(most(scale) for scale in own) for own in scales) + half
        bias = Signal(signed(top.bit_length() + 1))
        with m.Switch(gate):
            for k, value in enumerate(values):
                with m.Case(k):
                    m.d.comb += bias.eq(value)
        added = Signal(signed(max(self.sum_shape.width, top.bit_length() + 1) + 1))
        m.d.sync += [
            added.eq(delayed(m, "sum", self.i.p.sums[0], waits) + bias),
            self.o.p.z.eq(saturated(added >> spec.z_shift, spec.z.bits)),
        ]
        m.d.comb += [
            self.o.valid.eq(delayed(m, "valid", self.i.valid, self.latency)),
            self.o.p.flags.eq(delayed(m, "flags", flags.as_value(), self.latency)),
        ]
        return m


class GateCodes(wiring.Component):
    """Codes of all gates, kept until a unit has those that it needs.

    A unit's codes leave `wait` cycles, and one, after its token.

    Parameters
    ----------
    spec : LstmSpec
    gate_formats : sequence of 4 mubinn.model.gates.Gate
    depth : int
        Cycles from a row's last word to its z, at most.
    apart : int
        Cycles between two rows of g, at least.
    family : str

    Members
    -------
    i : In(stream of z, flags)
    token : In(Token)
    done : In(1)
        Pulse: the step has its last token.
    next_unit, needed, complete
        Of the sequencer.
    o : Out(stream of codes [4], each as wide as the widest; flags)
    """

    def __init__(self, schedule, gate_formats, *, depth, apart, family="generic"):
        self.schedule, self.spec, self.gates = schedule, schedule.spec, gate_formats
        self.parts = [activation_of(gate, family=family) for gate in gate_formats]
        self.wait = depth + max(part.latency for part in self.parts) + 1
        self.queue = self.wait // apart + 2
        spec, units = self.spec, range(self.spec.hidden_size)
        z = data.StructLayout({"z": signed(spec.z.bits), "flags": flags_of(schedule)})
        unit = tagged(codes=gates(unsigned(max(spec.gate_bits))))
        super().__init__(
            {
                "i": In(pulse(z)),
                "token": In(Token),
                "done": In(1),
                "next_unit": In(units),
                "needed": Out(1),
                "complete": Out(1),
                "o": Out(pulse(unit)),
            }
        )

    @property
    def latency_of_i(self):
        """Cycles from z of i to the cycle in which the sequencer knows of its code."""
        return self.parts[OF_I].latency + 2

    @property
    def matters(self):
        """Codes of i that are not 0."""
        gate = self.gates[OF_I]
        return [int(value != 0) for value in gate.values]

    def elaborate(self, platform):
        m = Module()
        spec, units = self.spec, self.spec.hidden_size
        m.submodules.wait = wait = Delay(Token, self.wait)
        m.d.comb += wait.i.eq(self.token)
        token = Signal(Token)
        m.d.sync += token.eq(wait.o)
        m.d.comb += [self.o.valid.eq(token.valid), self.o.p.flags.eq(token.flags)]
        reads = self._counter(m, wait.o.valid, "read")
        for k, part in enumerate(self.parts):
            m.submodules[f"gate_{k}"] = part
            m.d.comb += [part.i.valid.eq(self.i.valid & (self.i.p.flags.gate == k)), part.i.payload.eq(self.i.p.z)]
            code = code_of(m, part, spec.gate_bits[k], name=f"code_{k}")
            if k == OF_G:
                m.submodules.g_codes = queue = SyncFIFO(width=spec.gate_bits[k], depth=self.queue)
                m.d.comb += [
                    queue.w_en.eq(part.o.valid),
                    queue.w_data.eq(code),
                    queue.r_en.eq(token.valid & token.needed),
                    self.o.p.codes[k].eq(queue.r_data),
                ]
                continue
            # Of the step that is read and of the one that comes.
            memory = Memory(shape=unsigned(spec.gate_bits[k]), depth=2 * units, init=[])
            m.submodules[f"codes_{k}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.en.eq(part.o.valid),
                write.data.eq(code),
                write.addr.eq(self._counter(m, part.o.valid, f"written_{k}")),
                read.addr.eq(reads),
                self.o.p.codes[k].eq(read.data),
            ]
            if k == OF_I:
                self._needs(m, part.o.valid, code)
        return m

    def _counter(self, m, step, name):
        last = 2 * self.spec.hidden_size - 1
        count = Signal(range(last + 1), name=name)
        with m.If(step):
            m.d.sync += count.eq(Mux(count == last, 0, count + 1))
        return count

    def _needs(self, m, valid, code):
        """Which units' g matters, as soon as all codes of i are there."""
        units = self.spec.hidden_size
        count = Signal(range(units + 1), name="codes_of_i")
        m.submodules.needs = needs = Memory(shape=1, depth=max(2, units), init=[])
        write, read = needs.write_port(), needs.read_port()
        # Of a gate of plain numbers code 0 alone is 0, one of 65,536.
        plain = self.gates[OF_I].kind == "fixed"
        matters = code.any() if plain else lookup(m, code, self.matters, name="matters", shape=1)
        m.d.comb += [
            write.en.eq(valid),
            write.data.eq(matters),
            write.addr.eq(count),
            read.addr.eq(self.next_unit),
            self.needed.eq(read.data),
        ]
        # The last one is read a cycle after it is written.
        m.d.sync += self.complete.eq((count == units) & ~self.done)
        with m.If(self.done):
            m.d.sync += count.eq(0)
        with m.Elif(valid):
            m.d.sync += count.eq(count + 1)

"""The LSTM core: one stream of samples in, one stream of h or of classes out."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out
from mubinn.model.folding import Folding, Schedule
from mubinn.model.timeline import Timeline, gate_waits

from .activation import Activation
from .cell import Cell
from .cells import PIPELINED
from .codes import decoded, decoded_shape
from .constants import LoadedConstants, widest
from .delay import Delay
from .dots import DotProducts
from .encoder import Encoder
from .gatewise import GateCodes, GateSequencer, RowPreActivation
from .gru import GruGates, StateCode
from .head import Head
from .intake import Intake
from .layouts import Flags, Place, flags_of, sample, unit_output
from .load_map import LoadMap
from .loader import LoadWord
from .output import OutputProduct, OutputStairs
from .peephole import PeepholeGates, PeepholeOutput, peephole_rest
from .preactivation import PreActivation
from .scaling import scale_of
from .sequencer import Sequencer
from .store import PlaneStore
from .table import PiecewiseLinear
from .trace import trace_wires, traced
from .weights import WeightStore, weight_words

__all__ = ["Lstm"]

_PARTS = """intake store weights sequencer dots scale preactivation activation cell_state hidden_code tanh_c
output_product h_encoder output head loader""".split()
"""Submodules in the order in which a step passes through them, of which a core has those that it needs."""


class Lstm(wiring.Component):
    """Multi-level binarized LSTM with its parameters inside.

    Samples come a channel a beat; any stall on either side is legal. Of several contexts (`folding.contexts`) a step of each
    comes in turn, and results say whose they are. A step takes `schedule.ideal_cycles_per_step` cycles, and more only where
    the next step waits for its last h (`latency` cycles behind the last word) or for its neighbours.

    Parameters
    ----------
    parameters : mubinn.model.parameters.Parameters
        Spec and integer tensors.
    folding : Folding
        How much is computed at once.
    family : str
        Whose cells the dot products and weights are made of: generic (plain logic), ice40, ecp5, gowin or xc7. Elaborated
        for a `Fabric` of that family they are instances, anywhere else what those do.
    loaded_bits : {what: bits} or None
        Where the folding loads all: room for the numbers of models, see `constants.widest`; None for these parameters' own.
    startup_cycles : int
        Cycles after reset in which nothing is accepted, 0 to 65535: iCE40 block RAM is not readable in the first
        microseconds after configuration.

    Members
    -------
    i : In(stream of x: format spec.x, last: on the last channel of a window's last step)
    o : Out(stream). With a head, a beat a window: label, error, scores. Without, a beat a unit: h (format of the h scales),
        last (on the last unit of a window), error. `error` tells of a missing or misplaced `last`: that window's
        result is not defined.
    load : In(stream of LoadWord), if the folding loads anything
        Transfers of `load_map.words`, see `Loader`.
    loaded, load_error : Out(1), then
        Whether the core has parameters; and whether a transfer was wrong, with no right one after it.
    """

    def __init__(self, parameters, folding=None, *, family="generic", startup_cycles=0, loaded_bits=None):
        if not 0 <= startup_cycles < 1 << 16:
            raise ValueError(f"startup_cycles must be 0 to 65535, not {startup_cycles}")
        self.parameters, self.spec, self.startup_cycles = parameters, parameters.spec, startup_cycles
        self.family = family
        self.schedule = Schedule(parameters.spec, folding or Folding())
        spec, schedule = self.spec, self.schedule
        contexts, loads = schedule.folding.contexts, schedule.folding.loads
        p, self.constants, self.loaded_bits, banks = parameters, None, None, 0
        if schedule.folding.weight_memory == "spram" and family != "ice40":
            raise ValueError(f"family must be ice40 with weight_memory spram, not {family!r}")
        if loads == "all":
            self.loaded_bits, banks = loaded_bits or widest([parameters], schedule), schedule.folding.load_banks
            p = self.constants = LoadedConstants(parameters, self.loaded_bits)
        self.numbers = p
        self.intake = Intake(spec, p.x_scales, contexts=contexts, stops=loads != "none")
        self.store = PlaneStore(schedule, family=family)
        self.weights = WeightStore(schedule, weight_words(schedule, p.wx_codes, p.wh_codes), family=family)
        self.dots = DotProducts(schedule, family=family)
        self.scale = scale_of(parameters, schedule, loaded_bits=self.loaded_bits, family=family)
        biases = {"bias_codes": p.bias_codes, "bias_scales": p.bias_scales, "family": family}
        if schedule.folding.skip:
            self.preactivation = RowPreActivation(schedule, self.scale.sum_shape, **biases)
        else:
            rounds = spec.cell_kind != "peephole"
            self.preactivation = PreActivation(schedule, self.scale.sum_shape, banks=banks, rounds=rounds, **biases)
        gate_formats = p.gates
        self.hidden_code = self.tanh_c = self.output_product = self.h_encoder = self.output = None
        if spec.cell_kind == "gru":
            self.activation = GruGates(spec, p.gates, family=family)
            gate_formats = (p.gates[1], *p.gates[1:])  # 1 - z is of z's format
        elif spec.cell_kind == "peephole":
            bits = self.preactivation.added_bits
            self.activation = PeepholeGates(p, bits, depth=spec.hidden_size * contexts, banks=banks, family=family)
        elif schedule.folding.skip:
            depth = self.counted_latency + self.scale.latency + schedule.batch_cycles + self.preactivation.latency
            self.activation = GateCodes(schedule, p.gates, depth=depth, apart=schedule.group_cycles, family=family)
        else:
            self.activation = Activation(spec, p.gates, family=family)
        self.cell_state = Cell(spec, gate_formats=gate_formats, cell_scales=p.cell_scales, contexts=contexts, family=family)
        if spec.cell_kind != "lstm":
            gru = spec.cell_kind == "gru"
            self.output = StateCode(spec, p.h_scales) if gru else PeepholeOutput(p, bits, family=family)
            self.output_parts = (self.output,)
        elif p.output_compares:
            self.hidden_code = OutputStairs(spec, p.gates[3], p.h_scales, family=family)
            self.output_parts = (self.hidden_code,)
        else:
            # What takes tanh(c) and h next are registers, or the store.
            self.tanh_c = PiecewiseLinear(spec.cell_table, family=family, registered=family in PIPELINED)
            self.output_product = OutputProduct(spec, p.gates[3])
            self.h_encoder = Encoder(spec.h_bits, p.h_scales, registered=False)
            self.output_parts = (self.tanh_c, self.output_product, self.h_encoder)
        head_mults = schedule.folding.head_mults
        self.head = None
        if spec.classes:
            sums = self.loaded_bits and self.loaded_bits["scores"]
            self.head = Head(p, mults=head_mults, contexts=contexts, family=family, loaded_bits=sums, banks=banks)
        if schedule.folding.skip:
            self.sequencer = GateSequencer(schedule)
        else:
            self.sequencer = Sequencer(schedule, in_flight=0 if spec.classes else self.buffer_units)
        self.h_shape = decoded_shape(p.h_scales)
        self.context = Signal(range(contexts))  # of the h codes that come
        self.trace = trace_wires(self)
        self.load_map = self.loader = None
        members = {}
        if loads != "none":
            self.load_map = LoadMap(self)
            self.loader = self.load_map.loader()
            members = {"load": In(stream.Signature(LoadWord)), "loaded": Out(1), "load_error": Out(1)}
        payload = self.head.o.p.shape() if spec.classes else unit_output(len(Signal(self.h_shape)), contexts)
        super().__init__({"i": In(stream.Signature(sample(spec))), "o": Out(stream.Signature(payload)), **members})

    def timeline(self):
        """A Timeline of this core, at its first step."""
        after_scale = (self.preactivation, self.activation, self.cell_state, *self.output_parts)
        return Timeline(
            schedule=self.schedule,
            parts=self.schedule.parts,
            counted=self.counted_latency,
            scaled=self.scale.latency - self.schedule.batch_cycles,
            finished=sum(part.latency for part in after_scale) + 1 + self.store.write_stages - self.store_delay,
        )

    @property
    def counted_latency(self):
        """Cycles from the read of a word to its counts."""
        return self.weights.latency + self.dots.latency

    @property
    def store_delay(self):
        """Cycles by which the operand store is read after the weights, so that both arrive together."""
        return self.weights.latency - 1

    @property
    def latency(self):
        """Cycles from the read of a step's last word to the cycle in which its last group's first h can be read back."""
        if self.schedule.folding.skip:
            parts = (self.cell_state, *self.output_parts)
            idle = self.schedule.pass_cycles - self.schedule.words
            codes = idle + self.activation.wait + 1
            return codes + sum(part.latency for part in parts) + 1 + self.store.write_stages - self.store_delay
        timeline = self.timeline()
        timeline.step()
        return timeline.latency

    @property
    def predicted_cycles_per_step(self):
        """Cycles from step to step inside a window when neither side stalls: the ideal ones and the wait for h."""
        if self.schedule.folding.skip:
            of_i = self.counted_latency + self.scale.latency + self.preactivation.latency + self.activation.latency_of_i
            return self.schedule.ideal_cycles_per_step + gate_waits(self.schedule, latency=self.latency, of_i=of_i)
        return max(self.timeline().period(), self.schedule.ideal_cycles_per_step)

    @property
    def buffer_units(self):
        """Units that the output buffer of a core without a head holds: all that can be under way."""
        # Late parts of groups follow each other faster than whole groups do.
        cycles = self.schedule.passes * min(part.slots for part in self.schedule.parts if not part.early)
        if self.schedule.folding.skip:
            cycles = self.schedule.unit_interval
        return self.schedule.folding.rows * (-(-(cycles + self.latency + 2) // cycles) + 1)

    def elaborate(self, platform):
        m = Module()
        spec, p = self.spec, self.numbers
        for name in _PARTS:
            if getattr(self, name) is not None:
                m.submodules[name] = getattr(self, name)
        self._front(m)
        connect = wiring.connect
        connect(m, self.dots.x, self.scale.x)
        connect(m, self.dots.h, self.scale.h)
        connect(m, self.scale.o, self.preactivation.i)

        # Unit after unit from here on; what a unit takes along travels in delays beside the pipeline.
        z, codes = self.preactivation.o, self.activation.o
        m.d.comb += self.activation.i.valid.eq(z.valid)
        if self.schedule.folding.skip:
            self._gates(m)
        elif spec.cell_kind == "peephole":
            c = self.cell_state.o
            m.d.comb += [
                self.activation.i.p.eq(z.p),
                self.activation.c.valid.eq(c.valid),
                self.activation.c.payload.eq(c.payload),
            ]
        else:
            m.d.comb += self.activation.i.p.eq(z.p.z)
        if self.schedule.folding.skip:
            gate_codes, flags = codes.p.codes, codes.p.flags
        else:
            gate_codes = codes.p if spec.cell_kind == "lstm" else codes.p.codes
            flags = self._delayed(m, "flags_z", Flags, self.activation.latency, z.p.flags)
        m.d.comb += [
            self.cell_state.i.valid.eq(codes.valid),
            self.cell_state.i.p.codes.eq(gate_codes),
            self.cell_state.i.p.first.eq(flags.first),
        ]
        flags = self._delayed(m, "flags_c", Flags, self.cell_state.latency, flags)
        flags = self._other_output(m, flags) if self.output is not None else self._output(m, gate_codes[3], flags)
        last_unit = self._write_h(m)
        h = Signal(self.h_shape)
        m.d.comb += h.eq(decoded(m, self.h_code.payload, p.h_scales, name="h_value"))
        if spec.classes:
            self._result(m, h, flags)
        else:
            self._h_stream(m, h, flags, last_unit)
        if self.loader is not None:
            self._loading(m, last_unit & flags.last & self.h_code.valid)
        for wires, source in zip(self.trace.values(), traced(self, m).values(), strict=True):
            m.d.comb += [wire.eq(value) for wire, value in zip(wires, source, strict=True)]
        return m

    def _delayed(self, m, name, shape, cycles, value):
        m.submodules[name] = delay = Delay(shape, cycles)
        m.d.comb += delay.i.eq(value)
        return delay.o

    def _front(self, m):
        """Samples to operand store, and the reads of the sequencer to the dot products."""
        intake, store, sequencer, dots = self.intake, self.store, self.sequencer, self.dots
        wiring.connect(m, intake.codes, store.x)
        awake = Signal(init=int(self.startup_cycles == 0))
        if self.startup_cycles:
            count = Signal(range(self.startup_cycles))
            m.d.sync += count.eq(count + 1)
            with m.If(count == self.startup_cycles - 1):
                m.d.sync += awake.eq(1)
        m.d.comb += [
            intake.i.valid.eq(self.i.valid & awake),
            intake.i.p.eq(self.i.p),
            self.i.ready.eq(intake.i.ready & awake),
            sequencer.ready.eq(intake.ready),
            sequencer.first.eq(intake.flags.first),
            intake.done.eq(sequencer.done),
            store.bank.eq(self._delayed(m, "bank", store.bank.shape(), self.store_delay, intake.store_bank)),
            store.word.eq(self._delayed(m, "word", store.word.shape(), self.store_delay, sequencer.word)),
            self.weights.address.eq(sequencer.address),
            dots.i.p.planes.eq(store.planes),
            dots.i.p.weights.eq(self.weights.weights),
        ]
        beside = data.StructLayout({"valid": 1, "place": Place, "flags": flags_of(self.schedule)})
        read = Signal(beside)
        m.d.comb += [read.valid.eq(sequencer.valid), read.place.eq(sequencer.place)]
        if self.schedule.folding.skip:
            m.d.comb += [read.flags[name].eq(intake.flags[name]) for name in ("first", "last", "error")]
            m.d.comb += [read.flags.gate.eq(sequencer.gate), read.flags.unit.eq(sequencer.unit)]
        else:
            m.d.comb += read.flags.eq(intake.flags)
        read = self._delayed(m, "beside_read", beside, self.weights.latency, read)
        m.d.comb += [dots.i.valid.eq(read.valid), dots.i.p.place.eq(read.place), dots.i.p.flags.eq(read.flags)]

    def _gates(self, m):
        """Rows of gates one after another: what sequencer and gates know of each other."""
        sequencer, codes, token = self.sequencer, self.activation, self.activation.token
        m.d.comb += [
            codes.i.p.eq(self.preactivation.o.p),
            codes.done.eq(sequencer.done),
            codes.next_unit.eq(sequencer.next_unit),
            sequencer.needed.eq(codes.needed),
            sequencer.complete.eq(codes.complete),
            token.valid.eq(sequencer.ends),
            token.needed.eq(codes.needed),
            token.flags.eq(self.intake.flags),
        ]

    def _loading(self, m, last_h):
        """Loader to memories, and whether the core rests: windows that have begun but not ended."""
        loader, intake, windows = self.loader, self.intake, Signal(range(self.buffer_units + 4))
        ends = self.head.o.valid if self.spec.classes else last_h
        m.d.sync += windows.eq(windows + intake.begins - ends)
        for region, write in zip(self.load_map.regions, loader.writes, strict=True):
            if region.ram is not None:
                m.d.comb += [region.ram.write.eq(write), region.ram.bank.eq(loader.bank)]
        m.d.comb += [
            loader.rests.eq(intake.between & (windows == 0)),
            intake.stop.eq(loader.stop),
            self.loaded.eq(loader.loaded),
            self.load_error.eq(loader.error),
        ]
        wiring.connect(m, wiring.flipped(self.load), loader.load)

    @property
    def h_code(self):
        """Stream of h's codes, a unit each."""
        return self.output_parts[-1].o

    def _output(self, m, o_code, flags):
        """From c to h's code: o's code comes as many cycles before c as the cell takes, `flags` with c. Returns h's flags."""
        o_bits, c = self.spec.gate_bits[3], self.cell_state.o
        if self.hidden_code is not None:
            stairs = self.hidden_code
            wiring.connect(m, c, stairs.i)
            m.d.comb += stairs.next_o.eq(self._delayed(m, "beside_c", o_bits, self.cell_state.latency - 1, o_code))
            return self._delayed(m, "flags_h", Flags, stairs.latency, flags)
        wiring.connect(m, c, self.tanh_c.i)
        beside = self._delayed(m, "beside_c", o_bits, self.cell_state.latency + self.tanh_c.latency, o_code)
        m.d.comb += [
            self.output_product.i.valid.eq(self.tanh_c.o.valid),
            self.output_product.i.p.o.eq(beside),
            self.output_product.i.p.tanh_c.eq(self.tanh_c.o.payload),
            self.h_encoder.i.valid.eq(self.output_product.o.valid),
            self.h_encoder.i.payload.eq(self.output_product.o.payload),
            self.h_encoder.o.ready.eq(1),
        ]
        return self._delayed(m, "flags_h", Flags, sum(part.latency for part in self.output_parts), flags)

    def _other_output(self, m, flags):
        """From c to h's code in the cells that are no plain LSTM. Returns h's flags."""
        c, output = self.cell_state.o, self.output
        m.d.comb += output.i.valid.eq(c.valid)
        if self.spec.cell_kind == "gru":
            m.d.comb += output.i.payload.eq(c.payload)
        else:
            rest = peephole_rest(self.numbers, self.preactivation.added_bits)
            beside = self._delayed(m, "beside_c", rest, self.cell_state.latency, self.activation.o.p.rest)
            m.d.comb += [output.i.p.c.eq(c.payload), output.i.p.rest.eq(beside)]
        return self._delayed(m, "flags_h", Flags, output.latency, flags)

    def _write_h(self, m):
        """Every h code to the bank of the next step. Returns whether the unit is its step's last."""
        contexts = self.schedule.folding.contexts
        unit, bank = Signal(range(self.spec.hidden_size)), Signal(range(contexts + 1), init=contexts)
        coded = self.h_code
        last_unit = unit == self.spec.hidden_size - 1
        # The codes that the store takes now, as seen from the sequencer, whose words are read `store_delay` cycles later.
        sources = [self.activation, self.cell_state, *self.output_parts]
        cycles = self.store.write_stages - self.store_delay
        while cycles < 0:
            cycles += sources.pop().latency
        m.d.comb += [
            self.store.h.valid.eq(coded.valid),
            self.store.h.p.code.eq(coded.payload),
            self.store.h.p.bank.eq(bank),
            self.store.h.p.first.eq(unit == 0),
            self.sequencer.written.eq(self._delayed(m, "written", 1, cycles, sources[-1].o.valid)),
        ]
        with m.If(coded.valid):
            m.d.sync += unit.eq(Mux(last_unit, 0, unit + 1))
            with m.If(last_unit):
                m.d.sync += bank.eq(~bank if contexts == 1 else Mux(bank == contexts, 0, bank + 1))
                if contexts > 1:
                    m.d.sync += self.context.eq(Mux(self.context == contexts - 1, 0, self.context + 1))
        return last_unit

    def _result(self, m, h, flags):
        """Head, whose result waits for the sink; a window's last step waits until the result before has left."""
        head = self.head
        pending = Signal()
        m.d.comb += [
            head.i.valid.eq(self.h_code.valid),
            head.i.p.h.eq(self.h_code.payload if head.takes_codes else h),
            head.i.p.flags.eq(flags),
            *([head.context.eq(self.context)] if self.schedule.folding.contexts > 1 else []),
            self.sequencer.hold.eq(pending & self.intake.flags.last),
            self.o.p.eq(head.o.p),
        ]
        with m.If(head.o.valid):
            m.d.sync += self.o.valid.eq(1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [self.o.valid.eq(0), pending.eq(0)]
        with m.If(self.sequencer.done & self.intake.flags.last):
            m.d.sync += pending.eq(1)

    def _h_stream(self, m, h, flags, last_unit):
        """A buffer with room for every unit under way, so that the pipeline never has to stop."""
        rows, depth = self.schedule.folding.rows, self.buffer_units
        payload = Signal(self.o.p.shape())
        fifo = SyncFIFOBuffered(width=len(payload.as_value()), depth=depth)
        m.submodules.buffer = fifo
        room = Signal(range(depth + 1), init=depth)
        leaves = self.o.valid & self.o.ready
        m.d.comb += [
            payload.h.eq(h),
            payload.last.eq(flags.last & last_unit),
            payload.error.eq(flags.error),
            *([payload.context.eq(self.context)] if self.schedule.folding.contexts > 1 else []),
            fifo.w_en.eq(self.h_code.valid),
            fifo.w_data.eq(payload),
            self.o.valid.eq(fifo.r_rdy),
            self.o.p.eq(fifo.r_data),
            fifo.r_en.eq(self.o.ready),
            self.sequencer.hold.eq(room < rows),
        ]
        # A group that pads takes and gives back only its real units, so room is counted a unit at a time.
        taken = Mux(self.sequencer.group, self.sequencer.units, 0)
        m.d.sync += room.eq(room - taken + leaves)

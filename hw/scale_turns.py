"""What every way of scaling shares: whose turn it is, counts waiting for theirs, and the sums."""

from math import gcd

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from mubinn.model.fixed import signed_bits

from .cells import PIPELINED
from .codes import lookup
from .delay import handed_on
from .layouts import counted, flags_of, pulse
from .queue import Queue

__all__ = ["ScaleTurns", "Turn"]

WIDEST_OPERAND = 16
"""Bits of an iCE40 multiplier's inputs; every other family's are wider."""

Turn = data.StructLayout({name: 1 for name in "valid is_h masked turn_ends puts takes ends".split()})
"""Of the products that have their turn: they count; they are of an h batch; of one that counts as zero; its gate row's last
of the batch; its sum is put aside, or goes on from one that was; it is its group's last."""


def _zeros(value):
    """Zero bits at the end of a number, 0 for zero itself."""
    return max(0, (value & -value).bit_length() - 1)


class ScaleTurns(wiring.Component):
    """Scaling without its products, which a subclass adds: the sums of every gate row of a group over all planes, x and h part.

    Batches come in the order x, h of the first pass, x, h of the next; the sums leave with the last product of the last h
    batch. Of groups read ahead first all x batches come, then all h batches: their sums wait in between. A batch takes
    `schedule.batch_cycles` cycles and may arrive while others are under way; the schedule sees that it meets none of its own
    kind. In a window's first step (flag `first`) the h part counts nothing, since h is exact zero.

    A product is operand * constant, at the binary point of the accumulator when shifted left by its part's x_shift or h_shift.
    Common zeros at its end are left out of operands, products and sums; what else the parts' shifts differ by is in the
    operand where that stays narrow enough, behind the product otherwise.

    Parameters
    ----------
    schedule : Schedule
    sum_bits : int
        Width of the sums.
    operands : {"x": (divisors, most), "h": ...}
        Of each part's operand: numbers it is made of, and its greatest magnitude.
    family : str
        Where an adder deserves a register of its own (`PIPELINED`), several products of a cycle are added before they join
        the sum.

    Attributes
    ----------
    stages : int
        Register stages from a batch's counts to its products. The last batch's sums leave `latency` cycles after it.
    operand_shift : dict
        Left shift of a part's operand; negative where zeros are left out.

    Members
    -------
    x, h : In(streams of DotProducts)
    o : Out(stream of sums [gate rows], gate fastest, at the accumulator's binary point; flags)
    """

    stages = 2

    def __init__(self, schedule, *, sum_bits, operands, family="generic"):
        self.schedule = schedule
        self.sum_stages = int(family in PIPELINED and schedule.scale_parallel > 1)
        spec, folding = schedule.spec, schedule.folding
        count = schedule.gate_rows * folding.weight_planes * schedule.levels
        self.flags = flags_of(schedule)
        gate = {"gate": 2} if folding.skip else {}
        self.sum_shape = signed(sum_bits)
        self._place_points(operands)
        x_counts = data.ArrayLayout(spec.input_size.bit_length(), count)
        h_counts = data.ArrayLayout(spec.hidden_size.bit_length(), count)
        sums = data.ArrayLayout(self.sum_shape, schedule.gate_rows)
        super().__init__(
            {
                "x": In(pulse(counted(x_counts, **gate))),
                "h": In(pulse(counted(h_counts, flags=self.flags))),
                "o": Out(pulse(data.StructLayout({"sums": sums, "flags": self.flags}))),
            }
        )

    def _place_points(self, operands):
        """Where a part's shift is made; `common` is what is left out of all sums."""
        shifts = {"x": self.schedule.spec.x_shift, "h": self.schedule.spec.h_shift}
        zeros = {part: _zeros(gcd(*divisors)) for part, (divisors, _) in operands.items()}
        # No sum has fewer bits than its sign, whatever is left out.
        self.common = min(*(shifts[part] + zeros[part] for part in "xh"), self.sum_shape.width - 1)
        lifted = {part: shifts[part] - self.common for part in "xh"}
        most = max(most << lifted[part] if lifted[part] > 0 else most >> -lifted[part] for part, (_, most) in operands.items())
        fits = signed_bits(-most, most) <= WIDEST_OPERAND
        self.operand_shift = lifted if fits else {part: -zeros[part] for part in "xh"}
        self._product_shift = {part: lifted[part] - self.operand_shift[part] for part in "xh"}

    @property
    def latency(self):
        """Cycles from the last h batch to the sums."""
        return self.schedule.batch_cycles + self.stages + self.sum_stages

    @property
    def _queued(self):
        """The sums of a single group wait where they are."""
        return self.schedule.ahead > 1

    def _item(self, slot, entry, lane):
        """(gate row, item of its batch) that multiplier `lane` of `slot` works on in cycle `entry`, None for padding."""
        s = self.schedule
        turn, cycle = divmod(entry, s.item_cycles)
        row, item = turn * s.scale_slots + slot, cycle * s.scale_parallel + lane
        return (row, item) if row < s.gate_rows and item < s.batch_items else None

    def _constants(self, slot, lane, value):
        """value(part, gate, weight plane, item) for every index of `_turns`, 0 for padding."""
        s = self.schedule
        padded = 1 << (s.batch_cycles - 1).bit_length()
        items_of_plane = s.batch_items // s.folding.weight_planes

        def constant(gate, number, part, entry):
            place = self._item(slot, entry, lane) if entry < s.batch_cycles else None
            if place is None:
                return 0
            row, item = place
            plane = item // items_of_plane + number * s.folding.weight_planes
            own = row % 4 if gate is None else gate
            return int(value(part, own, plane, item % items_of_plane)) if plane < s.spec.weight_levels else 0

        gates, numbers = (range(4), range(1 << len(self._number()))) if s.folding.skip else ((None,), range(s.passes))
        return [
            constant(gate, number, part, entry)
            for gate in gates
            for number in numbers
            for part in "xh"
            for entry in range(padded)
        ]

    def _number(self, name="number"):
        """A pass."""
        return Signal(range(max(2, self.schedule.passes)), name=name)

    def elaborate(self, platform):
        m = Module()
        s = self.schedule
        turn, index, flags = self._turns(m)
        after = range(1, self.stages + self.sum_stages + 1)
        staged = [turn, *(Signal(Turn, name=f"turn_{k}") for k in after)]
        flagged = [flags, *(Signal(self.flags, name=f"flags_{k}") for k in after)]
        m.d.sync += [*handed_on(staged), *handed_on(flagged)]
        now, following, width = staged[-1], staged[-2], self.sum_shape.width - self.common
        if self._queued:
            waiting = Queue(s.scale_slots * width, depth=s.ahead * s.scale_rows)
            m.submodules.waiting = waiting
            # Taken the cycle before, so that neither the memory nor a multiplexer stands before the adder.
            m.d.comb += [waiting.put.eq(now.puts), waiting.take.eq(following.takes)]
        products = self._products(m, platform, turn, index)
        for slot in range(s.scale_slots):
            added = self._added(m, slot, products[slot], staged[self.stages].is_h)
            new, front = self._accumulate(m, slot, added, now, puts=now.puts if self._queued else 0)
            if self._queued:
                m.d.comb += waiting.i.word_select(slot, width).eq(new)
                with m.If(following.takes):
                    m.d.sync += front.eq(waiting.o.word_select(slot, width))
        m.d.comb += [self.o.valid.eq(now.ends), self.o.p.flags.eq(flagged[-1])]
        return m

    def _turns(self, m):
        """Which batch and which of its products has its turn: (turn, index into the constants, flags)."""
        s = self.schedule
        cycles = s.batch_cycles
        waiting = {kind: Signal(name=f"waiting_{kind}") for kind in "xh"}
        ahead = {kind: Signal(name=f"ahead_{kind}") for kind in "xh"}
        number = {kind: self._number(f"number_{kind}") for kind in "xh"}
        entry, under_way, chosen, x_newer = Signal(range(max(2, cycles))), Signal(), Signal(), Signal()
        is_h, busy, flags, turn = Signal(), Signal(), Signal(self.flags), Signal(Turn)
        # The batch that came first; once begun, to its end. Where nothing is read ahead a pass is long enough for both its
        # batches, so that an x batch waits for none of the pass before and a waiting h batch came after it.
        alone = ~waiting["x"]
        m.d.comb += [
            is_h.eq(Mux(under_way, chosen, waiting["h"] & (x_newer | alone if s.ahead else alone))),
            busy.eq(waiting["x"] | waiting["h"]),
        ]
        ends_batch = entry == cycles - 1
        with m.If(busy):
            m.d.sync += [entry.eq(Mux(ends_batch, 0, entry + 1)), under_way.eq(~ends_batch), chosen.eq(is_h)]
            for kind, is_it in (("x", ~is_h), ("h", is_h)):
                with m.If(ends_batch & is_it):
                    last = number[kind] == s.passes - 1
                    m.d.sync += [waiting[kind].eq(0), number[kind].eq(Mux(last, 0, number[kind] + 1))]
        for kind, stream in (("x", self.x), ("h", self.h)):
            with m.If(stream.valid):
                m.d.sync += [waiting[kind].eq(1), ahead[kind].eq(stream.p.ahead), x_newer.eq(kind == "x")]
        with m.If(self.h.valid):
            m.d.sync += flags.eq(self.h.p.flags)

        index = Cat(entry[: (cycles - 1).bit_length()], is_h, Mux(is_h, number["h"], number["x"]))
        if s.folding.skip:
            of_x = Signal(2, name="gate_x")
            with m.If(self.x.valid):
                m.d.sync += of_x.eq(self.x.p.gate)
            index = Cat(index, Mux(is_h, flags.gate, of_x))
        places = [e % s.item_cycles for e in range(cycles)]
        ends = lookup(m, entry, [int(place == s.item_cycles - 1) for place in places], name="turn_ends", shape=1)
        first_h, last_x, last_h = number["h"] == 0, number["x"] == s.passes - 1, number["h"] == s.passes - 1
        m.d.comb += [
            turn.valid.eq(busy),
            turn.is_h.eq(is_h),
            turn.masked.eq(is_h & flags.first),
            turn.turn_ends.eq(busy & ends),
            turn.ends.eq(busy & ends_batch & is_h & last_h),
        ]
        if self._queued:
            starts = lookup(m, entry, [int(place == 0) for place in places], name="turn_starts", shape=1)
            m.d.comb += [
                turn.puts.eq(busy & ends & ~is_h & last_x & ahead["x"]),
                turn.takes.eq(busy & starts & is_h & first_h & ahead["h"]),
            ]
        return turn, index, flags

    def _chains(self, m, slot, lane, turn, *, count):
        """{part: counts [count] of the item that has its turn}, each at the end of a shift register."""
        s, fronts = self.schedule, {}
        places = [self._item(slot, entry, lane) for entry in range(s.batch_cycles)]
        for part, stream, most in (("x", self.x, s.spec.input_size), ("h", self.h, s.spec.hidden_size)):
            arriving, layout = stream.p.counts, data.ArrayLayout(most.bit_length(), count)
            # Loaded when the batch arrives, one entry down a cycle while its turn lasts.
            chain = [Signal(layout, name=f"{part}_{slot}_{lane}_{entry}") for entry in range(s.batch_cycles)]
            with m.If(stream.valid):
                for entry, place in zip(chain, places, strict=True):
                    if place is None:
                        continue  # what pads a turn may be anything: its constant is 0
                    row, item = place
                    first = (row * s.batch_items + item) * count
                    m.d.sync += [entry[k].eq(arriving[first + k]) for k in range(count)]
            with m.Elif(turn.valid & (turn.is_h == (part == "h"))):
                m.d.sync += handed_on(chain[::-1])
            fronts[part] = chain[0]
        return fronts

    def _products(self, m, platform, turn, index):
        """Products [slot][lane] of the turn, `stages` cycles later."""
        raise NotImplementedError

    def _added(self, m, slot, products, is_h):
        """A cycle's terms of the sum: its products, or the register that has their sum."""
        x_shift, h_shift = self._product_shift["x"], self._product_shift["h"]
        terms = [p << x_shift if x_shift == h_shift else Mux(is_h, p << h_shift, p << x_shift) for p in products]
        if not self.sum_stages:
            return terms
        total = sum(terms[1:], terms[0])
        register = Signal(total.shape(), name=f"step_{slot}", reset_less=True)
        m.d.sync += register.eq(total)
        return [register]

    def _accumulate(self, m, slot, added, now, *, puts):
        """Adds a cycle's terms to the sum of the gate row whose turn it is; the sums go round as the turns do. Returns the
        new sum and the register of the old one."""
        s, shape = self.schedule, signed(self.sum_shape.width - self.common)
        ring = [Signal(shape, name=f"sum_{slot}_{turn}") for turn in range(s.scale_rows)]
        # One product after another joins the sum: Yosys 0.70 merges an adder into the DSP block of its one product, and loses
        # the other block where it adds two products' registers.
        total = ring[0]
        for term in added:
            total = total + term
        new = Signal(shape, name=f"new_{slot}")
        m.d.comb += new.eq(total)
        # A sum that leaves makes room for the next from zero: so no multiplexer stands before the adder.
        with m.If(now.valid):
            m.d.sync += ring[0].eq(new)
            with m.If(now.turn_ends):
                m.d.sync += [a.eq(b) for a, b in zip(ring, [*ring[1:], new], strict=True)]
                with m.If(puts):
                    m.d.sync += ring[-1].eq(0)
            with m.If(now.ends):
                m.d.sync += [value.eq(0) for value in ring]
        for turn, value in enumerate([*ring[1:], new]):
            row = turn * s.scale_slots + slot
            if row < s.gate_rows:
                m.d.comb += self.o.p.sums[row].eq(value << self.common)
        return new, ring[0]

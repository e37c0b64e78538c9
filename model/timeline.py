"""When things happen in a step, without running the hardware: what scaling and the last h codes keep waiting."""

from dataclasses import dataclass, field

__all__ = ["Timeline", "gate_waits"]

WARM_UP, REPEATS = 6, 12
"""Steps until the waiting repeats itself, and steps it is averaged over: patterns of 1, 2, 3, 4 and 6 steps end with them."""


@dataclass(kw_only=True)
class Timeline:
    """Steps of a window one after another while neither side stalls. All times are cycles from the first read on.

    Parameters
    ----------
    schedule : Schedule
    parts : tuple of Part
        Of a step.
    counted : int
        Cycles from the read of a word to its counts.
    scaled : int
        Cycles from the last product of a group's last batch to its sums.
    finished : int
        Cycles from a group's sums to the cycle in which the h code of its first unit can be read.

    Attributes
    ----------
    readable : list of int
        Of every unit of the last step.
    history : list of lists of int
        `readable` of as many steps as there are contexts, the oldest first: a step waits for that one.
    overrun : bool
        Whether counts came before the ones they replace were used.
    """

    schedule: object
    parts: tuple
    counted: int
    scaled: int
    finished: int
    readable: list = field(default_factory=list)
    history: list = field(default_factory=list)
    overrun: bool = False
    cycle: int = 0
    last_read: int = 0
    free: int = 0
    used: dict = field(default_factory=dict)

    def step(self):
        """Run one more step; the cycle of its first read. The first step of every context waits for nothing."""
        s, contexts = self.schedule, self.schedule.folding.contexts
        before = self.history.pop(0) if len(self.history) == contexts else ()
        self.readable, start = [], None
        for part in self.parts:
            for group in part.groups:
                for number in range(s.passes):
                    # Only these can meet an h code that is not written yet.
                    opens = group == part.groups[0] and number == 0 and (part.late or part is self.parts[0])
                    first, x_read = self._read(part, before if opens else ())
                    start = first if start is None else start
                    if x_read is not None:
                        self._scale("x", x_read)
                    if not part.early:
                        self._scale("h", self.last_read)
                if not part.early:
                    sums = self.free + self.scaled
                    units = min(s.folding.rows, s.spec.hidden_size - group * s.folding.rows)
                    self.readable += [sums + self.finished + place * s.unit_interval for place in range(units)]
        self.history.append(self.readable)
        return start

    def _read(self, part, before):
        """Read a pass; (cycle of its first word, cycle of its last x word or None)."""
        s, x_read = self.schedule, None
        first = None
        for word in range(part.first, part.first + part.words) if before else ():
            needed = s.units_needed(word)
            self.cycle = max(self.cycle, before[needed - 1] if needed else 0)
            first = self.cycle if first is None else first
            x_read = self.cycle if word == s.x_words - 1 else x_read
            self.cycle += 1
        if not before:
            first = self.cycle
            x_read = None if part.late else first + s.x_words - 1 - part.first
            self.cycle += part.words
        self.last_read = self.cycle - 1
        self.cycle += part.slots - part.words
        return first, x_read

    def _scale(self, kind, read):
        """The batch of counts that a read completes: batches are scaled in the order they come."""
        arrival = read + self.counted
        self.overrun |= arrival < self.used.get(kind, 0)
        self.free = max(self.free, arrival) + self.schedule.batch_cycles
        self.used[kind] = self.free

    @property
    def latency(self):
        """Cycles from a step's last read to the cycle in which the first unit of its last group can be read back."""
        s = self.schedule
        return self.readable[(s.groups - 1) * s.folding.rows] - self.last_read

    def period(self):
        """Cycles from step to step in a long window, int where every step takes as long.

        Small LSTMs with few multipliers alternate: a step that waited finds the multipliers free, the next does not.
        """
        before = WARM_UP + 2 * (self.schedule.folding.contexts - 1)
        starts = [self.step() for _ in range(before + REPEATS + 1)][before:]
        total = starts[-1] - starts[0]
        return total / REPEATS if total % REPEATS else total // REPEATS


def gate_waits(schedule, *, latency, of_i):
    """Cycles that a step of gates one after another waits, if no row is left out: for h of the step before, and for i's codes.

    Parameters
    ----------
    schedule : Schedule
        With `skip`.
    latency : int
        Cycles from a step's last read to the cycle in which its last h can be read.
    of_i : int
        Cycles from the last read of a row of i to the cycle in which its code is known, if scaling begins with it at once.
    """
    s, units, slot = schedule, schedule.spec.hidden_size, 0
    # Slots of the first row's words, counted from the end of the step before.
    idle = s.pass_cycles - s.words
    for word in range(s.words):
        needed = s.units_needed(word)
        if needed:
            slot = max(slot, latency - 1 - idle - (units - needed) * s.group_cycles)
        slot += 1
    free = delay = 0
    for start in range(0, WARM_UP * s.pass_cycles, s.pass_cycles):
        arrival = start + s.words - 1
        begins = max(max(free, start + s.x_words - 1) + s.batch_cycles, arrival)
        free, delay = begins + s.batch_cycles, begins - arrival
    between = 1 + idle + 2 * units * s.group_cycles
    return slot - s.words + max(0, of_i + delay - between)

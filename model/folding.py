"""How much of an LSTM is computed at once. The results never depend on it, only area and cycles do."""

from dataclasses import dataclass, replace
from functools import cached_property
from operator import index

from .spec import LstmSpec, SpecError
from .timeline import Timeline

__all__ = ["LOADS", "SCALINGS", "SPRAM_ROWS", "WEIGHT_MEMORIES", "Folding", "Part", "Schedule"]

_RANGES = {
    "rows": (1, 512),
    "lanes": (1, 768),
    "weight_planes": (1, 16),
    "scale_mults": (1, 4096),
    "head_mults": (1, 64),
    "ahead": (0, 64),
    "contexts": (1, 16),
    "load_banks": (1, 2),
}

SCALINGS = ("gamma", "factored")
"""Products of counts with alpha_i * beta_j; or of sums over the activation planes, the alphas applied, with beta_j."""

LOADS = ("none", "weights", "all")
"""What a core can load while it runs."""

WEIGHT_MEMORIES = ("block", "spram")
SPRAM_ROWS = 1 << 14
"""Of the single-ported RAM of iCE40 UltraPlus."""
SPRAM_WORD_BITS = 64
"""Of its four blocks side by side."""

WIDEST_WORD = 1 << 15
"""Amaranth's netlists have no cells of 65,536 bits, and no chip a memory of half as many."""


@dataclass(frozen=True, kw_only=True)
class Folding:
    """Parameters
    ----------
    rows : int
        Hidden units processed in parallel, all four gates of a unit together. 1 to 512, at most hidden_size.
    lanes : int
        Columns (XNORs a gate row, weight plane and activation plane) a cycle. 1 to 768, at most columns.
    weight_planes : int
        Weight planes read at once, 1 to 16, at most weight_levels.
    scale_mults : int
        Multipliers that apply the scales, 1 to 4096. Used are at most 4 * rows, or else the greatest multiple of 4 * rows.
    head_mults : int
        Classes that the head multiplies at once, 1 to 64, at most the classes: a unit takes it classes / head_mults cycles.
    ahead : int
        Groups whose early words are read before the late words of the first: 0 to 64. A step's last h codes then have that
        much longer to arrive, at the price of a small memory. Used are at most all groups, and none where `Schedule.ahead`
        says why.
    scaling : str
        gamma: a product for every activation and weight plane; factored: one for every weight plane, behind look-ups that
        apply the activation scales.
    skip : bool
        The gates of a step one after another, i, f and o of all units and then g, whose row is left out where i is 0: the same
        results in fewer cycles. For a plain LSTM with one row (of as many lanes as four gates would have), one context, nothing
        loaded and nothing read ahead.
    loads : str
        What can be loaded while the core runs: none; weights, the codes of Wx and Wh alone; or all parameters, whose scales and
        thresholds are in registers and memories then. With all `scaling` is gamma.
    weight_memory : str
        block: initialised block RAM. spram: the single-ported RAM of iCE40 UltraPlus, which has no contents before the weights
        are loaded.
    load_banks : int
        2: parameters go into memories and registers of their own while the core computes with others. 1: meanwhile it rests.
    contexts : int
        Streams that share the weights, 1 to 16: their steps come in turn, one of each, and each keeps a state of its own. A
        step then waits for h of `contexts` steps before, which two already make a wait that hardly ever comes.
    """

    rows: int = 1
    lanes: int = 24
    weight_planes: int = 1
    scale_mults: int = 4
    ahead: int = 0
    scaling: str = "gamma"
    head_mults: int = 1
    contexts: int = 1
    skip: bool = False
    loads: str = "none"
    weight_memory: str = "block"
    load_banks: int = 1

    def __post_init__(self):
        if self.scaling not in SCALINGS:
            raise SpecError(f"scaling must be {' or '.join(SCALINGS)}, not {self.scaling!r}")
        for name, allowed in (("loads", LOADS), ("weight_memory", WEIGHT_MEMORIES)):
            if getattr(self, name) not in allowed:
                listed = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
                raise SpecError(f"{name} must be {listed}, not {getattr(self, name)!r}")
        for name, (low, high) in _RANGES.items():
            try:
                value = index(getattr(self, name))
            except TypeError:
                raise SpecError(f"{name} must be an integer {low} to {high}, not {getattr(self, name)!r}") from None
            object.__setattr__(self, name, value)
            if not low <= value <= high:
                raise SpecError(f"{name} must be {low} to {high}, not {value}")
        if not isinstance(self.skip, bool):
            raise SpecError(f"skip must be true or false, not {self.skip!r}")
        if self.skip:
            for name, only in (("rows", 1), ("contexts", 1), ("ahead", 0), ("loads", "none")):
                if getattr(self, name) != only:
                    raise SpecError(f"{name} must be {only} with skip, not {getattr(self, name)}")
        if self.loads == "none" and self.load_banks > 1:
            raise SpecError(f"load_banks must be 1, not {self.load_banks}, with nothing to load")
        if self.loads != "none" and self.contexts > 1:
            raise SpecError(f"contexts must be 1, not {self.contexts}, with loads {self.loads}: no window of all ends at once")
        if self.loads == "all" and self.scaling != "gamma":
            raise SpecError(f"scaling must be gamma, not {self.scaling}, with loads all")
        if self.weight_memory == "spram" and (self.loads == "none" or self.load_banks > 1):
            raise SpecError("loads must be weights or all, and load_banks 1, with weight_memory spram")

    def checked(self, spec):
        """Self, or SpecError where the folding is larger than the LSTM."""
        for name, high, what in (
            ("rows", spec.hidden_size, "hidden_size"),
            ("lanes", spec.columns, "input_size + hidden_size"),
            ("weight_planes", spec.weight_levels, "weight_levels"),
            ("head_mults", max(1, spec.classes), "classes"),
        ):
            if getattr(self, name) > high:
                raise SpecError(f"{name} must be 1 to {high} ({what}), not {getattr(self, name)}")
        if self.skip and spec.cell_kind != "lstm":
            raise SpecError(f"skip must be false for the cell {spec.cell_kind}")
        word = (1 if self.skip else 4) * self.rows * self.lanes * self.weight_planes
        if word > WIDEST_WORD:
            rule = f"4 * rows * lanes * weight_planes must be at most {WIDEST_WORD}"
            raise SpecError(f"{rule}, the bits of a weight word, not {word}")
        if self.weight_memory == "spram":
            if word > SPRAM_WORD_BITS:
                raise SpecError(f"4 * rows * lanes * weight_planes must be at most {SPRAM_WORD_BITS} in spram, not {word}")
            schedule = Schedule(spec, replace(self, weight_memory="block"))
            rows = schedule.groups * schedule.passes * schedule.words
            if rows > SPRAM_ROWS:
                raise SpecError(f"weight words must be at most {SPRAM_ROWS} in spram, not {rows}: more lanes or rows")
        return self


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stretch of a step that reads the same words of several groups.

    Parameters
    ----------
    groups : range
    first, words : int
        The words of every pass: `words` of them from `first` on.
    slots : int
        Cycles of a pass, at least `words`.
    early, late : bool
        Whether the rest of these words comes later, or came before.
    """

    groups: range
    first: int
    words: int
    slots: int
    early: bool = False
    late: bool = False


class Schedule:
    """The static schedule of one step: groups of `rows` units, a pass a set of weight planes, a slot a weight word.

    Parameters
    ----------
    spec : LstmSpec
    folding : Folding
    """

    def __init__(self, spec: LstmSpec, folding: Folding):
        self.spec, self.folding = spec, folding.checked(spec)

    @property
    def words(self):
        """Weight words of one gate row and plane."""
        return -(-self.spec.columns // self.folding.lanes)

    @property
    def passes(self):
        """Passes over the columns of a group."""
        return -(-self.spec.weight_levels // self.folding.weight_planes)

    @property
    def groups(self):
        """Groups of units of a step."""
        return -(-self.spec.hidden_size // self.folding.rows)

    @property
    def gates_at_once(self):
        """Gates whose rows a group has."""
        return 1 if self.folding.skip else 4

    @property
    def gate_rows(self):
        """Gate rows of a group."""
        return self.gates_at_once * self.folding.rows

    @property
    def rounds(self):
        """Times that a step goes through all groups."""
        return 4 // self.gates_at_once

    @property
    def x_words(self):
        """Words with at least one x column; the last of them may hold h columns too."""
        return -(-self.spec.input_size // self.folding.lanes)

    @property
    def split(self):
        """x columns in the last of the x words, 1 to lanes."""
        return self.spec.input_size - (self.x_words - 1) * self.folding.lanes

    @property
    def scale_slots(self):
        """Scale multipliers that accumulate apart from each other: each serves `scale_rows` gate rows in turn."""
        return min(self.folding.scale_mults, self.gate_rows)

    @property
    def scale_rows(self):
        """Gate rows a slot serves one after another."""
        return -(-self.gate_rows // self.scale_slots)

    @property
    def scale_parallel(self):
        """Multipliers in a slot."""
        return max(1, min(self.folding.scale_mults // self.gate_rows, self.batch_items))

    @property
    def batch_items(self):
        """Products of one gate row in a batch: a weight plane of the pass each, or a weight and activation plane."""
        return self.folding.weight_planes * (self.levels if self.folding.scaling == "gamma" else 1)

    @property
    def levels(self):
        """Activation planes of the dot products; x and h share them, the one with fewer is padded with unused planes."""
        return max(self.spec.input_levels, self.spec.hidden_levels)

    @property
    def item_cycles(self):
        """Cycles of one gate row in a batch."""
        return -(-self.batch_items // self.scale_parallel)

    @property
    def batch_cycles(self):
        """Cycles of a batch: the x parts, or the h parts, of one pass."""
        return self.scale_rows * self.item_cycles

    @property
    def unit_interval(self):
        """Cycles between two units of a group after scaling: the head takes one for `head_mults` classes."""
        return max(1, -(-self.spec.classes // self.folding.head_mults))

    @property
    def cell_share(self):
        """Cycles of a pass that the cell needs: a group's units one after another, spread over its passes."""
        return -(-self.folding.rows * self.unit_interval // self.passes)

    @property
    def pass_cycles(self):
        """Cycles of a pass: dot products, two batches of scaling, or the cell's share of a group, whichever is longest."""
        return max(self.words, 2 * self.batch_cycles, self.cell_share)

    @cached_property
    def late_words(self):
        """Words of a pass that can be put off: the fewest for which scaling and cell keep up with early and late parts, and
        early parts have all of x. 0 where there are none."""
        for late in range(1, self.words - self.x_words + 1):
            slots = max(late, self.batch_cycles, self.cell_share)
            if self.pass_cycles - slots >= max(self.words - late, self.batch_cycles):
                return late
        return 0

    @cached_property
    def ahead(self):
        """Groups whose early words are read before the late words of the first; 0 where scaling could not follow."""
        groups = min(self.folding.ahead, self.groups) if self.late_words else 0
        if not groups:
            return 0
        timeline = Timeline(schedule=self, parts=self._parts(groups), counted=0, scaled=0, finished=0)
        for _ in range(3):
            timeline.step()
        return 0 if timeline.overrun else groups

    @cached_property
    def parts(self):
        """Parts of a step in their order; their passes take `groups * group_cycles` cycles in all."""
        return self._parts(self.ahead)

    def _parts(self, ahead):
        late, parts = self.late_words, []
        if ahead:
            late_slots = max(late, self.batch_cycles, self.cell_share)
            groups, early = range(ahead), self.words - late
            parts.append(Part(groups=groups, first=0, words=early, slots=self.pass_cycles - late_slots, early=True))
            parts.append(Part(groups=groups, first=early, words=late, slots=late_slots, late=True))
        if ahead < self.groups:
            parts.append(Part(groups=range(ahead, self.groups), first=0, words=self.words, slots=self.pass_cycles))
        return tuple(parts)

    @property
    def group_cycles(self):
        """Cycles of a group of `rows` units."""
        return self.passes * self.pass_cycles

    @property
    def ideal_cycles_per_step(self):
        """Cycles of a step if nothing waits: the groups', and never fewer than the beats in and out of the core."""
        beats_out = 0 if self.spec.classes else self.spec.hidden_size
        return max(self.rounds * self.groups * self.group_cycles, self.spec.input_size, beats_out)

    def units_needed(self, word):
        """Units of the step before that word `word` reads."""
        return min(self.spec.hidden_size, max(0, (word + 1) * self.folding.lanes - self.spec.input_size))

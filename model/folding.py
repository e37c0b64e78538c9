"""How much of an LSTM is computed at once. The results never depend on it, only area and cycles do."""

from dataclasses import dataclass
from operator import index

from .spec import LstmSpec, SpecError

__all__ = ["Folding", "Schedule"]

_RANGES = {"rows": (1, 512), "lanes": (1, 768), "weight_planes": (1, 8), "scale_mults": (1, 4096)}


@dataclass(frozen=True, kw_only=True)
class Folding:
    """Parameters
    ----------
    rows : int
        Hidden units processed in parallel, all four gates of a unit together. 1 to 512, at most hidden_size.
    lanes : int
        Columns (XNORs a gate row, weight plane and activation plane) a cycle. 1 to 768, at most columns.
    weight_planes : int
        Weight planes read at once, 1 to 8, at most weight_levels.
    scale_mults : int
        Multipliers that apply the scales, 1 to 4096. Used are at most 4 * rows, or else the greatest multiple of 4 * rows.
    """

    rows: int = 1
    lanes: int = 24
    weight_planes: int = 1
    scale_mults: int = 4

    def __post_init__(self):
        for name, (low, high) in _RANGES.items():
            try:
                value = index(getattr(self, name))
            except TypeError:
                raise SpecError(f"{name} must be an integer {low} to {high}, not {getattr(self, name)!r}") from None
            object.__setattr__(self, name, value)
            if not low <= value <= high:
                raise SpecError(f"{name} must be {low} to {high}, not {value}")

    def checked(self, spec):
        """Self, or SpecError where the folding is larger than the LSTM."""
        for name, high, what in (
            ("rows", spec.hidden_size, "hidden_size"),
            ("lanes", spec.columns, "input_size + hidden_size"),
            ("weight_planes", spec.weight_levels, "weight_levels"),
        ):
            if getattr(self, name) > high:
                raise SpecError(f"{name} must be 1 to {high} ({what}), not {getattr(self, name)}")
        return self


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
        return min(self.folding.scale_mults, 4 * self.folding.rows)

    @property
    def scale_rows(self):
        """Gate rows a slot serves one after another."""
        return -(-4 * self.folding.rows // self.scale_slots)

    @property
    def scale_parallel(self):
        """Multipliers in a slot."""
        return max(1, min(self.folding.scale_mults // (4 * self.folding.rows), self.batch_items))

    @property
    def batch_items(self):
        """Products of one gate row in a batch: the activation planes times the weight planes of a pass."""
        return self.levels * self.folding.weight_planes

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
    def h_batch_wait(self):
        """Cycles the last h batch of a step waits for the multipliers, which take batches strictly in turn."""
        gap, cycles = self.words - self.x_words, self.batch_cycles
        # x_end: cycles from the arrival of an x batch to its end; the h batch arrives `gap` cycles after the x batch.
        x_end = cycles
        for _ in range(self.groups * self.passes - 1):
            x_end = max(0, max(gap, x_end) + cycles - self.pass_cycles) + cycles
        return max(0, x_end - gap)

    @property
    def unit_interval(self):
        """Cycles between two units of a group after scaling: the head takes one a class."""
        return max(1, self.spec.classes)

    @property
    def pass_cycles(self):
        """Cycles of a pass: dot products, two batches of scaling, or the cell's share of a group, whichever is longest."""
        cell = -(-self.folding.rows * self.unit_interval // self.passes)
        return max(self.words, 2 * self.batch_cycles, cell)

    @property
    def group_cycles(self):
        """Cycles of a group of `rows` units."""
        return self.passes * self.pass_cycles

    @property
    def ideal_cycles_per_step(self):
        """Cycles of a step if nothing waits: the groups', and never fewer than the beats in and out of the core."""
        beats_out = 0 if self.spec.classes else self.spec.hidden_size
        return max(self.groups * self.group_cycles, self.spec.input_size, beats_out)

    def units_needed(self, word):
        """Units of the step before that word `word` reads."""
        return min(self.spec.hidden_size, max(0, (word + 1) * self.folding.lanes - self.spec.input_size))

"""What a core loads, in its order: registers, then memory after memory, and how a model's numbers get there."""

import hashlib
import json
import zlib
from dataclasses import dataclass, fields

from mubinn.model.spec import SpecError

from .constants import widths
from .loader import Loader
from .preactivation import unit_words
from .ram import LOAD_BITS
from .weights import weight_words

__all__ = ["LoadMap"]

MASK = (1 << LOAD_BITS) - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class _Region:
    """Rows of so many words; `words` gives a model's rows as integers, `ram` is the memory."""

    rows: int
    columns: int
    words: object
    ram: object = None


class LoadMap:
    """Regions of a core whose folding loads something.

    Parameters
    ----------
    core : mubinn.hw.lstm.Lstm
    """

    def __init__(self, core):
        self.core, self.schedule, self.spec = core, core.schedule, core.spec
        self.everything = self.schedule.folding.loads == "all"
        self.registers = core.constants.registers if self.everything else []
        self.regions = []
        if self.everything:
            self.regions.append(_Region(rows=len(self.registers), columns=1, words=self._register_words))
        self._memory(core.weights.rom, lambda p: weight_words(self.schedule, p.wx_codes, p.wh_codes))
        if self.everything:
            spec = self.spec
            self._memory(core.preactivation.memory, lambda p: unit_words(p.bias_codes, spec.bias_levels))
            if spec.cell_kind == "peephole":
                self._memory(core.activation.memory, lambda p: unit_words(p.peephole_codes, spec.peephole_levels))
            if core.head is not None:
                self._memory(core.head.memory, core.head.words_of)
            for place, memory in core.scale.memories.items():
                self._memory(memory, lambda p, place=place: core.scale.words_of(p, *place))

    def _register_words(self, parameters):
        return [int(register.value(parameters)) & MASK for register in self.registers]

    def _memory(self, ram, words):
        self.regions.append(_Region(rows=len(ram.words), columns=ram.columns, words=words, ram=ram))

    @property
    def identity(self):
        """First word of every transfer: a hash of all that a model must have in common with the core."""
        folding = {name: value for name, value in vars(self.schedule.folding).items() if name != "load_banks"}
        common = [self.spec.to_json(), json.dumps(folding, sort_keys=True)]
        if self.everything:
            common.append(json.dumps(self.core.loaded_bits, sort_keys=True))
        else:
            common.append(_of_others(self.core.parameters))
        return int.from_bytes(hashlib.sha256("\n".join(common).encode()).digest()[:4], "big")

    @property
    def word_count(self):
        """Words of a transfer."""
        return 2 + sum(region.rows * region.columns for region in self.regions)

    def words(self, parameters):
        """A model's transfer, a list of 32-bit words. SpecError where the model is not one for this core."""
        if parameters.spec != self.spec:
            ours, theirs = (
                {field.name: getattr(spec, field.name) for field in fields(spec)} for spec in (self.spec, parameters.spec)
            )
            name = next(name for name, value in ours.items() if theirs[name] != value)
            raise SpecError(f"{name} must be the core's {ours[name]}, not {theirs[name]}")
        if self.everything:
            for what, bits in widths(parameters, self.schedule).items():
                if bits > self.core.loaded_bits[what]:
                    raise SpecError(f"{what} must have at most {self.core.loaded_bits[what]} bits, as in the core, not {bits}")
        elif _of_others(parameters) != _of_others(self.core.parameters):
            raise SpecError("scales, biases and head must be the core's, which loads the codes of the weights alone")
        found = [self.identity]
        for region in self.regions:
            for row in region.words(parameters):
                found += [row >> LOAD_BITS * column & MASK for column in range(region.columns)]
        data = b"".join(word.to_bytes(4, "little") for word in found)
        return [*found, zlib.crc32(data)]

    def loader(self):
        """The component that writes the regions."""
        folding = self.schedule.folding
        return Loader(
            [(region.rows, region.columns) for region in self.regions],
            [register.signal for register in self.registers],
            identity=self.identity,
            banks=folding.load_banks,
            loaded=folding.weight_memory != "spram",
        )


def _of_others(parameters):
    """Hash of all tensors but the codes of the weights."""
    tensors = {name: value.tolist() for name, value in parameters.tensors().items() if name not in ("wx_codes", "wh_codes")}
    return hashlib.sha256(json.dumps(tensors, sort_keys=True).encode()).hexdigest()

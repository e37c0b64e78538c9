"""Scaling with products whose constants are loaded: a memory of gammas beside every multiplier."""

from .multiplier import registered_product
from .ram import Ram
from .scale import Gammas, Scale

__all__ = ["LoadedScale"]


class LoadedScale(Scale):
    """As `Scale`, with gammas from memories, `stages` two more than that of generic cells: one in front of the choice of a
    count, one in which the memory is read.

    Parameters
    ----------
    schedule : Schedule
    gammas : Gammas
        What the memories have before anything is loaded.
    bits : {"x_gammas", "h_gammas", "sums": int}
        Widths of gammas and sums.
    banks : int
        Of the memories.
    family : str
    """

    def __init__(self, schedule, gammas, *, bits, banks=1, family="generic"):
        super().__init__(schedule, gammas, sum_bits=bits["sums"], family=family)
        self.front_stages, self.stages = 1, 4
        width = max(bits["x_gammas"], bits["h_gammas"])
        self.memories = {
            (slot, lane): Ram(self.words(gammas, slot, lane), width, banks=banks, family=family)
            for slot in range(schedule.scale_slots)
            for lane in range(schedule.scale_parallel)
        }

    def words(self, gammas, slot, lane):
        """Of the memory of a multiplier."""
        values = {"x": gammas.x, "h": gammas.h}
        return self._constants(slot, lane, lambda part, gate, plane, level: values[part][gate, plane, level])

    def words_of(self, parameters, slot, lane):
        """Those of a model."""
        return self.words(Gammas.of(parameters, self.schedule), slot, lane)

    def _product(self, m, platform, slot, lane, agreeing, index, *, is_h, masked):
        m.submodules[f"gammas_{slot}_{lane}"] = memory = self.memories[slot, lane]
        m.d.comb += memory.address.eq(index)
        dot = self._front(m, self._dot(m, slot, lane, agreeing, is_h=is_h, masked=masked), f"dot_{slot}_{lane}")
        joins = self.sum_shape.width - self.common
        return registered_product(m, platform, dot, memory.data, name=f"scaled_{slot}_{lane}", joins=joins)

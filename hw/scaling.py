"""Ways of scaling by name, as the folding asks for them."""

from .scale import Gammas, Scale
from .scale_factored import FactoredScale, Factors
from .scale_loaded import LoadedScale

__all__ = ["scale_of"]


def scale_of(parameters, schedule, *, loaded_bits=None, family="generic"):
    """The component that scales a model's counts, Scale or FactoredScale, or LoadedScale with the widths of a core that loads
    the scales: the same sums."""
    if loaded_bits is not None:
        gammas, banks = Gammas.of(parameters, schedule), schedule.folding.load_banks
        return LoadedScale(schedule, gammas, bits=loaded_bits, banks=banks, family=family)
    if schedule.folding.scaling == "factored":
        return FactoredScale(schedule, Factors.of(parameters, schedule), family=family)
    return Scale(schedule, Gammas.of(parameters, schedule), family=family)

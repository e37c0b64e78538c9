"""Ways of scaling by name, as the folding asks for them."""

from .scale import Gammas, Scale
from .scale_factored import FactoredScale, Factors

__all__ = ["scale_of"]


def scale_of(parameters, schedule, *, family="generic"):
    """The component that scales a model's counts, Scale or FactoredScale: the same sums."""
    if schedule.folding.scaling == "factored":
        return FactoredScale(schedule, Factors.of(parameters, schedule), family=family)
    return Scale(schedule, Gammas.of(parameters, schedule), family=family)

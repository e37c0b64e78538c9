"""How the papers' systems scale the operands of their matrix products: learned, powers of two, none, or plain numbers."""

from dataclasses import dataclass, replace

from ..quantize.levels import FULL

__all__ = ["SYSTEMS", "System", "system_of"]


@dataclass(frozen=True, kw_only=True)
class System:
    """Rule of each operand: "learned", "power_of_two" (found by search), "sign" (scale 1) or "plain" (fixed point,
    see `fixed_scales.PLAIN_BITS`).

    Attributes
    ----------
    x, h, wx, wh, bias : str
    gate : str
        Kind of the gates that aren't ternary, of `mubinn.model.gates.GATE_KINDS`.
    limits_gradient : bool
        Whether training limits the gradient of h, see `recurrence`: weights of +-1 multiply it in every step.
    """

    x: str = "learned"
    h: str = "learned"
    wx: str = "learned"
    wh: str = "learned"
    bias: str = "learned"
    gate: str = "levels"
    limits_gradient: bool = False


SYSTEMS = {
    # Signs of x, h and the weights, as in the comparison of MuBiNN's Fig. 4.
    "b_lstm": System(x="sign", h="sign", wx="sign", wh="sign", bias="plain", gate="fixed", limits_gradient=True),
    # [12] of MuBiNN: x and its weights only.
    "nazari2020": System(x="power_of_two", h="plain", wx="power_of_two", wh="plain", bias="plain", gate="fixed"),
    # The operands of the matrix products of Eq. 1-4.
    "mubinn1": System(x="power_of_two", h="power_of_two", wx="power_of_two", wh="power_of_two", bias="plain", gate="fixed"),
    # Everything in Eq. 1-5, and with ternary gates the second paper's.
    "mubinn2": System(),
    "qlrl": System(),
}


def system_of(preset, levels):
    """System of a preset with levels (A, W): FULL makes plain numbers of x and h, and fixed point of the gates, or of the
    weights and biases. So there are all 36 cells of MuBiNN's Table I."""
    system = SYSTEMS[preset]
    if levels[0] == FULL:
        system = replace(system, x="plain", h="plain", gate="fixed")
    return replace(system, wx="plain", wh="plain", bias="plain") if levels[1] == FULL else system

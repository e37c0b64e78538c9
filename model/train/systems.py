"""How the papers' systems scale the operands of their matrix products: learned, powers of two, none, or plain numbers."""

from dataclasses import dataclass

__all__ = ["SYSTEMS", "System"]


@dataclass(frozen=True, kw_only=True)
class System:
    """Rule of each operand: "learned", "power_of_two" (found by search), "sign" (scale 1) or "plain" (fixed point,
    see `fixed_scales.PLAIN_BITS`).

    Attributes
    ----------
    x, h, wx, wh, bias : str
    gate : str
        Kind of the gates that aren't ternary, of `mubinn.model.gates.GATE_KINDS`.
    """

    x: str = "learned"
    h: str = "learned"
    wx: str = "learned"
    wh: str = "learned"
    bias: str = "learned"
    gate: str = "levels"


SYSTEMS = {
    # Signs of x, h and the weights, as in the comparison of MuBiNN's Fig. 4.
    "b_lstm": System(x="sign", h="sign", wx="sign", wh="sign", bias="plain", gate="fixed"),
    # [12] of MuBiNN: x and its weights only.
    "nazari2020": System(x="power_of_two", h="plain", wx="power_of_two", wh="plain", bias="plain", gate="fixed"),
    # The operands of the matrix products of Eq. 1-4.
    "mubinn1": System(x="power_of_two", h="power_of_two", wx="power_of_two", wh="power_of_two", bias="plain", gate="fixed"),
    # Everything in Eq. 1-5, and with ternary gates the second paper's.
    "mubinn2": System(),
    "qlrl": System(),
}

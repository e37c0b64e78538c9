"""Levels of the operands of a layer: of activations and weights, (A, W) of the papers, or each operand's own."""

from dataclasses import dataclass
from operator import index

__all__ = ["FULL", "MOST", "LevelsError", "OperandLevels", "checked_levels", "levels_text", "parsed_levels"]

FULL = "fp"
"""In place of a number of levels: not binarized, plain fixed point on the chip."""
MOST = 8
"""Levels of an operand that has its own."""


@dataclass(frozen=True, kw_only=True)
class OperandLevels:
    """Levels of each operand, 1 to MOST or FULL.

    Attributes
    ----------
    x, h, gates, weights, bias : int or "fp"
    """

    x: int | str
    h: int | str
    gates: int | str
    weights: int | str
    bias: int | str

    @classmethod
    def of(cls, levels):
        """Of (A, W), where A may be a tuple of those of x, h and gates, and W one of those of weights and biases."""
        activation, weight = levels
        x, h, gates = activation if isinstance(activation, tuple) else (activation,) * 3
        weights, bias = weight if isinstance(weight, tuple) else (weight,) * 2
        return cls(x=x, h=h, gates=gates, weights=weights, bias=bias)

    @property
    def fewest(self):
        """Levels of the operand that loses most; biases, of which there are few, and plain numbers left out."""
        return min((n for n in (self.x, self.h, self.gates, self.weights) if n != FULL), default=MOST)


class LevelsError(ValueError):
    """Levels that no system has. One line: what is allowed, and what was found."""


def checked_levels(levels):
    """(A, W), see `OperandLevels.of`: each 1 to 5 or FULL, of an operand of its own 1 to MOST. Raises LevelsError."""
    try:
        activation, weight = levels
        return _checked(activation, 3), _checked(weight, 2)
    except (TypeError, ValueError):
        raise LevelsError(
            f"levels must be A,W, each 1 to 5 or fp, or X/H/GATES,WEIGHTS/BIASES of 1 to {MOST}, not {levels!r}"
        ) from None


def _checked(level, operands):
    if isinstance(level, tuple | list):
        found, most = tuple(index(one) for one in level), MOST
        if len(found) != operands:
            raise ValueError
    elif level == FULL:
        return FULL
    else:
        found, most = (index(level),), 5
    if not all(1 <= one <= most for one in found):
        raise ValueError
    return found if isinstance(level, tuple | list) else found[0]


def levels_text(levels):
    """As on a command line: 3,3 or 4/3/4,3/2."""
    return ",".join("/".join(map(str, side)) if isinstance(side, tuple) else str(side) for side in levels)


def parsed_levels(text):
    """What `levels_text` was given. Raises LevelsError."""

    def number(part):
        return int(part) if part.isascii() and part.isdigit() else part

    sides = [tuple(map(number, side.split("/"))) for side in text.split(",")]
    try:
        return checked_levels([side if len(side) > 1 else side[0] for side in sides])
    except LevelsError as error:
        raise LevelsError(f"{str(error).rpartition(', not ')[0]}, not {text!r}") from None

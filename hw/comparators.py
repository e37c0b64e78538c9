"""A code by comparing a number with thresholds, level after level."""

from amaranth import Cat, Signal, signed
from amaranth.lib import data

from .codes import is_loaded, lookup, value_shape

__all__ = ["compared", "least_of"]


def least_of(m, code, thresholds, *, level):
    """Threshold of a level for the code of the levels before."""
    # All of a level have one shape, also where a circuit for some codes alone would do with less.
    return lookup(m, Cat(*code), thresholds, name=f"least_{level}", shape=value_shape(thresholds))


def compared(m, *, valid, value, thresholds, given=(), first=None, choice_stages=0, registered=True):
    """Levels of a code: bit k is value >= thresholds[k][code], where code is what is given and the levels before.

    A cycle a level, and `choice_stages` more to choose each threshold but the first.

    Parameters
    ----------
    m : Module
    valid, value : Value
    thresholds : list over levels of sequences [2**(given bits + level)], of int or of registers
    given : sequence of Value
        Low bits of the code.
    first : Value or None
        Threshold of level 0; None chooses it at once.
    choice_stages : int
        0 or 1.
    registered : bool
        Whether the last level ends in a register.

    Returns
    -------
    valid, levels : Value, list of Value
    """
    code, known = list(given), len(given)
    for level, entries in enumerate(thresholds):
        least = first
        if level or least is None:
            least = least_of(m, code, entries, level=level) if len(code) else entries[0]
            least = least if is_loaded(least) else int(least)
        if level and choice_stages:
            now = {"value": value, "code": Cat(*code), "valid": valid, "least": least}
            chosen = Signal(data.StructLayout({key: field.shape() for key, field in now.items()}), name=f"chosen_{level}")
            m.d.sync += [chosen[key].eq(field) for key, field in now.items()]
            valid, value, code, least = chosen.valid, chosen.value, list(chosen.code), chosen.least
        code = [*code, value >= least]
        if level == len(thresholds) - 1 and not registered:
            break
        stage = data.StructLayout({"value": signed(len(value)), "code": len(code), "valid": 1})
        later = Signal(stage, name=f"level_{level}")
        m.d.sync += [later.value.eq(value), later.code.eq(Cat(*code)), later.valid.eq(valid)]
        valid, value, code = later.valid, later.value, list(later.code)
    return valid, code[known:]

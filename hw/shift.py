"""Products with powers of two: shifts, chosen by an index."""

from amaranth import Signal, signed

from .codes import is_loaded, lookup

__all__ = ["chosen_shift", "is_shift", "shifted"]


def is_shift(values):
    """Whether every one of some numbers is a power of two or 0, and stays it."""
    values = list(values)
    return not is_loaded(*values) and all(int(v) >= 0 and int(v) & int(v) - 1 == 0 for v in values)


def chosen_shift(m, index, constants, *, name):
    """(signal, the constants it chooses among): which of `constants` an index means, each once."""
    distinct = sorted({int(c) for c in constants})
    bits = max(1, (len(distinct) - 1).bit_length())
    return lookup(m, index, [distinct.index(int(c)) for c in constants], name=name, shape=bits), distinct


def shifted(m, value, choice, constants, *, name):
    """Signal that is value * constants[choice] of two cycles ago, as `registered_product` without a multiplier.

    Parameters
    ----------
    m : Module
    value : Value, signed
    choice : Value
    constants : sequence of int
        Powers of two or 0.
    name : str
    """
    places = max(c.bit_length() - 1 for c in constants) if any(constants) else 0
    product = Signal(signed(len(value) + places), name=f"{name}_product", reset_less=True)
    operand = Signal.like(value, name=f"{name}_operand", reset_less=True)
    which = Signal.like(choice, name=f"{name}_which", reset_less=True)
    m.d.sync += [operand.eq(value), which.eq(choice)]
    if len(constants) == 1:
        m.d.sync += product.eq(operand << constants[0].bit_length() - 1 if constants[0] else 0)
        return product
    with m.Switch(which):
        for k, constant in enumerate(constants):
            with m.Case(k) if k < len(constants) - 1 else m.Default():
                m.d.sync += product.eq(operand << constant.bit_length() - 1 if constant else 0)
    return product

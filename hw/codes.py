"""Codes to numbers inside a module: small look-ups that an FPGA folds into its LUTs."""

from amaranth import Const, Shape, Signal, signed
from mubinn.model.binarize import codebook
from mubinn.model.fixed import signed_bits

LOOKUP_LEVELS = 6

__all__ = ["decoded", "gate_value", "lookup", "value_shape"]


def value_shape(values):
    """Smallest signed shape that holds all of `values`."""
    values = [int(v) for v in values]
    return signed(signed_bits(min(values), max(values)))


def lookup(m, index, values, *, name, shape=None):
    """Signal that follows values[index], combinationally. Past the end it is the last value.

    Parameters
    ----------
    m : Module
    index : Value
    values : sequence of int
    name : str
    shape : Shape
        Smallest signed shape that holds the values unless given.
    """
    values = [int(v) for v in values]
    result = Signal(Shape.cast(shape or value_shape(values)), name=name)
    if len(set(values)) == 1:
        m.d.comb += result.eq(values[0])
        return result
    with m.Switch(index):
        for k, value in enumerate(values[:-1]):
            with m.Case(k):
                m.d.comb += result.eq(Const(value, result.shape()))
        with m.Default():
            m.d.comb += result.eq(Const(values[-1], result.shape()))
    return result


def decoded(m, code, scales, offset=0, *, name):
    """Number that a code stands for, offset + sum(scale_i * s_i).

    A look-up; of many levels the sum of two, which are a LUT4 a bit each.
    """
    if len(scales) <= LOOKUP_LEVELS:
        return lookup(m, code, codebook(scales, offset), name=name)
    middle = len(scales) // 2
    low = decoded(m, code[:middle], scales[:middle], offset, name=f"{name}_low")
    high = decoded(m, code[middle:], scales[middle:], name=f"{name}_high")
    result = Signal(value_shape(codebook(scales, offset)), name=name)
    m.d.comb += result.eq(low + high)
    return result


def gate_value(m, code, gate, *, name):
    """Number that the code of a `mubinn.model.gates.Gate` stands for."""
    code = code[: gate.bits]
    return code.as_signed() if gate.kind == "fixed" else lookup(m, code, gate.values, name=name)

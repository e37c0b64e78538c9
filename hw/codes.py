"""Codes to numbers inside a module: small look-ups that an FPGA folds into its LUTs, or sums of numbers in registers."""

from amaranth import Const, Mux, Shape, Signal, Value, signed
from mubinn.model.binarize import codebook
from mubinn.model.fixed import signed_bits

LOOKUP_LEVELS = 6

__all__ = ["decoded", "decoded_shape", "gate_value", "is_loaded", "lookup", "most", "value_shape"]


def is_loaded(*values):
    """Whether one of some numbers is a register that is loaded, not an integer."""
    return any(isinstance(value, Value) for value in values)


def most(value):
    """The number itself, or the greatest that a register without sign can hold."""
    return (1 << len(value)) - 1 if isinstance(value, Value) else int(value)


def value_shape(values):
    """Smallest signed shape that holds all of `values`, numbers or registers."""
    values = list(values)
    if is_loaded(*values):
        return signed(max(_signed_width(v) for v in values))
    values = [int(v) for v in values]
    return signed(signed_bits(min(values), max(values)))


def _signed_width(value):
    if not isinstance(value, Value):
        return signed_bits(int(value), int(value))
    return len(value) + (not value.shape().signed)


def decoded_shape(scales, offset=0):
    """Smallest signed shape of offset + sum(scale_i * s_i), whatever the signs."""
    if not is_loaded(*scales):
        return value_shape(codebook(scales, offset))
    top = sum(most(scale) for scale in scales)
    return signed(signed_bits(int(offset) - top, int(offset) + top))


def lookup(m, index, values, *, name, shape=None):
    """Signal that follows values[index], combinationally. Past the end it is the last value.

    Parameters
    ----------
    m : Module
    index : Value
    values : sequence of int or of registers
    name : str
    shape : Shape
        Smallest signed shape that holds the values unless given.
    """
    values = list(values)
    result = Signal(Shape.cast(shape or value_shape(values)), name=name)
    if is_loaded(*values):
        return _selected(m, index, values, result)
    values = [int(v) for v in values]
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


def _selected(m, index, values, result):
    if len(values) == 1:
        m.d.comb += result.eq(values[0])
        return result
    with m.Switch(index):
        for k, value in enumerate(values[:-1]):
            with m.Case(k):
                m.d.comb += result.eq(value)
        with m.Default():
            m.d.comb += result.eq(values[-1])
    return result


def decoded(m, code, scales, offset=0, *, name):
    """Number that a code stands for, offset + sum(scale_i * s_i).

    A look-up; of many levels the sum of two, which are a LUT4 a bit each. Of scales in registers a sum.
    """
    if is_loaded(*scales):
        result = Signal(decoded_shape(scales, offset), name=name)
        m.d.comb += result.eq(sum((Mux(sign, s, -s) for sign, s in zip(code, scales, strict=True)), Const(int(offset))))
        return result
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
    if is_loaded(*gate.scales):
        return decoded(m, code, gate.scales, gate.offset, name=name)
    return code.as_signed() if gate.kind == "fixed" else lookup(m, code, gate.values, name=name)

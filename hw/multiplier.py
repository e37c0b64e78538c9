"""Products with a register before and one behind: so the multiplier blocks of an FPGA are fast."""

from amaranth import Cat, Const, Instance, Signal, Value, signed
from amaranth.hdl import ClockSignal

from .cells import is_real

__all__ = ["registered_product"]

ECP5_BITS = 18
"""Of a factor that a MULT18X18D takes."""


BROKEN_SUM_BITS = 33
"""Yosys 0.70 puts the adder behind a product into the iCE40's block too. Its sums have 32 bits; of one of 33 bits it takes the
sign for bit 31, also where they differ (`ice40_dsp`: found by `mubinn bench gates`). A product register with a reset keeps it
out."""


def registered_product(m, platform, a, b, *, name, joins=0):
    """Signal that is a * b of two cycles ago: the factors are registered, then the product.

    Yosys packs these registers into the multiplier block on iCE40 but not on ECP5, so there the block is an instance: without
    its registers, the ways to it and from it and 4 ns of multiplication are one path.

    Parameters
    ----------
    m : Module
    platform : Fabric or None
    a, b : Value
    name : str
    joins : int
        Bits of the sum that the product is added into, if it is.

    Returns
    -------
    Signal, signed, as wide as any product
    """
    a, b = _signed(a), _signed(b)
    product = Signal(signed(len(a) + len(b)), name=f"{name}_product", reset_less=joins != BROKEN_SUM_BITS)
    if is_real(platform, "ecp5") and max(len(a), len(b)) <= ECP5_BITS:
        _mult18x18d(m, a, b, product)
        return product
    # Without a reset they are the block's own registers.
    first, second = (Signal(v.shape(), name=f"{name}_{letter}", reset_less=True) for letter, v in (("a", a), ("b", b)))
    m.d.sync += [first.eq(a), second.eq(b), product.eq(first * second)]
    return product


def _signed(value):
    value = Value.cast(value)
    return value if value.shape().signed else Cat(value, Const(0, 1)).as_signed()


def _mult18x18d(m, a, b, product):
    """Input and output registers in use, no pipeline register between them."""
    operands = {letter: _extended(value) for letter, value in (("A", a), ("B", b))}
    ports = {f"i_{letter}{k}": bits[k] for letter, bits in operands.items() for k in range(ECP5_BITS)}
    ports |= {f"i_C{k}": Const(0, 1) for k in range(ECP5_BITS)}
    ports |= {f"i_{name}": Const(1, 1) for name in ("SIGNEDA", "SIGNEDB", "CE0")}
    ports |= {f"i_{name}": Const(0, 1) for name in ("SOURCEA", "SOURCEB", "RST0")}
    ports |= {f"o_P{k}": bit for k, bit in enumerate(product)}
    parameters = {f"p_REG_{stage}_CLK": "CLK0" for stage in ("INPUTA", "INPUTB", "OUTPUT")}
    m.submodules += Instance("MULT18X18D", **parameters, p_GSR="DISABLED", i_CLK0=ClockSignal(), **ports)


def _extended(value):
    return Cat(*value, *[value[-1]] * (ECP5_BITS - len(value)))

"""Cells of the FPGA families that Yosys does not infer for what we want of them, each with its behaviour beside it.

A function adds one cell to a module and returns its outputs. Where the module is elaborated for a `Fabric` the cell is an
instance, and the Verilog belongs to that family; everywhere else it is the cell's behaviour, which any simulator and any
tool takes.
"""

from dataclasses import dataclass

from amaranth import Cat, Const, Instance, Mux, Signal

__all__ = ["FAMILIES", "PIPELINED", "Fabric", "alu", "carry4", "ccu2c", "is_real", "lut6_2", "sb_adder", "truth"]

FAMILIES = ("generic", "ice40", "ecp5", "gowin", "xc7")
"""`generic` has no cells of its own: plain logic for any tool, ASIC flows included."""

PIPELINED = ("ecp5",)
"""Families whose block RAM and multipliers, registers in use, are so fast that an adder deserves a register of its own."""


@dataclass(frozen=True)
class Fabric:
    """Amaranth platform that stands for a family and nothing else: elaborate for it to get instances."""

    family: str


def is_real(platform, family):
    """Whether to use the family's cells."""
    return isinstance(platform, Fabric) and platform.family == family


def truth(function, inputs):
    """Look-up table of an integer function of 0/1 arguments, argument 0 the least significant bit of the index."""
    return sum(int(function(*(index >> k & 1 for k in range(inputs)))) << index for index in range(1 << inputs))


def _looked_up(init, *inputs):
    return Const(init, 1 << len(inputs)).bit_select(Cat(*inputs), 1)


def ccu2c(m, platform, *, init, inputs, carry):
    """ECP5: two LUT4s with carry. A half outputs its LUT ^ carry in; it hands the carry on where the LUT is 1, and otherwise
    the LUT's value at C = D = 0.

    Parameters
    ----------
    init : two ints of 16 bits
    inputs : two sequences A, B, C, D
    carry : Value
        Carry in.

    Returns
    -------
    (s0, s1), carry out
    """
    s, out = Signal(2, name="ccu2c_s"), Signal(name="ccu2c_cout")
    if is_real(platform, "ecp5"):
        ports = {f"i_{letter}{half}": net for half in (0, 1) for letter, net in zip("ABCD", inputs[half], strict=True)}
        parameters = {f"p_INIT{half}": Const(init[half], 16) for half in (0, 1)}
        parameters |= {"p_INJECT1_0": "NO", "p_INJECT1_1": "NO"}
        m.submodules += Instance("CCU2C", **parameters, **ports, i_CIN=carry, o_S0=s[0], o_S1=s[1], o_COUT=out)
        return tuple(s), out
    for half in (0, 1):
        propagate = _looked_up(init[half], *inputs[half])
        m.d.comb += s[half].eq(propagate ^ carry)
        carry = Mux(propagate, carry, _looked_up(init[half] & 15, *inputs[half][:2]))
    m.d.comb += out.eq(carry)
    return tuple(s), out


def sb_adder(m, platform, *, x, y, carry, pass_carry=False):
    """iCE40: a logic cell whose carry is the majority of x, y and the carry in, and whose LUT is their sum, or the carry in.

    Returns
    -------
    sum, carry out
    """
    s, out = Signal(name="sb_sum"), Signal(name="sb_carry")
    if is_real(platform, "ice40"):
        init = truth(lambda i0, i1, i2, i3: i3 if pass_carry else i1 ^ i2 ^ i3, 4)
        m.submodules += Instance("SB_LUT4", p_LUT_INIT=Const(init, 16), i_I0=Const(0), i_I1=x, i_I2=y, i_I3=carry, o_O=s)
        m.submodules += Instance("SB_CARRY", i_I0=x, i_I1=y, i_CI=carry, o_CO=out)
    else:
        m.d.comb += [s.eq(carry if pass_carry else x ^ y ^ carry), out.eq((x & y) | ((x | y) & carry))]
    return s, out


def alu(m, platform, *, x, a, b, carry):
    """Gowin: an ALU in its mode ADDSUB adds x, xnor(a, b) and the carry in.

    Returns
    -------
    sum, carry out
    """
    s, out = Signal(name="alu_sum"), Signal(name="alu_cout")
    if is_real(platform, "gowin"):
        m.submodules += Instance("ALU", p_ALU_MODE=2, i_I0=x, i_I1=a, i_I3=b, i_CIN=carry, o_SUM=s, o_COUT=out)
    else:
        propagate = x ^ a ^ ~b
        m.d.comb += [s.eq(propagate ^ carry), out.eq(Mux(propagate, carry, x))]
    return s, out


def lut6_2(m, platform, *, o5, o6, inputs):
    """Xilinx 7: two functions of the same inputs, at most five, in one LUT site.

    Parameters
    ----------
    o5, o6 : integer functions of 0/1 arguments
    inputs : sequence of nets

    Returns
    -------
    values of o5 and o6
    """
    count = len(inputs)
    low, high = Signal(name="lut_o5"), Signal(name="lut_o6")
    if is_real(platform, "xc7"):
        init = truth(lambda *bits: o5(*bits[:count]), 5) | truth(lambda *bits: o6(*bits[:count]), 5) << 32
        nets = [*inputs, *[Const(0)] * (5 - count), Const(1)]
        ports = {f"i_I{k}": net for k, net in enumerate(nets)}
        m.submodules += Instance("LUT6_2", p_INIT=Const(init, 64), **ports, o_O5=low, o_O6=high)
    else:
        m.d.comb += [low.eq(_looked_up(truth(o5, count), *inputs)), high.eq(_looked_up(truth(o6, count), *inputs))]
    return low, high


def carry4(m, platform, *, select, data, carry):
    """Xilinx 7: the carry chain over the bits of `select`: each hands the carry on where it is 1, its `data` elsewhere.

    Returns
    -------
    sums (select ^ carry in), carry out of the last bit
    """
    sums = Signal(len(select), name="carry_sums")
    for base in range(0, len(select), 4):
        part = slice(base, base + 4)
        s, d = Cat(*select[part]), Cat(*data[part])
        out = Signal(4, name="carry_out")
        if is_real(platform, "xc7"):
            o = Signal(4, name="carry_o")
            # A chain's first carry enters beside it, every other from the CARRY4 below.
            ports = {"i_CYINIT": carry, "i_CI": Const(0)} if base == 0 else {"i_CYINIT": Const(0), "i_CI": carry}
            m.submodules += Instance("CARRY4", i_S=Cat(s, Const(0, 4 - len(s))), i_DI=Cat(d, Const(0, 4 - len(d))), o_O=o,
                                     o_CO=out, **ports)  # fmt: skip
            m.d.comb += sums[part].eq(o)
        else:
            for k in range(len(s)):
                m.d.comb += [sums[base + k].eq(s[k] ^ carry), out[k].eq(Mux(s[k], carry, d[k]))]
                carry = out[k]
        carry = out[len(s) - 1]
    return tuple(sums), carry

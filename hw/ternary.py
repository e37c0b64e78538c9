"""Product of a gate and a number: of a ternary gate without a multiplier."""

from amaranth import Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .codes import gate_value
from .layouts import pulse
from .multiplier import registered_product

__all__ = ["TernaryProduct", "product_by_gate"]


class TernaryProduct(wiring.Component):
    """0, 1/2 or 1 times a number, exact: the result has one more binary place than the number.

    The gate's canonical code counts half-units: 0, 1 or 2. At the result's binary point the product is code * value, so it is
    clear, pass, or shift left by a place; the halving comes after the sum of f * c and i * g, with their one rounding. The
    code 3 stands for no value and never comes; it would count as 2. One product a cycle, one cycle later.

    Parameters
    ----------
    bits : int
        Width of the signed number, at least 1.

    Members
    -------
    i : In(stream of code: 0 to 2, value: signed(bits))
    o : Out(stream of signed(bits + 1)), code * value
    """

    latency = 1

    def __init__(self, bits):
        if bits < 1:
            raise ValueError(f"bits must be at least 1, not {bits}")
        self.bits = bits
        operands = data.StructLayout({"code": unsigned(2), "value": signed(bits)})
        super().__init__({"i": In(pulse(operands)), "o": Out(pulse(signed(bits + 1)))})

    def elaborate(self, platform):
        m = Module()
        code, value = self.i.p.code, self.i.p.value
        m.d.sync += [
            self.o.payload.eq(Mux(code[1], value << 1, Mux(code[0], value, 0))),
            self.o.valid.eq(self.i.valid),
        ]
        return m


def product_by_gate(m, platform, gate, code, value, *, name, shift=0, least=0):
    """gate * value of two cycles ago, at the sum of both binary points.

    Parameters
    ----------
    m : Module
    platform : Fabric or None
    gate : mubinn.model.gates.Gate
    code : Value
    value : Value, signed
    name : str
        Such as f_times_c.
    shift : int
        Left shift of the product.
    least : int
        Bits of what the product is added to.
    """
    value = Value.cast(value)
    if gate.kind == "ternary":
        m.submodules[f"{name}_product"] = product = TernaryProduct(len(value))
        later = Signal.like(product.o.payload, name=f"{name}_later")
        m.d.comb += [product.i.p.code.eq(code), product.i.p.value.eq(value)]
        m.d.sync += later.eq(product.o.payload)
        return later << gate.table.fraction - 1 + shift
    gate_name, _, _ = name.partition("_")
    now = gate_value(m, code, gate, name=f"{gate_name}_now")
    joins = max(len(now) + len(value) + shift, least) + 1
    return registered_product(m, platform, now, value, name=name, joins=joins) << shift

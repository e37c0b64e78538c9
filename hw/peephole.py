"""Peepholes: V * c joins the sums of i and f before Eq. 5, that of o and tanh's argument behind it."""

from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .activation import activation_of, code_of
from .cells import PIPELINED
from .codes import decoded, decoded_shape
from .delay import delayed, handed_on
from .encoder import Encoder
from .layouts import gates, pulse, tagged
from .multiplier import registered_product
from .output import OutputProduct
from .preactivation import saturated, unit_words
from .ram import memory_of
from .table import PiecewiseLinear

__all__ = ["PeepholeGates", "PeepholeOutput", "peephole_rest"]


def peephole_rest(parameters, sum_bits):
    """What a unit takes along to its output: the sum of o, and V of o and of tanh's argument."""
    weights = {name: decoded_shape(parameters.peephole_scales[gate]) for name, gate in (("v_o", 3), ("v_c", 2))}
    return data.StructLayout({"sum_o": signed(sum_bits)} | weights)


def _total(spec, v, of_sum):
    """Shape of a sum with V * c."""
    return signed(max(len(of_sum), len(v) + spec.cell.bits + spec.peephole_shift) + 1)


class PeepholeGates(wiring.Component):
    """Codes of i, f and g, those of i and f with V * c of the step before, which a memory of its own keeps.

    The products are exact and join the sums before their one rounding; in a window's first step c is zero. One unit a cycle,
    `latency` cycles later; c of a unit must be written before its next sums come.

    Parameters
    ----------
    parameters : mubinn.model.parameters.Parameters
    sum_bits : int
        Width of the sums, which have half a unit of z in them already.
    depth : int
        Units of all contexts.
    banks : int
        Of the memory of V, 0 where nothing is loaded into it.
    family : str

    Members
    -------
    i : In(stream of sums [4], flags)
    c : In(stream of c), a unit each
    o : Out(stream of codes [4], each as wide as the widest, that of o 0; rest, see `peephole_rest`; z [3])
    """

    def __init__(self, parameters, sum_bits, *, depth, banks=0, family="generic"):
        self.parameters, self.spec, self.depth = parameters, parameters.spec, depth
        spec, levels = self.spec, self.spec.peephole_levels
        self.words = unit_words(parameters.peephole_codes, levels)
        self.memory = memory_of(self.words, 4 * levels, family=family, output_register=family in PIPELINED, banks=banks)
        self.parts = [activation_of(gate, family=family) for gate in parameters.gates[:3]]
        self.z_latency = self.memory.latency + 4
        self.activation_latency = max(part.latency for part in self.parts)
        self.latency = self.z_latency + self.activation_latency
        unit = {"codes": gates(unsigned(max(spec.gate_bits))), "rest": peephole_rest(parameters, sum_bits)}
        unit["z"] = data.ArrayLayout(signed(spec.z.bits), 3)
        super().__init__(
            {
                "i": In(pulse(tagged(sums=gates(signed(sum_bits))))),
                "c": In(pulse(signed(spec.cell.bits))),
                "o": Out(pulse(data.StructLayout(unit))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        spec, memory, stages = self.spec, self.memory, self.memory.latency
        m.submodules.weights = memory
        m.submodules.state = state = Memory(shape=signed(spec.cell.bits), depth=self.depth, init=[])
        read, write = state.read_port(), state.write_port()
        m.d.comb += [write.en.eq(self.c.valid), write.data.eq(self.c.payload)]
        self._count(m, self.c.valid, write.addr, self.depth, "written")
        self._count(m, self.i.valid, read.addr, self.depth, "unit")
        self._count(m, self.i.valid, memory.address, spec.hidden_size, "weight")

        # `stages` cycles later: V, and c, which is zero in a window's first step. Two later: the products.
        first = delayed(m, "first", self.i.p.flags.first, stages)
        c = Mux(first, 0, delayed(m, "read_c", read.data, stages - 1))
        v = [
            decoded(m, memory.data.word_select(g, spec.peephole_levels), scales, name=f"v_{g}")
            for g, scales in enumerate(self.parameters.peephole_scales)
        ]
        for gate, part in enumerate(self.parts):
            m.submodules[f"gate_{gate}"] = part
            of_sum = delayed(m, f"sum_{gate}", self.i.p.sums[gate], stages + 2)
            total = Signal(_total(spec, v[gate], of_sum), name=f"total_{gate}")
            product = 0
            if gate < 2:
                product = (
                    registered_product(m, platform, v[gate], c, name=f"vc_{gate}", joins=len(total)) << spec.peephole_shift
                )
            m.d.sync += total.eq(of_sum + product)
            z = Signal(signed(spec.z.bits), name=f"z_{gate}")
            m.d.sync += z.eq(saturated(total >> spec.z_shift, spec.z.bits))
            m.d.comb += part.i.payload.eq(z)
            code = code_of(m, part, spec.gate_bits[gate], name=f"code_{gate}")
            m.d.comb += [
                self.o.p.codes[gate].eq(delayed(m, f"wait_{gate}", code, self.activation_latency - part.latency)),
                self.o.p.z[gate].eq(delayed(m, f"wait_z_{gate}", z, self.activation_latency)),
            ]
        m.d.comb += [
            self.o.valid.eq(delayed(m, "valid", self.i.valid, self.latency)),
            self.o.p.rest.sum_o.eq(delayed(m, "sum_o", self.i.p.sums[3], self.latency)),
            self.o.p.rest.v_o.eq(delayed(m, "v_o", v[3], self.latency - stages)),
            self.o.p.rest.v_c.eq(delayed(m, "v_c", v[2], self.latency - stages)),
        ]
        return m

    def _count(self, m, step, address, depth, name):
        unit = Signal(range(depth), name=name)
        m.d.comb += address.eq(unit)
        with m.If(step):
            m.d.sync += unit.eq(Mux(unit == depth - 1, 0, unit + 1))


class PeepholeOutput(wiring.Component):
    """h's code from c: z of o with V * c, tanh(V * c), their product and the encoder.

    V * c is rounded half up to c's format before it enters the table. One unit a cycle, `latency` cycles later.

    Parameters
    ----------
    parameters : mubinn.model.parameters.Parameters
    sum_bits : int
    family : str

    Members
    -------
    i : In(stream of c, rest: see `peephole_rest`)
    o : Out(stream of h's code)
    z, gate_code, tanh_c, h_raw : Out(pulse)
        z and the code of o, tanh(V * c), and h before it is encoded.
    """

    Z_LATENCY = 4

    def __init__(self, parameters, sum_bits, *, family="generic"):
        self.parameters, self.spec = parameters, parameters.spec
        spec, gate = self.spec, parameters.gates[3]
        self.activation = activation_of(gate, family=family)
        self.table = PiecewiseLinear(spec.cell_table, family=family)
        self.product = OutputProduct(spec, gate)
        self.encoder = Encoder(spec.h_bits, parameters.h_scales, registered=False)
        self.code_latency = self.Z_LATENCY + self.activation.latency
        self.joined = max(self.code_latency, self.Z_LATENCY - 1 + self.table.latency)
        self.latency = self.joined + self.product.latency + self.encoder.latency
        unit = data.StructLayout({"c": signed(spec.cell.bits), "rest": peephole_rest(parameters, sum_bits)})
        super().__init__(
            {
                "i": In(pulse(unit)),
                "o": Out(pulse(unsigned(spec.hidden_levels))),
                "z": Out(pulse(signed(spec.z.bits))),
                "gate_code": Out(pulse(unsigned(gate.bits))),
                "tanh_c": Out(pulse(self.table.o.payload.shape())),
                "h_raw": Out(pulse(signed(spec.h_bits))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        spec, unit = self.spec, self.i.p
        for name in ("activation", "table", "product", "encoder"):
            m.submodules[name] = getattr(self, name)
        valid = [self.i.valid, *(Signal(name=f"valid_{k}") for k in range(self.joined))]
        m.d.sync += handed_on(valid)
        # 1, 2: the products. 3: the sum of o, and tanh's argument. 4: z.
        sum_o = delayed(m, "sum_o", unit.rest.sum_o, 2)
        total = Signal(_total(spec, unit.rest.v_o, sum_o))
        of_o = registered_product(m, platform, unit.rest.v_o, unit.c, name="v_o_c", joins=len(total)) << spec.peephole_shift
        of_c = registered_product(m, platform, unit.rest.v_c, unit.c, name="v_c_c")
        half = 1 << spec.peephole_fraction >> 1
        m.d.sync += [
            total.eq(sum_o + of_o),
            self.table.i.payload.eq(saturated(of_c + half >> spec.peephole_fraction, spec.cell.bits)),
            self.z.payload.eq(saturated(total >> spec.z_shift, spec.z.bits)),
        ]
        code = code_of(m, self.activation, len(self.gate_code.payload), name="code")
        m.d.comb += [
            self.table.i.valid.eq(valid[self.Z_LATENCY - 1]),
            self.z.valid.eq(valid[self.Z_LATENCY]),
            self.activation.i.valid.eq(self.z.valid),
            self.activation.i.payload.eq(self.z.payload),
            self.gate_code.valid.eq(self.activation.o.valid),
            self.gate_code.payload.eq(code),
            self.tanh_c.valid.eq(self.table.o.valid),
            self.tanh_c.payload.eq(self.table.o.payload),
            self.product.i.valid.eq(valid[self.joined]),
            self.product.i.p.o.eq(delayed(m, "wait_o", code, self.joined - self.code_latency)),
            self.product.i.p.tanh_c.eq(
                delayed(m, "wait_tanh", self.table.o.payload, self.joined - self.Z_LATENCY + 1 - self.table.latency)
            ),
            self.h_raw.valid.eq(self.product.o.valid),
            self.h_raw.payload.eq(self.product.o.payload),
            self.encoder.i.valid.eq(self.product.o.valid),
            self.encoder.i.payload.eq(self.product.o.payload),
            self.encoder.o.ready.eq(1),
            self.o.valid.eq(self.encoder.o.valid),
            self.o.payload.eq(self.encoder.o.payload),
        ]
        return m

"""The GRU's own parts: the reset gate in front of n, and h's code from its state."""

from amaranth import Cat, Module, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .activation import activation_of, code_of
from .delay import delayed
from .encoder import Encoder
from .layouts import gates, pulse
from .preactivation import saturated
from .ternary import product_by_gate

__all__ = ["GruGates", "StateCode"]


class GruGates(wiring.Component):
    """Codes for Eq. 5 from r, z and both parts of n: (1 - z, z, n) in place of (i, f, g).

    n = tanh(x part + r * h part), with one rounding in front of tanh. 1 - z is the complement of z's code: of levels every bit,
    of a ternary gate 2 less it, of a plain number 1 less it. One unit a cycle, `latency` cycles later.

    Parameters
    ----------
    spec : LstmSpec
    gate_formats : sequence of mubinn.model.gates.Gate
        r, z, n first.
    family : str

    Members
    -------
    i : In(stream of z [4]: of r, z, n's x part, n's h part)
    o : Out(stream of codes [4], each as wide as the widest, the last 0; r, the code of r)
    """

    def __init__(self, spec, gate_formats, *, family="generic"):
        self.spec, self.gates = spec, gate_formats[:3]
        self.reset, self.update, self.new = (activation_of(gate, family=family) for gate in self.gates)
        self.new_input = self.reset.latency + 4
        self.latency = max(self.new_input + self.new.latency, self.update.latency)
        width = unsigned(max(spec.gate_bits))
        unit = data.StructLayout({"codes": gates(width), "r": width})
        super().__init__({"i": In(pulse(gates(signed(spec.z.bits)))), "o": Out(pulse(unit))})

    def elaborate(self, platform):
        m = Module()
        spec, one = self.spec, self.spec.one
        m.submodules.reset, m.submodules.update, m.submodules.new = self.reset, self.update, self.new

        m.d.comb += [
            self.reset.i.valid.eq(self.i.valid),
            self.reset.i.payload.eq(self.i.p[0]),
            self.update.i.valid.eq(self.i.valid),
            self.update.i.payload.eq(self.i.p[1]),
        ]
        parts = zip((self.reset, self.update, self.new), self.gates, ("r", "update", "n"), strict=True)
        r, update, new = (code_of(m, part, gate.bits, name=name) for part, gate, name in parts)
        # Behind r's code: two cycles for the product, one for the sum, one for the saturation.
        of_h = delayed(m, "of_h", self.i.p[3], self.reset.latency)
        product = product_by_gate(m, platform, self.gates[0], r, of_h, name="r_times_h")
        of_x = delayed(m, "of_x", self.i.p[2], self.reset.latency + 2) << spec.activation_fraction
        total = Signal(signed(max(len(product), len(of_x)) + 2))
        m.d.sync += [
            total.eq(of_x + product + (1 << spec.activation_fraction >> 1)),
            self.new.i.payload.eq(saturated(total >> spec.activation_fraction, spec.z.bits)),
        ]
        m.d.comb += self.new.i.valid.eq(delayed(m, "new_valid", self.i.valid, self.new_input))
        kind = self.gates[1].kind
        if kind == "fixed":
            rest = one - update
        else:
            rest = ~update if kind == "levels" else Cat(update[0], ~update.any())
        kept = Signal(self.gates[1].bits)
        m.d.comb += kept.eq(rest)
        waits = self.latency - self.update.latency
        m.d.comb += [
            self.o.valid.eq(delayed(m, "valid", self.i.valid, self.latency)),
            self.o.p.codes[0].eq(delayed(m, "kept", kept, waits)),
            self.o.p.codes[1].eq(delayed(m, "update_code", update, waits)),
            self.o.p.codes[2].eq(delayed(m, "new_code", new, self.latency - self.new_input - self.new.latency)),
            self.o.p.r.eq(delayed(m, "reset_code", r, self.latency - self.reset.latency)),
        ]
        return m


class StateCode(wiring.Component):
    """h's code from c, the GRU's unrounded h: one rounding half up to h's binary point, saturation, the encoder.

    One unit a cycle, `latency` cycles later.

    Parameters
    ----------
    spec : LstmSpec
    h_scales : int array [hidden_levels]

    Members
    -------
    i : In(stream of c)
    o : Out(stream of h's code)
    h_raw : Out(stream of signed(spec.h_bits)), before it is encoded
    """

    def __init__(self, spec, h_scales):
        self.spec = spec
        self.encoder = Encoder(spec.h_bits, h_scales, registered=False)
        self.latency = 1 + self.encoder.latency
        super().__init__(
            {
                "i": In(pulse(signed(spec.cell.bits))),
                "o": Out(pulse(unsigned(spec.hidden_levels))),
                "h_raw": Out(pulse(signed(spec.h_bits))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        spec = self.spec
        m.submodules.encoder = encoder = self.encoder
        down = spec.cell.fraction - spec.h_fraction
        c = self.i.payload + (1 << down >> 1) >> down if down > 0 else self.i.payload << -down
        m.d.sync += [self.h_raw.payload.eq(saturated(c, spec.h_bits)), self.h_raw.valid.eq(self.i.valid)]
        m.d.comb += [
            encoder.i.valid.eq(self.h_raw.valid),
            encoder.i.payload.eq(self.h_raw.payload),
            encoder.o.ready.eq(1),
            self.o.valid.eq(encoder.o.valid),
            self.o.payload.eq(encoder.o.payload),
        ]
        return m

"""Level encoder: Algorithm 1 of MuBiNN as a pipeline."""

from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from mubinn.model.fixed import signed_bits

from .codes import is_loaded, most

__all__ = ["Encoder"]


class Encoder(wiring.Component):
    """Codes of numbers: each level takes the residual's sign and subtracts the scale with that sign.

    One number a cycle, `latency` cycles later: a cycle a level, less one where the code need not stand in a register, since its
    last bit is but the sign that the level before left. All stages wait together while the sink does not take a code.

    Parameters
    ----------
    bits : int
        Width of the signed numbers, at least 2.
    scales : sequence of int or of registers
        One a level, not negative, at the numbers' binary point.
    registered : bool
        Whether the code stands in a register.

    Members
    -------
    i : In(stream of signed(bits))
    o : Out(stream of the code, plane 0 in bit 0)
    """

    def __init__(self, bits, scales, *, registered=True):
        if bits < 2:
            raise ValueError(f"bits must be at least 2, not {bits}")
        self.bits, self.scales = bits, [s if is_loaded(s) else int(s) for s in scales]
        self.latency = len(self.scales) - (not registered)
        super().__init__({"i": In(stream.Signature(signed(bits))), "o": Out(stream.Signature(unsigned(len(self.scales))))})

    def elaborate(self, platform):
        m = Module()
        move = Signal()
        m.d.comb += [move.eq(self.o.ready | ~self.o.valid), self.i.ready.eq(move)]
        valid, residual, code = self.i.valid, self.i.payload, []
        low, high = -(1 << self.bits - 1), (1 << self.bits - 1) - 1
        for level, scale in enumerate(self.scales):
            negative = residual[-1]
            if level == self.latency:
                code = [*code, ~negative]
                break
            # A number r >= 0 becomes r - scale, a negative one r + scale: the range the next sign is taken in.
            greatest, least = most(scale), 0 if is_loaded(scale) else scale
            low, high = min(-greatest, low + least), max(high - least, greatest - 1)
            stage = data.StructLayout({"residual": signed(signed_bits(low, high)), "code": level + 1, "valid": 1})
            later = Signal(stage, name=f"level_{level}")
            with m.If(move):
                m.d.sync += [
                    later.residual.eq(residual + Mux(negative, scale, -scale)),
                    later.code.eq(Cat(*code, ~negative)),
                    later.valid.eq(valid),
                ]
            valid, residual, code = later.valid, later.residual, list(later.code)
        m.d.comb += [self.o.valid.eq(valid), self.o.payload.eq(Cat(*code))]
        return m

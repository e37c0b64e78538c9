"""Bits of a core's numbers, which its LUTs grow with."""

import warnings
from dataclasses import dataclass
from itertools import pairwise

from amaranth.hdl import UnusedElaboratable
from mubinn.hw.codes import value_shape
from mubinn.hw.head import score_bits
from mubinn.hw.scaling import scale_of
from mubinn.model.binarize import codebook
from mubinn.model.fixed import signed_bits
from mubinn.model.folding import SCALINGS, Folding, Schedule

__all__ = ["ScaleWidths", "Widths", "rise_bits", "width_of"]

# Components that are only asked for numbers are no mistake of the user's.
warnings.filterwarnings("ignore", r"<mubinn\.hw\.", UnusedElaboratable)


@dataclass(frozen=True, kw_only=True)
class ScaleWidths:
    """Bits of one way of scaling.

    Attributes
    ----------
    operand, constant : int
        Of a multiplier: sums of counts, and gammas or betas.
    sum : int
        Of the sums, without the zeros that all of them end with.
    looked_up, added : int
        LUT4s of the look-ups before a multiplier, and bits of the adders behind them; 0 where there are none.
    counts : int
        That a multiplier takes at once.
    shifts : bool
        Whether all constants are powers of two, so that what chooses a shift stands in a multiplier's place.
    """

    operand: int
    constant: int
    sum: int
    looked_up: int = 0
    added: int = 0
    counts: int = 1
    shifts: bool = False

    @classmethod
    def of(cls, parameters, scaling):
        spec = parameters.spec
        scale = scale_of(parameters, Schedule(spec, Folding(lanes=1, scaling=scaling)))
        width = scale.sum_shape.width - scale.common
        if scaling == "gamma":
            sizes = {"x": spec.input_size, "h": spec.hidden_size}
            most = max(n << 1 + scale.operand_shift[part] >> 1 for part, n in sizes.items())
            constants = [*scale.gammas.x.ravel(), *scale.gammas.h.ravel()]
            operand, shifts = signed_bits(-most, most), scale.gammas.shifts
            chosen = _choices(operand, constants) if shifts else 0
            return cls(operand=operand, constant=width_of(constants), sum=width, looked_up=chosen, shifts=shifts)
        alpha, factors = scale._sums[0][0], scale.factors
        terms = [(width_of(values), shift) for values, shift in alpha.tables]
        constants = [*factors.x_betas.ravel(), *factors.h_betas.ravel()]
        chosen = _choices(len(alpha.o), constants) if factors.shifts else 0
        return cls(
            operand=len(alpha.o),
            constant=width_of(constants),
            sum=width,
            # A bit of x or of h is chosen in a LUT4 too.
            looked_up=sum(bits for bits, _ in terms) + sum(len(chunk) for chunk in alpha.chunks) + chosen,
            shifts=factors.shifts,
            added=_added_bits(terms),
            counts=len(factors.x_alphas),
        )


def _choices(bits, constants):
    """LUT4s that choose among shifts of a number of so many bits."""
    places = {int(c) for c in constants}
    return (bits + width_of(places)) * (len(places) - 1)


def _added_bits(terms):
    """Bits of the adders of a tree over numbers of (bits, shift)."""
    bits = 0
    while len(terms) > 1:
        pairs, terms = [terms[k : k + 2] for k in range(0, len(terms), 2)], []
        for pair in pairs:
            if len(pair) == 2:
                (width, shift), (other, other_shift) = sorted(pair, key=lambda term: term[1])
                below = other_shift - shift
                adder = max(width - below, other) + 1
                bits += adder
                pair = [(below + adder, shift)]
            terms += pair
    return bits


class Widths:
    """Bits of an LSTM's numbers, the same whatever the folding.

    Parameters
    ----------
    parameters : Parameters
    """

    def __init__(self, parameters):
        self.parameters, self.spec = parameters, parameters.spec
        spec, p = self.spec, parameters
        self.scale = {scaling: ScaleWidths.of(p, scaling) for scaling in SCALINGS}
        self.count = max(spec.input_size, spec.hidden_size).bit_length()
        self.h = width_of(codebook(p.h_scales))
        self.score = score_bits(p) if spec.classes else 0
        self.gates = [width_of(gate.values) for gate in p.gates]
        self.cell = width_of(codebook(p.cell_scales)) if spec.cell_levels else spec.cell.bits
        self.tanh = width_of(spec.cell_table.knots)
        self.rise = rise_bits(spec.cell_table)


def rise_bits(table):
    """Bits of the difference of two knots."""
    return width_of([b - a for a, b in pairwise(table.knots)])


def width_of(values):
    return value_shape(values).width

"""Formats of the gates: levels, ternary, or plain fixed point."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .binarize import codebook, encode
from .tables import Table, gate_thresholds

__all__ = ["GATE_KINDS", "Gate", "gate_bits", "gate_formats"]

GATE_KINDS = ("levels", "ternary", "fixed")
"""A sum of scales times +-1 around an offset; 0, 1/2 or 1 (Round & Clip with r = 0.5, c = 1); the table's value itself."""

TERNARY_BITS = 2


def gate_bits(kind, levels, table):
    """Bits of the code of a gate of this kind, of so many levels if it has levels, behind this table."""
    if kind == "fixed":
        return table.fraction + 2  # -1 to 1
    return TERNARY_BITS if kind == "ternary" else levels


@dataclass(frozen=True, kw_only=True, eq=False)
class Gate:
    """What becomes of a pre-activation: a code, and the number that it stands for at the table's binary point.

    Parameters
    ----------
    kind : str
        Of GATE_KINDS. The code of levels is Algorithm 1's; that of a ternary gate counts halves, 0 to 2, and ties go up; that
        of a plain fixed-point gate is the table's value in two's complement.
    table : Table
        sigma or tanh; of a ternary gate it is sigma.
    scales : tuple of int
        Of the levels.
    offset : int
    """

    kind: str
    table: Table
    scales: tuple = ()
    offset: int = 0

    @property
    def bits(self):
        """Of the code."""
        return gate_bits(self.kind, len(self.scales), self.table)

    @cached_property
    def values(self):
        """Number that every code stands for, int64 [2**bits]. The ternary code 3 never comes; it counts as 2."""
        if self.kind == "levels":
            return codebook(self.scales, self.offset)
        codes = np.arange(1 << self.bits, dtype=np.int64)
        if self.kind == "ternary":
            return np.minimum(codes, 2) << self.table.fraction - 1
        return codes - (codes >> self.bits - 1 << self.bits)

    @cached_property
    def codes(self):
        """Code of every integer of the table's input, by running the table: uint8 or uint16 [2**input bits], index v - low."""
        values = self.table(np.arange(self.table.input.low, self.table.input.high + 1))
        if self.kind == "levels":
            return encode(values, self.scales, self.offset)
        if self.kind == "ternary":
            return sum((np.arange(len(values)) >= t - self.table.input.low).astype(np.uint8) for t in self.ternary_thresholds)
        return (values & (1 << self.bits) - 1).astype(np.uint8 if self.bits <= 8 else np.uint16)

    @cached_property
    def thresholds(self):
        """Least inputs that set a bit of a code of levels, see `mubinn.model.tables.gate_thresholds`."""
        return gate_thresholds(self.table, self.scales, self.offset)

    @cached_property
    def ternary_thresholds(self):
        """Least pre-activations whose table value reaches 1/4 and 3/4; input.high + 1 where none does."""
        low, one = self.table.input.low, 1 << self.table.fraction
        values = self.table(np.arange(low, self.table.input.high + 1))
        return tuple(int(low + np.searchsorted(values, quarters * one // 4, side="left")) for quarters in (1, 3))


def gate_formats(spec, scales):
    """Gates of an LstmSpec in its order, scales int [4, gate_levels]; those of a gate without levels are not read."""
    found = []
    for kind, table, own, offset in zip(spec.gate_kinds, spec.gate_tables, scales, spec.gate_offsets, strict=True):
        levels = {"scales": tuple(int(s) for s in own), "offset": offset} if kind == "levels" else {}
        found.append(Gate(kind=kind, table=table, **levels))
    return tuple(found)

"""What the LUTs of each part of a core grow with: a part is a sum of these numbers, each times a measured coefficient."""

from functools import cached_property

from mubinn.hw.cell import LUT_RAM_UNITS
from mubinn.hw.cells import PIPELINED
from mubinn.hw.shift import is_shift
from mubinn.model.binarize import codebook

from .memories import Mapped, mapped_memory, mapped_rom
from .widths import rise_bits, width_of

__all__ = ["Area"]

LOOKUP_BITS = 6
"""Two codes of more bits together are multiplied: see `mubinn.hw.product`."""

MULTIPLIERS = {"ice40": (16, 11), "ecp5": (18, 0)}
"""Widest operand of a DSP block, and narrowest product that Yosys puts into one."""


class Area:
    """Numbers of one core on one family.

    Parameters
    ----------
    widths : Widths
    schedule : Schedule
    family : str
    """

    def __init__(self, widths, schedule, family):
        self.w, self.s, self.family = widths, schedule, family
        self.scale = widths.scale[schedule.folding.scaling]
        self.spec, self.folding = schedule.spec, schedule.folding
        self.multipliers = schedule.scale_slots * schedule.scale_parallel
        self.counts = 4 * self.folding.rows * self.folding.weight_planes * schedule.levels

    # Memories ---------------------------------------------------------------------------------------------------------

    @cached_property
    def memories(self):
        """{name: Mapped}; of `gammas` there is one for every multiplier."""
        s, spec, f = self.s, self.spec, self.folding
        depth = 1 << _bits(s.words)  # a single word's address is constant
        units = spec.hidden_size * f.contexts
        at_once = self.family in PIPELINED and units <= LUT_RAM_UNITS
        roms = {
            "weights": (4 * f.rows * f.weight_planes * f.lanes, s.groups * s.passes * s.words),
            "bias": (4 * spec.bias_levels, spec.hidden_size),
        }
        sizes = {
            "store": {"width": f.lanes * s.levels, "depth": depth << f.contexts.bit_length(), "enables": f.lanes},
            "cell_state": {"width": spec.cell_levels or spec.cell.bits, "depth": units, "sync": not at_once},
        }
        if spec.cell_kind == "peephole":
            roms["peephole"] = (4 * spec.peephole_levels, spec.hidden_size)
            sizes["peephole_state"] = {"width": spec.cell.bits, "depth": units}
        if spec.classes:
            roms["head"] = (f.head_mults * spec.head_bits, spec.hidden_size * s.unit_interval)
        else:
            sizes["buffer"] = {"width": self.w.h + 2, "depth": 3 * f.rows}
        # The case statement of a multiplier's gammas is a memory to Yosys.
        entries = 2 * s.passes << _bits(s.batch_cycles)
        sizes["gammas"] = {"width": self.scale.constant, "depth": entries, "rom": True}
        # What a single pass, or a single group, leaves waits where it is.
        if s.ahead * s.passes > 1:
            width = self.counts * self.w.count
            sizes["counts"] = {"width": width, "depth": s.ahead * s.passes, "sync": False}
        if s.ahead > 1:
            sizes["sums"] = {"width": s.scale_slots * self.scale.sum, "depth": s.ahead * s.scale_rows, "sync": False}
        found = {name: mapped_rom(self.family, width=width, depth=depth) for name, (width, depth) in roms.items()}
        return found | {name: mapped_memory(self.family, **size) for name, size in sizes.items()}

    def brams(self):
        """Block RAMs."""
        return sum(m.brams * (self.multipliers if name == "gammas" else 1) for name, m in self.memories.items())

    # Multipliers ------------------------------------------------------------------------------------------------------

    def products(self):
        """[(width of one operand, of the other, how many)] of all multiplications."""
        spec, w = self.spec, self.w
        i, f, g, o = spec.gate_kinds
        found = [(self.scale.operand, self.scale.constant, self.multipliers)] * (not self.scale.shifts)
        if spec.cell_kind == "gru":
            found += [(w.gates[0], spec.z.bits, 1)] * (i != "ternary")
        elif not w.parameters.output_compares:
            found.append((w.rise, spec.cell_table.segment_bits + 1, 1))
            found += [(w.gates[3], w.tanh, 1)] * (o != "ternary")
        if spec.cell_kind == "peephole":
            found += [(width_of(codebook(scales)), spec.cell.bits, 1) for scales in w.parameters.peephole_scales]
        if spec.classes and not is_shift(w.parameters.h_scales):
            found.append((spec.head_bits, self.w.h, self.folding.head_mults))
        codes = spec.gate_bits
        if spec.cell_kind == "gru":  # in Eq. 5 1 - z stands for i and z for f
            i, codes = f, (codes[1], *codes[1:])
        if i != "ternary" and ("fixed" in (i, g) or codes[0] + codes[2] > LOOKUP_BITS):
            found.append((w.gates[0], w.gates[2], 1))
        if f != "ternary" and (f == "fixed" or not spec.cell_levels or spec.cell_levels + codes[1] > LOOKUP_BITS):
            found.append((w.gates[1], w.cell, 1))
        # A gate that is the table's own value is interpolated.
        tables = [table for kind, table in zip(spec.gate_kinds, spec.gate_tables, strict=True) if kind == "fixed"]
        return found + [(rise_bits(table), table.segment_bits + 1, 1) for table in tables]

    def dsps(self):
        """DSP blocks."""
        widest, narrowest = MULTIPLIERS[self.family]
        blocks = 0
        for a, b, count in self.products():
            pieces = [(x, y) for x in _pieces(a, widest) for y in _pieces(b, widest)]
            blocks += count * sum(min(x, y) > 1 and x + y >= narrowest for x, y in pieces)
        return blocks

    # Parts ------------------------------------------------------------------------------------------------------------

    def parts(self):
        """{part: {what it grows with: number}}"""
        memories = self.memories
        parts = {"dots": self._dots(memories), "scale": self._scale(memories)} | self._units(memories) | self._ends(memories)
        # Dot products and comparators are nothing but what grows; a constant would only hide what a lane or a level takes.
        return {part: ({} if part in ("dots", "activation") else {"one": 1}) | numbers for part, numbers in parts.items()}

    def _dots(self, memories):
        s, count = self.s, self.counts
        width = self.w.count
        ends = (s.split, self.folding.lanes - s.split)
        return {
            "lanes": count * self.folding.lanes,
            # Full adders of a popcount: as many as bits go in and do not come out.
            "adders": count * sum(max(0, bits - bits.bit_length()) for bits in ends),
            "sums": count * width,
            "split": count * s.split.bit_length() * (s.split < self.folding.lanes),
            "ahead": count * width * (s.ahead * s.passes > 1),
            # Weights in logic are read through the XNORs.
            "rom": memories["weights"].logic_bits / 16,
            "muxes": memories["weights"].muxes,
        } | _ram(memories.get("counts"), self.family, "waiting_")

    def _scale(self, memories):
        s, spec, w = self.s, self.spec, self.scale
        slots, cycles = s.scale_slots, s.batch_cycles
        index = 1 + _bits(cycles) + _bits(s.passes)
        looked_up = 0 if index == 1 or memories["gammas"].brams else max(1, 2 ** (index - 4))
        factored = self.folding.scaling == "factored"
        return {
            "counts": self.multipliers * cycles * w.counts * (spec.input_size.bit_length() + spec.hidden_size.bit_length()),
            "gammas": self.multipliers * w.constant * looked_up,
            "dots": self.multipliers * w.operand * (not factored),
            "looked_up": self.multipliers * w.looked_up,
            "added": self.multipliers * w.added,
            "totals": slots * w.sum,
            "ring": slots * s.scale_rows * w.sum,
            "adders": slots * (s.scale_parallel - 1) * (w.operand + w.constant),
            "ahead": slots * w.sum * (s.ahead > 1),
        } | _ram(memories.get("sums"), self.family, "waiting_")

    def _units(self, memories):
        spec, s = self.spec, self.s
        z = spec.z.bits
        i_bits, f_bits, g_bits, _ = spec.gate_bits
        looked_up = i_bits + g_bits <= LOOKUP_BITS
        bits = self.folding.lanes * s.levels
        ig_bits = 2 * spec.activation_fraction + 3
        fc = spec.cell_levels + f_bits if spec.cell_levels else 0
        # The second comparator of a ternary gate is as large as the second of levels, which has a constant to choose besides.
        levels = [{"levels": spec.gate_levels, "ternary": 2, "fixed": 1}[kind] for kind in spec.gate_kinds]
        return {
            "preactivation": {
                "held": 4 * self.folding.rows * self.scale.sum,
                "sums": 4 * self.scale.sum,
                "tables": 4 * self.scale.sum * max(0, spec.bias_levels - 1),
            } | _rom(memories["bias"]),
            "activation": {
                # The first level is a bit of z or nearly so; from the third on thresholds are looked up, each by more bits.
                "compare": z * sum(n - 1 for n in levels),
                "tables": z * sum((n - 1) * (n - 2) // 2 for n in levels),
            },
            "cell_state": {
                "cell": spec.cell.bits,
                "tables": ig_bits * (2 ** max(0, i_bits + g_bits - 4) if looked_up else 2),
                "codes": spec.cell_levels * spec.cell.bits + (ig_bits * 2 ** max(0, fc - 4) if fc and fc <= LOOKUP_BITS else 0),
            } | _ram(memories["cell_state"], self.family),
            "store": {"lanes": self.folding.lanes, "planes": bits} | _ram(memories["store"], self.family),
        } | self._output()  # fmt: skip

    def _output(self):
        """From c to h's code."""
        spec, levels = self.spec, self.spec.gate_bits[3]
        if spec.cell_kind == "gru":
            return {"h_encoder": {"levels": spec.hidden_levels * spec.h_bits}}
        if self.w.parameters.output_compares:
            # A threshold's bits are looked up by o's code and the levels before.
            tables = sum(2 ** max(0, levels + level - 4) for level in range(spec.hidden_levels))
            return {"hidden_code": {"compare": spec.cell.bits * spec.hidden_levels, "tables": spec.cell.bits * tables}}
        return {
            "tanh_c": {"cell": spec.cell.bits},
            "output_product": {"tables": levels},
            "h_encoder": {"levels": spec.hidden_levels * spec.h_bits},
        }

    def _ends(self, memories):
        spec, s = self.spec, self.s
        scores = self.w.score
        result = spec.classes * scores if spec.classes else self.w.h
        guard = sum(part.slots for part in s.parts if part is s.parts[0] or part.late)
        ends = {
            "intake": {"levels": spec.input_levels * spec.x.bits, "counters": _bits(spec.input_size) + _bits(spec.max_steps)},
            "sequencer": {
                "counters": _bits(s.groups) + _bits(s.passes) + 2 * _bits(s.words) + _bits(s.groups * s.passes * s.words),
                "guard": guard,
                "units": _bits(spec.hidden_size),
                "parts": len(s.parts) - 1,
            },
            "top": {"flags": spec.gate_bits[3], "classes": min(1, spec.classes), "h": self.w.h},
            "bytes": {"result": result, "sample": spec.x.bits},
        }
        if spec.classes:
            ends["head"] = {"result": result, "scores": scores * s.folding.head_mults, "h": self.w.h} | _rom(memories["head"])
        else:
            ends["buffer"] = {"depth": _bits(3 * self.folding.rows)} | _ram(memories["buffer"], self.family)
        return ends


def _bits(count):
    return (max(1, count) - 1).bit_length()


def _pieces(bits, widest):
    """Widths of the parts of an operand that is wider than a DSP block takes; the last has the sign."""
    whole = max(0, -(-(bits - widest) // (widest - 1)))
    return [widest] * whole + [bits - whole * (widest - 1)]


def _rom(memory):
    """A look-up in logic, in LUT4s, and multiplexers behind block RAMs."""
    return {"rom": memory.logic_bits / 16, "muxes": memory.muxes}


def _ram(memory, family, prefix=""):
    memory = memory or Mapped()
    # A flip-flop takes a logic cell of an iCE40, but no LUT of another; two of them share a multiplexer.
    bits = memory.logic_bits if family == "ice40" else memory.logic_bits / 2
    return {f"{prefix}lut_rams": memory.lut_rams, f"{prefix}bits": bits, f"{prefix}muxes": memory.muxes}

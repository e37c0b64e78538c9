"""What a memory becomes on a chip: block RAMs, LUT RAM or logic, as Yosys' memory_libmap decides it, by cost."""

from dataclasses import dataclass
from functools import cache
from math import ceil

from mubinn.hw.rom_plan import SHAPES, is_small, muxed_bits, rom_plan

__all__ = ["Mapped", "mapped_memory", "mapped_rom"]

ROM_BIT, RAM_BIT = 1 / 16, 1
"""Cost of a bit in logic."""

MUX, COLLISION = 0.5, 10
"""Cost of a multiplexer of one bit, and of what a block RAM without a rule for reading while writing needs beside it."""

BLOCKS = {
    # family: (cost of a block RAM, {width: depth}, bits that share a write enable, widths of a memory that is written by parts)
    "ice40": (64, {2: 2048, 4: 1024, 8: 512, 16: 256}, 1, (16,)),
    "ecp5": (128, {1: 16384, 2: 8192, 4: 4096, 9: 2048, 18: 1024, 36: 512}, 9, (1, 2, 4, 9, 18, 36)),
}
LUT_RAM = {"ecp5": (4, 4, 16)}
"""Family: cost, width and depth of a LUT RAM."""


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """What one memory takes.

    Attributes
    ----------
    brams, lut_rams : int
    logic_bits : int
        Bits that are flip-flops, or a look-up where nothing is written.
    muxes : int
        2:1 multiplexers of a bit between memories one above the other.
    """

    brams: int = 0
    lut_rams: int = 0
    logic_bits: int = 0
    muxes: int = 0


def mapped_memory(family, *, width, depth, rom=False, enables=1, sync=True):
    """The cheapest way to build a memory of one read port, and one write port unless `rom`.

    Parameters
    ----------
    family : str
    width, depth : int
    enables : int
        Write enables, each of `width / enables` bits.
    sync : bool
        Whether data follows the address by a cycle; block RAM can't do without.
    """
    options = [(width * depth * (ROM_BIT if rom else RAM_BIT), Mapped(logic_bits=width * depth))]
    if sync:
        cost, modes, byte, parts = BLOCKS[family]
        for mode, words in modes.items():
            if enables > 1 and mode not in parts:
                continue
            # Bits with enables of their own can't share a byte of a block RAM.
            shared = min(byte, mode)
            wide = width if enables == 1 else enables * ceil(width / enables / shared) * shared
            chunks = ceil(depth / words)
            brams = ceil(wide * chunks / mode)
            behind = (chunks - 1) * width
            muxes = behind + (0 if rom or chunks == 1 else chunks * enables)
            options.append((brams * cost + MUX * muxes + COLLISION * (not rom), Mapped(brams=brams, muxes=behind)))
    if family in LUT_RAM and not rom:
        cost, bits, words = LUT_RAM[family]
        chunks = ceil(depth / words)
        rams = enables * ceil(width / enables / bits) * chunks if enables > 1 else ceil(width * chunks / bits)
        behind = (chunks - 1) * width
        muxes = behind + (chunks * enables if chunks > 1 else 0)
        options.append((rams * cost + MUX * muxes, Mapped(lut_rams=rams, muxes=behind)))
    return min(options, key=lambda option: option[0])[1]


@cache
def mapped_rom(family, *, width, depth):
    """A `mubinn.hw.rom.Rom`: blocks that are instances as `rom_plan` lays them out, or else what Yosys makes of it."""
    if family not in SHAPES or is_small(depth, width):
        return mapped_memory(family, width=width, depth=depth, rom=True)
    plan = rom_plan(depth, width, family)
    return Mapped(brams=len(plan), muxes=muxed_bits(plan))

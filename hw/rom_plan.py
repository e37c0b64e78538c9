"""Which block RAMs a read-only memory takes: the fewest that any mix of their shapes allows."""

import operator
from dataclasses import dataclass
from functools import cache

__all__ = ["SHAPES", "Block", "block_count", "is_small", "muxed_bits", "rom_plan"]

SHAPES = {
    "ice40": ((2048, 2), (1024, 4), (512, 8), (256, 16)),
    # Both ports read where a block is 36 bits wide.
    "ecp5": ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36)),
}
"""Rows and bits of a block, for the families whose blocks we instantiate."""

SMALL_ROWS, SMALL_BITS = 16, 256
"""A memory of so few rows, or bits in all, is better off in LUTs."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block RAM and the rectangle of the memory it holds.

    Parameters
    ----------
    shape : (rows, bits) of the block
    row, rows : int
        First row of the memory in it, and how many. Row r is at r % shape rows, so that the low bits of the address go to
        every block as they are, wherever it begins.
    bit, bits : int
        First bit of a word in it, and how many.
    """

    shape: tuple
    row: int
    rows: int
    bit: int
    bits: int


def is_small(depth, width):
    """Is a memory left to the synthesis, which makes LUTs of it."""
    return depth <= SMALL_ROWS or depth * width <= SMALL_BITS


def block_count(depth, width, family):
    """Number of block RAMs of a Rom, 0 for a small one.

    Raises
    ------
    ValueError
        The blocks of the family are not planned here.
    """
    shapes = _checked(depth, width, family)
    return 0 if is_small(depth, width) else _cost(shapes, -(-depth // shapes[-1][0]), width)[0]


def muxed_bits(plan):
    """Number of 2:1 multiplexers behind the blocks of a plan."""
    return sum(block.bits for block in plan if block.row > 0)


def rom_plan(depth, width, family):
    """Blocks of a memory of `depth` words of `width` bits.

    The memory is cut by straight cuts, over rows and over bits in any order, until every piece fits a block. Of all such
    ways it is one with the fewest blocks, and of those one with the fewest multiplexed bits.

    Returns
    -------
    tuple of Block, by first bit and first row; empty for a small memory
    """
    shapes = _checked(depth, width, family)
    if is_small(depth, width):
        return ()
    unit = shapes[-1][0]
    pieces = _pieces(shapes, -(-depth // unit), width, 0, 0)
    blocks = (
        Block(shape=shape, row=row * unit, rows=min(rows * unit, depth - row * unit), bit=bit, bits=bits)
        for shape, row, rows, bit, bits in pieces
    )
    return tuple(sorted(blocks, key=lambda block: (block.bit, block.row)))


def _checked(depth, width, family):
    for name, value in (("depth", depth), ("width", width)):
        if operator.index(value) < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
    if family not in SHAPES:
        raise ValueError(f"family must be {' or '.join(SHAPES)}, not {family!r}")
    return SHAPES[family]


# In what follows depths are counted in rows of the widest, shallowest shape: every shape's depth is a multiple of it, and so
# is every cut that is worth making. A cost is (blocks, multiplexed bits, cut): cut is how the first cut goes, ("block",
# shape), ("rows", rows above it) or ("bits", bits before it).


def _cost(shapes, units, width):
    for bits in range(1, width):  # narrow ones first, or else the recursion is as deep as a word is wide
        _cheapest(shapes, units, bits)
    return _cheapest(shapes, units, width)


@cache
def _cheapest(shapes, units, width):
    unit, widest = shapes[-1]
    for rows, bits in shapes:
        if units * unit <= rows and width <= bits:
            return 1, 0, ("block", (rows, bits))
    # Cuts after the depth of a shape, and after at most the width of the widest, are enough, and pieces more than twice as wide
    # as that need no cut over rows: the tests search through all cuts. The deepest goes first, so that where it ends is a bit
    # of the address.
    ways, wide = [], width > 2 * widest
    for part in () if wide else sorted({rows // unit for rows, _ in shapes if rows < units * unit}, reverse=True):
        above, below = _cheapest(shapes, part, width), _cheapest(shapes, units - part, width)
        ways.append((above[0] + below[0], above[1] + below[1] + width, ("rows", part)))
    for part in range(1, min(2 * widest if wide else widest, width // 2) + 1):
        left, right = _cheapest(shapes, units, part), _cheapest(shapes, units, width - part)
        ways.append((left[0] + right[0], left[1] + right[1], ("bits", part)))
    return min(ways, key=lambda way: way[:2])


def _pieces(shapes, units, width, row, bit):
    """Shape, and place in the memory, of the blocks that the cheapest cuts leave."""
    kind, part = _cost(shapes, units, width)[2]
    if kind == "block":
        yield part, row, units, bit, width
    elif kind == "rows":
        yield from _pieces(shapes, part, width, row, bit)
        yield from _pieces(shapes, units - part, width, row + part, bit)
    else:
        yield from _pieces(shapes, units, part, row, bit)
        yield from _pieces(shapes, units, width - part, row, bit + part)

"""Counts of 3, 7 or 15 agreeing pairs without a register: what a family's cells do best, and what it costs them."""

from functools import cache

from amaranth import Signal

from .cells import PIPELINED, lut6_2
from .chain import ZERO, Bit, Chains, add_three, lane

__all__ = ["block_sizes", "count_blocks", "sum_stages", "sum_words"]

BLOCK_LUTS = {
    "ice40": {15: 29, 7: 12, 3: 4},
    "ecp5": {15: 18, 7: 7, 3: 2},
    "gowin": {15: 26, 7: 11, 3: 4},
    "xc7": {15: 13, 7: 5, 3: 2},
}
"""LUTs of a block, without the ends of chains."""

STAGE_LEVELS = dict.fromkeys(PIPELINED, 2)
"""Levels of adders between two registers; no block has more levels. The other families have one register behind the blocks and
one behind the sum."""


def count_blocks(m, platform, family, pairs):
    """Agreeing pairs of each of `pairs`: lists of (a, b), 3, 7 or 15 of them.

    Returns
    -------
    words of Bits, LSB first
    """
    if family == "xc7":
        return [_single_bits(_count_xc7(m, platform, part)) for part in pairs]
    chains = Chains(m, platform, family)
    words = _counted(chains, family, pairs)
    chains.close()
    # ECP5 counts the pairs that disagree, since that needs no inverter before a carry; what is left of 3, 7 or 15 is the
    # complement.
    return [_single_bits(word, inverted=family == "ecp5") for word in words]


def _single_bits(nets, inverted=False):
    return [Bit((net,), inverted) for net in nets]


def _counted(chains, family, pairs):
    """Words of nets; two blocks and a pair make the next larger block, the pair where the family takes it for nothing."""
    if all(len(part) == 3 for part in pairs):
        if family == "ecp5":
            disagree = [[Bit(pair) for pair in part] for part in pairs]
            return [chains.add([x], [y], z) for x, y, z in disagree]
        return [_three(*(lane(*pair).value() for pair in part)) for part in pairs]
    # Level by level over all blocks, so that a chain's sums come from the same depth.
    halves = [(part,) if len(part) == 3 else (part[1 : 1 + len(part) // 2], part[1 + len(part) // 2 :]) for part in pairs]
    below = iter(_counted(chains, family, [half for part in halves for half in part]))
    chains.level()
    words = []
    for part, split in zip(pairs, halves, strict=True):
        counts = [next(below) for _ in split]
        if len(counts) == 1:
            words += counts
            continue
        low, high = map(_single_bits, counts)
        if family == "gowin":
            words.append(chains.add(low, [lane(*part[0]), *high[1:]], high[0]))
        else:
            words.append(chains.add(low, high, Bit(part[0]) if family == "ecp5" else lane(*part[0])))
    return words


def _three(x, y, z):
    """Four LUT4s: parity and AND of the first two pairs, then both bits, the third XNOR inside."""
    odd, both = x ^ y, x & y
    return [odd ^ z, both | (odd & z)]


def _count_xc7(m, platform, part):
    """Three pairs are two LUT6; a bit and two pairs, or three bits, are one site with two outputs."""

    def agree(a, b):
        return 1 - (a ^ b)

    def add(*bits, pairs):
        """Sum and carry of single bits and pairs, five nets at most."""
        singles, nets = len(bits), [*bits, *(net for pair in pairs for net in pair)]

        def total(*values):
            return sum(values[:singles]) + sum(
                agree(a, b) for a, b in zip(values[singles::2], values[singles + 1 :: 2], strict=True)
            )

        return lut6_2(m, platform, o5=lambda *v: total(*v) >> 1, o6=lambda *v: total(*v) & 1, inputs=nets)[::-1]

    if len(part) == 3:
        x, y, z = (lane(*pair).value() for pair in part)
        return [x ^ y ^ z, (x & y) | (x & z) | (y & z)]
    if len(part) == 7:
        word = _count_xc7(m, platform, part[:3])
        s, first = add(word[0], pairs=part[3:5])
        s, second = add(s, pairs=part[5:])
        return [s, *add(word[1], first, second, pairs=[])]
    low, high = (_count_xc7(m, platform, half) for half in (part[1:8], part[8:]))
    word, carry = [], None
    for k in range(3):
        s, carry = add(low[k], high[k], *([] if k == 0 else [carry]), pairs=part[:1] if k == 0 else [])
        word.append(s)
    return [*word, carry]


def sum_words(m, platform, family, words, singles):
    """Sum of words of Bits, LSB first, and of single bits, as (Bits, most) and nets; a tree of the family's adders, with a
    register after every `STAGE_LEVELS` of its levels but the last.

    Parameters
    ----------
    words : list of (word, greatest value)
    singles : list of nets

    Returns
    -------
    nets, LSB first
    """

    def join(groups):
        if family == "xc7":
            sums = [add_three(m, platform, [[b.value() for b in w] for w in ws], [*extra, 0, 0][:2]) for ws, extra in groups]
        else:
            chains.level()
            sums = [chains.add(*[*ws, []][:2], Bit((extra[0],)) if extra else ZERO) for ws, extra in groups]
        return [_single_bits(word) for word in sums]

    def cut(words, singles):
        nonlocal chains
        if chains is not None:
            chains.close()
            chains = Chains(m, platform, family)
        return [([Bit((_register(m, b.nets[0]),), b.inverted) for b in w], most) for w, most in words], [
            _register(m, net) for net in singles
        ]

    chains = None if family == "xc7" else Chains(m, platform, family)
    words = _tree(family, words, singles, join, lambda net: [Bit((net,))], cut)
    if chains is not None:
        chains.close()
    return [bit.value() for bit in words]


def _register(m, net):
    register = Signal(name="partial", reset_less=True)
    m.d.sync += register.eq(net)
    return register


def _tree(family, words, singles, join, single_word, cut=lambda words, singles: (words, singles)):
    """The order of a sum: the narrowest words first, a single bit wherever an adder has a free place.

    Calls join([(words, singles), ...]) for the adders that work beside each other, and cut(words, singles) where registers
    go.
    """
    words, singles = list(words), list(singles)
    level, stage = 0, STAGE_LEVELS.get(family)
    ways, places = (3, 2) if family == "xc7" else (2, 1)
    while not words or len(singles) > places * -(-(len(words) - 1) // (ways - 1)):
        words.append((single_word(singles.pop()), 1))
    while len(words) > 1:
        words.sort(key=lambda word: word[1])
        groups = [words[k : k + ways] for k in range(0, len(words), ways)]
        kept = groups.pop() if len(groups[-1]) == 1 else []
        extras = [[singles.pop() for _ in range(min(places, len(singles)))] for _ in groups]
        sums = join([([word for word, _ in group], extra) for group, extra in zip(groups, extras, strict=True)])
        most = [sum(m for _, m in group) + len(extra) for group, extra in zip(groups, extras, strict=True)]
        words = [(word[: m.bit_length()], m) for word, m in zip(sums, most, strict=True)] + kept
        level += 1
        if stage and level % stage == 0 and len(words) > 1:
            words, singles = cut(words, singles)
    return words[0][0]


def sum_stages(family, lanes):
    """Registers of a `sum_words` of `block_sizes(family, lanes)`, the one behind its sum counted."""
    cuts = 0

    def join(groups):
        return [[0] * (max(len(word) for word in words) + 2) for words, _ in groups]

    def cut(words, singles):
        nonlocal cuts
        cuts += 1
        return words, singles

    sizes = block_sizes(family, lanes)
    words = [([0] * size.bit_length(), size) for size in sizes]
    _tree(family, words, [0] * (lanes - sum(sizes)), join, lambda net: [net], cut)
    return 1 + cuts


@cache
def block_sizes(family, lanes):
    """Sizes of the blocks that count `lanes` pairs with the fewest LUTs; what they leave is XNORed singly."""
    best = None
    most = lanes // 15 if family not in STAGE_LEVELS else 0
    for fifteens in range(max(0, most - 2), most + 1):
        rest = lanes - 15 * fifteens
        for sevens in range(rest // 7 + 1):
            for threes in range((rest - 7 * sevens) // 3 + 1):
                sizes = (15,) * fifteens + (7,) * sevens + (3,) * threes
                cost = _luts(family, sizes, lanes - sum(sizes))
                if best is None or cost < best[0]:
                    best = cost, sizes
    return best[1]


def _luts(family, sizes, singles):
    """LUTs of blocks, of single pairs and of the tree above them, without the ends of chains."""
    luts = singles + sum(BLOCK_LUTS[family][size] for size in sizes)

    def join(groups):
        nonlocal luts
        widths = [max(len(word) for word in words) for words, _ in groups]
        luts += sum(width + 1 for width in widths)
        return [[0] * (width + 2) for width in widths]

    _tree(family, [([0] * size.bit_length(), size) for size in sizes], [0] * singles, join, lambda net: [net])
    return luts

"""Transfers of parameters as beats of a core's stream `load`, right ones and broken ones."""

from dataclasses import dataclass

__all__ = ["BREAKS", "Transfer", "broken", "right"]

BREAKS = ("cut", "early", "flipped", "flipped flag", "long", "headless")
"""No end, and the next transfer begins; `last` too soon; wrong bits of words; a wrong `first` or `last`; words too many; words
without their first."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Beats (word, first, last), the number of the model that it brings, None if it is wrong, and what is wrong with it."""

    beats: tuple
    model: int | None
    what: str = "right"


def right(words, model):
    """The transfer of a model's words."""
    final = len(words) - 1
    return Transfer(beats=tuple((word, k == 0, k == final) for k, word in enumerate(words)), model=model)


def broken(words, what, rng):
    """A transfer of BREAKS, made of a model's words."""
    beats = list(right(words, None).beats)
    if what in ("cut", "early"):
        beats = beats[: int(rng.integers(1, len(beats)))]
        if what == "early":
            word, first, _ = beats[-1]
            beats[-1] = word, first, True
    elif what == "flipped":
        for _ in range(int(rng.choice([1, 1, 2, 5]))):
            at, bit = int(rng.integers(len(beats))), int(rng.integers(32))
            word, first, last = beats[at]
            beats[at] = word ^ 1 << bit, first, last
        if beats == list(right(words, None).beats):  # the same bit twice
            word, first, last = beats[0]
            beats[0] = word ^ 1, first, last
    elif what == "flipped flag":
        at = int(rng.integers(len(beats)))
        word, first, last = beats[at]
        if at == 0 and rng.random() < 0.5:
            beats[at] = word, not first, last
        else:
            beats[at] = word, first, not last
    elif what == "long":
        word, first, _ = beats[-1]
        extra = [(int(rng.integers(1 << 32)), False, False) for _ in range(int(rng.integers(1, 4)))]
        beats[-1:] = [(word, first, False), *extra]
        beats[-1] = (*beats[-1][:2], True)
    elif what == "headless":
        del beats[0]
    return Transfer(beats=tuple(beats), model=None, what=what)

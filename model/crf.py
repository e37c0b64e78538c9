"""Viterbi decoding of a linear-chain conditional random field in integers: the golden model of the chip's."""

from dataclasses import dataclass

import numpy as np

from .fixed import signed_bits

__all__ = ["Crf", "viterbi"]

TRANSITION_LIMIT = 1 << 23


@dataclass(frozen=True, kw_only=True, eq=False)
class Crf:
    """Integer scores of neighbouring tags, at the binary point of the emissions.

    Parameters
    ----------
    transitions : int [tags, tags]
        From a tag (row) to the next.
    first, last : int [tags]
        Of the tag a sequence begins and ends with.

    Raises ValueError for a wrong shape, type or range: all of them -2**23 to 2**23 - 1.
    """

    transitions: np.ndarray
    first: np.ndarray
    last: np.ndarray

    def __post_init__(self):
        tags = len(np.atleast_1d(self.first))
        for name, shape in (("transitions", (tags, tags)), ("first", (tags,)), ("last", (tags,))):
            array = np.asarray(getattr(self, name))
            if array.dtype.kind not in "iu":
                raise ValueError(f"{name} must be integers, not {array.dtype}")
            if array.shape != shape:
                raise ValueError(f"{name} must have shape {list(shape)}, not {list(array.shape)}")
            if array.min() < -TRANSITION_LIMIT or array.max() >= TRANSITION_LIMIT:
                found = f"{int(array.min())} to {int(array.max())}"
                raise ValueError(f"{name} must be {-TRANSITION_LIMIT} to {TRANSITION_LIMIT - 1}, not {found}")
            array = array.astype(np.int64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def tags(self):
        return len(self.first)

    def score_bits(self, emission_bits, steps):
        """Width that holds the score of every sequence of at most so many steps."""
        a_step = (1 << emission_bits - 1) + int(np.abs(self.transitions).max(initial=0))
        top = a_step * steps + int(np.abs(self.first).max()) + int(np.abs(self.last).max())
        return signed_bits(-top, top)


def viterbi(emissions, crf):
    """Best sequence of tags and its score.

    delta_j(0) = first_j + e_j(0); delta_j(t) = max_i(delta_i(t-1) + transitions_ij) + e_j(t); `last` is added behind the last
    step. Ties go to the lowest tag.

    Parameters
    ----------
    emissions : int [steps, tags]
    crf : Crf

    Returns
    -------
    (tags int64 [steps], score int)
    """
    emissions = np.asarray(emissions, dtype=np.int64)
    delta, back = crf.first + emissions[0], []
    for step in emissions[1:]:
        reached = delta[:, None] + crf.transitions
        back.append(reached.argmax(axis=0))
        delta = reached.max(axis=0) + step
    delta = delta + crf.last
    tags = [int(delta.argmax())]
    for pointers in reversed(back):
        tags.append(int(pointers[tags[-1]]))
    return np.array(tags[::-1]), int(delta.max())

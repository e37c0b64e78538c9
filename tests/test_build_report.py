"""The sentence that the report page of a tagger shows."""

import numpy as np
import pytest
from mubinn.build.report_network import example
from mubinn.model.tagging import UNKNOWN, Corpus


def corpus(*lengths, unknown=()):
    """Every word has its own number, but those at the places `unknown`."""
    word = np.arange(10, 10 + sum(lengths))
    word[list(unknown)] = UNKNOWN
    return Corpus(word=word, case=word % 8, tag=word % 3, lengths=np.array(lengths))


@pytest.mark.parametrize(
    ("lengths", "unknown", "max_steps", "first_word", "words"),
    [
        ((3, 9, 8), (), 64, 13, 9),  # the first of a fitting length
        ((3, 9, 8), (5,), 64, 22, 8),  # fewer unknown words
        ((3, 9, 8), (), 8, 22, 8),  # no more words than the core takes
        ((3, 9, 8), (0, 1), 5, 1, 3),
        ((30, 25, 2), (55,), 64, 10, 30),  # none fits
    ],
)
def test_example(lengths, unknown, max_steps, first_word, words):
    data = corpus(*lengths, unknown=unknown)
    found = example(data, max_steps)
    assert found["word"][0] == first_word and len(found["word"]) == words
    at = data.word.tolist().index(found["word"][0])
    assert found["case"] == data.case[at : at + words].tolist() and found["tag"] == data.tag[at : at + words].tolist()


def test_no_example_where_every_sentence_is_too_long():
    assert example(corpus(3, 4), 2) is None

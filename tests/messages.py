"""Refusals by their whole text: a test file names its error once, then the texts."""

import re

import pytest


def refusal(error):
    """A function of a text: the context in which `error` must be raised and say just that."""
    return lambda text: pytest.raises(error, match=f"^{re.escape(text)}$")

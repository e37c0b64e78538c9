"""What holds for all tests: no matplotlib window, no colour, a terminal of known width."""

import pytest


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch):
    for name, value in (("COLUMNS", "100"), ("NO_COLOR", "1"), ("TERM", "dumb"), ("MPLBACKEND", "Agg")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("FORCE_COLOR", raising=False)

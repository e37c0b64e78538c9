"""What holds for all tests: no matplotlib window, no colour, a terminal of known width; placing goes on beside them."""

import placed
import pytest


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch):
    for name, value in (("COLUMNS", "100"), ("NO_COLOR", "1"), ("TERM", "dumb"), ("MPLBACKEND", "Agg")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def pytest_collection_modifyitems(items):
    """What waits for placed presets comes last: to place them takes half as long as all other tests."""
    items.sort(key=lambda item: item.get_closest_marker("placed") is not None)


def pytest_collection_finish(session):
    names = {name for item in session.items for mark in item.iter_markers("placed") for name in mark.args}
    if names and not session.config.option.collectonly:
        placed.begin(names)


def pytest_sessionfinish():
    placed.end()

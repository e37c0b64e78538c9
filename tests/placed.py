"""Presets placed once for all tests of a session, whoever asks first."""

from mubinn.build.baseline import place
from sim_cores import scratch


def folder():
    """Where they are kept."""
    return scratch() / "placed"


def placed(name):
    """Figures of a preset."""
    return place(name, folder())

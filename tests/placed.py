"""Presets placed in the background of a test session: begun before its first test, asked for by its last ones."""

from contextlib import ExitStack

from mubinn.build.baseline import placing
from mubinn.build.presets import PRESETS
from sim_cores import scratch

_session = ExitStack()
_futures = {}


def begin(names):
    """Place them in a process beside the tests, the small ones first."""
    chosen = [name for name in PRESETS if name in names]
    _futures.update(_session.enter_context(placing(chosen, scratch() / "placed", jobs=1)))


def end():
    """Drop what waits."""
    _session.close()


def placed(name):
    """Figures of a preset that the test's mark `placed` names."""
    return _futures[name].result()

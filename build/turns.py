"""Wall time of actions that take turns, so that a noisy machine disturbs them alike."""

import time

__all__ = ["seconds_in_turns"]


def seconds_in_turns(actions, repeats):
    """Seconds of every run, a list for each action. Their first calls, which start threads and make tables, do not count."""
    seconds = [[] for _ in actions]
    for action in actions:
        action()
    for _ in range(repeats):
        for action, taken in zip(actions, seconds, strict=True):
            start = time.perf_counter()
            action()
            taken.append(time.perf_counter() - start)
    return seconds

"""A case as packets of AXI4-Stream: what goes in, what must come out, and when it may be missing."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Frames", "frames_of"]

WORD = 32


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Attributes
    ----------
    sent : list of bytes
        Whole beats up to a `tlast` each. One window, or several of which all but the last miss theirs.
    first_after : list of int
        For every packet, the window that begins after it.
    results : list of (list of int words, error)
        What leaves for each window; a word is None where the core does not promise it.
    """

    sent: list
    first_after: list
    results: list


def frames_of(case, manifest, *, rng):
    """Frames of a case for a core with these `axi` settings of its manifest; what pads a step is drawn from `rng`."""
    size, per_beat = manifest["axi"]["sample_bytes"], manifest["axi"]["samples_per_beat"]
    channels, classes = manifest["spec"]["input_size"], manifest["spec"]["classes"]
    sent, first_after, results, data, at = [], [], [], bytearray(), 0
    for number, (_, samples, _) in enumerate(case.windows.tolist()):
        step = []
        for x, last in case.samples[at : at + samples].tolist():
            step.append((x & (1 << 8 * size) - 1).to_bytes(size, "little"))
            if len(step) == channels or last:
                # A step's last beat is filled up: with anything.
                while len(step) % per_beat:
                    step.append(rng.bytes(size))
                data += b"".join(step)
                step = []
            if last:
                sent.append(bytes(data))
                first_after.append(number + 1)
                data.clear()
        at += samples
    assert not data, "the last window of a case must end with its tlast"
    at = 0
    for _, _, beats in case.windows.tolist():
        words = []
        for row in range(at, at + beats):
            words += _result(case, row, manifest) if classes else _unit(case, row)
        error = bool(case.expected["error"][at : at + beats].any())
        results.append((words, error))
        at += beats
    return Frames(sent=sent, first_after=first_after, results=results)


def _result(case, row, manifest):
    """Words of a window's packet: label with the error above it, then the scores."""
    error, undefined = int(case.expected["error"][row, 0]), case.undefined["label"][row]
    words = [None if undefined else int(case.expected["label"][row, 0]) | error << WORD - 1]
    size = -(-manifest["result"]["score_bits"] // WORD)
    for score in case.expected["scores"][row].tolist():
        wide = score & (1 << WORD * size) - 1
        words += [None if case.undefined["scores"][row] else wide >> WORD * k & (1 << WORD) - 1 for k in range(size)]
    return words


def _unit(case, row):
    return [None if case.undefined["h"][row] else int(case.expected["h"][row, 0]) & (1 << WORD) - 1]


def same(words, wanted):
    """Whether a packet's words are those of a result."""
    return len(words) == len(wanted) and all(w is None or int(v) == w for v, w in zip(np.asarray(words), wanted, strict=True))

"""What a bench in Python has seen, and its comparison with the case at the end."""

import numpy as np

from .bench import BenchResult
from .case import TRACE
from .compare import compare
from .testbench import checks
from .vectors import unpack

__all__ = ["Collector", "sample_words"]


def sample_words(case, manifest):
    """Payloads of the input stream as integers."""
    bits = manifest["sample"]["bits"]
    mask = (1 << bits) - 1
    return [(x & mask) | last << bits for x, last in case.samples.tolist()]


class Collector:
    """Records of every signal, as integers of a payload, in the order in which they came.

    Parameters
    ----------
    case : Case
    manifest : dict
        With spec, result and taps.
    """

    def __init__(self, case, manifest):
        self.case, self.manifest = case, manifest
        self.units = manifest["spec"]["hidden_size"]
        seen = {tap["name"] for tap in manifest["taps"]}
        self.names = [name for name in TRACE if name in case.expected and name in seen]
        self.expected = sum(len(case.expected[name]) for name in (*self.names, "error"))
        self.clear()

    def clear(self):
        """Forget everything, after a reset."""
        self.records = {name: [] for name in self.names}
        self.results, self.h_cycles, self.protocol = [], [], 0

    def record(self, name, value, cycle):
        """A record of a signal of the trace."""
        self.records[name].append(value)
        if name == "h_code":
            self.h_cycles.append(cycle)

    @property
    def seen(self):
        """Number of records and results."""
        return sum(map(len, self.records.values())) + len(self.results)

    def compared(self, *, simulator, accepted, cycles, seconds):
        """BenchResult of a run that took `accepted` samples."""
        case, mismatches, differences = self.case, 0, []
        result = self.manifest["result"]
        out = _bits(self.results, result["payload_bits"])
        for check in checks(self.manifest):
            name, width = check["name"], check["fields"] * check["bits"]
            if name in self.records:
                bits = _bits(self.records[name], width)
            else:
                lsb = result["fields"][name]["lsb"]
                bits = out[:, lsb : lsb + width]
            (got,) = unpack(bits, [(check["fields"], check["bits"], check["signed"])])
            wrong, words = compare(case, check, got)
            mismatches += wrong
            differences += [words] if words else []
        unsent = len(case.samples) - accepted
        if unsent:
            differences.append(f"the core stopped after {accepted} of {len(case.samples)} samples")
        if self.protocol:
            differences.append(f"o changed {self.protocol} times before it was taken")
        last = (case.steps - 1) * self.units
        return BenchResult(
            simulator=simulator,
            windows=len(case.windows),
            steps=case.steps,
            samples=accepted,
            records=self.seen,
            results=len(self.results),
            mismatches=mismatches + unsent + self.protocol,
            cycles=cycles,
            span_cycles=self.h_cycles[last] - self.h_cycles[0] if len(self.h_cycles) > last else 0,
            differences=tuple(differences),
            seconds=seconds,
        )


def _bits(words, count):
    """Bits of integers of any width, uint8 [words, count], LSB first."""
    size = -(-count // 8)
    data = np.frombuffer(b"".join(word.to_bytes(size, "little") for word in words), dtype=np.uint8)
    return np.unpackbits(data.reshape(len(words), size), axis=1, bitorder="little")[:, :count]

"""A case as files that a Verilog bench reads: hexadecimal words, one a line.

windows.txt     steps, samples and results of each window, in decimal
i.hex           payloads of the input stream
load.hex        words of a transfer of parameters, of a core that loads any
NAME.hex        records of a signal of the golden trace, or of a field of the results

Fields lie LSB first as in the payload. A word that must be compared has a 0 above its most significant bit, one whose
value the core does not promise a 1.
"""

import re
from pathlib import Path

import numpy as np

from .case import Case
from .testbench import checks

__all__ = ["LOAD_FILE", "pack", "read_case", "unpack", "write_case", "write_vectors"]

LOAD_FILE = "load.hex"

_DIGITS = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_VALUES = np.zeros(256, dtype=np.uint8)
_VALUES[_DIGITS] = np.arange(16)


def write_vectors(folder, manifest, case: Case, *, load=None):
    """Write a case, and the words of a transfer, into the new `folder`. Returns what the manifest says of them."""
    folder = Path(folder)
    folder.mkdir()
    write_case(folder, manifest, case)
    if load is not None:
        (folder / LOAD_FILE).write_text("".join(f"{word:08x}\n" for word in load))
    return {
        "folder": folder.name,
        "files": sorted(path.name for path in folder.iterdir()),
        "windows": len(case.windows),
        "steps": case.steps,
        "samples": len(case.samples),
        "results": int(case.windows[:, 2].sum()),
    }


def write_case(folder, manifest, case: Case):
    """Write the files of a case into an existing folder."""
    folder = Path(folder)
    lines = "".join(f"{steps} {samples} {results}\n" for steps, samples, results in case.windows.tolist())
    (folder / "windows.txt").write_text(lines)
    _write(folder / "i.hex", [(case.samples[:, :1], manifest["sample"]["bits"]), (case.samples[:, 1:], 1)])
    for check in checks(manifest):
        name = check["name"]
        skip = case.undefined[name].reshape(-1, 1)
        _write(folder / f"{name}.hex", [(case.expected[name], check["bits"]), (skip, 1)])


def read_case(folder, manifest):
    """The case that `write_case` wrote."""
    folder = Path(folder)
    windows = np.array([line.split() for line in (folder / "windows.txt").read_text().splitlines()], dtype=np.int64)
    x, last = _read(folder / "i.hex", [(1, manifest["sample"]["bits"], True), (1, 1, False)])
    expected, undefined = {}, {}
    for check in checks(manifest):
        name = check["name"]
        layout = [(check["fields"], check["bits"], check["signed"]), (1, 1, False)]
        expected[name], skip = _read(folder / f"{name}.hex", layout)
        undefined[name] = skip[:, 0].astype(bool)
    return Case(windows=windows, samples=np.concatenate([x, last], axis=1), expected=expected, undefined=undefined)


def pack(columns):
    """Bits of words, uint8 [words, bits], LSB first, from (int array [words, fields], bits of a field) pairs."""
    parts = []
    for values, bits in columns:
        shifted = values[:, :, None] >> np.arange(bits) & 1
        parts.append(shifted.astype(np.uint8).reshape(len(values), -1))
    return np.concatenate(parts, axis=1)


def unpack(words, layout):
    """The int64 arrays [words, fields] that `pack` took, from bits and (fields, bits of a field, signed) triples."""
    arrays, at = [], 0
    for fields, bits, signed in layout:
        part = words[:, at : at + fields * bits].reshape(len(words), fields, bits).astype(np.int64)
        values = part @ (1 << np.arange(bits, dtype=np.int64))
        arrays.append(values - (part[:, :, -1] << bits if signed else 0))
        at += fields * bits
    return arrays


def _write(path, columns):
    """A line of hexadecimal digits a word."""
    bits = pack(columns)
    digits = -(-bits.shape[1] // 4)
    padded = np.zeros((len(bits), 4 * digits), dtype=np.uint8)
    padded[:, : bits.shape[1]] = bits
    nibbles = padded.reshape(len(bits), digits, 4) @ np.array([1, 2, 4, 8], dtype=np.uint8)
    text = np.full((len(bits), digits + 1), ord("\n"), dtype=np.uint8)
    text[:, :digits] = _DIGITS[nibbles[:, ::-1]]
    path.write_bytes(text.tobytes())


def _read(path, layout):
    """Arrays of a file, see `unpack`. ValueError for a file that is cut short or was not written by us."""
    total = sum(fields * bits for fields, bits, _ in layout)
    digits = -(-total // 4)
    data = path.read_bytes()
    if len(data) % (digits + 1) or not re.fullmatch(rb"(?:[0-9a-f]+\n)*", data):
        raise ValueError(f"{path}: must have lines of {digits} hexadecimal digits")
    text = np.frombuffer(data, dtype=np.uint8).reshape(-1, digits + 1)[:, :digits]
    nibbles = _VALUES[text[:, ::-1]]
    bits = (nibbles[:, :, None] >> np.arange(4, dtype=np.uint8) & 1).reshape(len(text), -1)
    return unpack(bits, layout)

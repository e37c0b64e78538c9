"""Single faults in generated Verilog: every place where one can be planted, and the line it becomes."""

import re
from dataclasses import dataclass

__all__ = ["KINDS", "Fault", "faults"]

_NAME = r"(?:\\\S+ |[A-Za-z_][\w$]*)"
_TOKEN = re.compile(r"\\\S+|\$signed|[A-Za-z_][\w$]*")
# Amaranth's Verilog has decimal numbers of 32 bits, and hexadecimal ones of any other width.
_LITERAL = re.compile(r"\b(\d+)'(?:h([0-9a-f]+)|d(\d+))\b")
_DECLARED = re.compile(rf"^  (?:input|output|wire|reg) (?:\[(\d+):0\] )?({_NAME})\s*(?:= .*)?;$")
_STATEMENT = re.compile(rf"^\s*(?:assign )?({_NAME})\s*(?:\[[\d:]+\]\s*)?(<?=) (.*);$")
_SWAPS = {
    "operator": ((" + ", " - "), (" - ", " + "), (" & ", " | "), (" | ", " & "), (" ^ ", " | "), (" * ", " + ")),
    "comparison": ((" == ", " != "), (" >= ", " > "), (" < ", " <= "), (" <= ", " < "), (" > ", " >= ")),
}

KINDS = ("operator", "comparison", "inversion", "constant", "stuck bit", "swapped branches", "slice", "shift", "memory bit")
"""operator: + - & | ^ * by another. comparison: == by !=, < by <= and so on. inversion: ~ or ! dropped, or a condition
inverted. constant: one more or less. stuck bit: at 0 or 1. swapped branches: of a multiplexer. slice: a bit further up or down.
shift: by one bit less or more. memory bit: one bit of an initial word, such as a weight."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A line of a Verilog text (counted from 0) before and after."""

    kind: str
    line: int
    before: str
    after: str

    def planted(self, text):
        """The text with the fault."""
        lines = text.split("\n")
        assert lines[self.line] == self.before
        lines[self.line] = self.after
        return "\n".join(lines)


def faults(text):
    """{kind: every Fault of it}, in the order of lines.

    Left out are statements that nothing reads (Amaranth names every field of a structure, the trace's wires serve testbenches
    alone), and first values, under reset and of memories that are written: before its first valid value the datapath may hold
    anything.
    """
    found = {kind: [] for kind in KINDS}
    lines = text.split("\n")
    starts = [k for k, line in enumerate(lines) if line.startswith("module ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        for kind, number, after in _of_module(lines, start, end):
            if after != lines[number]:
                found[kind].append(Fault(kind=kind, line=number, before=lines[number], after=after))
    return found


def _of_module(lines, start, end):
    widths = {}
    for line in lines[start:end]:
        if declared := _DECLARED.match(line):
            widths[declared[2].strip()] = int(declared[1] or 0) + 1
    read = _read_names(lines[start:end])
    constant = not any(re.match(r"^ *(if \(.*\) )?memory\[.*<=", line) for line in lines[start:end])
    for number in range(start, end):
        line = lines[number]
        if re.match(r"^    memory\[\d+\] = ", line):
            yield from _memory(number, line) if constant else ()
            continue
        if condition := re.match(r"^( +if \()(.*)(\) begin)$", line):
            if condition[2].strip() != "rst":
                yield "inversion", number, f"{condition[1]}!({condition[2]}){condition[3]}"
            continue
        under_reset = lines[number - 1].strip() == "if (rst) begin"
        statement = _STATEMENT.match(line)
        if statement is None or under_reset or statement[1].strip() not in read:
            continue
        at = statement.start(3)
        for kind, value in _of_value(statement[3], widths, whole=_width(line, statement, widths)):
            yield kind, number, f"{line[:at]}{value};"


def _read_names(lines):
    """Names whose value reaches anything: an output, an instance, a register, a condition."""
    outputs, statements, read = set(), [], set()
    for line in lines:
        if declared := _DECLARED.match(line):
            if line.startswith("  output"):
                outputs.add(declared[2].strip())
        elif statement := _STATEMENT.match(line):
            statements.append((statement[1].strip(), {name.strip() for name in _TOKEN.findall(statement[3])}))
        else:
            read |= {name.strip() for name in _TOKEN.findall(line)}
    read |= outputs
    while True:
        more = set().union(*(names for target, names in statements if target in read)) - read
        if not more:
            return read
        read |= more


def _width(line, statement, widths):
    """Bits of what a statement sets."""
    part = re.search(r"\[(\d+)(?::(\d+))?\]\s*<?=", line)
    if part:
        return int(part[1]) - int(part[2] or part[1]) + 1
    return widths.get(statement[1].strip(), 1)


def _of_value(value, widths, *, whole):
    """(kind, value with a fault) of the right side of a statement."""
    for kind, swaps in _SWAPS.items():
        for old, new in swaps:
            for at in _places(value, old):
                yield kind, value[:at] + new + value[at + len(old) :]
    if value[:2] in ("~ ", "! "):
        yield "inversion", value[2:]
    for literal in _LITERAL.finditer(value):
        bits, number = int(literal[1]), _number(literal)
        for step in (1, -1):
            other = f"{bits}'h{(number + step) % (1 << bits):x}"
            yield "constant", value[: literal.start()] + other + value[literal.end() :]
    if "$signed" not in value and " ? " not in value:
        for bit in range(whole):
            yield "stuck bit", f"({value}) & {whole}'h{(1 << whole) - 1 ^ 1 << bit:x}"
            yield "stuck bit", f"({value}) | {whole}'h{1 << bit:x}"
    if branches := re.fullmatch(r"(.*?) \? (.*) : (.*)", value):
        yield "swapped branches", f"{branches[1]} ? {branches[3]} : {branches[2]}"
    for part in re.finditer(rf"({_NAME})\s*\[(\d+)(?::(\d+))?\]", value):
        high, low = int(part[2]), int(part[3] or part[2])
        for step in (1, -1):
            if low + step >= 0 and high + step < widths.get(part[1].strip(), 1):
                index = f"[{high + step}:{low + step}]" if part[3] else f"[{high + step}]"
                yield "slice", f"{value[: part.start()]}{part[1]} {index}{value[part.end() :]}"
    if shift := re.fullmatch(r"(\{ .*, )(\d+)'h0+ \}", value):
        for bits in (int(shift[2]) - 1, int(shift[2]) + 1):
            yield "shift", f"{shift[1]}{bits}'h0 }}" if bits else f"{shift[1][:-2]} }}"


def _places(value, operator):
    return [match.start() for match in re.finditer(re.escape(operator), value)]


def _memory(number, line):
    literal = _LITERAL.search(line)
    bits = int(literal[1])
    for bit in range(bits):
        word = f"{bits}'h{_number(literal) ^ 1 << bit:0{-(-bits // 4)}x}"
        yield "memory bit", number, line[: literal.start()] + word + line[literal.end() :]


def _number(literal):
    return int(literal[2], 16) if literal[2] else int(literal[3])

"""Payloads of the streams between the components, and the bit order of each (LSB first, as Amaranth packs a struct)."""

from amaranth import signed, unsigned
from amaranth.lib import data, stream

__all__ = ["Flags", "Place", "counted", "flags_of", "gates", "pulse", "result", "sample", "tagged", "unit_output"]

Flags = data.StructLayout({"first": 1, "last": 1, "error": 1})
"""Of a step, carried along with its units: first or last of its window, and whether the window is in error."""


def flags_of(schedule):
    """Flags of a group; where gates come one after another also whose row it is."""
    if not schedule.folding.skip:
        return Flags
    return data.StructLayout({"first": 1, "last": 1, "error": 1, "gate": 2, "unit": range(schedule.spec.hidden_size)})


Place = data.StructLayout({"x_end": 1, "last": 1, "pauses": 1, "resumes": 1, "ahead": 1})
"""Of a word in its pass: it holds the last x column; it is the last; the rest comes later; what came before was read earlier;
the pass is of a group read ahead."""


def counted(counts, **fields):
    """Counts of a batch, and whether its group is read ahead."""
    return data.StructLayout({"counts": counts, "ahead": 1, **fields})


def sample(spec):
    """One channel of x, and `last` on the last channel of a window's last step."""
    return data.StructLayout({"x": signed(spec.x.bits), "last": 1})


def tagged(**fields):
    """A unit's fields with its step's flags."""
    return data.StructLayout({**fields, "flags": Flags})


def gates(shape):
    """The same shape for each gate, in PyTorch's order i, f, g, o."""
    return data.ArrayLayout(shape, 4)


def result(spec, score_bits, contexts=1):
    """One window: the class, whether the window's input was in error, the sums of the head, and of several contexts which."""
    return data.StructLayout(
        {
            "label": unsigned(max(1, (spec.classes - 1).bit_length())),
            "error": 1,
            "scores": data.ArrayLayout(signed(score_bits), spec.classes),
            **_context(contexts),
        }
    )


def unit_output(h_bits, contexts=1):
    """One unit's decoded h; `last` on the last unit of a window, with `error`; of several contexts which."""
    return data.StructLayout({"h": signed(h_bits), "last": 1, "error": 1, **_context(contexts)})


def _context(contexts):
    return {"context": range(contexts)} if contexts > 1 else {}


def pulse(shape):
    """A stream that is never held back: inside the core all timing is static."""
    return stream.Signature(shape, always_ready=True)

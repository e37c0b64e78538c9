"""What can be seen of a core: its streams, and the wires of the golden trace. One description for every simulator."""

from mubinn.model.lstm import TRACE_NAMES

__all__ = ["describe_streams"]


def describe_streams(core):
    """The parts of a manifest that say where a core's samples, results and trace are, from an `mubinn.hw.Lstm`.

    Returns
    -------
    dict
        sample: bits, fraction and payload_bits of the stream i; result: payload_bits and fields {name: lsb, bits} of
        the stream o; taps: for every signal of the golden trace inside the core the names of its wires `valid` and
        `value` at the core's top, the number of fields side by side in it (LSB first), the bits of one, and whether it
        is signed. One record a unit, or a channel for x_code.
    """
    result, spec = core.o.payload.shape(), core.spec
    return {
        "sample": {"bits": spec.x.bits, "fraction": spec.x.fraction, "payload_bits": spec.x.bits + 1},
        "result": {
            "payload_bits": result.size,
            "fields": {key: {"lsb": field.offset, "bits": field.width} for key, field in result},
            "score_bits": core.head.score_bits if core.head is not None else 0,
        },
        "taps": [_tap(core, name) for name in TRACE_NAMES if name in core.trace],
    }


def _tap(core, name):
    valid, value = core.trace[name]
    fields = 4 if name in ("z", "gate_code") else 1
    return {
        "name": name,
        "valid": valid.name,
        "value": value.name,
        "fields": fields,
        "bits": len(value) // fields,
        "signed": name in ("z", "c", "tanh_c", "h_raw"),
    }

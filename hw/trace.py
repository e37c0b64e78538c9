"""Signals of the golden trace inside a core, on wires at its top where testbenches find them."""

from amaranth import Cat, Const, Signal

from .delay import delayed

__all__ = ["trace_wires", "traced"]


def trace_wires(core):
    """{signal: (valid, value)} of a core: wires `trace_NAME_valid` and `trace_NAME`.

    Ports deep inside lose their names in Verilog. Nothing reads these wires, so they cost no logic.
    """
    return {
        name: (Signal(name=f"trace_{name}_valid"), Signal(len(value), name=f"trace_{name}"))
        for name, (_, value) in traced(core).items()
    }


def traced(core, m=None):
    """{signal of the golden trace: (valid, value)} inside the core, a record a unit, or a channel for x_code.

    Without a module only their shapes are of use.
    """
    codes, h_code = core.intake.codes, core.h_code
    parts = {"lstm": _of_lstm, "gru": _of_gru, "peephole": _of_peephole}[core.spec.cell_kind](core, m)
    return {"x_code": (codes.valid & codes.ready, codes.p.code)} | parts | {"h_code": (h_code.valid, h_code.payload)}


def _of_lstm(core, m):
    found = {}
    if not core.schedule.folding.skip:  # z and the codes of a unit come together there, or never
        found["z"] = core.preactivation.o.valid, core.preactivation.o.p.z.as_value()
        found["gate_code"] = core.activation.o.valid, core.activation.o.payload.as_value()
    found["c"] = core.cell_state.o.valid, core.cell_state.o.payload
    if not core.parameters.output_compares:  # else the golden trace is without them, though a core that loads has both
        found["tanh_c"] = core.tanh_c.o.valid, core.tanh_c.o.payload
        found["h_raw"] = core.output_product.o.valid, core.output_product.o.payload
    return found


def _of_gru(core, m):
    p = core.activation.o.p
    return {
        "z": (core.preactivation.o.valid, core.preactivation.o.p.z.as_value()),
        "gate_code": (core.activation.o.valid, Cat(p.r, p.codes[1], p.codes[2], Const(0, len(p.r)))),
        "c": (core.cell_state.o.valid, core.cell_state.o.payload),
        "h_raw": (core.output.h_raw.valid, core.output.h_raw.payload),
    }


def _of_peephole(core, m):
    """z and the code of o come long after those of the other gates."""
    output, unit = core.output, core.activation.o.p
    z, codes = unit.z.as_value(), Cat(*(unit.codes[gate] for gate in range(3)))
    if m is not None:
        z = delayed(m, "trace_z", z, core.cell_state.latency + output.Z_LATENCY)
        codes = delayed(m, "trace_codes", codes, core.cell_state.latency + output.code_latency)
    of_o = Cat(output.gate_code.payload, Const(0, max(core.spec.gate_bits) - len(output.gate_code.payload)))
    return {
        "z": (output.z.valid, Cat(z, output.z.payload)),
        "gate_code": (output.gate_code.valid, Cat(codes, of_o)),
        "c": (core.cell_state.o.valid, core.cell_state.o.payload),
        "tanh_c": (output.tanh_c.valid, output.tanh_c.payload),
        "h_raw": (output.h_raw.valid, output.h_raw.payload),
    }

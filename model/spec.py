"""What an LSTM is in numbers: sizes, levels and formats. Checked once; every derived width is a property here."""

import dataclasses
import json
from dataclasses import dataclass, field
from functools import cached_property
from operator import index

from .fixed import Fixed
from .gates import GATE_KINDS, gate_bits
from .tables import sigma_table, tanh_table

__all__ = ["CELL_KINDS", "GATES", "LstmSpec", "SpecError"]

GATES = ("i", "f", "g", "o")
"""Order of the gates in every array of ours, as in PyTorch."""

CELL_KINDS = ("lstm", "peephole", "gru")

_RANGES = {
    "input_size": (1, 256),
    "hidden_size": (1, 512),
    "classes": (0, 32),
    "max_steps": (1, 1 << 20),
    "input_levels": (1, 16),
    "hidden_levels": (1, 16),
    "gate_levels": (1, 8),
    "cell_levels": (0, 8),
    "weight_levels": (1, 16),
    "bias_levels": (1, 16),
    "h_fraction": (2, 14),
    "activation_fraction": (4, 14),
    "wx_fraction": (0, 24),
    "wh_fraction": (0, 24),
    "bias_fraction": (0, 24),
    "head_bits": (2, 16),
    "head_fraction": (0, 24),
    "peephole_levels": (1, 8),
    "peephole_fraction": (0, 24),
}


class SpecError(ValueError):
    """A spec field is out of range; the message names the field, the range and the value."""


@dataclass(frozen=True, kw_only=True)
class LstmSpec:
    """One LSTM layer with all operands of Eq. 1-5 of MuBiNN binarized, and an optional dense head.

    Letters: A of the papers is `input_levels`, `hidden_levels` and `gate_levels`, W is `weight_levels` and `bias_levels`;
    alpha are the activations' scales, beta the weights', gamma = alpha * beta.

    Parameters
    ----------
    input_size : int
        Channels of a sample, 1 to 256.
    hidden_size : int
        Units, 1 to 512.
    classes : int
        Outputs of the dense head, 1 to 32, or 0 for no head (the core then streams h).
    pool : str
        "mean" sums the head's products over the steps of a window, "last" takes the last step.
    max_steps : int
        Longest window; sizes the head's sums. 1 to 2**20.
    input_levels, hidden_levels, gate_levels, weight_levels, bias_levels : int
        Levels of x, h, the weights and the biases, each 1 to 16, and of the gates i f g o, 1 to 8. With scales that halve
        from one to the next a tensor is plain fixed point of so many bits (`model.scales.fixed_point_scales`).
    gate_kinds : sequence of 4 str
        Kind of each gate, in the order of GATES: levels, ternary (0, 1/2 or 1; not g, which has a sign), or fixed (the value
        of sigma or tanh itself). `gate_levels` is of those that have levels.
    cell_levels : int
        Levels of c, 1 to 8, or 0 for plain fixed point in `cell`.
    x, z, cell : Fixed
        Formats of a sample, of the pre-activation and of c. The x scales share the samples' binary point, and so on.
    h_fraction, wx_fraction, wh_fraction, bias_fraction, head_fraction : int
        Binary points of the scales of h, input weights, recurrent weights, biases, and of the head's weights.
    activation_fraction : int
        Binary point of sigma's and tanh's outputs and of the gates' scales.
    head_bits : int
        Width of a head weight, 2 to 16.
    cell_kind : str
        lstm: Eq. 1-6 of MuBiNN. peephole: Eq. 4-8 of Quantization Loss Re-Learning, its V diagonal: z of i and f take V * c of
        the step before, z of o takes V * c of this one, and h = o * tanh(V * c). gru: as PyTorch's, rows r, z, n of x, n of h
        in place of i, f, g, o; what is said of i, f, g holds for r, z, n, c is the unrounded h, and the fourth has no kind.
    peephole_levels, peephole_fraction : int
        Levels, 1 to 8, and binary point of V.
    """

    input_size: int
    hidden_size: int
    classes: int = 0
    pool: str = "mean"
    max_steps: int = 4096
    input_levels: int = 2
    hidden_levels: int = 2
    gate_levels: int = 2
    gate_kinds: tuple = ("levels",) * 4
    cell_levels: int = 0
    weight_levels: int = 2
    bias_levels: int = 2
    x: Fixed = field(default=Fixed(bits=12, fraction=7))
    z: Fixed = field(default=Fixed(bits=12, fraction=8))
    cell: Fixed = field(default=Fixed(bits=16, fraction=11))
    h_fraction: int = 8
    activation_fraction: int = 10
    wx_fraction: int = 9
    wh_fraction: int = 9
    bias_fraction: int = 8
    head_bits: int = 8
    head_fraction: int = 7
    cell_kind: str = "lstm"
    peephole_levels: int = 2
    peephole_fraction: int = 8

    def __post_init__(self):
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            try:
                value = index(value)
            except TypeError:
                raise SpecError(f"{name} must be an integer {low} to {high}, not {value!r}") from None
            object.__setattr__(self, name, value)
            if not low <= value <= high:
                raise SpecError(f"{name} must be {low} to {high}, not {value}")
        if self.pool not in ("mean", "last"):
            raise SpecError(f"pool must be mean or last, not {self.pool!r}")
        if self.cell_kind not in CELL_KINDS:
            raise SpecError(f"cell_kind must be {', '.join(CELL_KINDS[:-1])} or {CELL_KINDS[-1]}, not {self.cell_kind!r}")
        self._check_gate_kinds()
        for name, widest in (("x", 16), ("z", 16), ("cell", 24)):
            bits = getattr(self, name).bits
            if not 4 <= bits <= widest:
                raise SpecError(f"{name}.bits must be 4 to {widest}, not {bits}")
        if self.z_shift < 0:
            raise SpecError(f"z.fraction must be 0 to {self.acc_fraction} (the accumulator's), not {self.z.fraction}")
        if self.h_fraction > 2 * self.activation_fraction:
            raise SpecError(f"h_fraction must be 2 to {2 * self.activation_fraction} (o*tanh(c)'s), not {self.h_fraction}")

    def _check_gate_kinds(self):
        if (
            isinstance(self.gate_kinds, str)
            or not isinstance(self.gate_kinds, (tuple, list))
            or len(self.gate_kinds) != len(GATES)
        ):
            raise SpecError(f"gate_kinds must be a kind for each of {', '.join(GATES)}, not {self.gate_kinds!r}")
        object.__setattr__(self, "gate_kinds", tuple(self.gate_kinds))
        for gate, kind in zip(GATES, self.gate_kinds, strict=True):
            kinds = tuple(k for k in GATE_KINDS if not (k == "ternary" and gate == "g"))
            if gate == "o" and self.cell_kind == "gru":
                kinds = ("levels",)
            if kind not in kinds:
                listed = " or ".join(filter(None, [", ".join(kinds[:-1]), kinds[-1]]))
                raise SpecError(f"gate_kinds: {gate} must be {listed}, not {kind!r}")

    # Derived numbers -------------------------------------------------------------------------------------------------

    @property
    def columns(self):
        """Columns of a weight row: x first, then h."""
        return self.input_size + self.hidden_size

    @property
    def acc_fraction(self):
        """Binary point of the accumulator, where x part, h part and bias meet, and V * c."""
        parts = (self.x.fraction + self.wx_fraction, self.h_fraction + self.wh_fraction, self.bias_fraction)
        return max(*parts, self.cell.fraction + self.peephole_fraction if self.cell_kind == "peephole" else 0)

    @property
    def x_shift(self):
        """Left shift of the x part to the accumulator's binary point."""
        return self.acc_fraction - self.x.fraction - self.wx_fraction

    @property
    def h_shift(self):
        """Left shift of the h part to the accumulator's binary point."""
        return self.acc_fraction - self.h_fraction - self.wh_fraction

    @property
    def bias_shift(self):
        """Left shift of the bias to the accumulator's binary point."""
        return self.acc_fraction - self.bias_fraction

    @property
    def peephole_shift(self):
        """Left shift of V * c to the accumulator's binary point."""
        return self.acc_fraction - self.cell.fraction - self.peephole_fraction

    @property
    def z_shift(self):
        """Right shift, with rounding, from the accumulator to the pre-activation format."""
        return self.acc_fraction - self.z.fraction

    @property
    def one(self):
        """1.0 at the activations' binary point."""
        return 1 << self.activation_fraction

    @property
    def gate_offsets(self):
        """Offset of each gate in the order of GATES: 1/2 for the sigmoid gates, 0 for g."""
        return (self.one >> 1, self.one >> 1, 0, 0 if self.cell_kind == "gru" else self.one >> 1)

    @property
    def cell_shift(self):
        """Right shift, with rounding, from the exact f*c + i*g to c's binary point; see `cell_align`."""
        return self.sum_fraction - self.cell.fraction

    @property
    def sum_fraction(self):
        """Binary point at which f*c and i*g are added exactly (Eq. 5)."""
        return self.activation_fraction + max(self.cell.fraction, self.activation_fraction)

    @property
    def fc_shift(self):
        """Left shift of f*c to `sum_fraction`."""
        return self.sum_fraction - self.activation_fraction - self.cell.fraction

    @property
    def ig_shift(self):
        """Left shift of i*g to `sum_fraction`."""
        return self.sum_fraction - 2 * self.activation_fraction

    @property
    def h_shift_down(self):
        """Right shift, with rounding, from o*tanh(c) to h's binary point (Eq. 6)."""
        return 2 * self.activation_fraction - self.h_fraction

    @property
    def h_bits(self):
        """Width to which o*tanh(c) saturates at h's binary point: +-2, where scales that sum to 1/2 reach +-1."""
        return self.h_fraction + 2

    @property
    def weight_bits(self):
        """Bits of all weight codes."""
        return 4 * self.hidden_size * self.columns * self.weight_levels

    @cached_property
    def gate_tables(self):
        """Tables of the gates in the order of GATES."""
        sigma = sigma_table(self.z, self.activation_fraction)
        tanh = tanh_table(self.z, self.activation_fraction)
        return (sigma, sigma, tanh, sigma)

    @cached_property
    def gate_bits(self):
        """Bits of the code of each gate, in the order of GATES."""
        kinds = zip(self.gate_kinds, self.gate_tables, strict=True)
        return tuple(gate_bits(kind, self.gate_levels, table) for kind, table in kinds)

    @cached_property
    def cell_table(self):
        """tanh(c)."""
        return tanh_table(self.cell, self.activation_fraction)

    # JSON ------------------------------------------------------------------------------------------------------------

    def to_json(self):
        """Compact JSON text, keys sorted, that `from_json` reads back to an equal spec. A field that came later is left out
        where it says what was so before: an older mubinn reads such a spec too."""
        values = dataclasses.asdict(self)
        if self.gate_kinds == ("levels",) * len(GATES):
            del values["gate_kinds"]
        if self.cell_kind != "peephole":
            del values["peephole_levels"], values["peephole_fraction"]
        if self.cell_kind == "lstm":
            del values["cell_kind"]
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text):
        """Spec from `to_json` text. SpecError names a missing, unknown or bad field."""
        try:
            values = json.loads(text)
            names = {f.name for f in dataclasses.fields(cls)}
            unknown = sorted(set(values) - names)
            if unknown:
                raise SpecError(f"unknown field {unknown[0]!r}, a newer mubinn wrote this spec")
            for name in ("x", "z", "cell"):
                if name in values:
                    values[name] = Fixed(**values[name])
            return cls(**values)
        except SpecError:
            raise
        except (TypeError, ValueError, AttributeError) as error:
            raise SpecError(f"not a spec: {error}") from None

    def replace(self, **changes):
        """The spec with some fields changed, checked again."""
        return dataclasses.replace(self, **changes)

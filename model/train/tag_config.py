"""What the training of a tagger is: everything that decides its result, in one frozen object."""

import json
import math
from dataclasses import asdict, dataclass
from operator import index

from .config import TrainError
from .peepholes import PEEPHOLES
from .stages import STAGES
from .staircases import ROUNDING

__all__ = ["TagConfig"]

PRESETS = {"fp": "float", "mubinn2": "cell", "qlrl": "cell"}
"""Stage that each ends with."""
NAMES = ("GI", "GF", "GO", "BI", "BF", "BO", "B(UVW)", "NEW")
_INTEGERS = {
    "seed": (0, 1 << 31),
    "input_size": (9, 256),
    "hidden_size": (1, 512),
    "layers": (1, 4),
    "float_epochs": (0, 1000),
    "weight_epochs": (0, 1000),
    "activation_epochs": (0, 1000),
    "cell_epochs": (0, 1000),
    "batch_size": (1, 4096),
}
_NUMBERS = {"lr": (1e-7, 1.0), "weight_decay": (0.0, 1.0), "dropout": (0.0, 0.9), "word_dropout": (0.0, 0.9)}


@dataclass(frozen=True, kw_only=True)
class TagConfig:
    """One training of a tagger.

    Parameters
    ----------
    preset : "fp", "mubinn2" or "qlrl"
        fp keeps everything in full precision but what `gates` names; the others go on to weights, activations and c; qlrl with
        BI, BF and NEW unless `gates` says otherwise.
    levels : (A, W), each 1 to 5
    gates : tuple of NAMES, as in the second paper's tables
        G: Gumbel noise in training; B: rounded to 0, 1/2, 1 after the training, or, with NEW, in every iteration. B(UVW):
        weights by the first-order residual in every iteration.
    rounding : (r, c)
        Of the rounding: min(round(gate / r) * r, c), c a multiple of r; other than 0.5, 1 with preset fp only, as no core has
        it.
    peepholes : str
        none, diagonal, or full with preset fp.
    input_size : int
        Width of the embeddings, 9 to 256.
    hidden_size : int
        Units of each direction.
    layers : int
    float_epochs, weight_epochs, activation_epochs, cell_epochs : int
    batch_size : int
        Sentences.
    lr : float
        Highest of the first phase; half of it in the others.
    word_dropout : float
        Share of the words taken as unknown in training.
    """

    preset: str = "fp"
    levels: tuple = (3, 3)
    gates: tuple | None = None
    gate_slope: str = "sigma"
    rounding: tuple = ROUNDING
    peepholes: str = "none"
    seed: int = 0
    input_size: int = 64
    hidden_size: int = 100
    layers: int = 2
    float_epochs: int = 12
    weight_epochs: int = 3
    activation_epochs: int = 6
    cell_epochs: int = 1
    batch_size: int = 32
    lr: float = 4e-3
    weight_decay: float = 1e-2
    dropout: float = 0.4
    word_dropout: float = 0.05

    def __post_init__(self):
        if self.preset not in PRESETS:
            raise TrainError(f"preset must be {', '.join(PRESETS)} for a tagger, not {self.preset!r}")
        try:
            levels = tuple(index(level) for level in self.levels)
        except TypeError:
            levels = ()
        if len(levels) != 2 or not all(1 <= level <= 5 for level in levels):
            raise TrainError(f"levels must be A,W, each 1 to 5, not {self.levels!r}")
        object.__setattr__(self, "levels", levels)
        gates = (("BI", "BF", "NEW") if self.preset == "qlrl" else ()) if self.gates is None else tuple(self.gates)
        object.__setattr__(self, "gates", gates)
        if not set(gates) <= set(NAMES) or len(set(gates)) < len(gates):
            raise TrainError(f"gates must be of {', '.join(NAMES)}, each once, not {','.join(map(str, gates))!r}")
        rounded = any(name in gates for name in ("BI", "BF", "BO"))
        if "NEW" in gates and not rounded:
            raise TrainError("gates must name BI, BF or BO with NEW")
        if (self.preset == "mubinn2" and rounded) or (self.preset == "qlrl" and not {"NEW"} <= set(gates)):
            raise TrainError(
                f"gates must {'name NEW' if self.preset == 'qlrl' else 'not be rounded'} with preset {self.preset}"
            )
        if self.gate_slope not in ("sigma", "rounded"):
            raise TrainError(f"gate_slope must be sigma or rounded, not {self.gate_slope!r}")
        self._check_rounding()
        allowed = PEEPHOLES if self.preset == "fp" else PEEPHOLES[:2]
        if self.peepholes not in allowed:
            raise TrainError(f"peepholes must be {' or '.join(allowed)} with preset {self.preset}, not {self.peepholes!r}")
        for name, (low, high) in _INTEGERS.items():
            try:
                value = index(getattr(self, name))
            except TypeError:
                raise TrainError(f"{name} must be an integer, not {getattr(self, name)!r}") from None
            if not low <= value <= high:
                raise TrainError(f"{name} must be {low} to {high}, not {value}")
        for name, (low, high) in _NUMBERS.items():
            if not (math.isfinite(getattr(self, name)) and low <= getattr(self, name) <= high):
                raise TrainError(f"{name} must be {low:g} to {high:g}, not {getattr(self, name):g}")
        if not self.phases or not any(self.phases):
            raise TrainError("epochs must be at least 1 in all, not 0")

    def _check_rounding(self):
        try:
            step, most = (float(value) for value in self.rounding)
        except (TypeError, ValueError):
            step, most = 0.0, 0.0
        if not (0 < step <= most <= 1 and math.isclose(most / step, round(most / step))):
            raise TrainError(f"rounding must be r,c with 0 < r <= c <= 1 and c a multiple of r, not {self.rounding!r}")
        object.__setattr__(self, "rounding", (step, most))
        if self.rounding != ROUNDING and self.preset != "fp":
            raise TrainError(f"rounding must be 0.5,1 with preset {self.preset}, not {step:g},{most:g}")

    @property
    def phases(self):
        """Stages of the epochs of each phase."""
        counts = (self.float_epochs, self.weight_epochs, self.activation_epochs, self.cell_epochs)
        last = STAGES.index("weights" if self.preset == "fp" and "B(UVW)" in self.gates else PRESETS[self.preset])
        stages = [(stage,) * count for stage, count in zip(STAGES, counts, strict=True)][: last + 1]
        if self.preset == "fp" and last:
            return ((), stages[0] + stages[1])  # from the first epoch on
        return (stages[0], tuple(stage for part in stages[1:] for stage in part))

    @property
    def layer(self):
        """Arguments of QuantLstm."""
        rounded = [f"B{gate}" in self.gates for gate in "IFGO"]
        early = self.preset == "fp" and any(rounded)
        return {
            "activation_levels": self.levels[0],
            "weight_levels": 2 if "B(UVW)" in self.gates else self.levels[1],
            "gate_kinds": tuple("ternary" if is_rounded else "levels" for is_rounded in rounded),
            "gate_slope": self.gate_slope,
            "gates_first": early and "NEW" in self.gates,
            "rounds_late": early and "NEW" not in self.gates,
            "rounding": self.rounding,
            "peepholes": self.peepholes,
            "gumbel": tuple(f"G{gate}" in self.gates for gate in "IFGO"),
            "residual": "B(UVW)" in self.gates,
        }

    def to_json(self):
        return json.dumps(asdict(self), sort_keys=True)

"""What a training run is: everything that decides its result, in one frozen object."""

import json
import math
from dataclasses import asdict, dataclass, replace
from operator import index

from ..data import DataError
from ..quantize.levels import FULL, LevelsError, OperandLevels, checked_levels, levels_text
from ..splits import split_fold
from .systems import SYSTEMS, system_of

__all__ = ["TrainConfig", "TrainError", "default_copies", "default_epochs"]

PRESETS = ("fp", *SYSTEMS)
NOISY = ("GI", "GF", "GO")
ROUNDED = ("BI", "BF", "BO")
GATES = (*NOISY, *ROUNDED, "B(UVW)")
"""As the second paper's tables name them: gates with Gumbel noise in training; gates of 0, 1/2 and 1, rounded and clipped in
every iteration; weights by the first-order residual in every iteration."""
COPIES = {1: 6, 2: 3, 3: 2}
"""Inputs of a channel, by the levels of x."""
MOST_INPUTS = 256
WEIGHT_EPOCHS = {1: 24, 2: 12}
"""By the fewest levels of an operand."""
_INTEGERS = {
    "seed": (0, 1 << 31),
    "hidden_size": (1, 512),
    "input_copies": (1, 8),
    "decimation": (1, 64),
    "float_epochs": (0, 10_000),
    "weight_epochs": (0, 10_000),
    "activation_epochs": (0, 10_000),
    "cell_epochs": (0, 10_000),
    "batches": (1, 1_000_000),
    "batch_size": (1, 65_536),
}
_NUMBERS = {
    "lr": (1e-7, 1.0),
    "weight_decay": (0.0, 1.0),
    "dropout": (0.0, 0.9),
    "noise": (0.0, 10.0),
    "gain": (0.0, 2.0),
    "mixup": (0.0, 10.0),
    "surrogates": (0.0, 1.0),
    "distillation": (0.0, 1.0),
}


def default_epochs(preset, levels):
    """Epochs of (float, weights, activations, cell): the fewer levels, the farther from the float model weights start, and with
    ternary gates everything behind them, whose memory is another one."""
    weights = 2 if preset == "fp" else WEIGHT_EPOCHS.get(OperandLevels.of(levels).fewest, 2)
    return (12, weights, 48 if preset == "qlrl" else 24, 1)


def default_copies(preset, levels, channels=1):
    """Inputs of each of `channels`, as many as a core has room for: few levels keep too little of the amplitude, whatever the
    network behind. b_lstm has its one sign all the same, and plain numbers need no help."""
    if preset in ("fp", "b_lstm") or system_of(preset, levels).x == "plain":
        return 1
    return max(1, min(COPIES.get(OperandLevels.of(levels).x, 1), MOST_INPUTS // channels))


class TrainError(ValueError):
    """A training run that can't start or go on. One line: the field or file, what is allowed and what was found."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run.

    Three phases, each with a fresh optimizer and a cosine schedule of its own: full precision; weights; activations, then
    c. With preset "fp" the later phases go on in full precision, over the same windows with the same schedule for as many
    epochs, so that the two can be compared; `levels` then only decides the schedule.

    Parameters
    ----------
    preset : "fp", or of `systems.SYSTEMS`
        qlrl is mubinn2 with ternary gates, i and f unless `gates` says otherwise.
    levels : (A, W), each 1 to 5 or "fp", or of operands, see `quantize.levels.checked_levels`; with b_lstm both 1
    gates : tuple of GATES
        Which gates have noise, which are ternary, and whether weights are residuals' means. fp takes only the noise, presets
        other than mubinn2 and qlrl nothing.
    gate_slope : "sigma" or "rounded"
        The gradient through them, see `QuantLstm`.
    peepholes : "none" or "diagonal"
        Quantized presets only: a model file has no place for a float V. A run that starts from a model starts without.
    split : "time", "block:K" or "subject:K"; of an EEGMAT folder only
    seed : int
    hidden_size : int
    input_copies : int or None
        Inputs that each channel is given to, each with a learned threshold of its own. None: `default_copies` of the data.
    pool : "mean" or "last"
    decimation : int
        500 Hz divided by it, for an EEGMAT folder; 1 keeps the paper's 1300 steps.
    float_epochs : int
        Of the first phase; none where the run starts from a trained model.
    weight_epochs, activation_epochs, cell_epochs : int
        Of the other stages. Each keeps what the ones before it quantize.
    batches, batch_size : int
        Of an epoch.
    lr : float
        Highest of the first phase. The others have half of it, with a single level half, then a quarter, and with ternary
        gates half, then all of it.
    weight_decay : float
        Of the weights; scales, biases and thresholds have none.
    dropout : float
        Of the pooled h.
    noise, gain : float
        Deviation of the white noise added to the normalised samples, and of the logarithm of each channel's gain.
    flip : bool
        Whether every window comes with either sign. What EEG says of a state does not depend on its polarity, and a network
        that may not use it has less to learn by heart.
    surrogates : float
        Share of the windows whose phases are drawn anew, see `batches.with_new_phases`: what EEG says of a state is mostly in
        its powers, and a network that has nothing else to go by has less to learn by heart.
    mixup : float
        Of windows and classes in full precision: parameter of the Beta distribution of the shares; 0 for none.
    distillation : float
        Share of the float parent's scores, in place of the classes, in the loss once something is quantized.
    """

    preset: str = "mubinn2"
    levels: tuple = (2, 2)
    gates: tuple | None = None
    gate_slope: str = "sigma"
    peepholes: str = "none"
    split: str = "time"
    seed: int = 0
    hidden_size: int = 100
    input_copies: int | None = None
    pool: str = "mean"
    decimation: int = 4
    float_epochs: int = 12
    weight_epochs: int = 2
    activation_epochs: int = 12
    cell_epochs: int = 1
    batches: int = 40
    batch_size: int = 64
    lr: float = 4e-3
    weight_decay: float = 1e-2
    dropout: float = 0.2
    noise: float = 0.05
    gain: float = 0.1
    flip: bool = False
    surrogates: float = 0.0
    mixup: float = 0.0
    distillation: float = 0.5

    def __post_init__(self):
        if self.preset not in PRESETS:
            raise TrainError(f"preset must be {', '.join(PRESETS[:-1])} or {PRESETS[-1]}, not {self.preset!r}")
        if self.gates is None:
            object.__setattr__(self, "gates", ("BI", "BF") if self.preset == "qlrl" else ())
        object.__setattr__(self, "gates", tuple(self.gates))
        if not set(self.gates) <= set(GATES) or len(set(self.gates)) < len(self.gates):
            raise TrainError(f"gates must be of {', '.join(GATES)}, each once, not {','.join(map(str, self.gates))!r}")
        if self.gate_slope not in ("sigma", "rounded"):
            raise TrainError(f"gate_slope must be sigma or rounded, not {self.gate_slope!r}")
        if self.peepholes not in ("none", "diagonal"):
            raise TrainError(f"peepholes must be none or diagonal, not {self.peepholes!r}")
        if self.peepholes != "none" and self.preset not in ("mubinn2", "qlrl"):
            raise TrainError(f"peepholes must be none with preset {self.preset}, not {self.peepholes}")
        if self.pool not in ("mean", "last"):
            raise TrainError(f"pool must be mean or last, not {self.pool!r}")
        try:
            levels = checked_levels(self.levels)
        except LevelsError as error:
            raise TrainError(str(error)) from None
        if self.preset == "b_lstm" and levels != (1, 1):
            raise TrainError(f"levels must be 1,1 with preset b_lstm, not {levels_text(levels)}")
        object.__setattr__(self, "levels", levels)
        self._check_gates()
        try:
            split_fold(self.split)
        except DataError as error:
            raise TrainError(str(error)) from None
        for name, (low, high) in _INTEGERS.items():
            if name == "input_copies" and self.input_copies is None:
                continue
            try:
                value = index(getattr(self, name))
            except TypeError:
                raise TrainError(f"{name} must be an integer, not {getattr(self, name)!r}") from None
            if not low <= value <= high:
                raise TrainError(f"{name} must be {low} to {high}, not {value}")
            object.__setattr__(self, name, value)
        for name, (low, high) in _NUMBERS.items():
            value = float(getattr(self, name))
            if not (math.isfinite(value) and low <= value <= high):
                raise TrainError(f"{name} must be {low:g} to {high:g}, not {value:g}")
            object.__setattr__(self, name, value)
        if not isinstance(self.flip, bool):
            raise TrainError(f"flip must be True or False, not {self.flip!r}")
        if self.preset != "fp" and not self.activation_epochs + self.cell_epochs:
            raise TrainError("activation_epochs + cell_epochs must be at least 1, not 0")

    def _check_gates(self):
        """That the preset has what `gates` names."""
        preset, named = self.preset, set(self.gates)
        if preset == "fp" and not named <= set(NOISY):
            raise TrainError(f"gates must be of {', '.join(NOISY)} with preset fp, not {','.join(self.gates)!r}")
        if named and preset not in ("fp", "mubinn2", "qlrl"):
            raise TrainError(f"gates must be left out with preset {preset}")
        if preset == "qlrl" and not named & set(ROUNDED):
            raise TrainError(f"gates must name {', '.join(ROUNDED[:-1])} or {ROUNDED[-1]} with preset qlrl")
        if "B(UVW)" in named and OperandLevels.of(self.levels).weights == FULL:
            raise TrainError(f"gates must not name B(UVW) with weights of plain numbers, levels {levels_text(self.levels)}")

    @property
    def layer(self):
        """Arguments of QuantLstm that `gates` and the preset decide."""
        return {
            "preset": "mubinn2" if self.preset == "fp" else self.preset,
            "gate_kinds": self.gate_kinds,
            "gate_slope": self.gate_slope,
            "gumbel": tuple(f"G{gate}" in self.gates for gate in "IFGO"),
            "residual": "B(UVW)" in self.gates,
        }

    @property
    def gate_kinds(self):
        """Kind of each gate in the order i f g o."""
        kind = "levels" if self.preset == "fp" else system_of(self.preset, self.levels).gate
        return tuple("ternary" if f"B{gate}" in self.gates else kind for gate in "IFGO")

    @property
    def phases(self):
        """Stages of the epochs of each phase: three tuples."""
        phases = (
            ("float",) * self.float_epochs,
            ("weights",) * self.weight_epochs,
            ("activations",) * self.activation_epochs + ("cell",) * self.cell_epochs,
        )
        return phases if self.preset != "fp" else tuple(("float",) * len(phase) for phase in phases)

    @property
    def fewest_levels(self):
        """Of an operand."""
        return OperandLevels.of(self.levels).fewest

    @property
    def peaks(self):
        """Highest learning rate of each phase."""
        if self.fewest_levels == 1:
            return self.lr, self.lr / 2, self.lr / 4
        return self.lr, self.lr / 2, self.lr if "ternary" in self.gate_kinds else self.lr / 2

    def for_channels(self, channels):
        """This configuration with a number as `input_copies`. TrainError for more inputs than a core has."""
        copies = default_copies(self.preset, self.levels, channels) if self.input_copies is None else self.input_copies
        if copies > 1 and copies * channels > MOST_INPUTS:
            most = max(1, MOST_INPUTS // channels)
            raise TrainError(f"input_copies must be 1 to {most} for {channels} channels, not {copies}")
        return replace(self, input_copies=copies)

    def to_json(self):
        return json.dumps(asdict(self), sort_keys=True)

"""The golden model: the integer LSTM that judges every circuit bit for bit.

Matrix products run on decoded integers in float64, whose sums stay far below 2**53 and are therefore exact: the same
numbers as sum_ij gamma_ij * (2 * popcount(xnor) - n), plane by plane, in any order.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .binarize import codebook, encode
from .cells import CELLS
from .fixed import saturate, shift_half_up
from .parameters import Parameters
from .spec import GATES

__all__ = ["TRACE_NAMES", "Model", "State", "Trace"]

TRACE_NAMES = ("x_code", "z", "gate_code", "c", "tanh_c", "h_raw", "h_code", "h")


@dataclass(frozen=True, kw_only=True)
class State:
    """What a stream carries from step to step, a row for each of N streams.

    `h_code` uint8 [N, hidden_size] and `c` int64 [N, hidden_size] are None before a window's first step, where both are
    exact zero (no code stands for it); `scores` int64 [N, classes] are the head's sums so far.
    """

    h_code: np.ndarray | None = None
    c: np.ndarray | None = None
    scores: np.ndarray | None = None
    steps: int = 0


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Results of `Model.run` on N windows of T steps.

    scores : int64 [N, classes], label : int64 [N] (None without a head). The recorded arrays by name, None if not asked for:
    x_code uint8 [N, T, input_size]; z int64 [N, T, 4, hidden_size]; gate_code uint8 [N, T, 4, hidden_size], uint16 where a gate
    is plain fixed point; and, each [N, T, hidden_size], c, tanh_c, h_raw, h (int64) and h_code (uint8). Gates in the order of
    GATES.
    """

    scores: np.ndarray | None = None
    label: np.ndarray | None = None
    x_code: np.ndarray | None = None
    z: np.ndarray | None = None
    gate_code: np.ndarray | None = None
    c: np.ndarray | None = None
    tanh_c: np.ndarray | None = None
    h_raw: np.ndarray | None = None
    h_code: np.ndarray | None = None
    h: np.ndarray | None = None


class Model:
    """Integer LSTM with its head.

    Parameters
    ----------
    parameters : Parameters
        Spec and integer tensors.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        self.spec = parameters.spec

    def run(self, x, *, record=()):
        """Windows from their first step to their last.

        Parameters
        ----------
        x : integer array [N, T, input_size]
            Samples in the format `spec.x`; T is 1 to `spec.max_steps`.
        record : iterable of names of TRACE_NAMES
            Which signals to keep.

        Raises
        ------
        ValueError
            A wrong shape or type, or a sample out of range.
        """
        x = self._checked(x, dimensions=3)
        if not 1 <= x.shape[1] <= self.spec.max_steps:
            raise ValueError(f"a window must have 1 to {self.spec.max_steps} steps, not {x.shape[1]}")
        record = tuple(record)
        for name in record:
            if name not in TRACE_NAMES:
                raise ValueError(f"record must be of {', '.join(TRACE_NAMES)}, not {name!r}")
        steps, state = [], State()
        for t in range(x.shape[1]):
            state, signals = self._step(x[:, t], state, gate_code="gate_code" in record)
            steps.append({name: signals[name] for name in record})
        arrays = {name: np.stack([s[name] for s in steps], axis=1) for name in record}
        return Trace(scores=state.scores, label=self.label(state), **arrays)

    def step(self, x, state=None):
        """One time step of N streams: x integer [N, input_size] and a State (None at a window's start).

        Returns the next State and a dict of the step's signals, named as in TRACE_NAMES without the axis T.
        """
        return self._step(self._checked(x, dimensions=2), state or State(), gate_code=True)

    def sums(self, x, state=None):
        """A `step`, and what it rounds: (next State, signals, sums). The sums are int64: z [N, 4, hidden_size], c and h
        [N, hidden_size], `spec.z_shift`, `spec.cell_shift` and `spec.h_shift_down` bits finer than the signals z, c, h_raw.
        """
        sums = {}
        return *self._step(self._checked(x, dimensions=2), state or State(), gate_code=True, sums=sums), sums

    @staticmethod
    def label(state):
        """Class of each stream, int64 [N]: the greatest sum, ties to the lowest class. None without a head."""
        return None if state.scores is None else np.argmax(state.scores, axis=-1)

    # The arithmetic, in the order of DESIGN: dot products, bias, one rounding, staircase, Eq. 5, Eq. 6 --------------------

    def _checked(self, x, *, dimensions):
        x = np.asarray(x)
        spec = self.spec
        if x.ndim != dimensions or x.shape[-1] != spec.input_size:
            axes = "[windows, steps, input_size]" if dimensions == 3 else "[streams, input_size]"
            raise ValueError(f"x must be {axes} with input_size {spec.input_size}, not {list(x.shape)}")
        if x.dtype.kind not in "iu":
            raise ValueError(f"x must be integers in the format of spec.x, not {x.dtype}")
        if x.size and (x.min() < spec.x.low or x.max() > spec.x.high):
            raise ValueError(f"x must be {spec.x.low} to {spec.x.high}, not {x.min()} to {x.max()}")
        return x

    @cached_property
    def _constants(self):
        """Decoded weights with their shifts, transposed for BLAS, and the staircase of every gate."""
        p, spec = self.parameters, self.spec
        return {
            "wx": np.ascontiguousarray((p.wx() << spec.x_shift).T, dtype=np.float64),
            "wh": np.ascontiguousarray((p.wh() << spec.h_shift).T, dtype=np.float64),
            "bias": p.bias(),
            "codes": np.concatenate([gate.codes for gate in p.gates]),
            "values": np.concatenate([gate.values[gate.codes] for gate in p.gates]),
            # Index of a gate's pre-activation zero in the concatenated staircases.
            "base": np.repeat(np.arange(4) * (1 << spec.z.bits) - spec.z.low, spec.hidden_size),
            "x_book": codebook(p.x_scales).astype(np.float64),
            "h_book": codebook(p.h_scales).astype(np.float64),
        }

    def _step(self, x, state, *, gate_code, sums=None):
        spec, p, k = self.spec, self.parameters, self._constants
        x_code = encode(x, p.x_scales)
        pre = (k["x_book"][x_code] @ k["wx"]).astype(np.int64) + k["bias"]
        if state.h_code is not None:
            pre += (k["h_book"][state.h_code] @ k["wh"]).astype(np.int64)
        z = saturate(shift_half_up(pre, spec.z_shift), spec.z.bits)
        if spec.cell_kind != "lstm":
            return self._other_cell(x_code, pre, z, state, sums)
        stair = z + k["base"]
        i, f, g, o = np.moveaxis(k["values"][stair].reshape(len(z), 4, spec.hidden_size), 1, 0)
        products = i * g << spec.ig_shift
        if state.c is not None:
            products = products + (f * state.c << spec.fc_shift)
        c = saturate(shift_half_up(products, spec.cell_shift), spec.cell.bits)
        if spec.cell_levels:
            c = codebook(p.cell_scales)[encode(c, p.cell_scales)]
        tanh_c = spec.cell_table(c)
        if sums is not None:
            sums |= {"z": pre.reshape(len(z), len(GATES), spec.hidden_size), "c": products, "h": o * tanh_c}
        h_raw = saturate(shift_half_up(o * tanh_c, spec.h_shift_down), spec.h_bits)
        h_code = encode(h_raw, p.h_scales)
        h = codebook(p.h_scales)[h_code]
        signals = {"x_code": x_code, "z": z.reshape(len(z), len(GATES), spec.hidden_size)}
        signals |= {"c": c, "tanh_c": tanh_c, "h_raw": h_raw, "h_code": h_code, "h": h}
        if gate_code:
            signals["gate_code"] = k["codes"][stair].reshape(len(z), len(GATES), spec.hidden_size)
        return State(h_code=h_code, c=c, scores=self._scores(h, state), steps=state.steps + 1), signals

    def _other_cell(self, x_code, pre, z, state, sums):
        """The rest of a step of a cell that is no plain LSTM."""
        spec, p, shape = self.spec, self.parameters, (len(z), len(GATES), self.spec.hidden_size)
        signals, exact = CELLS[spec.cell_kind](p, pre.reshape(shape), z.reshape(shape), state.c)
        if sums is not None:
            sums |= exact
        h_code = encode(signals["h_raw"], p.h_scales)
        h = codebook(p.h_scales)[h_code]
        following = State(h_code=h_code, c=signals["c"], scores=self._scores(h, state), steps=state.steps + 1)
        return following, {"x_code": x_code, **signals, "h_code": h_code, "h": h}

    def _scores(self, h, state):
        p = self.parameters
        if not self.spec.classes:
            return None
        step = h @ p.head_weight.T + p.head_bias
        return step if self.spec.pool == "last" or state.scores is None else state.scores + step

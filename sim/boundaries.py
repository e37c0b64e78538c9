"""Where a fault of one unit in the last place would show: how to choose samples for test vectors."""

import numpy as np
from mubinn.model.lstm import State
from mubinn.model.tables import gate_thresholds, output_thresholds

__all__ = ["Boundaries"]

_WORK = 1 << 21
"""Weights times candidates of a step: some milliseconds."""
_CANDIDATES = (8, 256)
_PLACES = 1 << 8
"""Codes of gates are counted by their rest: those of plain fixed point are many."""
_STATES, _PRIME = 1 << 12, (1 << 31) - 1
"""Words of the codes of h are counted by their rest, so that no size of a layer needs much memory."""


class Boundaries:
    """Windows that often come close to where something changes.

    A number that is one too great or too small, such as a constant of a table or a bound, changes a result only where a sum
    is next to a rounding boundary, or a value next to the bound of a comparison; random samples are there too rarely. So every
    step is chosen among many by what it comes close to, rarely met boundaries first: each rounding and comparison counts by
    itself, from either side. Steps to rarely met codes of h count too: from some of them alone can a boundary be reached.

    Parameters
    ----------
    model : mubinn.model.lstm.Model
    rows : int
        Units that are computed at once, each by its own part of the circuit.

    Attributes
    ----------
    met : int array
        How often a chosen step came to each boundary, and to each word of h's codes.
    """

    def __init__(self, model, *, rows):
        self.model, self.rows = model, rows
        spec, p = model.spec, model.parameters
        self._gates = _Entries([_comparators(gate) for gate in p.gates])
        self._output = None
        if p.output_compares:
            self._output = _Entries([_given(output_thresholds(spec, p.gates[3].values, p.h_scales))])
        self._bases, self._count = {}, 0
        for name, places in (
            ("z", 4 * rows),
            ("half z", 4 * rows),
            ("bias", 4 << spec.bias_levels),
            ("gates", self._gates.least.size),
            ("i * g", _PLACES),
            ("f * c", _PLACES),
            ("x levels", 1 << spec.input_levels),
            ("h codes", _STATES),
            *(
                [("output", self._output.least.size)]
                if self._output
                else [("tanh", len(spec.cell_table.knots)), ("h", _PLACES), ("h levels", 1 << spec.hidden_levels)]
            ),
        ):
            self._bases[name] = self._count
            self._count += 2 * places
        self.met = np.zeros(self._count, dtype=np.int64)

    def window(self, draw, steps):
        """Samples [steps, input_size], each step the best of what `draw(count)` gives: samples [count, input_size]."""
        spec = self.model.spec
        count = int(np.clip(_WORK // (4 * spec.hidden_size * spec.columns), *_CANDIDATES))
        chosen, state = [], State()
        for _ in range(steps):
            x = np.asarray(draw(count))
            after, signals, sums = self.model.sums(x, _repeated(state, count))
            near = self._near(x, signals, sums)
            worth = np.append(1 / (1 + self.met) ** 2, 0)
            best = int(worth[near].sum(axis=1).argmax())
            np.add.at(self.met, near[best][near[best] >= 0], 1)
            chosen.append(x[best])
            state = _only(after, best)
        return np.stack(chosen)

    def _near(self, x, signals, sums):
        """Boundaries that each candidate comes to, int array [candidates, places], -1 for none."""
        spec, p = self.model.spec, self.model.parameters
        z, code = signals["z"], signals["gate_code"].astype(np.int64)
        i, f, g, o = np.moveaxis(code, 1, 0)
        row = 4 * (np.arange(spec.hidden_size) % self.rows) + np.arange(4)[:, None]
        bias = (np.arange(4)[:, None] << spec.bias_levels) + np.reshape(p.bias_codes, (4, -1)).astype(np.int64)
        fine, pair = 1 << min(spec.x_shift, spec.h_shift), (i << spec.gate_bits[2] | g) % _PLACES
        found = [
            # Agreeing pairs come and go by two.
            self._rounding("z", row, sums["z"], spec.z_shift, z, spec.z.bits, unit=2 * fine),
            self._rounding("half z", row, sums["z"], spec.z_shift, z, spec.z.bits, unit=fine),
            self._rounding("bias", bias, sums["z"], spec.z_shift, z, spec.z.bits),
            self._bound("gates", *self._gates.near(z, code)),
            self._rounding("i * g", pair, sums["c"], spec.cell_shift, signals["c"], spec.cell.bits, unit=1 << spec.ig_shift),
            self._rounding(
                "f * c", f % _PLACES, sums["c"], spec.cell_shift, signals["c"], spec.cell.bits, unit=1 << spec.fc_shift
            ),
            *self._levels("x levels", x, p.x_scales),
            *self._of_output(o, signals, sums),
            self._either("h codes", self._word(signals["h_code"])[:, None], True, False),
        ]
        return np.concatenate([places.reshape(len(x), -1) for places in found], axis=1)

    def _word(self, h_code):
        """The codes of all units as a number below `_STATES`, another for other codes where units are few."""
        weights = [pow(1 << self.model.spec.hidden_levels, unit, _PRIME) for unit in range(h_code.shape[1])]
        return h_code.astype(np.int64) @ np.array(weights) % _PRIME % _STATES

    def _of_output(self, o, signals, sums):
        """Those between c and h's code."""
        spec, c = self.model.spec, signals["c"]
        if self._output:
            code = o | signals["h_code"].astype(np.int64) << spec.gate_bits[3]
            return [self._bound("output", *self._output.near(c[:, None], code[:, None]))]
        levels = self._levels("h levels", signals["h_raw"], self.model.parameters.h_scales)
        if spec.cell_kind == "gru":
            return list(levels)
        table = spec.cell_table
        position = np.clip(c, table.first, table.last) - table.first
        segment = position >> table.segment_bits
        rise = np.diff(table.knots, append=table.knots[-1])[segment]
        product = rise * (position & (1 << table.segment_bits) - 1)
        return [
            self._rounding("tanh", segment, product, table.segment_bits, signals["tanh_c"], 64),
            self._rounding("h", o % _PLACES, sums["h"], spec.h_shift_down, signals["h_raw"], spec.h_bits),
            *levels,
        ]

    def _rounding(self, name, place, total, shift, rounded, bits, *, unit=1):
        """Sums that one unit more, or less, would round otherwise."""
        rest = total + (1 << shift >> 1) & (1 << shift) - 1
        inside = np.abs(rounded) < (1 << bits - 1) - 1 if bits < 64 else True
        return self._either(name, place, (rest >= (1 << shift) - unit) & inside, (rest < unit) & inside)

    def _bound(self, name, place, above, reached):
        """Values at the least that passes, and one below."""
        return self._either(name, place, (above == 0) & reached, (above == -1) & reached)

    def _levels(self, name, value, scales):
        """The same for the residuals of Algorithm 1."""
        rest, code = np.asarray(value, dtype=np.int64), 0
        for level, scale in enumerate(int(s) for s in scales):
            yield self._bound(name, (1 << level) - 1 + code, rest, True)
            code = code | (rest >= 0).astype(np.int64) << level
            rest = np.where(rest >= 0, rest - scale, rest + scale)

    def _either(self, name, place, first, second):
        base = self._bases[name] + 2 * np.asarray(place)
        return np.where(first, base, np.where(second, base + 1, -1))


def _given(thresholds):
    """Comparators of levels: (least, code of the levels before, its mask) of each."""
    return [(int(t), prefix, len(level) - 1) for level in thresholds for prefix, t in enumerate(level)]


def _comparators(gate):
    """Those of a gate; a plain fixed-point gate has none."""
    if gate.kind == "levels":
        return _given(gate_thresholds(gate.table, gate.scales, gate.offset))
    return [(t, 0, 0) for t in gate.ternary_thresholds] if gate.kind == "ternary" else []


class _Entries:
    """Thresholds of comparators of several numbers, a row a number.

    Parameters
    ----------
    comparators : list over numbers of lists of (least value, code that leads there, its mask)
    """

    def __init__(self, comparators):
        most = max([1, *map(len, comparators)])
        # What fills a row up is led to by no code.
        filled = np.array([[*row, *[(0, 1, 0)] * (most - len(row))] for row in comparators], dtype=np.int64)
        self.least, self.prefix, self.mask = np.moveaxis(filled, 2, 0)
        self.place = np.arange(self.least.size).reshape(len(self.least), 1, -1)

    def near(self, value, code):
        """Place, value less threshold, and whether the code leads there; of int arrays [candidates, numbers, units]."""
        leads = (code[..., None] & self.mask[:, None]) == self.prefix[:, None]
        return self.place, value[..., None] - self.least[:, None], leads


def _repeated(state, count):
    """The state of one stream for so many."""
    return State(**{k: np.repeat(v, count, axis=0) if isinstance(v, np.ndarray) else v for k, v in vars(state).items()})


def _only(state, number):
    """The state of one of the streams."""
    return State(**{k: v[number : number + 1] if isinstance(v, np.ndarray) else v for k, v in vars(state).items()})

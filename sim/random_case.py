"""Seeded random cores and cases: shapes, levels, formats, parameters, folding, samples, stalls, resets, broken windows.

Seeds 1 to len(CORNERS) begin with the corners; the same seed gives the same case.
"""

from dataclasses import dataclass, replace

import numpy as np
from mubinn.model.fixed import Fixed
from mubinn.model.folding import SCALINGS, Folding, Schedule
from mubinn.model.gates import GATE_KINDS
from mubinn.model.lstm import Model
from mubinn.model.parameters import Parameters
from mubinn.model.scales import fixed_point_scales
from mubinn.model.spec import LstmSpec

from .case import Case, beats_allow, early_last, join, make_case, missing_last
from .interleave import interleaved
from .random_parameters import random_parameters

__all__ = ["CORNERS", "RandomCase", "random_case"]


_AXI_SHARE = 0.15


def _corner(what, **fixed):
    return {"what": what} | fixed


CORNERS = (
    _corner("one channel, one unit", input_size=1, hidden_size=1, classes=0),
    _corner("one channel, one unit, one class", input_size=1, hidden_size=1, classes=1, pool="last"),
    _corner("everything at once", input_size=5, hidden_size=4, rows=4, lanes=9, full=True, classes=0),
    _corner("everything at once, with head", input_size=3, hidden_size=4, rows=4, lanes=7, full=True, classes=3),
    _corner("nothing at once", input_size=4, hidden_size=3, rows=1, lanes=1, scale_mults=1, classes=2),
    _corner("all levels 1", levels=1, cell_levels=1),
    _corner("all levels 8", input_size=3, hidden_size=3, levels=8, cell_levels=8, lanes=2, rows=1),
    _corner("all scales zero", scales="zero"),
    _corner("greatest scales", scales="greatest"),
    _corner("least and greatest samples", samples="extreme"),
    _corner("windows of one step", window_steps=1),
    _corner("windows of max_steps", max_steps=5, window_steps=5),
    _corner("max_steps 1", max_steps=1, window_steps=1),
    _corner("five classes, one unit", hidden_size=1, classes=5),
    _corner("last channel shares its word with h", input_size=7, hidden_size=6, lanes=4),
    _corner("x fills its words", input_size=8, hidden_size=5, lanes=4),
    _corner("narrow formats", x_bits=4, z_bits=4, cell_bits=4),
    _corner("wide formats", x_bits=16, z_bits=16, cell_bits=24),
    _corner("256 channels", input_size=256, hidden_size=2, lanes=64, rows=1, steps=3),
    _corner("512 units", input_size=2, hidden_size=512, lanes=128, rows=8, levels=1, steps=2, windows=1),
    _corner("slow output", classes=0, stall_out=0.9, input_size=1, hidden_size=9),
    _corner("slow input", stall_in=0.9, input_size=8),
    _corner("ternary gates, levels of c", gate_kinds=("ternary", "ternary", "levels", "ternary"), cell_levels=5, levels=5),
    _corner("ternary gates, plain g", gate_kinds=("ternary", "ternary", "fixed", "ternary"), cell_levels=0),
    _corner(
        "no multiplier",
        power_of_two=True,
        scales="ordered",
        gate_kinds=("ternary", "ternary", "levels", "ternary"),
        gate_levels=2,
        hidden_levels=2,
        cell_levels=0,
        classes=3,
    ),
    _corner("plain gates", gate_kinds=("fixed",) * 4, cell_levels=0, classes=2),
    _corner("plain gates, levels of c", gate_kinds=("fixed",) * 4, cell_levels=3),
    _corner("peepholes of one unit", cell_kind="peephole", input_size=1, hidden_size=1, gate_kinds=("levels",) * 4),
    _corner("peepholes, plain gates, levels of c", cell_kind="peephole", gate_kinds=("fixed",) * 4, cell_levels=2, classes=2),
    _corner("gru of one unit", cell_kind="gru", input_size=1, hidden_size=1, gate_kinds=("levels",) * 4),
    _corner("gru, ternary gates", cell_kind="gru", gate_kinds=("ternary", "ternary", "levels", "levels"), classes=2),
    _corner("two contexts, a cycle a unit", input_size=3, hidden_size=5, lanes=8, full=True, contexts=2, classes=0),
    _corner("sixteen contexts of one unit", input_size=1, hidden_size=1, contexts=16, classes=2, steps=8),
    _corner("three contexts, five classes", contexts=3, classes=5, pool="mean", head_mults=2),
    _corner("four contexts, peepholes", contexts=4, cell_kind="peephole", gate_kinds=("levels",) * 4),
    _corner("fixed point of 16 bits", fixed_point=16, input_size=2, hidden_size=2, gate_kinds=("fixed",) * 4, classes=0),
    _corner("gru, plain gates, levels of c", cell_kind="gru", gate_kinds=("fixed", "fixed", "fixed", "levels"), cell_levels=3),
)
"""Fields that a corner fixes; the rest is drawn."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RandomCase:
    """A core, and a case for it.

    Attributes
    ----------
    seed : int
    what : str
        The corner, or the size that was drawn.
    parameters : Parameters
    folding : Folding
    family : str
        Whose cells the core is made of.
    case : Case
    stall_in, stall_out : float
    reset_at : int or None
    axi : int
        Samples of a beat of the AXI wrapper that it goes through besides, or 0 for none.
    features : tuple of str
        What it covers, for a count over many cases.
    """

    seed: int
    what: str
    parameters: Parameters
    folding: Folding
    family: str
    case: Case
    stall_in: float
    stall_out: float
    reset_at: int | None
    axi: int
    features: tuple

    @property
    def spec(self):
        return self.parameters.spec

    @property
    def schedule(self):
        return Schedule(self.spec, self.folding)

    @property
    def cost(self):
        """About proportional to the time that a simulator needs: cycles times the size of the datapath."""
        schedule = self.schedule
        folding = self.folding
        size = 4 * folding.rows * (folding.weight_planes * schedule.levels * folding.lanes + 40) + 1000
        size += 8 * schedule.levels * self.spec.columns
        # Decoders of many levels are long tables, which the event-driven simulators feel.
        tables = (
            self.spec.cell_levels,
            self.spec.hidden_levels,
            *[self.spec.gate_levels] * self.spec.gate_kinds.count("levels"),
        )
        size += 30 * sum(1 << levels for levels in tables)
        return self.case.steps * max(schedule.rounds * schedule.groups * schedule.group_cycles, self.spec.columns) * size

    def run_settings(self):
        """Keyword arguments of a run."""
        return {"stall_in": self.stall_in, "stall_out": self.stall_out, "seed": self.seed, "reset_at": self.reset_at}


class _Draw:
    """Random numbers, and the fields that a corner fixes."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.fixed = CORNERS[seed - 1] if 1 <= seed <= len(CORNERS) else {}

    def integer(self, name, low, high):
        drawn = int(self.rng.integers(low, high + 1))
        return min(high, max(low, int(self.fixed.get(name, drawn))))

    def choice(self, name, *values):
        drawn = values[int(self.rng.integers(len(values)))]
        return self.fixed.get(name, drawn)

    def chance(self, share):
        return bool(self.rng.random() < share)


FAMILIES = ("generic", "ice40", "ecp5")
"""Those that `mubinn generate` knows targets of."""


def random_case(seed):
    """The case of a seed, an integer from 1."""
    draw = _Draw(seed)
    size, (channels, units) = _size(draw)
    spec = _spec(draw, channels, units)
    spec = _cell_kind(seed, draw.fixed, spec.replace(gate_kinds=_gate_kinds(seed, draw.fixed)))
    spec, fixed_point = _fixed_point(seed, draw.fixed, spec)
    scales = draw.choice("scales", *["ordered"] * 6, "wild", "wild", "wild", "zero", "greatest")
    if scales == "ordered" and draw.fixed.get("power_of_two", np.random.default_rng([seed, 2]).random() < 0.3):
        scales = "power_of_two"
    parameters = random_parameters(spec, draw.rng, scales=scales)
    folding = _folding(draw, spec)
    if fixed_point:
        parameters = _with_fixed_point(parameters)
        folding = replace(folding, rows=1, weight_planes=1, lanes=min(folding.lanes, 8))
    case, kinds = _windows(draw, Model(parameters), _steps(draw, spec, folding))
    stall_in = float(draw.choice("stall_in", 0.0, 0.0, 0.1, 0.3, 0.5, 0.8))
    stall_out = float(draw.choice("stall_out", 0.0, 0.0, 0.1, 0.3, 0.5, 0.8))
    schedule = Schedule(spec, folding)
    reset_at = None
    if draw.chance(0.2):
        reset_at = int(draw.rng.integers(300, 600 + case.steps * schedule.ideal_cycles_per_step))
        kinds.append("reset in a window")
    # Drawn last, so that a seed's other numbers are what they were without them.
    folding = replace(folding, scaling=draw.choice("scaling", *SCALINGS))
    family = draw.choice("family", *FAMILIES)
    folding = replace(folding, head_mults=draw.integer("head_mults", 1, max(1, spec.classes)))
    schedule = Schedule(spec, folding)
    features = [f"shape {size}", f"scales {scales}", f"family {family}", *kinds, *_features(spec, folding, schedule)]
    features.append(f"h code by {'comparing c' if parameters.output_compares else 'table and encoder'}")
    folding = replace(folding, contexts=_contexts(seed, draw.fixed, folding))
    if folding.contexts > 1:
        case = _interleaved(seed, Model(parameters), case, folding.contexts)
        features.append("contexts")
    folding = _skip(seed, draw.fixed, spec, folding)
    features += ["skip"] * folding.skip
    axi = 0 if folding.contexts > 1 else _axi(seed, spec, case)
    features += ["axi"] * bool(axi)
    features += ["fixed_point"] * (fixed_point and "fixed_point" not in features)
    features += ["power_of_two"] * (scales == "power_of_two")
    features += [name for name, share in (("stalled input", stall_in), ("stalled output", stall_out)) if share]
    return RandomCase(
        seed=seed,
        what=draw.fixed.get("what", size),
        parameters=parameters,
        folding=folding,
        family=family,
        case=case,
        stall_in=stall_in,
        stall_out=stall_out,
        reset_at=reset_at,
        axi=axi,
        features=tuple(features),
    )


def _size(draw):
    """Mostly small, so that many specs end."""
    name, most = draw.choice("size", *[("tiny", 6)] * 12, *[("small", 20)] * 6, ("medium", 64), ("large", 200))
    if draw.fixed:
        name, most = "corner", 6
    channels = draw.integer("input_size", 1, max(most, draw.fixed.get("input_size", 0)))
    units = draw.integer("hidden_size", 1, max(most, draw.fixed.get("hidden_size", 0)))
    return name, (channels, units)


def _gate_kinds(seed, fixed):
    """Mostly levels for all. Of random numbers of their own, so that a seed's others are what they were without them."""
    rng = np.random.default_rng([seed, 1])
    kinds = [GATE_KINDS, GATE_KINDS, ("levels", "fixed"), GATE_KINDS]
    drawn = tuple(str(rng.choice(of)) for of in kinds)
    ternary = ("ternary", "ternary", "levels", "ternary")
    choices = [("levels",) * 4] * 4 + [("ternary", "ternary", "levels", "levels"), ternary, drawn, drawn]
    return fixed.get("gate_kinds", choices[int(rng.integers(len(choices)))])


def _cell_kind(seed, fixed, spec):
    """A fifth of the specs with another cell than the plain LSTM."""
    rng = np.random.default_rng([seed, 4])
    kind = str(rng.choice(["lstm"] * 8 + ["peephole", "gru"]))
    kind = fixed.get("cell_kind", "lstm" if fixed else kind)
    kinds = (*spec.gate_kinds[:3], "levels") if kind == "gru" else spec.gate_kinds
    levels, fraction = int(rng.integers(1, 5)), int(rng.integers(0, 15))
    return spec.replace(cell_kind=kind, gate_kinds=kinds, peephole_levels=levels, peephole_fraction=fraction)


def _fixed_point(seed, fixed, spec):
    """Small specs now and then with plain fixed point of up to 16 bits: (spec, whether it is one)."""
    rng = np.random.default_rng([seed, 7])
    drawn = not fixed and rng.random() < 0.06 and spec.columns <= 12
    if not fixed.get("fixed_point", drawn):
        return spec, False
    names = ("input_levels", "hidden_levels", "weight_levels", "bias_levels")
    return spec.replace(**{name: fixed.get("fixed_point", int(rng.integers(2, 17))) for name in names}), True


def _with_fixed_point(p):
    """Parameters whose scales of x, h, weights and biases halve from one to the next."""
    scales = {name: fixed_point_scales(getattr(p, name).shape[-1]) for name in ("x_scales", "h_scales")}
    for name in ("wx_scales", "wh_scales", "bias_scales"):
        of_gates = np.tile(fixed_point_scales(getattr(p, name).shape[-1]), (4, 1))
        scales[name] = np.where(getattr(p, name).any(axis=1, keepdims=True), of_gates, 0)  # what a gru has none of stays 0
    return replace(p, **scales)


def _contexts(seed, fixed, folding):
    """Streams of a core: for some seeds 2 to 4."""
    rng = np.random.default_rng([seed, 5])
    drawn = 1 if fixed or rng.random() > 0.12 else int(rng.integers(2, 5))
    return fixed.get("contexts", drawn)


def _skip(seed, fixed, spec, folding):
    """For some seeds of plain LSTMs gates one after another, with about as many lanes as they have together."""
    rng = np.random.default_rng([seed, 9])
    if fixed or rng.random() < 0.87 or spec.cell_kind != "lstm" or folding.contexts > 1:
        return folding
    lanes = min(spec.columns, int(rng.integers(1, 4 * folding.rows * folding.lanes + 1)))
    return replace(folding, skip=True, rows=1, ahead=0, lanes=lanes)


def _interleaved(seed, model, case, contexts):
    """A stream of the case's, and others of windows of other lengths, broken ones too, with as many steps."""
    rng, spec, cases = np.random.default_rng([seed, 5, 1]), model.spec, [case]
    for _ in range(contexts - 1):
        parts, left = [], case.steps
        while left:
            steps = int(rng.integers(1, min(left, spec.max_steps, 8) + 1))
            x = _samples(rng, spec, "normal", steps)
            if spec.input_size > 1 and rng.random() < 0.15:
                parts.append(early_last(model, x, (steps - 1) * spec.input_size + int(rng.integers(1, spec.input_size))))
            elif steps == spec.max_steps and rng.random() < 0.5:
                parts.append(missing_last(model, x))
            else:
                parts.append(make_case(model, x[None]))
            left -= steps
        cases.append(join(parts))
    return interleaved(cases, spec)


def _axi(seed, spec, case):
    """Samples of a beat, for some seeds."""
    rng = np.random.default_rng([seed, 3])
    if rng.random() > _AXI_SHARE:
        return 0
    per_beat = int(rng.choice([1, 1, 2, 3, 4]))
    return per_beat if beats_allow(case, spec.input_size, per_beat) else 1


def _spec(draw, channels, units):
    most = 8 if channels + units <= 24 else 3

    def levels(name):
        return draw.fixed.get("levels", draw.integer(name, 1, most if draw.chance(0.3) else min(most, 3)))

    x = Fixed(bits=draw.integer("x_bits", 4, 16), fraction=draw.integer("x_fraction", 0, 10))
    fractions = {
        "h_fraction": draw.integer("h_fraction", 2, 14),
        "wx_fraction": draw.integer("wx_fraction", 0, 14),
        "wh_fraction": draw.integer("wh_fraction", 0, 14),
        "bias_fraction": draw.integer("bias_fraction", 0, 16),
    }
    accumulator = max(
        x.fraction + fractions["wx_fraction"],
        fractions["h_fraction"] + fractions["wh_fraction"],
        fractions["bias_fraction"],
    )
    least = -(-fractions["h_fraction"] // 2)
    return LstmSpec(
        input_size=channels,
        hidden_size=units,
        classes=draw.integer("classes", 0, 5),
        pool=draw.choice("pool", "mean", "last"),
        max_steps=draw.integer("max_steps", 1, 9) if draw.fixed.get("max_steps") or draw.chance(0.3) else 4096,
        input_levels=levels("input_levels"),
        hidden_levels=levels("hidden_levels"),
        gate_levels=levels("gate_levels"),
        cell_levels=draw.choice("cell_levels", 0, 0, int(draw.rng.integers(1, most + 1))),
        weight_levels=levels("weight_levels"),
        bias_levels=levels("bias_levels"),
        x=x,
        z=Fixed(bits=draw.integer("z_bits", 4, 16), fraction=min(accumulator, draw.integer("z_fraction", 0, 12))),
        cell=Fixed(bits=draw.integer("cell_bits", 4, 24), fraction=draw.integer("cell_fraction", 0, 16)),
        activation_fraction=draw.integer("activation_fraction", max(4, least), 14),
        head_bits=draw.integer("head_bits", 2, 16),
        **fractions,
    )


def _folding(draw, spec):
    """Any folding whose datapath stays small enough to simulate."""
    levels = max(spec.input_levels, spec.hidden_levels)
    if draw.fixed.get("full"):
        return Folding(rows=spec.hidden_size, lanes=spec.columns, weight_planes=spec.weight_levels,
                       scale_mults=4 * spec.hidden_size * levels * spec.weight_levels)  # fmt: skip
    planes = draw.integer("weight_planes", 1, spec.weight_levels)
    room = 1500 if spec.columns <= 40 else 4000
    lanes = draw.integer("lanes", 1, max(1, min(spec.columns, room // (4 * planes * levels))))
    if draw.chance(0.1):
        lanes = min(spec.columns, room)
    rows = draw.integer("rows", 1, max(1, min(spec.hidden_size, room // (4 * planes * levels * lanes), 12)))
    scale_mults = draw.integer("scale_mults", 1, 4 * rows * 4)
    ahead = draw.integer("ahead", 0, 6)
    return Folding(rows=rows, lanes=lanes, weight_planes=planes, scale_mults=scale_mults, ahead=ahead)


def _steps(draw, spec, folding):
    """Steps for all windows: enough cycles to reach every state, not more."""
    schedule = Schedule(spec, folding)
    cycles = max(schedule.rounds * schedule.groups * schedule.group_cycles, spec.input_size)
    return draw.fixed.get("steps", int(np.clip(3000 // cycles, 2, 24)))


def _windows(draw, model, steps):
    """Case of windows of various lengths, broken ones among them, and what it has."""
    spec, cases, kinds = model.spec, [], []
    kind = draw.choice("samples", "normal", "normal", "uniform", "extreme", "zero")
    x = _samples(draw.rng, spec, kind, max(steps, 2 * min(spec.max_steps, steps)))
    kinds.append(f"samples {kind}")
    while steps > 0:
        length = min(draw.integer("window_steps", 1, min(steps, 8)), spec.max_steps)
        first = int(draw.rng.integers(0, len(x) - length + 1))
        piece = x[first : first + length]
        if spec.input_size > 1 and draw.chance(0.15):
            channel = int(draw.rng.integers(1, spec.input_size))
            cases.append(early_last(model, piece, (length - 1) * spec.input_size + channel))
            kinds.append("early last")
        elif length == spec.max_steps and draw.chance(0.5):
            cases.append(missing_last(model, piece))
            kinds.append("missing last")
        else:
            cases.append(make_case(model, piece[None]))
        steps -= length
        if draw.fixed.get("windows") == len(cases):
            break
    # The window behind a broken one must be right.
    cases.append(make_case(model, x[None, : min(2, spec.max_steps)]))
    return join(cases), kinds


def _samples(rng, spec, kind, steps):
    size = (steps, spec.input_size)
    if kind == "extreme":
        return rng.choice([spec.x.low, spec.x.high], size=size)
    if kind == "uniform":
        return rng.integers(spec.x.low, spec.x.high + 1, size=size)
    if kind == "zero":
        return np.zeros(size, dtype=np.int64)
    return spec.x.quantize(rng.normal(0, 1, size=size))


def _features(spec, folding, schedule):
    kinds = ["ternary"] * ("ternary" in spec.gate_kinds) + ["fixed_point"] * ("fixed" in spec.gate_kinds)
    kinds += ["dense"] * (spec.classes > 0) + [spec.cell_kind] * (spec.cell_kind != "lstm")
    names = "input_levels hidden_levels gate_levels cell_levels weight_levels bias_levels classes".split()
    features = [f"{name} {getattr(spec, name)}" for name in names]
    features += [f"pool {spec.pool}"] if spec.classes else []
    for what, size, part in (
        ("rows", spec.hidden_size, folding.rows),
        ("lanes", spec.columns, folding.lanes),
        ("weight_planes", spec.weight_levels, folding.weight_planes),
        ("scale slots", 4 * folding.rows, schedule.scale_slots),
        *([("head_mults", spec.classes, folding.head_mults)] if spec.classes else []),
    ):
        features.append(f"{what} {'all' if size == part else 'divide' if size % part == 0 else 'leave a rest'}")
    return [*features, *kinds, f"scaling {folding.scaling}", f"ahead {'some' if schedule.ahead else 'none'}"]

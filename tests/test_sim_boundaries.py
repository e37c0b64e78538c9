"""Choice of samples for test vectors: what the chosen steps come close to."""

import numpy as np
import pytest
from model_cases import random_parameters
from mubinn.model.artifact import load_model
from mubinn.model.binarize import codebook, encode
from mubinn.model.fixed import saturate, shift_half_up
from mubinn.model.lstm import Model
from mubinn.model.parameters import Parameters
from mubinn.model.spec import LstmSpec
from mubinn.sim import boundaries
from mubinn.sim.boundaries import Boundaries
from mubinn.sim.default_case import default_case


def chosen(model, seed, *, steps):
    """Boundaries after a window, and the window."""
    rng = np.random.default_rng(seed)
    found = Boundaries(model, rows=2)
    return found, found.window(lambda count: model.spec.x.quantize(rng.normal(0, 1, (count, model.spec.input_size))), steps)


@pytest.mark.parametrize("name", ["eeg-2-2", "eeg-3-3"])
def test_sums_are_what_a_step_rounds(name):
    model = load_model(name).model()
    spec, rng = model.spec, np.random.default_rng(1)
    x, state = rng.integers(spec.x.low, spec.x.high + 1, size=(4, 3, spec.input_size)), None
    for t in range(3):
        after, signals = model.step(x[:, t], state)
        state, again, sums = model.sums(x[:, t], state)
        assert all((again[key] == signals[key]).all() for key in signals) and (state.c == after.c).all()
        for key, name, shift, bits in (
            ("z", "z", spec.z_shift, spec.z.bits),
            ("c", "c", spec.cell_shift, spec.cell.bits),
            ("h", "h_raw", spec.h_shift_down, spec.h_bits),
        ):
            assert (saturate(shift_half_up(sums[key], shift), bits) == signals[name]).all()


def test_near_is_where_one_more_changes_the_result():
    """Every number of a rounding, every bound of a comparison, against their definitions."""
    found = Boundaries(Model(random_parameters(LstmSpec(input_size=2, hidden_size=3), 1)), rows=1)
    total = np.arange(-600, 600)
    places = found._rounding("f * c", 1, total, 6, shift_half_up(total, 6), 64)
    more, less = (shift_half_up(total + step, 6) != shift_half_up(total, 6) for step in (1, -1))
    base = found._bases["f * c"] + 2
    assert (places == np.where(more, base, np.where(less, base + 1, -1))).all() and more.any() and less.any()
    saturated = saturate(shift_half_up(total, 6), 4)
    inside = found._rounding("f * c", 1, total, 6, saturated, 4)
    assert (inside[np.abs(saturated) >= 7] == -1).all() and (inside >= 0).any()
    places = found._bound("f * c", 1, total - 5, True)
    assert (places == np.where(total == 5, base, np.where(total == 4, base + 1, -1))).all()


def test_windows_reach_codes_of_h_that_are_rare():
    """More of them than as many random samples do, all told apart where units are few."""
    spec = LstmSpec(input_size=3, hidden_size=3, classes=0, max_steps=8)
    model, rng = Model(random_parameters(spec, 3)), np.random.default_rng(1)
    found = Boundaries(model, rows=1)

    def draw(count):
        return spec.x.quantize(rng.normal(0, 1, (count, 3)))

    def words(windows):
        codes = model.run(np.stack(windows), record=("h_code",)).h_code.reshape(-1, 3).astype(int)
        return {tuple(code) for code in codes.tolist()}

    random, reached = words([draw(8) for _ in range(12)]), words([found.window(draw, 8) for _ in range(12)])
    assert len(reached) > len(random)
    counts = found.met[found._bases["h codes"] :][: 2 * boundaries._STATES : 2]
    assert (counts > 0).sum() == len(reached) and counts.sum() == 12 * 8


def test_near_an_output_threshold_is_where_h_changes():
    """c at a threshold of h's code, and one below, for a core that compares c; a core that does not has none."""
    model = load_model("eeg-2-2").model()
    spec, p = model.spec, model.parameters
    found = Boundaries(model, rows=1)
    o, h = np.arange(4)[:, None], {}
    c = np.arange(spec.cell.low, spec.cell.high + 1)
    raw = shift_half_up(codebook(p.gate_scales[3], spec.gate_offsets[3])[o] * spec.cell_table(c), spec.h_shift_down)
    h = encode(saturate(raw, spec.h_bits), p.h_scales)
    signals = {"c": np.broadcast_to(c, h.shape), "h_code": h}
    (places,) = found._of_output(np.broadcast_to(o, h.shape), signals, {})
    base, size = found._bases["output"], 2 * (4 + 8)
    places = places[:, 0]  # codes of o, c, thresholds
    met = np.unique(places[places >= 0])
    assert base <= met.min() and met.max() < base + size
    # A new code begins exactly where c reaches some threshold of its level.
    begins = np.diff(h.astype(int), axis=1, prepend=h[:, :1]) != 0
    at, below = places % 2 == base % 2, places % 2 != base % 2
    assert (((places >= 0) & at).any(axis=2) == begins)[:, 1:].all()
    assert (((places >= 0) & below).any(axis=2)[:, :-1] == begins[:, 1:]).all()
    wild = random_parameters(LstmSpec(input_size=1, hidden_size=2), 1).tensors()
    wild["gate_scales"] = wild["gate_scales"] * 4
    assert "output" not in Boundaries(Model(Parameters(spec=LstmSpec(input_size=1, hidden_size=2), **wild)), rows=1)._bases


def test_chosen_windows_meet_more_than_random_ones(monkeypatch):
    model = load_model("eeg-2-2").model()
    many, _ = chosen(model, 1, steps=6)
    monkeypatch.setattr(boundaries, "_CANDIDATES", (1, 1))
    one, _ = chosen(model, 1, steps=6)
    assert (many.met > 0).sum() > (one.met > 0).sum() > 0


def test_choice_is_seeded_and_a_window_of_the_model():
    spec = LstmSpec(input_size=3, hidden_size=4, classes=2, cell_levels=2, input_levels=1, max_steps=12)
    model = Model(random_parameters(spec, 1))
    (_, first), (_, again), (_, other) = (chosen(model, seed, steps=5) for seed in (1, 1, 2))
    assert first.shape == (5, 3) and (first == again).all() and (first != other).any()
    model.run(first[None])  # in range
    cases = [default_case(model, rows=rows) for rows in (1, 1, 2)]
    assert (cases[0].samples == cases[1].samples).all() and cases[0].samples.shape == cases[2].samples.shape
    # A small core gets more windows, a large one those there must be.
    assert cases[0].steps * 4 >= 1000 and default_case(load_model("eeg-2-2").model()).steps < 60

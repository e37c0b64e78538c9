"""Seeded random networks: layers, directions, heads, foldings, windows, stalls, resets, broken windows."""

from dataclasses import dataclass

import numpy as np
from mubinn.model.crf import Crf
from mubinn.model.fixed import Fixed
from mubinn.model.folding import Folding
from mubinn.model.network import Layer, Network, StepHead
from mubinn.model.spec import LstmSpec

from .random_parameters import random_parameters

__all__ = ["NETWORK_CORNERS", "RandomNetwork", "random_network"]

NETWORK_CORNERS = (
    {"layers": 1, "both": True, "kind": "h", "units": 1, "channels": 1, "max_steps": 1},
    {"layers": 1, "both": True, "kind": "crf", "units": 1, "channels": 1, "max_steps": 1, "classes": 1},
    {"layers": 2, "both": True, "kind": "crf", "max_steps": 7, "classes": 5},
    {"layers": 2, "both": False, "kind": "label"},
    {"layers": 3, "both": False, "kind": "step", "classes": 3},
    {"layers": 2, "both": True, "kind": "crf", "classes": 4, "ties": True},
    {"layers": 1, "both": False, "kind": "crf", "classes": 32, "max_steps": 3},
    {"layers": 2, "both": True, "kind": "h", "stall_out": 0.9},
)
"""Seeds from 1 on begin with these."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RandomNetwork:
    """A network and what goes through it.

    Attributes
    ----------
    seed : int
    network : Network
    foldings : list of list of Folding
    head_mults : int
    family : str
    windows : list of (x int [steps, input_size], samples int or None)
        In their order. `samples`: None for a whole window; the number of the sample that `last` comes with too early; or 0 for
        a window of max_steps steps without a `last`.
    stall_in, stall_out : float
    reset_at : int or None
        Cycle of a reset, after which all windows come again.
    features : tuple of str
    """

    seed: int
    network: Network
    foldings: list
    head_mults: int
    family: str
    windows: list
    stall_in: float
    stall_out: float
    reset_at: int | None
    features: tuple


def random_network(seed):
    """The network of a seed, an integer from 1."""
    rng = np.random.default_rng([seed, 8])
    fixed = NETWORK_CORNERS[seed - 1] if seed <= len(NETWORK_CORNERS) else {}

    def chosen(name, *values):
        drawn = values[int(rng.integers(len(values)))]
        return fixed.get(name, drawn)

    kind = chosen("kind", "h", "label", "step", "crf", "crf")
    layers = chosen("layers", 1, 2, 2, 3)
    max_steps = chosen("max_steps", *range(1, 9), 20)
    scales = chosen("scales", "ordered", "ordered", "wild", "power_of_two")
    classes = chosen("classes", *range(1, 7))
    parts, foldings = [], []
    x, channels = Fixed(bits=int(rng.integers(4, 13)), fraction=int(rng.integers(0, 9))), chosen("channels", *range(1, 7))
    for k in range(layers):
        top = k == layers - 1
        both = chosen("both", True, False) and not (top and kind == "label")
        h_fraction = int(rng.integers(2, 11))
        units = chosen("units", *range(1, 7))
        directions = []
        for _ in range(2 if both else 1):
            spec = _spec(rng, x, channels, units, h_fraction, max_steps, classes if top and kind == "label" else 0)
            # What goes to another layer must not be wider than a sample may be.
            narrow = "ordered" if scales == "wild" and not top else scales
            directions.append(random_parameters(spec, rng, scales=narrow))
        parts.append(Layer(forward=directions[0], backward=directions[1] if both else None))
        foldings.append([_folding(rng, p.spec) for p in directions])
        x, channels = Fixed(bits=max(4, parts[-1].h_bits), fraction=h_fraction), parts[-1].features
    head = crf = None
    if kind in ("step", "crf"):
        bits = 2 if fixed.get("ties") else int(rng.integers(2, 9))
        top = 1 << bits - 1
        head = StepHead(
            weight=rng.integers(-top, top, (classes, channels)), bias=rng.integers(-99, 99, classes), weight_bits=bits
        )
    if kind == "crf":
        most = 1 if fixed.get("ties") else 1 << int(rng.integers(0, 12))
        crf = Crf(
            transitions=rng.integers(-most, most, (classes, classes)),
            first=rng.integers(-most, most, classes),
            last=rng.integers(-most, most, classes),
        )
    network = Network(layers=parts, head=head, crf=crf)
    windows, broken = _windows(rng, network)
    reset_at = int(rng.integers(50, 1500)) if rng.random() < 0.25 else None
    features = [f"network of {layers}", f"network {kind}", *broken, *["reset in a window"] * (reset_at is not None)]
    features += ["stacked"] * (layers > 1) + ["bidirectional"] * any(layer.backward is not None for layer in parts)
    features += ["dense"] * (kind in ("step", "crf")) + ["crf"] * (kind == "crf")
    return RandomNetwork(
        seed=seed,
        network=network,
        foldings=foldings,
        head_mults=int(rng.integers(1, max(2, (head.classes if head else 1) + 1))),
        family=chosen("family", "generic", "ice40", "ecp5"),
        windows=windows,
        stall_in=chosen("stall_in", 0.0, 0.0, 0.3, 0.7),
        stall_out=chosen("stall_out", 0.0, 0.0, 0.3, 0.7),
        reset_at=reset_at,
        features=tuple(features),
    )


def _spec(rng, x, channels, units, h_fraction, max_steps, classes):
    levels = {f"{name}_levels": int(rng.integers(1, 4)) for name in ("input", "hidden", "gate", "weight", "bias")}
    return LstmSpec(
        input_size=channels,
        hidden_size=units,
        classes=classes,
        max_steps=max_steps,
        cell_levels=int(rng.choice([0, 0, 2])),
        x=x,
        z=Fixed(bits=int(rng.integers(6, 13)), fraction=2),
        h_fraction=h_fraction,
        activation_fraction=int(rng.integers(6, 11)),
        **levels,
    )


def _folding(rng, spec):
    return Folding(
        rows=int(rng.integers(1, spec.hidden_size + 1)),
        lanes=int(rng.integers(1, spec.columns + 1)),
        weight_planes=int(rng.integers(1, spec.weight_levels + 1)),
        scale_mults=int(rng.integers(1, 9)),
        head_mults=int(rng.integers(1, max(1, spec.classes) + 1)),
    )


def _windows(rng, network):
    """Whole windows, and now and then one that ends too early or not at all."""
    spec, found, kinds = network.spec, [], []
    for _ in range(int(rng.integers(3, 8))):
        steps = int(rng.integers(1, min(network.max_steps, 8) + 1))
        what = rng.random()
        if what < 0.15 and spec.input_size > 1:
            x = rng.integers(spec.x.low, spec.x.high + 1, (steps, spec.input_size))
            found.append((x, int(rng.integers(1, spec.input_size)) + (steps - 1) * spec.input_size))
            kinds.append("early last")
        elif what < 0.3 and network.max_steps <= 8:
            x = rng.integers(spec.x.low, spec.x.high + 1, (network.max_steps, spec.input_size))
            found.append((x, 0))
            kinds.append("missing last")
        else:
            found.append((rng.integers(spec.x.low, spec.x.high + 1, (steps, spec.input_size)), None))
    return found, sorted(set(kinds))

"""Random models of any spec, for the tests. Seeds are arguments, so a failure says how to see it again."""

import numpy as np
from mubinn.model.artifact import ModelFile, Preprocess
from mubinn.model.fixed import Fixed
from mubinn.model.parameters import Parameters, tensor_shapes
from mubinn.model.reference import FloatWeights
from mubinn.model.spec import LstmSpec


def ordered_scales(rng, shape, *, total):
    """Integer scales, each at least the sum of the later ones, that sum to about `total`."""
    rows, levels = shape[:-1], shape[-1]
    weights = 2.0 ** np.arange(levels - 1, -1, -1) * rng.uniform(1, 1.2, (*rows, levels))
    scales = np.maximum(1, np.floor(total * weights / weights.sum(-1, keepdims=True))).astype(np.int64)
    for level in range(levels - 2, -1, -1):
        scales[..., level] = np.maximum(scales[..., level], scales[..., level + 1 :].sum(-1))
    return scales


def random_parameters(spec, seed):
    """Parameters whose gates work over their range: ordered scales, weights of about 1 / sqrt(columns)."""
    rng = np.random.default_rng(seed)
    one = 1 << spec.activation_fraction
    reach = 2.0 / np.sqrt(spec.columns)
    totals = {
        "x_scales": 2 << spec.x.fraction,
        "h_scales": 1 << spec.h_fraction,
        "wx_scales": reach * (1 << spec.wx_fraction),
        "wh_scales": reach * (1 << spec.wh_fraction),
        "bias_scales": 1 << spec.bias_fraction,
        "cell_scales": min(1 << spec.cell.fraction, spec.cell.high // 2),
    }
    tensors = {}
    for name, (shape, low, high) in tensor_shapes(spec).items():
        if name == "gate_scales":
            halves = [ordered_scales(rng, shape[1:], total=one // 2 << (gate == 2)) for gate in range(4)]
            tensors[name] = np.stack(halves)
            tensors[name][[kind != "levels" for kind in spec.gate_kinds]] = 0
        elif name.endswith("_scales"):
            tensors[name] = np.minimum(ordered_scales(rng, shape, total=totals[name]), high)
        elif name == "head_bias":
            tensors[name] = rng.integers(-(1 << 12), 1 << 12, shape)
        else:
            tensors[name] = rng.integers(low, high + 1, shape)
    return Parameters(spec=spec, **tensors)


def random_spec(seed):
    """Any small spec: sizes, levels and binary points."""
    rng = np.random.default_rng(seed)

    def draw(low, high):
        return int(rng.integers(low, high + 1))

    return LstmSpec(
        input_size=draw(1, 6),
        hidden_size=draw(1, 5),
        classes=draw(0, 3),
        pool=("mean", "last")[draw(0, 1)],
        input_levels=draw(1, 4),
        hidden_levels=draw(1, 4),
        gate_levels=draw(1, 4),
        cell_levels=draw(0, 3),
        weight_levels=draw(1, 4),
        bias_levels=draw(1, 4),
        x=Fixed(bits=draw(10, 16), fraction=draw(4, 8)),
        z=Fixed(bits=draw(8, 14), fraction=draw(4, 8)),
        cell=Fixed(bits=draw(12, 20), fraction=draw(6, 14)),
        h_fraction=draw(4, 14),
        activation_fraction=draw(7, 14),
        wx_fraction=draw(6, 12),
        wh_fraction=draw(6, 12),
        bias_fraction=draw(4, 12),
        head_bits=draw(2, 10),
    )


def random_samples(spec, seed, *, windows=3, steps=5):
    """Samples over the whole range of `spec.x`, its ends and 0 among them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (windows, steps, spec.input_size)) * (1 << spec.x.fraction)
    x = np.clip(np.floor(x), spec.x.low, spec.x.high).astype(np.int64)
    x.flat[: min(3, x.size)] = (spec.x.low, spec.x.high, 0)[: min(3, x.size)]
    return x


def random_floats(seed, *, input_size, hidden_size, classes=2, pool="mean"):
    rng = np.random.default_rng(seed)
    sizes = {"weight_ih": (4 * hidden_size, input_size), "weight_hh": (4 * hidden_size, hidden_size)}
    sizes |= {"bias": (4 * hidden_size,)}
    sizes |= {"head_weight": (classes, hidden_size), "head_bias": (classes,)} if classes else {}
    return FloatWeights(**{name: rng.normal(0, 0.5, size) for name, size in sizes.items()}, pool=pool)


def random_model_file(seed=1, *, input_size=3, hidden_size=4, classes=2, preset="mubinn2", **spec):
    """A whole model file, with a preprocessing of channels C0, C1, ... at 125 Hz."""
    channels = tuple(f"C{k}" for k in range(input_size))
    preprocess = Preprocess(channels=channels, fs=125, decimation=4, mean=(0.5,) * input_size, std=(8.0,) * input_size)
    spec = LstmSpec(input_size=input_size, hidden_size=hidden_size, classes=classes, **spec)
    return ModelFile(
        preset=preset,
        parameters=None if preset == "fp" else random_parameters(spec, seed),
        float_weights=random_floats(seed, input_size=input_size, hidden_size=hidden_size, classes=classes),
        preprocess=preprocess,
        card={"command": "mubinn train", "seed": seed, "note": "µV"},
    )

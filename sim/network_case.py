"""Cases for networks: the samples of windows, whole and broken, and every result that must come out."""

import numpy as np

from .case import Case

__all__ = ["describe_network", "network_case"]


def network_case(network, windows):
    """Case of windows through a Network: its results alone, as nothing inside is compared.

    Parameters
    ----------
    network : mubinn.model.network.Network
    windows : list of (x int [steps, input_size], samples)
        `samples` is None for a whole window; the number of the sample that `last` comes with, too early; or 0 for a window of
        max_steps steps without a `last`.
    """
    counts, samples, parts = [], [], []
    for x, cut in windows:
        x = np.asarray(x)
        values = x.reshape(-1)[: cut or None]
        last = np.zeros(len(values), dtype=np.int64)
        last[-1] = cut != 0
        samples.append(np.stack([values, last], axis=1).astype(np.int64))
        results = _results(network, x)
        error, undefined = results["error"], {name: np.zeros(len(v), dtype=bool) for name, v in results.items()}
        if cut is not None:
            error[-1] = 1
            for name in set(results) - {"last", "error"}:
                undefined[name][:] = True
        parts.append((results, undefined))
        counts.append((len(x), len(values), len(error)))
    names = parts[0][0]
    return Case(
        windows=np.array(counts, dtype=np.int64),
        samples=np.concatenate(samples),
        expected={name: np.concatenate([results[name] for results, _ in parts]) for name in names},
        undefined={name: np.concatenate([undefined[name] for _, undefined in parts]) for name in names},
    )


def _results(network, x):
    """{field: int64 [results, values]} of one window."""
    trace = network.run(x[None])
    if network.kind == "label":
        return {"label": trace.label.reshape(1, 1), "error": np.zeros((1, 1), dtype=np.int64), "scores": trace.scores}
    if network.kind == "h":
        fields = {"h": trace.features.reshape(-1, 1)}
    elif network.kind == "step":
        fields = {"label": trace.tag.reshape(-1, 1), "scores": trace.scores[0]}
    else:
        fields = {"tag": trace.tag.reshape(-1, 1)}
    count = len(next(iter(fields.values())))
    last = np.zeros((count, 1), dtype=np.int64)
    last[-1] = 1
    return fields | {"last": last, "error": np.zeros_like(last)}


def describe_network(core):
    """The parts of a manifest that say where a NetworkCore's samples and results are, as `signals.describe_streams`.

    `spec` holds what the benches read of one: results a step as its hidden_size.
    """
    network, payload = core.network, core.o.payload.shape()
    spec, kind = network.spec, network.kind
    classes = network.layers[-1].forward.spec.classes
    fields = {}
    for key, field in payload:
        values = 1
        if key == "scores":
            values = classes or network.head.classes
        fields[key] = {"lsb": field.offset, "bits": field.width, "fields": values}
    return {
        "spec": {
            "input_size": spec.input_size,
            "hidden_size": network.features if kind == "h" else 1,
            "classes": classes,
            "max_steps": network.max_steps,
        },
        "sample": {"bits": spec.x.bits, "fraction": spec.x.fraction, "payload_bits": spec.x.bits + 1},
        "result": {"payload_bits": payload.size, "fields": fields},
        "taps": [],
    }

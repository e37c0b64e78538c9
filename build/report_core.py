"""What the report page says of a single core."""

import numpy as np
from mubinn.model.zoo import data_path

from .report_parts import NOT_SIMULATED, rows
from .report_pictures import BLUE, GREY, RED, figure, svg

__all__ = ["KEYS", "cards", "description", "picture", "subtitle", "verification"]

KEYS = ("parameters", "weight_bits", "memory_bits", "ideal_cycles_per_step", "predicted_cycles_per_step", "latency_cycles")
"""Figures of every manifest."""


def subtitle(manifest):
    """Its shape in a line."""
    spec, fold = manifest["spec"], manifest["folding"]
    return (
        f"LSTM {spec['input_size']} -> {spec['hidden_size']}, (A,W) = ({spec['hidden_levels']},{spec['weight_levels']}), "
        f"{fold['rows']} x 4 gates x {fold['lanes']} lanes"
    )


def verification(simulated):
    """What `mubinn simulate` found."""
    if simulated is None:
        return NOT_SIMULATED
    cycles = ""
    if simulated["cycles_per_step"] is not None:  # one step alone has no distance to the next
        cycles = (
            f" {simulated['cycles_per_step']:.1f} cycles a step measured, {simulated['ideal_cycles_per_step']} if nothing "
            f"waited (utilization {simulated['utilization']:.3f})."
        )
    return (
        f"<p>{simulated['simulator']}: {simulated['windows']} windows, {simulated['steps']} steps, every named signal "
        f"of the golden model compared: <b>{simulated['mismatches']} mismatches</b>.{cycles}</p>"
    )


def picture(model_file, evaluated):
    """What the core computes on one shipped window: input, cell state, and how the class builds up."""
    from mubinn.model.data import load_windows

    spec = model_file.spec
    windows = load_windows(data_path("eeg-sample"))
    if model_file.preprocess is None or windows.x.shape[2] != model_file.channel_count:
        rng = np.random.default_rng(0)
        x, title = rng.integers(spec.x.low, spec.x.high + 1, size=(1, 50, spec.input_size)), "random samples"
    else:
        x, title = model_file.quantize_input(windows.x[:1]), "the first shipped EEG window"
    model, state, sums = model_file.model(), None, []
    trace = model.run(x, record=("c", "h"))
    for t in range(x.shape[1]):
        state, _ = model.step(x[:, t], state)
        sums.append(state.scores[0] if state.scores is not None else np.zeros(1))
    drawing, axes = figure(3, 1, figsize=(8, 5.6), sharex=True)
    axes[0].plot(spec.x.real(x[0, :, 0]), color=BLUE, linewidth=0.8)
    axes[0].set_ylabel("channel 1\n(normalised)")
    spread = np.argsort(trace.c[0].std(axis=0))[-4:]
    axes[1].plot(spec.cell.real(trace.c[0][:, spread]), linewidth=0.9)
    axes[1].set_ylabel("c of four units")
    sums = np.array(sums, dtype=np.float64)
    if sums.shape[1] == 2:
        axes[2].plot(sums[:, 1] - sums[:, 0], color=RED)
        axes[2].set_ylabel("score 1 - score 0")
    else:
        axes[2].plot(sums, linewidth=0.9)
        axes[2].set_ylabel("scores")
    axes[2].axhline(0, color=GREY, linewidth=0.6)
    axes[2].set_xlabel("step")
    drawing.align_ylabels(axes)
    return f"<p>The golden model on {title}, integers scaled back to numbers.</p>" + svg(drawing)


def description(manifest, model_file):
    """Figures, spec and model card."""
    found = [(key.replace("_", " "), f"{manifest[key]:,}") for key in KEYS]
    return rows([*found, *((f"spec {k}", v) for k, v in manifest["spec"].items()), *cards(model_file)])


def cards(model_file):
    """Rows of the model card."""
    return [(f"model card: {k}", v) for k, v in model_file.card.items()]

"""One HTML page about a generated core, with pictures inside it: no other file, no script."""

import html
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mubinn.model.artifact import load_model
from mubinn.model.zoo import data_path

from .core_folder import read_manifest
from .errors import UserError
from .paths import write_text
from .reports import load_figures
from .targets import TARGETS

__all__ = ["Report", "report"]

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2733;background:#fff}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid #d5dce3}
table{border-collapse:collapse;margin:.5rem 0}td,th{padding:.25rem .9rem .25rem 0;text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}.note{color:#5a6772}
.tiles{display:flex;flex-wrap:wrap;gap:.8rem;margin:1rem 0}
.tile{border:1px solid #d5dce3;border-radius:.4rem;padding:.5rem .9rem;min-width:7.5rem}
.tile b{display:block;font-size:1.35rem}.bad{color:#a3171b}svg{max-width:100%;height:auto}
"""
_BLUE, _RED, _GREY = "#2b6ca3", "#b5482a", "#8a97a3"


@dataclass(frozen=True, kw_only=True)
class Report:
    """Where the page is, and its headline as `mubinn report --json` prints it."""

    path: Path
    headline: dict

    def figures(self):
        return {"report": str(self.path)} | self.headline


def report(directory):
    """Write DIR/report.html from what the verbs kept in DIR/reports. Parts that were not run are named as missing."""
    directory = Path(directory)
    manifest = read_manifest(directory)
    if manifest.get("kind") == "network":
        raise UserError(f"{directory}: must hold a single core: there is no page of a network yet")
    found = load_figures(directory)
    model_file = load_model(directory / manifest["model"])
    synths = [figures for name, figures in found.items() if name.startswith("synth-")]
    headline = _headline(manifest, model_file, found, synths)
    body = [
        f"<h1>{html.escape(manifest['name'])}</h1>",
        f'<p class="note">{html.escape(_subtitle(manifest))}</p>',
        _tiles(headline),
        "<h2>Is it right?</h2>",
        _verification(found),
        "<h2>What does it cost?</h2>",
        *(_synthesis(figures) for figures in synths),
        "" if synths else "<p>Not placed yet: run <code>mubinn synth</code>.</p>",
        "<h2>What does it do?</h2>",
        _one_window(model_file),
        "<h2>What is it?</h2>",
        _description(manifest, model_file),
    ]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(manifest['name'])} - mubinn</title><style>{_STYLE}</style></head><body>"
        + "\n".join(body)
        + "</body></html>\n"
    )
    path = directory / "report.html"
    write_text(path, page)
    return Report(path=path, headline=headline)


def _headline(manifest, model_file, found, synths):
    evaluated, simulated = found.get("eval"), found.get("simulate")
    synth = synths[0] if synths else None
    fs = model_file.preprocess.fs if model_file.preprocess else None
    return {
        "accuracy": evaluated and evaluated["accuracy"],
        "mismatches": simulated and simulated["mismatches"],
        "windows_simulated": simulated and simulated["windows"],
        "target": synth and synth["target"],
        "luts": synth and synth["luts"],
        "brams": synth and synth["brams"],
        "dsps": synth and synth["dsps"],
        "fmax_mhz": synth and synth["fmax_mhz"],
        "steps_per_second": synth and synth["steps_per_second"],
        "real_time_factor": round(synth["steps_per_second"] / fs, 1) if synth and fs else None,
        "cycles_per_step": manifest["predicted_cycles_per_step"],
    }


def _subtitle(manifest):
    spec, fold = manifest["spec"], manifest["folding"]
    return (
        f"LSTM {spec['input_size']} -> {spec['hidden_size']}, (A,W) = ({spec['hidden_levels']},{spec['weight_levels']}), "
        f"{fold['rows']} x 4 gates x {fold['lanes']} lanes"
    )


def _tiles(headline):
    labels = {
        "accuracy": "accuracy",
        "mismatches": "mismatches",
        "luts": "LUTs",
        "brams": "block RAMs",
        "dsps": "multipliers",
        "fmax_mhz": "MHz",
        "steps_per_second": "steps a second",
        "real_time_factor": "x real time",
    }
    tiles = []
    for key, label in labels.items():
        value = headline[key]
        if value is None:
            continue
        text = f"{value:.3f}" if key == "accuracy" else f"{value:,.0f}" if value >= 1000 else f"{value:g}"
        bad = ' class="bad"' if key == "mismatches" and value else ""
        tiles.append(f'<div class="tile"><b{bad}>{text}</b>{label}</div>')
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _rows(pairs):
    cells = "".join(f"<tr><th>{html.escape(str(k))}</th><td>{html.escape(str(v))}</td></tr>" for k, v in pairs)
    return f"<table>{cells}</table>"


def _verification(found):
    parts = []
    simulated, evaluated = found.get("simulate"), found.get("eval")
    if simulated:
        cycles = ""
        if simulated["cycles_per_step"] is not None:  # one step alone has no distance to the next
            cycles = (
                f" {simulated['cycles_per_step']:.1f} cycles a step measured, {simulated['ideal_cycles_per_step']} if nothing "
                f"waited (utilization {simulated['utilization']:.3f})."
            )
        parts.append(
            f"<p>{simulated['simulator']}: {simulated['windows']} windows, {simulated['steps']} steps, every named signal "
            f"of the golden model compared: <b>{simulated['mismatches']} mismatches</b>.{cycles}</p>"
        )
    else:
        parts.append("<p>Not simulated yet: run <code>mubinn simulate</code>.</p>")
    if evaluated:
        parts.append(
            _rows(
                (name.replace("_", " "), "-" if evaluated[name] is None else f"{evaluated[name]:.4f}")
                for name in ("accuracy", "balanced_accuracy", "auc", "float_accuracy", "agreement")
            )
        )
        parts.append(_confusion(np.array(evaluated["confusion"])))
    else:
        parts.append("<p>Accuracy not measured yet: run <code>mubinn eval</code>.</p>")
    return "\n".join(parts)


def _synthesis(figures):
    rows = [
        ("target", figures["target"]),
        (
            "clock",
            f"{figures['fmax_mhz']} MHz; asked for {figures['clock_mhz']:g}, {'met' if figures['timing_met'] else 'MISSED'}",
        ),
        ("steps a second", f"{figures['steps_per_second']:,.0f}"),
        ("tools", ", ".join(figures["tools"])),
    ]
    rows += [("limited by", f"{p['from']} to {p['to']}, {p['delay_ns']} ns") for p in figures["critical_path"]]
    return _bars(figures) + _rows(rows)


def _description(manifest, model_file):
    keys = (
        "parameters",
        "weight_bits",
        "memory_bits",
        "ideal_cycles_per_step",
        "predicted_cycles_per_step",
        "latency_cycles",
    )
    rows = [(key.replace("_", " "), f"{manifest[key]:,}") for key in keys]
    rows += [(f"spec {k}", v) for k, v in manifest["spec"].items()]
    rows += [(f"model card: {k}", v) for k, v in model_file.card.items()]
    return _rows(rows)


# Pictures ------------------------------------------------------------------------------------------------------------


def _svg(figure):
    import matplotlib.pyplot as plt

    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _figure(*args, **settings):
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "mubinn"
    import matplotlib.pyplot as plt

    return plt.subplots(*args, **settings)


def _bars(figures):
    capacity = TARGETS[figures["target"]].capacity
    labels = {"luts": "LUTs", "brams": "block RAMs", "dsps": "multipliers"}
    figure, axes = _figure(figsize=(7, 1.6))
    for y, key in enumerate(labels):
        used = figures[key] / capacity[key]
        axes.barh(y, 1, color="#e8edf2")
        axes.barh(y, used, color=_BLUE)
        axes.text(1.02, y, f"{figures[key]} of {capacity[key]}", va="center")
    axes.set_yticks(range(len(labels)), labels.values())
    axes.set_xlim(0, 1.3)
    axes.invert_yaxis()
    axes.xaxis.set_visible(False)
    for side in axes.spines.values():
        side.set_visible(False)
    return _svg(figure)


def _confusion(counts):
    figure, axes = _figure(figsize=(2.6, 2.4))
    axes.imshow(counts, cmap="Blues", vmin=0)
    for (row, column), count in np.ndenumerate(counts):
        dark = count > counts.max() / 2
        axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black")
    axes.set_xticks(range(len(counts)))
    axes.set_yticks(range(len(counts)))
    axes.set_xlabel("the model's class")
    axes.set_ylabel("true class")
    return _svg(figure)


def _one_window(model_file):
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
    figure, axes = _figure(3, 1, figsize=(8, 5.6), sharex=True)
    axes[0].plot(spec.x.real(x[0, :, 0]), color=_BLUE, linewidth=0.8)
    axes[0].set_ylabel("channel 1\n(normalised)")
    spread = np.argsort(trace.c[0].std(axis=0))[-4:]
    axes[1].plot(spec.cell.real(trace.c[0][:, spread]), linewidth=0.9)
    axes[1].set_ylabel("c of four units")
    sums = np.array(sums, dtype=np.float64)
    if sums.shape[1] == 2:
        axes[2].plot(sums[:, 1] - sums[:, 0], color=_RED)
        axes[2].set_ylabel("score 1 - score 0")
    else:
        axes[2].plot(sums, linewidth=0.9)
        axes[2].set_ylabel("scores")
    axes[2].axhline(0, color=_GREY, linewidth=0.6)
    axes[2].set_xlabel("step")
    figure.align_ylabels(axes)
    return f"<p>The golden model on {title}, integers scaled back to numbers.</p>" + _svg(figure)

"""Parts of the report page that cores and networks have in common, as HTML."""

import html

import numpy as np

from .report_pictures import bars, confusion

__all__ = ["NOT_SIMULATED", "rows", "scores", "synthesis", "tiles"]

NOT_SIMULATED = "<p>Not simulated yet: run <code>mubinn simulate</code>.</p>"
SCORES = ("accuracy", "balanced_accuracy", "auc", "precision", "recall", "f1", "float_accuracy", "agreement")


def tiles(headline):
    """The headline in boxes; what is not known has none."""
    labels = {
        "accuracy": "accuracy",
        "f1": "F1 of the spans",
        "mismatches": "mismatches",
        "luts": "LUTs",
        "brams": "block RAMs",
        "dsps": "multipliers",
        "fmax_mhz": "MHz",
        "steps_per_second": "steps a second",
        "real_time_factor": "x real time",
    }
    boxes = []
    for key, label in labels.items():
        value = headline.get(key)
        if value is None:
            continue
        text = f"{value:.3f}" if key in ("accuracy", "f1") else f"{value:,.0f}" if value >= 1000 else f"{value:g}"
        bad = ' class="bad"' if key == "mismatches" and value else ""
        boxes.append(f'<div class="tile"><b{bad}>{text}</b>{label}</div>')
    return f'<div class="tiles">{"".join(boxes)}</div>'


def rows(pairs):
    """A table of names and values."""
    cells = "".join(f"<tr><th>{html.escape(str(k))}</th><td>{html.escape(str(v))}</td></tr>" for k, v in pairs)
    return f"<table>{cells}</table>"


def scores(evaluated):
    """What `mubinn eval` measured."""
    if evaluated is None:
        return "<p>Accuracy not measured yet: run <code>mubinn eval</code>.</p>"
    found = [(name, evaluated[name]) for name in SCORES if name in evaluated]
    table = rows((name.replace("_", " "), "-" if value is None else f"{value:.4f}") for name, value in found)
    return table + (confusion(np.array(evaluated["confusion"])) if "confusion" in evaluated else "")


def synthesis(figures):
    """What `mubinn synth` measured."""
    found = [
        ("target", figures["target"]),
        (
            "clock",
            f"{figures['fmax_mhz']} MHz; asked for {figures['clock_mhz']:g}, {'met' if figures['timing_met'] else 'MISSED'}",
        ),
        ("steps a second", f"{figures['steps_per_second']:,.0f}"),
        ("tools", ", ".join(figures["tools"])),
    ]
    found += [("limited by", f"{p['from']} to {p['to']}, {p['delay_ns']} ns") for p in figures["critical_path"]]
    return bars(figures) + rows(found)

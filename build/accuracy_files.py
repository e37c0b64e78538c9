"""What `mubinn bench accuracy` leaves for others: a picture of its figures, and the shipped models with their cards."""

import dataclasses
import json
import shlex
from pathlib import Path

from .paths import command_line, write_text

__all__ = ["picture", "ship"]

WIDTH, ROW, LEFT, RIGHT = 640, 34, 150, 20
SHIPPED = {"fp": "eeg-fp", "1-1": "eeg-1-1", "2-2": "eeg-2-2", "3-3": "eeg-3-3"}
ORIGIN = (
    "Trained on EEGMAT 1.0.0, PhysioNet: I. Zyma et al., Electroencephalograms during mental arithmetic task performance, "
    "Data 4(1):14, 2019; A. Goldberger et al., PhysioBank, PhysioToolkit, and PhysioNet, Circulation 101(23), 2000 "
    "(ODC-By 1.0)"
)


def picture(results):
    """SVG text: the accuracy of every row of `accuracy.compare` results, with its interval, one block a split."""
    rows = []
    for result in results:
        rows.append((f"{result['split']} split", None))
        rows += [(row["levels"], row) for row in ({"levels": "fp"} | result["fp"], *result["rows"])]
    values = [v for _, row in rows if row for v in row["accuracy_interval"]]
    low, high = 5 * (min(values) // 5), 5 * (max(values) // 5 + 1)

    def x(value):
        return round(LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    height = ROW * (len(rows) + 1)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
             'font-size="13"><rect width="100%" height="100%" fill="white"/>']  # fmt: skip
    for tick in range(int(low), int(high) + 1, 5):
        lines.append(f'<line x1="{x(tick)}" y1="8" x2="{x(tick)}" y2="{height - ROW + 4}" stroke="#ddd"/>'
                     f'<text x="{x(tick)}" y="{height - 12}" text-anchor="middle">{tick} %</text>')  # fmt: skip
    for k, (name, row) in enumerate(rows):
        y = ROW * k + ROW // 2
        if row is None:
            lines.append(f'<text x="8" y="{y + 5}" font-weight="bold">{name}</text>')
            continue
        start, end = (x(v) for v in row["accuracy_interval"])
        lines.append(f'<text x="{LEFT - 12}" y="{y + 5}" text-anchor="end">{name}  {row["accuracy"]:.1f}</text>'
                     f'<line x1="{start}" y1="{y}" x2="{end}" y2="{y}" stroke="#36c" stroke-width="2"/>'
                     f'<circle cx="{x(row["accuracy"])}" cy="{y}" r="5" fill="#36c"/>')  # fmt: skip
    return "\n".join([*lines, "</svg>"]) + "\n"


def ship(out, folder, results, *, seed=0):
    """Copy the time split's models of one seed under their shipped names, with what was measured in their cards.

    `results` are those of `accuracy.compare`, of both splits or of one.
    """
    from mubinn.model.artifact import load_model, save_model

    for name, shipped in SHIPPED.items():
        source = Path(out) / "time" / f"seed-{seed}" / f"{name}.safetensors"
        model_file = load_model(source)
        card = dict(model_file.card) | {"name": shipped, "origin of the data": ORIGIN}
        if "command" in card:
            card["command"] = command_line(shlex.split(card["command"]))
        for result in results:
            rows = {"fp": result["fp"]} | {row["levels"].replace(",", "-"): row for row in result["rows"]}
            if name in rows:
                card[f"{result['split']} split"] = {
                    "seeds": result["seeds"],
                    "splits": result["splits"],
                    **{key: _rounded(value) for key, value in rows[name].items() if key not in ("ok", "limit")},
                }
        save_model(Path(folder) / f"{shipped}.safetensors", dataclasses.replace(model_file, card=card))
        write_text(Path(folder) / f"{shipped}.card.json", json.dumps(card, indent=1, sort_keys=True) + "\n")


def _rounded(value):
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return round(value, 3) if isinstance(value, float) else value

"""Pictures of the report page, as SVG text."""

import io

import numpy as np

from .targets import TARGETS

__all__ = ["BLUE", "GREY", "RED", "bars", "confusion", "figure", "svg"]

BLUE = "#2b6ca3"
RED = "#b5482a"
GREY = "#8a97a3"


def svg(drawing):
    """Text of a matplotlib figure, the same for the same figure; closes it."""
    import matplotlib.pyplot as plt

    buffer = io.StringIO()
    drawing.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    plt.close(drawing)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def figure(*args, **settings):
    """matplotlib's subplots, without a window."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "mubinn"
    import matplotlib.pyplot as plt

    return plt.subplots(*args, **settings)


def bars(figures):
    """What a target has, and how much of it the core takes."""
    capacity = TARGETS[figures["target"]].capacity
    labels = {"luts": "LUTs", "brams": "block RAMs", "dsps": "multipliers"}
    drawing, axes = figure(figsize=(7, 1.6))
    for y, key in enumerate(labels):
        used = figures[key] / capacity[key]
        axes.barh(y, 1, color="#e8edf2")
        axes.barh(y, used, color=BLUE)
        axes.text(1.02, y, f"{figures[key]} of {capacity[key]}", va="center")
    axes.set_yticks(range(len(labels)), labels.values())
    axes.set_xlim(0, 1.3)
    axes.invert_yaxis()
    axes.xaxis.set_visible(False)
    for side in axes.spines.values():
        side.set_visible(False)
    return svg(drawing)


def confusion(counts):
    """Windows by true class and by the model's."""
    drawing, axes = figure(figsize=(2.6, 2.4))
    axes.imshow(counts, cmap="Blues", vmin=0)
    for (row, column), count in np.ndenumerate(counts):
        dark = count > counts.max() / 2
        axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black")
    axes.set_xticks(range(len(counts)))
    axes.set_yticks(range(len(counts)))
    axes.set_xlabel("the model's class")
    axes.set_ylabel("true class")
    return svg(drawing)

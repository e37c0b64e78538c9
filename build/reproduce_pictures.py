"""Pictures of `mubinn reproduce`, each as SVG and PNG."""

import io
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "mubinn"  # the same picture, the same bytes

import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

from .paths import write_bytes  # noqa: E402

__all__ = ["bars", "gates", "memory_map"]

PAPER, OURS = "#b9c3d6", "#2f5fb3"


def _save(figure, path):
    """Both formats beside each other; returns their paths."""
    written = []
    for suffix, extra in ((".svg", {"metadata": {"Date": None}}), (".png", {"dpi": 144})):
        data = io.BytesIO()
        figure.savefig(data, format=suffix[1:], bbox_inches="tight", **extra)
        target = Path(path).with_suffix(suffix)
        write_bytes(target, data.getvalue())
        written.append(str(target))
    plt.close(figure)
    return written


def bars(path, title, rows, *, axis, low=None):
    """The paper's figure and ours, side by side.

    Parameters
    ----------
    path : path
        Its suffix is replaced.
    rows : list of (label, paper, ours, (low, high) around ours, or None)
        None where there is no figure.
    axis : str
    low : float or None
        Where the axis starts.
    """
    figure, axes = plt.subplots(figsize=(7.5, 1.4 + 0.42 * len(rows)))
    at = np.arange(len(rows))
    paper = [np.nan if row[1] is None else row[1] for row in rows]
    ours = [np.nan if row[2] is None else row[2] for row in rows]
    if any(row[1] is not None for row in rows):
        axes.barh(at - 0.2, paper, 0.38, color=PAPER, label="paper")
    axes.barh(at + 0.2, ours, 0.38, color=OURS, label="ours")
    for k, row in enumerate(rows):
        if row[2] is None:
            axes.text(
                0.01, k + 0.2, " not measured", va="center", transform=axes.get_yaxis_transform(), fontsize=8, color="gray"
            )
        elif row[3]:
            axes.errorbar(row[2], k + 0.2, xerr=[[row[2] - row[3][0]], [row[3][1] - row[2]]], color="black", capsize=3, lw=1)
    axes.set_yticks(at, [row[0] for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel(axis)
    axes.set_xlim(left=low)
    axes.set_title(title, loc="left", fontsize=10)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    axes.grid(axis="x", alpha=0.3)
    return _save(figure, path)


def memory_map(path, title, rows):
    """How many times less memory each pair of levels takes, from `reproduce_computed.memory`."""
    side = int(len(rows) ** 0.5)
    values = np.array([row["times_less"] for row in rows]).reshape(side, side)
    names = [str(row["weight_levels"] or "fp") for row in rows[:side]]
    figure, axes = plt.subplots(figsize=(5.4, 4.2))
    axes.imshow(np.log(values), cmap="Blues")
    for (k, j), value in np.ndenumerate(values):
        dark = np.log(value) > 0.6 * np.log(values.max())
        axes.text(j, k, f"{value:.1f}", ha="center", va="center", fontsize=9, color="white" if dark else "black")
    axes.set_xticks(range(side), names)
    axes.set_yticks(range(side), names)
    axes.set_xlabel("weight levels")
    axes.set_ylabel("activation levels")
    axes.set_title(title, loc="left", fontsize=10)
    return _save(figure, path)


def gates(path, title, values, shares):
    """Histograms of the gates, and the two terms of Eq. 12 over r.

    Parameters
    ----------
    values : {name: array}
    shares : list of dict
        Of `reproduce_computed.gradient_shares`.
    """
    figure, axes = plt.subplots(1, len(values) + 1, figsize=(3 * len(values) + 3.6, 2.8))
    for own, (name, array) in zip(axes, values.items(), strict=False):
        own.hist(array, bins=50, range=(0, 1), color=OURS, weights=np.full(len(array), 100 / len(array)))
        own.set_xlabel(f"gate {name}")
    axes[0].set_ylabel("per cent of all values")
    steps = [row["r"] for row in shares]
    axes[-1].loglog(steps, [row["first"] for row in shares], "o-", color=PAPER, label="first term")
    axes[-1].loglog(steps, [row["second"] for row in shares], "o-", color=OURS, label="second term")
    axes[-1].set_xticks(steps, [f"1/{round(1 / step)}" for step in steps])
    axes[-1].set_xticks([], minor=True)
    axes[-1].set_xlabel("r of Round & Clip")
    axes[-1].set_ylabel("share of the gradient's norm")
    axes[-1].legend(frameon=False)
    axes[-1].grid(alpha=0.3, which="both")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    figure.tight_layout()
    return _save(figure, path)

"""What the two papers report, and the trainings that stand beside each figure."""

from dataclasses import dataclass

__all__ = ["EEG", "TABLES", "Row", "Table"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """A line of a table of Quantization Loss Re-Learning.

    Attributes
    ----------
    settings : str
        As the paper names them; "Bi-LSTM-CRF" is full precision.
    data : str
        ner (GermEval 2014), chunking (CoNLL 2000) or pos (Universal Dependencies, English).
    rounding : str
        r,c of Round & Clip.
    figures : dict
        The paper's: f1 (of pos what it lists as precision is the accuracy), precision, recall, epochs, seconds an epoch.
    """

    settings: str
    data: str = "ner"
    rounding: str = "0.5,1"
    figures: dict

    @property
    def gates(self):
        """Of `mubinn tagger`."""
        return "" if self.settings == "Bi-LSTM-CRF" else self.settings.replace(" ", "")

    @property
    def name(self):
        """Of a training's files."""
        name = self.gates.replace(",", "-").replace("(", "").replace(")", "") or "fp"
        return name if self.rounding == "0.5,1" else f"{name}-{self.rounding.replace(',', '-')}"


@dataclass(frozen=True, kw_only=True)
class Table:
    """Parameters
    ----------
    title : str
    rows : tuple of Row
        The first of each data set that is full precision is what the others are compared with.
    """

    title: str
    rows: tuple


def _row(settings, epochs, seconds, precision, recall, f1, *, data="ner", rounding="0.5,1"):
    figures = {"f1": f1, "precision": precision, "recall": recall, "epochs": epochs, "seconds": seconds}
    if data == "pos":
        figures |= {"accuracy": precision, "precision": None}
    return Row(settings=settings, data=data, rounding=rounding, figures=figures)


FULL = "Bi-LSTM-CRF"
_BASE = _row(FULL, 24.7, 109.7, 0.814, 0.779, 0.788)
_GUMBEL = _row("GI, GF", 20.3, 122.7, 0.822, 0.780, 0.791)
_CLIPPED = _row("GI, GF, BI, BF", 23.7, 251.3, 0.818, 0.230, 0.358)
_FINER = _row("GI, GF, BI, BF", 25.0, 89.0, 0.844, 0.587, 0.688, rounding="0.2,0.4")
_NONE = {"epochs": None, "seconds": None, "precision": None, "recall": None, "f1": None}
_RELEARNED = (
    _BASE,
    _row("BI, BF", 25.0, 110.8, 0.807, 0.364, 0.494),
    _row("BI, BF, B(UVW)", 22.0, 68.4, 0.796, 0.488, 0.598),
    _CLIPPED,
    _row("BI, BF, NEW", 25.0, 50.0, 0.821, 0.761, 0.781),
    _row("BI, BF, B(UVW), NEW", 22.7, 86.5, 0.820, 0.765, 0.785),
)


def _without_paper(settings, data):
    """A line that the paper does not have, so that ours has something to stand beside."""
    return Row(settings=settings, data=data, figures=_NONE)


TABLES = {
    "qlrl-table2": Table(
        title="Table 2: Gumbel noise on the gates (NER)",
        rows=(
            _BASE,
            _row("GI", 24.0, 114.8, 0.817, 0.777, 0.786),
            _row("GF", 22.0, 115.7, 0.820, 0.783, 0.789),
            _row("GO", 25.0, 119.8, 0.807, 0.749, 0.772),
            _GUMBEL,
        ),
    ),
    "table3": Table(
        title="Table 3: Gumbel noise on i and f",
        rows=(
            _BASE,
            _GUMBEL,
            _without_paper(FULL, "chunking"),
            _row("GI, GF", 25.0, 76.7, 0.941, 0.938, 0.939, data="chunking"),
        ),
    ),
    "table4": Table(title="Table 4: Round & Clip after Gumbel noise (NER)", rows=(_BASE, _CLIPPED, _FINER)),
    "table5": Table(
        title="Table 5: Round & Clip after Gumbel noise",
        rows=(
            _BASE,
            _CLIPPED,
            _FINER,
            _without_paper(FULL, "chunking"),
            _row("GI, GF, BI, BF", 19.7, 80.8, 0.489, 0.430, 0.453, data="chunking"),
            _row("GI, GF, BI, BF", 12.0, 79.5, 0.752, 0.803, 0.777, data="chunking", rounding="0.2,0.4"),
            _without_paper(FULL, "pos"),
            _row("GI, GF, BI, BF", 22.3, 58.3, 0.793, None, None, data="pos"),
            _row("GI, GF, BI, BF", 15.0, 38.4, 0.926, None, None, data="pos", rounding="0.2,0.4"),
        ),
    ),
    "table6": Table(
        title="Table 6: Round & Clip in training and after it (NER; POS is ours)",
        rows=(*_RELEARNED, *(_without_paper(row.settings, "pos") for row in (_RELEARNED[0], _RELEARNED[1], _RELEARNED[4]))),
    ),
    "fig2": Table(title="Fig. 2: all ways to quantize i and f (NER)", rows=(*_RELEARNED, _FINER)),
}

EEG = {
    "fig4": {
        "title": "MuBiNN, Fig. 4: MuBiNN1 against B_LSTM",
        "methods": ("b_lstm:1,1", "mubinn1:1,1", "mubinn1:2,2", "mubinn1:3,3"),
        "paper": {},
        "claim": "MuBiNN1 is more than 10 points better than B_LSTM; the figure's numbers are not in the text",
    },
    "fig5": {
        "title": "MuBiNN, Fig. 5: MuBiNN2 against MuBiNN1",
        "methods": ("mubinn1:1,1", "mubinn1:2,2", "mubinn1:3,3", "1,1", "2,2", "3,3"),
        "paper": {"fp": 83.67, "1,1": 80.27, "2,2": 81.63, "3,3": 82.94},
        "claim": "MuBiNN2 is better than MuBiNN1; the figure's numbers of MuBiNN1 are not in the text",
    },
}
"""Figures of MuBiNN, whose EEG set has no name: accuracies in per cent, and what its text says of those without numbers."""

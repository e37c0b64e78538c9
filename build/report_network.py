"""What the report page says of a network: layers, a sentence or a window, and what the core answers."""

import numpy as np
from mubinn.model.tagging import UNKNOWN

from .report_core import KEYS, cards
from .report_parts import NOT_SIMULATED, rows
from .report_pictures import BLUE, GREY, RED, figure, svg

__all__ = ["description", "example", "picture", "subtitle", "verification"]

HEADS = {
    "h": "h of every step",
    "label": "a class for each window",
    "step": "a class for each step",
    "crf": "tags by a linear-chain CRF",
}
STEPS = 40
"""Of a window of random samples in the picture."""
EXAMPLE_WORDS = (8, 20)


def subtitle(manifest):
    """Its layers in a line."""
    layers = " -> ".join(_shape(specs) for specs in manifest["layers"])
    return f"{manifest['layers'][0][0]['input_size']} -> {layers}; {HEADS[manifest['head']]}"


def _shape(specs):
    sizes = " + ".join(str(spec["hidden_size"]) for spec in specs)
    return f"{sizes} (A,W) = ({specs[0]['hidden_levels']},{specs[0]['weight_levels']})"


def verification(simulated):
    """What `mubinn simulate` found."""
    if simulated is None:
        return NOT_SIMULATED
    return (
        f"<p>{simulated['simulator']}: {simulated['windows']} windows, {simulated['steps']} steps, "
        f"{simulated['records']} results compared with the golden model's: <b>{simulated['mismatches']} mismatches</b>.</p>"
    )


def example(corpus, max_steps):
    """A test sentence and its tags as numbers, which `mubinn eval` keeps for the picture, or None where all have more words
    than the network takes: one of 8 to 20 words before any other, then the fewest unknown words, then the first."""
    low, high = EXAMPLE_WORDS
    unknown = np.add.reduceat(corpus.word == UNKNOWN, corpus.starts)
    outside = (corpus.lengths < low) | (corpus.lengths > high)
    chosen = next((int(k) for k in np.lexsort((unknown, outside)) if corpus.lengths[k] <= max_steps), None)
    if chosen is None:
        return None
    at = slice(corpus.starts[chosen], corpus.starts[chosen] + corpus.lengths[chosen])
    return {"word": corpus.word[at].tolist(), "case": corpus.case[at].tolist(), "tag": corpus.tag[at].tolist()}


def picture(file, evaluated):
    """What the golden network makes of a test sentence if `mubinn eval` kept one, else of random samples."""
    sentence = (evaluated or {}).get("example")
    if sentence is not None and file.vocabulary is not None:
        return _tagged(file, sentence)
    spec = file.network.spec
    steps = min(STEPS, file.network.max_steps)
    x = np.random.default_rng(0).integers(spec.x.low, spec.x.high + 1, size=(1, steps, spec.input_size))
    trace = file.network.run(x)
    drawing, axes = figure(figsize=(8, 2.6))
    if trace.tag is None:
        spread = np.argsort(trace.features[0].std(axis=0))[-4:]
        axes.plot(trace.features[0][:, spread], linewidth=0.9)
        axes.set_ylabel("h of four units")
    else:
        axes.step(range(steps), trace.tag[0], where="mid", color=BLUE)
        axes.set_ylabel("class")
    axes.set_xlabel("step")
    return "<p>The golden network on random samples.</p>" + svg(drawing)


def _tagged(file, sentence):
    """Scores of every word and tag, the tags chosen and the true ones."""
    book, words = file.vocabulary, sentence["word"]
    trace = file.network.run(book.samples(np.array([words]), np.array([sentence["case"]])))
    scores, steps = trace.scores[0].T, range(len(words))
    drawing, axes = figure(figsize=(max(5, 0.55 * len(words)), 1.2 + 0.24 * len(book.tags)))
    axes.imshow(scores, cmap="Greys", aspect="auto", interpolation="nearest")
    axes.plot(steps, sentence["tag"], "s", markersize=9, markerfacecolor="none", color=RED, label="true tag")
    axes.plot(steps, trace.tag[0], "o", markersize=5, color=BLUE, markeredgecolor=GREY, label="the network's tag")
    axes.set_xticks(steps, [book.words[k] or f"word {k}" for k in words], rotation=45, ha="right")
    axes.set_yticks(range(len(book.tags)), book.tags)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    return "<p>The golden network on a test sentence; the darker, the higher the score.</p>" + svg(drawing)


def description(manifest, file):
    """Figures, layers and model card."""
    found = [(key.replace("_", " "), f"{manifest[key]:,}") for key in KEYS]
    for number, specs in enumerate(manifest["layers"], 1):
        for direction, spec in zip(("forward", "backward"), specs, strict=False):
            found.append((f"layer {number}, {direction}", ", ".join(f"{k} {v}" for k, v in spec.items())))
    return rows([*found, *cards(file)])

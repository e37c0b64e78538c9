"""How well sentences are tagged: by the golden network, by the word and by the span."""

import numpy as np

__all__ = ["figures_of", "golden_tags", "sentence_counts", "span_f1", "tag_figures"]


def golden_tags(file, corpus, *, progress=lambda done, total: None):
    """Tags uint8 [tokens] of a Corpus by the golden network of a file; sentences longer than it takes keep 255."""
    found, order = np.full(len(corpus.word), 255, np.uint8), np.argsort(corpus.lengths, kind="stable")
    done, lengths = 0, corpus.lengths[order]
    for length in np.unique(lengths[lengths <= file.network.max_steps]):
        chosen = order[lengths == length]
        for part in np.array_split(chosen, -(-len(chosen) // 64)):
            at = corpus.starts[part][:, None] + np.arange(length)
            trace = file.network.run(file.vocabulary.samples(corpus.word[at], corpus.case[at]))
            found[at] = trace.tag
            done += len(part)
            progress(done, len(order))
    return found


def tag_figures(corpus, found, names):
    """{"sentences", "words", "accuracy"}, and of spans "precision", "recall", "f1", of the sentences that were tagged."""
    kept = [bool((tags != 255).all()) for tags in corpus.sentences(found)]
    inside = np.repeat(kept, corpus.lengths)
    figures = {
        "sentences": int(np.sum(kept)),
        "words": int(inside.sum()),
        "accuracy": float((found == corpus.tag)[inside].mean()) if inside.any() else None,
    }
    if names[0] == "O" and all(kept):
        figures |= span_f1(corpus, found, names)
    return figures


def sentence_counts(corpus, found, names):
    """int64 [sentences, 5]: words tagged right, words, and of spans those that are right, found, true (0 without spans)."""
    from seqeval.metrics.sequence_labeling import get_entities

    counts = []
    for true, guess in zip(corpus.sentences(corpus.tag), corpus.sentences(found), strict=True):
        row = [int((true == guess).sum()), len(true), 0, 0, 0]
        if names[0] == "O":
            truth, guessed = (set(get_entities([names[k] for k in tags])) for tags in (true, guess))
            row[2:] = len(truth & guessed), len(guessed), len(truth)
        counts.append(row)
    return np.array(counts, dtype=np.int64)


def figures_of(counts):
    """{"accuracy"}, and of spans "precision", "recall", "f1", of `sentence_counts` [..., sentences, 5], arrays [...]."""
    right, words, spans, found, true = np.moveaxis(np.asarray(counts).sum(axis=-2), -1, 0)
    figures = {"accuracy": right / words}
    if np.all(true):
        figures |= {"precision": spans / np.maximum(found, 1), "recall": spans / true, "f1": 2 * spans / (found + true)}
    return figures


def span_f1(corpus, found, names):
    """{"precision", "recall", "f1"} of the spans that B- and I- tags mark, as seqeval counts them."""
    from seqeval.metrics import f1_score, precision_score, recall_score

    true, guess = ([[names[k] for k in s] for s in corpus.sentences(tags)] for tags in (corpus.tag, found))
    return {
        "precision": float(precision_score(true, guess, zero_division=0)),
        "recall": float(recall_score(true, guess, zero_division=0)),
        "f1": float(f1_score(true, guess, zero_division=0)),
    }

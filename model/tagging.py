"""Sentences with a tag a word: readers of column files, of UD English EWT and of GermEval 2014, as integers."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .windows import DataError, read_npz

__all__ = ["CASES", "UNKNOWN", "Corpus", "TaggingData", "case_of", "load_tagging", "plain", "read_columns", "source_files"]

CASES = ("padding", "lower", "upper", "initial upper", "mixed", "digits", "some digits", "other")
"""Casing classes of a word; 0 stands behind the end of a sentence."""
PADDING = 0
UNKNOWN = 1
"""Word numbers that are no word: behind the end of a sentence, and every word that the training part does not have."""
PARTS = ("train", "dev", "test")
GERMEVAL = "germeval2014_coded.npz"
MOST_TAGS, MOST_BYTES = 32, 1 << 28


@dataclass(frozen=True, kw_only=True, eq=False)
class Corpus:
    """Sentences one behind the other.

    Attributes
    ----------
    word : int32 [tokens]
    case : uint8 [tokens], of CASES
    tag : uint8 [tokens]
    lengths : int64 [sentences], tokens of each, at least 1
    """

    word: np.ndarray
    case: np.ndarray
    tag: np.ndarray
    lengths: np.ndarray

    def __len__(self):
        return len(self.lengths)

    @property
    def starts(self):
        """First token of every sentence, int64 [sentences]."""
        return np.cumsum(self.lengths) - self.lengths

    def padded(self, chosen):
        """(word [steps, sentences], case, tag, lengths) of the chosen sentences, zeros behind their ends."""
        lengths, starts = self.lengths[chosen], self.starts[chosen]
        at = np.arange(lengths.max())[:, None]
        inside = at < lengths
        token = np.where(inside, starts + at, 0)
        return *(np.where(inside, a[token], 0).astype(np.int64) for a in (self.word, self.case, self.tag)), lengths

    def sentences(self, tokens):
        """A list of the arrays of each sentence, from an array of all tokens."""
        return np.split(np.asarray(tokens), np.cumsum(self.lengths)[:-1])


@dataclass(frozen=True, kw_only=True, eq=False)
class TaggingData:
    """Attributes
    ----------
    train, dev, test : Corpus
    words : tuple of str, or None
        Surface of every word number, where it is known.
    word_count : int
        Word numbers, with padding and unknown.
    tags : tuple of str
    """

    train: Corpus
    dev: Corpus
    test: Corpus
    words: tuple | None
    word_count: int
    tags: tuple


def case_of(word):
    """Number in CASES."""
    digits = sum(letter.isdigit() for letter in word)
    if digits == len(word):
        return 5
    if 2 * digits > len(word):
        return 6
    if word.islower():
        return 1
    if word.isupper():
        return 2
    if word[:1].isupper():
        return 3
    return 4 if any(letter.isalpha() for letter in word) else 7


def read_columns(path, *, word=0, tag=1):
    """Sentences of a file of columns: [[(word, tag), ...], ...].

    A line a word, its columns apart by tabs, or by blanks where it has none (CoNLL); a blank line ends a sentence.
    Negative columns count from the last. Lines that begin with # say something about the sentence; but where words come first
    (column 0) they are words behind the first word, and before it those of columns that tabs keep apart.

    Raises DataError for a file that can't be read or a line with too few columns.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path}: must be at most {MOST_BYTES} bytes, not {path.stat().st_size}")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from None
    sentences, sentence = [], []
    for number, line in enumerate([*lines, ""], start=1):
        if not line.strip():
            if sentence:
                sentences.append(sentence)
            sentence = []
            continue
        if _is_remark(line, first=not sentence, word=word):
            continue
        columns = line.split("\t") if "\t" in line else line.split()
        try:
            sentence.append((columns[word], columns[tag]))
        except IndexError:
            raise DataError(f"{path}: line {number} must have column {max(word, tag)}, not only {len(columns)}") from None
    if not sentences:
        raise DataError(f"{path}: must hold at least 1 sentence, not 0")
    return sentences


def _is_remark(line, *, first, word):
    """Whether a line says something about its sentence, as `read_columns` explains: `first` if no word came before it."""
    if not line.startswith("#"):
        return False
    if word:
        return True  # words stand behind a number, so no line of theirs begins with #
    parts_by_tabs = "\t" in line and not line.startswith("# ")
    return first and not parts_by_tabs


def load_tagging(path, *, word=0, tag=1):
    """TaggingData of a folder: GermEval's integers, or three column files train, dev and test (.tsv, .txt or .conll).

    Words are told apart as lower case, with digits as 0, and numbered in the order of the training part.
    """
    folder, sources = Path(path), source_files(path)
    if len(sources) == 1:
        return _germeval(sources[0])
    files = {part: read_columns(file, word=word, tag=tag) for part, file in zip(PARTS, sources, strict=True)}
    words, tags = {"": PADDING, "?": UNKNOWN}, {}
    for sentence in files["train"]:
        for surface, name in sentence:
            words.setdefault(plain(surface), len(words))
            tags.setdefault(name, len(tags))
    # An outside tag comes first, and the rest in order.
    tags = {name: k for k, name in enumerate(sorted(tags, key=lambda name: (name != "O", name)))}
    if not 2 <= len(tags) <= MOST_TAGS:
        raise DataError(f"{folder}: tags must be 2 to {MOST_TAGS}, not {len(tags)}")
    parts = {part: _corpus(sentences, words, tags, folder / part) for part, sentences in files.items()}
    return TaggingData(**parts, words=tuple(words), word_count=len(words), tags=tuple(tags))


def source_files(path):
    """The files that `load_tagging` reads of a folder. DataError where one is missing."""
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder}: must be a folder with train, dev and test")
    if (folder / GERMEVAL).is_file():
        return [folder / GERMEVAL]
    files = []
    for part in PARTS:
        found = [file for ending in ("tsv", "txt", "conll") if (file := folder / f"{part}.{ending}").is_file()]
        if not found:
            raise DataError(f"{folder}: must hold {part}.tsv, {part}.txt or {part}.conll")
        files.append(found[0])
    return files


def plain(surface):
    """A word as it is looked up: lower case, every digit 0."""
    return re.sub(r"\d", "0", surface.lower())


def _corpus(sentences, words, tags, path):
    tokens = [token for sentence in sentences for token in sentence]
    unknown = sorted({name for _, name in tokens} - set(tags))
    if unknown:
        raise DataError(f"{path}: tags must be those of train, not {unknown[0]!r}")
    return Corpus(
        word=np.array([words.get(plain(surface), UNKNOWN) for surface, _ in tokens], np.int32),
        case=np.array([case_of(surface) for surface, _ in tokens], np.uint8),
        tag=np.array([tags[name] for _, name in tokens], np.uint8),
        lengths=np.array([len(sentence) for sentence in sentences], np.int64),
    )


def _germeval(path):
    keys = [f"{part}_{what}" for part in PARTS for what in ("word", "case", "tag", "len")]
    arrays = read_npz(path, (*keys, "tag_names", "n_ids", "vocab_id", "vocab_surface"))
    count = int(arrays["n_ids"])
    surfaces = [""] * count
    for number, surface in zip(arrays["vocab_id"].tolist(), arrays["vocab_surface"].tolist(), strict=True):
        if not 0 <= number < count:
            raise DataError(f"{path}: vocab_id must be 0 to {count - 1}, not {number}")
        surfaces[number] = surface
    tags = tuple(str(name) for name in arrays["tag_names"])
    parts = {}
    for part in PARTS:
        word, case, tag, lengths = (arrays[f"{part}_{what}"] for what in ("word", "case", "tag", "len"))
        if not len(word) == len(case) == len(tag) == lengths.sum() or lengths.min() < 1:
            raise DataError(f"{path}: {part}_word, {part}_case and {part}_tag must have as many entries as {part}_len sums to")
        for name, values, top in (("word", word, count), ("case", case, len(CASES)), ("tag", tag, len(tags))):
            if values.min() < 0 or values.max() >= top:
                raise DataError(f"{path}: {part}_{name} must be 0 to {top - 1}, not {values.min()} to {values.max()}")
        parts[part] = Corpus(word=word, case=case, tag=tag, lengths=lengths.astype(np.int64))
    return TaggingData(**parts, words=tuple(surfaces), word_count=count, tags=tags)

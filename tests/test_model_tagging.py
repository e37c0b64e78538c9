"""Readers of tagged sentences, casing classes, and what is refused in one line."""

import numpy as np
import pytest
from mubinn.model.tagging import CASES, UNKNOWN, case_of, load_tagging, plain, read_columns, source_files
from mubinn.model.windows import DataError

TRAIN = "The\tDET\nfox\tNOUN\nran\tVERB\n\n# a remark\nIt\tPRON\nran\tVERB\n"
DEV = "The\tDET\n17\tNOUN\n"


def folder(tmp_path, train=TRAIN, dev=DEV, test=DEV, ending="tsv"):
    for name, text in (("train", train), ("dev", dev), ("test", test)):
        (tmp_path / f"{name}.{ending}").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("word", "case"),
    [("fox", "lower"), ("FOX", "upper"), ("Fox", "initial upper"), ("iPhone", "mixed"), ("1984", "digits"),
     ("$1984", "some digits"), ("...", "other"), ("b2b", "lower"), ("Ä", "upper")],
)  # fmt: skip
def test_casing_classes(word, case):
    assert CASES[case_of(word)] == case


def test_words_are_numbered_in_the_order_of_train(tmp_path):
    data = load_tagging(folder(tmp_path))
    assert data.words == ("", "?", "the", "fox", "ran", "it") and data.word_count == 6
    assert data.tags == ("DET", "NOUN", "PRON", "VERB")
    assert data.train.word.tolist() == [2, 3, 4, 5, 4] and data.train.lengths.tolist() == [3, 2]
    assert data.dev.word.tolist() == [2, UNKNOWN] and plain("Fox17") == "fox00"
    word, case, tag, lengths = data.train.padded(np.array([1, 0]))
    assert word.tolist() == [[5, 2], [4, 3], [0, 4]] and tag.tolist() == [[2, 0], [3, 1], [0, 3]]
    assert case[2].tolist() == [0, 1] and lengths.tolist() == [2, 3]


def test_the_outside_tag_is_first(tmp_path):
    spans = "Ada\tB-PER\nruns\tO\n"
    assert load_tagging(folder(tmp_path, spans, spans, spans)).tags == ("O", "B-PER")


def test_columns_by_blanks_and_from_the_last(tmp_path):
    (tmp_path / "a.conll").write_text("The DT B-NP\nfox NN I-NP\n\n\n")
    assert read_columns(tmp_path / "a.conll", tag=2) == [[("The", "B-NP"), ("fox", "I-NP")]]
    assert read_columns(tmp_path / "a.conll", word=1, tag=-1) == [[("DT", "B-NP"), ("NN", "I-NP")]]


def test_a_number_sign_is_a_word_or_begins_a_remark(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("# a\tremark\n#one\tX\n#\tSYM\n3\tNUM\n\n#\tSYM\n\n# a remark\nof\tADP\n")
    words = [[word for word, _ in sentence] for sentence in read_columns(path)]
    assert words == [["#one", "#", "3"], ["#"], ["of"]]
    path.write_text("# a remark\nPound NN\n# #\n")
    assert read_columns(path) == [[("Pound", "NN"), ("#", "#")]]
    # Numbered words: what begins with # is none of them, as in GermEval's own files.
    path.write_text("#\thttp://example.org\t[2010]\n1\tSie\tO\n# more\n2\t#\tO\n")
    assert read_columns(path, word=1, tag=2) == [[("Sie", "O"), ("#", "O")]]


@pytest.mark.parametrize("ending", ["tsv", "txt", "conll"])
def test_source_files(tmp_path, ending):
    assert [file.name for file in source_files(folder(tmp_path, ending=ending))] == [
        f"{part}.{ending}" for part in ("train", "dev", "test")
    ]


@pytest.mark.parametrize(
    ("parts", "message"),
    [({"train": "The\n"}, r"train.tsv: line 1 must have column 1, not only 1$"),
     ({"train": "\n\n"}, r"train.tsv: must hold at least 1 sentence, not 0$"),
     ({"dev": "The\tNEW\n"}, r"dev: tags must be those of train, not 'NEW'$"),
     ({"train": "a\tX\n", "dev": "a\tX\n", "test": "a\tX\n"}, r"tags must be 2 to 32, not 1$")],
)  # fmt: skip
def test_bad_files_are_named(tmp_path, parts, message):
    with pytest.raises(DataError, match=message):
        load_tagging(folder(tmp_path, **parts))


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"must hold train.tsv, train.txt or train.conll$"):
        load_tagging(tmp_path)
    with pytest.raises(DataError, match=r"none: must be a folder with train, dev and test$"):
        load_tagging(tmp_path / "none")
    with pytest.raises(DataError, match=r"none: can't be read: No such file or directory$"):
        read_columns(tmp_path / "none")


def germeval(tmp_path, **changes):
    arrays = {
        "tag_names": np.array(["O", "B-PER"]),
        "n_ids": np.array(4),
        "vocab_id": np.array([2]),
        "vocab_surface": np.array(["ada"]),
    }
    for part in ("train", "dev", "test"):
        arrays |= {f"{part}_word": np.array([2, 3, 1], np.int32), f"{part}_case": np.array([3, 1, 1], np.uint8),
                   f"{part}_tag": np.array([1, 0, 0], np.uint8), f"{part}_len": np.array([2, 1], np.int32)}  # fmt: skip
    np.savez(tmp_path / "germeval2014_coded.npz", **(arrays | changes))
    return tmp_path


def test_germeval(tmp_path):
    data = load_tagging(germeval(tmp_path))
    assert data.tags == ("O", "B-PER") and data.words == ("", "", "ada", "") and data.word_count == 4
    assert [s.tolist() for s in data.test.sentences(data.test.tag)] == [[1, 0], [0]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"dev_word": np.array([2, 9, 1])}, r"dev_word must be 0 to 3, not 1 to 9$"),
     ({"test_len": np.array([2, 2])}, r"must have as many entries as test_len sums to$"),
     ({"vocab_id": np.array([7])}, r"vocab_id must be 0 to 3, not 7$")],
)  # fmt: skip
def test_a_damaged_germeval_is_named(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        load_tagging(germeval(tmp_path, **changes))

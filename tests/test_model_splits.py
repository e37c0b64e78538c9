"""Splits share no sample, and test everything once."""

import numpy as np
import pytest
from mubinn.model.splits import block_split, named_split, split_fold, subject_split, time_split
from recordings import recordings, says


def covered(windows, r):
    """How many windows hold each sample: [subjects, conditions, samples]."""
    count = np.zeros((r.x.shape[0], r.x.shape[1], r.x.shape[3]), int)
    for subject, y, start in zip(windows.subject, windows.y, windows.start, strict=True):
        count[list(r.subjects).index(subject), y, start : start + windows.steps] += 1
    return count


def check_split(split, r):
    spans = np.zeros((r.x.shape[0], r.x.shape[1], r.x.shape[3]), int)
    for s, c, first, last in split.spans:
        assert 0 <= first <= last - split.train.steps and last <= r.x.shape[3]
        spans[s, c, first:last] += 1
    train, validation, test = (covered(w, r) for w in (split.train, split.validation, split.test))
    assert spans.max() == 1 and not (train[spans == 0]).any()
    together = (spans > 0).astype(int) + (validation > 0) + (test > 0)
    assert together.max() == 1
    for w in (split.train, split.validation, split.test):  # content is where the labels say it is
        for k in range(0, len(w), 7):
            s = list(r.subjects).index(w.subject[k])
            assert np.array_equal(w.x[k].T, r.x[s, w.y[k], :, w.start[k] : w.start[k] + w.steps])
    return spans, validation, test


@pytest.mark.parametrize("samples, fs, steps", [(7750, 125.0, 325), (31000, 500.0, 1300), (3900, 62.5, 162)])
@pytest.mark.parametrize("stride", [0.5, 1, 0.3])
def test_time_split_shares_no_sample(samples, fs, steps, stride):
    r = recordings(subjects=2, samples=samples, fs=fs)
    split = time_split(r, stride=stride)
    spans, validation, test = check_split(split, r)
    assert split.train.steps == steps
    assert {tuple(row) for row in split.spans[:, :2]} == {(s, c) for s in range(2) for c in range(2)}
    for s, c in np.ndindex(2, 2):
        last_train, first_validation = np.flatnonzero(spans[s, c])[-1], np.flatnonzero(validation[s, c])[0]
        assert first_validation - last_train > steps  # at least a whole window between them
        assert np.flatnonzero(validation[s, c])[-1] < 0.8 * samples <= np.flatnonzero(test[s, c])[0]


def test_time_split_has_the_windows_of_the_readme():
    split = time_split(recordings(subjects=36))
    assert (len(split.train), len(split.validation), len(split.test)) == (2088, 288, 504)
    assert np.unique(split.test.start).tolist() == [6337, 6500, 6662, 6825, 6987, 7150, 7312]  # k * 162.5
    assert split.spans[:, 2:].tolist() == [[0, 4945]] * 72  # 6200 - 930 - 325


def test_time_split_without_validation():
    r = recordings(subjects=2)
    split = time_split(r, validation_part=0)
    check_split(split, r)
    assert len(split.validation) == 0 and split.spans[0].tolist() == [0, 0, 0, 6200]


def test_time_split_refuses():
    r = recordings(subjects=1)
    for part in (0, 1, -1, float("nan")):
        with says(f"train_part must be between 0 and 1, not {part}"):
            time_split(r, train_part=part)
    for part in (1, -0.1):
        with says(f"validation_part must be at least 0 and below 1, not {part}"):
            time_split(r, validation_part=part)
    for stride in (0, 1.5):
        with says(f"stride must be above 0 and at most 1 window, not {stride}"):
            time_split(r, stride=stride)
    for part, sizes in (("train", {"train_part": 0.05}), ("test", {"train_part": 0.99}),
                        ("validation", {"validation_part": 0.01})):  # fmt: skip
        with says(f"the {part} part holds no window of 325 samples: change train_part, validation_part"):
            time_split(r, **sizes)
    with says("recordings of 300 samples hold no grid of 325-step windows, 2.6 s each"):
        time_split(recordings(samples=300))


@pytest.mark.parametrize("fold", range(6))
def test_subject_split_shares_no_subject(fold):
    r = recordings(subjects=36, samples=1000)
    split = subject_split(r, fold)
    check_split(split, r)
    parts = [set(w.subject.tolist()) for w in (split.train, split.validation, split.test)]
    assert [len(p) for p in parts] == [25, 5, 6] and len(set.union(*parts)) == 36
    assert parts[2] == {100 + i for i in range(36) if i % 6 == fold}
    assert parts[1] == {100 + i for i in range(30) if i % 6 == (fold + 1) % 6}
    assert {100 + s for s in split.spans[:, 0].tolist()} == parts[0]
    assert len(split.test) == 6 * 2 * 5  # starts 0, 162, 325, 487, 650
    assert np.array_equal(np.bincount(split.train.y), [125, 125])


def test_subject_split_of_uneven_folds_tests_everybody_once():
    r = recordings(subjects=7, samples=400)
    found = [subject_split(r, fold, folds=3, validation_subjects=2) for fold in range(3)]
    tested = [s for split in found for s in np.unique(split.test.subject)]
    assert sorted(tested) == r.subjects.tolist()
    assert len(subject_split(r, 0, folds=3, validation_subjects=0).validation) == 0


def test_subject_split_refuses():
    r = recordings(subjects=12, samples=1000)
    for folds in (1, 13):
        with says(f"folds must be 2 to 12, the number of subjects, not {folds}"):
            subject_split(r, 0, folds=folds)
    for fold in (-1, 6):
        with says(f"fold must be 0 to 5, not {fold}"):
            subject_split(r, fold)
    for number in (-1, 10):
        with says(f"validation_subjects must be 0 to 9, not {number}"):
            subject_split(r, 0, validation_subjects=number)


@pytest.mark.parametrize("fold", range(5))
def test_block_split_shares_no_sample(fold):
    r = recordings(subjects=2)
    split = block_split(r, fold)
    spans, validation, test = check_split(split, r)
    for s, c in np.ndindex(2, 2):
        trained, tested, validated = (np.flatnonzero(part[s, c]) for part in (spans, test, validation))
        for one, other in ((trained, tested), (trained, validated), (validated, tested)):
            assert np.abs(one[:, None] - other[None, ::50]).min() > 325  # at least a whole window between them
        assert len(validated) == 3 * 325 and len(trained) >= 11 * 325
    assert (split.test.start % 325 == 0).all()


def test_block_split_tests_every_window_once():
    r = recordings(subjects=36)
    parts = [block_split(r, fold).test for fold in range(5)]
    assert sum(map(len, parts)) == 1656
    assert np.unique(np.concatenate([part.start for part in parts])).tolist() == [325 * k for k in range(23)]


def test_block_split_refuses():
    r = recordings(subjects=1)
    for fold in (-1, 5):
        with says(f"fold must be 0 to 4, not {fold}"):
            block_split(r, fold)
    with says("recordings must hold at least 20 windows of 325 samples for 5 blocks, not 12"):
        block_split(recordings(subjects=1, samples=4000), 0)


def test_splits_have_names():
    r = recordings(subjects=12)
    for name, want in (("time", time_split(r)), ("block:4", block_split(r, 4)), ("subject:2", subject_split(r, 2))):
        assert np.array_equal(named_split(r, name).test.x, want.test.x)
    for name in ("block:5", "block:-1", "subject:6", "subject", "times", "time:1", "", 3):
        with says(f"split must be time, block:K (K 0 to 4) or subject:K (K 0 to 5), not {name!r}"):
            split_fold(name)

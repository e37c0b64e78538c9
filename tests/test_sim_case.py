"""Cases, their files, and the words of a difference."""

import numpy as np
import pytest
from model_cases import random_samples
from mubinn.sim import testbench as generator
from mubinn.sim.case import early_last, first_windows, make_case, missing_last
from mubinn.sim.compare import compare
from mubinn.sim.testbench import checks
from mubinn.sim.vectors import pack, read_case, unpack, write_case
from sim_cores import broken_windows, core, model_file


def same(a, b):
    assert (a.windows == b.windows).all()
    assert (a.samples == b.samples).all()
    assert a.expected.keys() == b.expected.keys() == a.undefined.keys()
    for name in a.expected:
        assert np.array_equal(a.undefined[name], b.undefined[name]), name
        assert np.array_equal(a.expected[name], b.expected[name]), name


def test_words_by_hand():
    bits = pack([(np.array([[-3, 1]]), 4), (np.array([[1]]), 1)])
    assert bits.tolist() == [[1, 0, 1, 1, 1, 0, 0, 0, 1]]  # -3, 1, 1 from the least significant bit
    fields, flag = unpack(bits, [(2, 4, True), (1, 1, False)])
    assert fields.tolist() == [[-3, 1]] and flag.tolist() == [[1]]


@pytest.mark.parametrize("kind", ["head", "stream"])
def test_files_hold_the_case(kind, tmp_path):
    _, manifest = core(kind)
    case = broken_windows(model_file(kind).model())
    write_case(tmp_path, manifest, case)
    same(read_case(tmp_path, manifest), case)


def test_generated_vectors_are_the_golden_model():
    folder, manifest = core("head")
    model = model_file("head").model()
    case = make_case(model, random_samples(model.spec, 3, windows=3, steps=5))
    same(read_case(folder / "vectors", manifest), case)
    said = manifest["vectors"]
    assert (said["windows"], said["steps"], said["samples"], said["results"]) == (3, 15, 45, 3)
    assert said["files"] == sorted(path.name for path in (folder / "vectors").iterdir())


def test_a_damaged_file_is_named(tmp_path):
    _, manifest = core("head")
    model = model_file("head").model()
    write_case(tmp_path, manifest, make_case(model, random_samples(model.spec, 1)))
    (tmp_path / "z.hex").write_bytes((tmp_path / "z.hex").read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"z\.hex: must have lines of \d+ hexadecimal digits$"):
        read_case(tmp_path, manifest)


@pytest.mark.parametrize("kind", ["head", "stream"])
def test_first_windows(kind):
    model = model_file(kind).model()
    x = random_samples(model.spec, 1)
    same(first_windows(make_case(model, x), 2), make_case(model, x[:2]))
    same(first_windows(make_case(model, x), None), make_case(model, x))


def test_early_last_by_hand():
    model = model_file("stream").model()  # 4 channels, 3 units
    case = early_last(model, random_samples(model.spec, 1)[0], 6)
    assert case.windows.tolist() == [[2, 6, 6]]
    assert case.samples[:, 1].tolist() == [0, 0, 0, 0, 0, 1]
    assert case.undefined["z"].tolist() == [False] * 3 + [True] * 3
    assert case.undefined["h"].tolist() == [False] * 3 + [True] * 3
    assert case.expected["error"].ravel().tolist() == [0] * 3 + [1] * 3
    assert case.expected["last"].ravel().tolist() == [0] * 5 + [1]
    assert not case.undefined["error"].any() and not case.undefined["x_code"].any()


def test_missing_last_by_hand():
    model = model_file("head").model()
    case = missing_last(model, random_samples(model.spec, 1, steps=6)[0])
    assert not case.samples[:, 1].any()
    assert case.expected["error"].tolist() == [[1]] and case.undefined["label"].tolist() == [True]
    assert not case.undefined["z"].any()


def test_the_first_difference_in_words():
    _, manifest = core("head")
    model = model_file("head").model()
    case = make_case(model, random_samples(model.spec, 1))  # 3 windows of 5 steps of 4 units
    by_name = {check["name"]: check for check in checks(manifest)}
    got = case.expected["z"].copy()
    got[27, 1] += 1
    got[50, 0] += 1
    want = case.expected["z"][27, 1]
    words = f"z differs first at window 1, step 1, unit 3, gate f: got {want + 1}, want {want}"
    assert compare(case, by_name["z"], got) == (2, words)
    got = case.expected["scores"].copy()
    got[2, 1] -= 5
    assert compare(case, by_name["scores"], got)[1].startswith("scores differs first at window 2, class 1: got ")
    got = case.expected["x_code"].copy()
    got[16] ^= 1
    words = compare(case, by_name["x_code"], got)[1]
    assert words.startswith("x_code differs first at window 1, step 0, channel 1: got ")
    assert compare(case, by_name["label"], case.expected["label"]) == (0, None)
    assert compare(case, by_name["label"], case.expected["label"][:2]) == (1, "label has 2 records, 3 expected")
    case.undefined["z"][27] = True
    got = case.expected["z"].copy()
    got[27] += 1
    assert compare(case, by_name["z"], got) == (0, None)


def test_testbench_says_how_to_run_it():
    _, manifest = core("head")
    text = generator.testbench(manifest)
    assert "$ iverilog -g2005 -s mubinn_lstm_tb" in text and "$ verilator --binary --timing" in text
    assert text == generator.testbench(manifest)

"""Tensors of plain fixed point: levels whose scales halve, up to 16 bits, in the golden model, the file and the circuit."""

import dataclasses

import numpy as np
import pytest
from mubinn.hw.lstm import Lstm
from mubinn.model.artifact import ModelFile, load_model, save_model
from mubinn.model.binarize import codebook, encode
from mubinn.model.network import Layer, Network
from mubinn.model.network_file import NetworkFile, load_network, save_network
from mubinn.model.scales import fixed_point_scales
from mubinn.sim.pysim import run_amaranth
from mubinn.sim.random_case import CORNERS, random_case

CORNER = next(seed for seed, corner in enumerate(CORNERS, start=1) if "fixed_point" in corner)


@pytest.mark.parametrize("bits", [1, 2, 8, 9, 16])
def test_codes_are_the_nearest_odd_numbers(bits):
    scales = fixed_point_scales(bits)
    assert sorted(codebook(scales)) == list(range(1 - (1 << bits), 1 << bits, 2))
    values = np.random.default_rng(bits).integers(-(1 << bits), 1 << bits, 999)
    code = encode(values, scales)
    assert code.dtype == (np.uint8 if bits <= 8 else np.uint16) and code.max() < 1 << bits
    # A value between two of them goes up, as sign(0) is +1; the ends saturate.
    assert np.array_equal(codebook(scales)[code], np.clip(values | 1, 1 - (1 << bits), (1 << bits) - 1))


@pytest.mark.parametrize("bits", [0, 17])
def test_bits_have_a_range(bits):
    with pytest.raises(ValueError, match=f"bits must be 1 to 16, not {bits}"):
        fixed_point_scales(bits)


@pytest.mark.parametrize("seed", [CORNER, 43])
def test_the_circuit_is_the_golden_model(seed):
    case = random_case(seed)
    assert case.spec.weight_levels > 8 and "fixed_point" in case.features
    core = Lstm(case.parameters, case.folding, family=case.family)
    found = run_amaranth(core, case.case, stall_in=case.stall_in, stall_out=case.stall_out, seed=seed)
    assert found.ok, found.differences


def test_files_hold_long_codes(tmp_path):
    p = random_case(CORNER).parameters
    codes = p.wx_codes.copy()
    codes[0, 0] = 65535
    p = dataclasses.replace(p, wx_codes=codes)
    save_model(tmp_path / "m", ModelFile(preset="mubinn2", parameters=p))
    save_network(tmp_path / "n", NetworkFile(network=Network(layers=[Layer(forward=p)])))
    for read in (load_model(tmp_path / "m").parameters, load_network(tmp_path / "n").network.layers[0].forward):
        assert all(np.array_equal(value, read.tensors()[name]) for name, value in p.tensors().items())

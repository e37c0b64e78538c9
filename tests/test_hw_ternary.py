"""Ternary product: every code and value, by hand and by multiplication."""

import numpy as np
import pytest
from hw_bench import through
from mubinn.hw import TernaryProduct


@pytest.mark.parametrize("code, value, product", [(0, -7, 0), (1, -7, -7), (2, -7, -14), (1, 5, 5), (2, -8, -16), (2, 7, 14)])
def test_by_hand(code, value, product):
    """In half-units: 1/2 of -7 is -7 halves."""
    dut = TernaryProduct(4)
    got, latency = through(dut, [{"code": code, "value": value}], lambda ctx: ctx.get(dut.o.payload))
    assert got == [product] and latency == {dut.latency}


@pytest.mark.parametrize("bits", [1, 2, 6])
def test_every_code_and_value(bits):
    dut = TernaryProduct(bits)
    items = [{"code": c, "value": v} for c in range(3) for v in range(-(1 << bits - 1), 1 << bits - 1)]
    got, latency = through(dut, items, lambda ctx: ctx.get(dut.o.payload), rng=np.random.default_rng(bits), gap=0.3)
    assert got == [item["code"] * item["value"] for item in items] and latency == {dut.latency}


def test_bits_are_checked():
    with pytest.raises(ValueError, match=r"^bits must be at least 1, not 0$"):
        TernaryProduct(0)

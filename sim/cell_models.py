"""Simulation models of the cells that a core made for one FPGA family consists of."""

from importlib.resources import files
from pathlib import Path

__all__ = ["CELL_MODELS", "cell_models", "verilog_sources"]

CELL_MODELS = ("ice40", "ecp5")
"""Families with models here. Synthesis knows these cells by itself and must not read the models."""


def cell_models(family):
    """Verilog text."""
    return files("mubinn.sim").joinpath(f"cells_{family}.v").read_text()


def verilog_sources(folder, manifest):
    """Paths of what a simulator compiles for the core of a generated folder, without a testbench."""
    names = [manifest["verilog"], *filter(None, [manifest["cells"]])]
    return [Path(folder) / name for name in names]

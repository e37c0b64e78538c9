"""Components in Amaranth. `Lstm` is the whole core; its parts are usable alone."""

from .activation import Activation, Staircase, TernaryStaircase
from .axi import AxiCore
from .cell import Cell
from .distributed import DistributedDot, Tables, TableWriter
from .dots import DotProducts
from .encoder import Encoder
from .head import Head
from .lstm import Lstm
from .output import OutputProduct, OutputStairs
from .popcount import XnorDot
from .preactivation import PreActivation
from .product import XnorProduct
from .rom import Rom
from .scale import Scale
from .table import PiecewiseLinear
from .ternary import TernaryProduct

__all__ = [
    "Activation",
    "AxiCore",
    "Cell",
    "DistributedDot",
    "DotProducts",
    "Encoder",
    "Head",
    "Lstm",
    "OutputProduct",
    "OutputStairs",
    "PiecewiseLinear",
    "PreActivation",
    "Rom",
    "Scale",
    "Staircase",
    "TableWriter",
    "Tables",
    "TernaryProduct",
    "TernaryStaircase",
    "XnorDot",
    "XnorProduct",
]

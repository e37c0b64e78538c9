"""Chips that `synth` knows: their size, and the command lines that place a core on them."""

from dataclasses import dataclass

from .errors import UserError

__all__ = ["ROUTERS", "TARGETS", "Target", "target_named"]

ROUTERS = ("router1", "router2")


@dataclass(frozen=True, kw_only=True)
class Target:
    """One chip in one package.

    Parameters
    ----------
    name : str
    family : str
        Of `mubinn.hw.cells.FAMILIES`.
    synth : str
        Yosys command, without -top and -json.
    program : str
        nextpnr.
    options : tuple of str
        Its device and package.
    router : str
        nextpnr's, unless told otherwise: one of ROUTERS.
    output : str
        Option that names the placed design's file.
    constraints : str or None
        Option that names the pin file; None leaves the pins to nextpnr.
    pins : dict of str to str
        Pin of a port bit, where they are fixed.
    cells : dict of str to str
        What nextpnr's report calls our luts, brams and dsps.
    capacity : dict of str to int
    bram_bits : int
        Bits of a block RAM.
    clock_mhz : float
        What `synth` asks for unless told otherwise.
    """

    name: str
    family: str
    synth: str
    program: str
    options: tuple
    router: str
    output: str
    constraints: str | None
    pins: dict
    cells: dict
    capacity: dict
    bram_bits: int
    clock_mhz: float


# sg48: 35 and 20 reach global buffers; 39 to 41 are the LED driver's open drains and stay free.
_SG48 = {"clk": "35", "rst": "20"}
_SG48 |= dict(zip((f"i__payload[{k}]" for k in range(9)), "2 3 4 6 9 10 11 12 13".split(), strict=True))
_SG48 |= dict(zip((f"o__payload[{k}]" for k in range(9)), "18 19 21 23 25 26 27 28 31".split(), strict=True))
_SG48 |= {"i__valid": "32", "i__ready": "34", "o__valid": "36", "o__ready": "37"}
LOAD_PINS = ("i__payload[9]", "loaded", "load_error")
"""Of cores that load parameters alone."""

_SG48 |= dict(zip(LOAD_PINS, "38 42 43".split(), strict=True))


def _ecp5(size, *, luts, brams, dsps):
    return Target(
        name=f"ecp5-{size}",
        family="ecp5",
        # Wide multiplexers cost popcounts more than they save.
        synth="synth_ecp5 -nowidelut",
        program="nextpnr-ecp5",
        options=(f"--{size}", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained"),
        # router2 costs a fifth of the clock, but ends where router1 may not.
        router="router1",
        output="--textcfg",
        constraints=None,
        pins={},
        cells={"luts": "TRELLIS_COMB", "ffs": "TRELLIS_FF", "brams": "DP16KD", "dsps": "MULT18X18D"},
        capacity={"luts": luts, "brams": brams, "dsps": dsps},
        bram_bits=18 * 1024,
        clock_mhz=80.0,
    )


TARGETS = {
    t.name: t
    for t in (
        Target(
            name="ice40-up5k",
            family="ice40",
            synth="synth_ice40 -dsp",
            program="nextpnr-ice40",
            options=("--up5k", "--package", "sg48"),
            # router1 does not converge on designs that fill the chip; router2 takes seconds.
            router="router2",
            output="--asc",
            constraints="--pcf",
            pins=_SG48,
            cells={"luts": "ICESTORM_LC", "brams": "ICESTORM_RAM", "dsps": "ICESTORM_DSP"},
            capacity={"luts": 5280, "brams": 30, "dsps": 8},
            bram_bits=4096,
            clock_mhz=24.0,
        ),
        _ecp5("25k", luts=24288, brams=56, dsps=28),
        _ecp5("85k", luts=83640, brams=208, dsps=156),
    )
}


def target_named(name):
    """Target, or UserError with the names there are."""
    if name not in TARGETS:
        raise UserError(f"--target must be {', '.join(TARGETS)}, not {name!r}")
    return TARGETS[name]

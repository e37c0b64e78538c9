"""Constraints of a generated core for the tools that place it: the clock, in the languages that they read."""

__all__ = ["CLOCK_MHZ", "constraint_files"]

CLOCK_MHZ = 24.0
"""Where no chip says another."""


def constraint_files(name, *, family="generic", clock_mhz=CLOCK_MHZ, bus_clock=None):
    """{file name: text}: SDC for any tool, and what nextpnr reads for the family. Pins are the board's, and left to it.

    Parameters
    ----------
    name : str
        Prefix of the files.
    family : str
    clock_mhz : float
        What the core shall run at.
    bus_clock : str or None
        Clock port of a wrapper that has another name for it.
    """
    period = f"{1000 / clock_mhz:.3f}"
    clocks = [f"create_clock -name {port} -period {period} [get_ports {{{port}}}]" for port in ("clk", bus_clock) if port]
    lines = [f"# {name}: {clock_mhz:g} MHz", clocks[0], *(f"# of the wrapper: {clock}" for clock in clocks[1:])]
    files = {f"{name}.sdc": "\n".join(lines) + "\n"}
    if family == "ecp5":
        pins = '# Pins: LOCATE COMP "clk" SITE "..."; IOBUF PORT "clk" IO_TYPE=LVCMOS33;'
        files[f"{name}.lpf"] = f'FREQUENCY PORT "clk" {clock_mhz:g} MHZ;\n{pins}\n'
    if family == "ice40":
        files[f"{name}.pcf"] = f"set_frequency clk {clock_mhz:g}\n# Pins: set_io clk ...\n"
    return files

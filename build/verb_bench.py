"""`mubinn bench`: the measurements behind the README's table, one verb each."""

HELP = "Measure what the README claims."
EXAMPLE = "mubinn bench golden --data ../shared/data/eegmat"
PREFIX = "mubinn.build.bench_"
VERBS = {
    "golden": "speed of the golden model against torch.nn.LSTM",
    "training": "a training step of the quantized LSTM against torch.nn.LSTM",
    "accuracy": "accuracy of binarized against full-precision training, paired",
    "linear": "a linear model on band power, on the windows of bench accuracy",
    "baseline": "area, clock and cycles of the presets against the baseline in git",
    "engine": "cycles of a step in the circuit, predicted and ideal",
    "folding": "LUTs, block RAMs, multipliers and cycles of a core, predicted and placed",
    "popcount": "LUTs of a dot product of bits on each FPGA family",
    "scaling": "size of either way of scaling on FPGA families",
    "systems": "the papers' systems as cores, side by side",
    "gates": "netlists after Yosys, with the chip's cells, against the golden model",
    "mutants": "faults planted in the Verilog, and how many the generated testbench finds",
    "axi": "small cores on AXI4-Stream and AXI4-Lite against cocotbext-axi",
    "skip": "cycles that leaving out rows of g saves on data",
    "equality": "golden model against the circuit on random specs",
}

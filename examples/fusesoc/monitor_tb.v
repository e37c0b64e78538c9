// A window of one step, every channel at 0.25: prints the lamp.
`timescale 1ns / 1ps
module monitor_tb;
  localparam CHANNELS = 19;
  reg clk = 0, rst = 1, valid = 0;
  integer channel = 0, cycles = 0;
  wire ready, lamp, known;

  monitor dut (
      .clk(clk),
      .rst(rst),
      .x(12'd32),
      .x_last(channel == CHANNELS - 1),
      .x_valid(valid),
      .x_ready(ready),
      .lamp(lamp),
      .known(known)
  );

  always #10 clk = !clk;

  always @(posedge clk) begin
    cycles <= cycles + 1;
    rst <= cycles < 3;
    valid <= cycles >= 4 && channel < CHANNELS - (valid && ready);
    if (valid && ready) channel <= channel + 1;
    if (known) begin
      $display("MONITOR lamp=%0d after %0d cycles", lamp, cycles);
      $finish;
    end
    if (cycles == 20000) begin
      $display("MONITOR no result");
      $finish;
    end
  end
endmodule

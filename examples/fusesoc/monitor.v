// A core of mubinn in a design of its own: shows the class of the last window that was not broken.
module monitor #(
    parameter SAMPLE_BITS = 12,
    parameter RESULT_BITS = 68  // label, error, then the scores: "result" in manifest.json
) (
    input clk,
    input rst,
    input [SAMPLE_BITS-1:0] x,
    input x_last,
    input x_valid,
    output x_ready,
    output reg lamp,
    output reg known
);
  wire [RESULT_BITS-1:0] result;
  wire result_valid;

  mubinn_lstm lstm (
      .clk(clk),
      .rst(rst),
      .i__payload({x_last, x}),
      .i__valid(x_valid),
      .i__ready(x_ready),
      .o__payload(result),
      .o__valid(result_valid),
      .o__ready(1'b1)
  );

  always @(posedge clk)
    if (rst) begin
      lamp <= 0;
      known <= 0;
    end else if (result_valid && !result[1]) begin
      lamp <= result[0];
      known <= 1;
    end
endmodule

// Cells of Xilinx 7 as the hardware of mubinn uses them, for simulation.

// One table of six inputs, whose lower half is the second output.
module LUT6_2 #(
    parameter [63:0] INIT = 64'h0
) (
    output wire O5, O6,
    input wire I0, I1, I2, I3, I4, I5
);
    assign O5 = INIT[{1'b0, I4, I3, I2, I1, I0}];
    assign O6 = INIT[{I5, I4, I3, I2, I1, I0}];
endmodule


// Carry chain of a slice; at most one of CI and CYINIT is in use.
module CARRY4 (
    output wire [3:0] CO, O,
    input wire CI, CYINIT,
    input wire [3:0] DI, S
);
    wire [3:0] carries = {CO[2:0], CI | CYINIT};
    assign O = S ^ carries;
    assign CO = (S & carries) | (~S & DI);
endmodule

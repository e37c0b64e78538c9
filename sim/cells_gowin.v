// Cells of Gowin's families as the hardware of mubinn uses them, for simulation. What they can do beyond that ends it.

// Adder in its mode ADDSUB: I0 + I1 where I3 is 1, I0 + ~I1 elsewhere.
module ALU #(
    parameter ALU_MODE = 0
) (
    output wire SUM, COUT,
    input wire I0, I1, I3, CIN
);
    initial
        if (ALU_MODE != 2) begin
            $display("ERROR: ALU: ALU_MODE must be 2, not %0d", ALU_MODE);
            $finish;
        end

    wire propagate = I0 ^ I1 ^ ~I3;
    assign SUM = propagate ^ CIN;
    assign COUT = propagate ? CIN : I0;
endmodule

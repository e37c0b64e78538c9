// Cells of iCE40 as the hardware of mubinn uses them, for simulation. What they can do beyond that ends the simulation.

module SB_LUT4 #(
    parameter [15:0] LUT_INIT = 16'h0000
) (
    output wire O,
    input wire I0, I1, I2, I3
);
    assign O = LUT_INIT[{I3, I2, I1, I0}];
endmodule


// Carry of a logic cell: the majority.
module SB_CARRY (
    output wire CO,
    input wire I0, I1, CI
);
    assign CO = (I0 & I1) | (I0 & CI) | (I1 & CI);
endmodule


// Block RAM, read only: 256 rows of 16 bits. In mode k every 2**k-th bit of a row makes a word, and RADDR[10:8] says which.
module SB_RAM40_4K #(
    parameter READ_MODE = 0,
    parameter WRITE_MODE = 0,
    parameter [255:0] INIT_0 = 256'h0, INIT_1 = 256'h0, INIT_2 = 256'h0, INIT_3 = 256'h0,
    parameter [255:0] INIT_4 = 256'h0, INIT_5 = 256'h0, INIT_6 = 256'h0, INIT_7 = 256'h0,
    parameter [255:0] INIT_8 = 256'h0, INIT_9 = 256'h0, INIT_A = 256'h0, INIT_B = 256'h0,
    parameter [255:0] INIT_C = 256'h0, INIT_D = 256'h0, INIT_E = 256'h0, INIT_F = 256'h0
) (
    output wire [15:0] RDATA,
    input wire RCLK, RCLKE, RE,
    input wire [10:0] RADDR,
    input wire WCLK, WCLKE, WE,
    input wire [10:0] WADDR,
    input wire [15:0] MASK, WDATA
);
    localparam [4095:0] INIT = {
        INIT_F, INIT_E, INIT_D, INIT_C, INIT_B, INIT_A, INIT_9, INIT_8,
        INIT_7, INIT_6, INIT_5, INIT_4, INIT_3, INIT_2, INIT_1, INIT_0
    };

    reg [15:0] rows [0:255];
    integer k;
    initial begin
        for (k = 0; k < 256; k = k + 1)
            rows[k] = INIT[16 * k +: 16];
        if (READ_MODE < 0 || READ_MODE > 3) begin
            $display("ERROR: SB_RAM40_4K: READ_MODE must be 0 to 3, not %0d", READ_MODE);
            $finish;
        end
    end

    reg [15:0] row;
    reg [2:0] part;
    always @(posedge RCLK)
        if (RE && RCLKE) begin
            row <= rows[RADDR[7:0]];
            part <= RADDR[10:8];
        end

    localparam APART = 1 << READ_MODE;
    wire [15:0] chosen = row >> (part & (3'b111 >> (3 - READ_MODE)));
    genvar at;
    generate
        for (at = 0; at < 16; at = at + 1) begin : place
            assign RDATA[at] = at % APART == (APART - 1) / 2 ? chosen[at / APART * APART] : 1'b0;
        end
    endgenerate

    always @(posedge WCLK)
        if (WE && WCLKE) begin
            $display("ERROR: SB_RAM40_4K: this model can't be written");
            $finish;
        end
    wire unused = &{1'b0, WADDR, MASK, WDATA, WRITE_MODE != 0};
endmodule


// Single-ported RAM of the UltraPlus: 16384 words of 16 bits, of which a write may leave out some nibbles.
module SB_SPRAM256KA (
    input wire [13:0] ADDRESS,
    input wire [15:0] DATAIN,
    input wire [3:0] MASKWREN,
    input wire WREN, CHIPSELECT, CLOCK, STANDBY, SLEEP, POWEROFF,
    output reg [15:0] DATAOUT
);
    reg [15:0] rows [0:16383];
    integer k;
    always @(posedge CLOCK)
        if (POWEROFF && !SLEEP && !STANDBY && CHIPSELECT) begin
            if (WREN) begin
                for (k = 0; k < 4; k = k + 1)
                    if (MASKWREN[k])
                        rows[ADDRESS][4 * k +: 4] <= DATAIN[4 * k +: 4];
                DATAOUT <= 16'bx;
            end else
                DATAOUT <= rows[ADDRESS];
        end
endmodule

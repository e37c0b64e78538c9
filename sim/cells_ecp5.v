// Cells of ECP5 as the hardware of mubinn uses them, for simulation. What they can do beyond that ends the simulation.

// Two LUT4s with carry, the carry not cut off (INJECT1 "NO"): each half hands it on where its LUT is 1.
module CCU2C #(
    parameter [15:0] INIT0 = 16'h0000,
    parameter [15:0] INIT1 = 16'h0000,
    parameter [23:0] INJECT1_0 = "YES",
    parameter [23:0] INJECT1_1 = "YES"
) (
    output wire S0, S1, COUT,
    input wire A0, B0, C0, D0, A1, B1, C1, D1, CIN
);
    initial
        if (INJECT1_0 != {8'h00, "NO"} || INJECT1_1 != {8'h00, "NO"}) begin
            $display("ERROR: CCU2C: INJECT1_0 and INJECT1_1 must be NO");
            $finish;
        end

    wire propagate0 = INIT0[{D0, C0, B0, A0}];
    wire propagate1 = INIT1[{D1, C1, B1, A1}];
    wire between = propagate0 ? CIN : INIT0[{2'b00, B0, A0}];
    assign S0 = propagate0 ^ CIN;
    assign S1 = propagate1 ^ between;
    assign COUT = propagate1 ? between : INIT1[{2'b00, B1, A1}];
endmodule


// Block RAM, read only, at both ports: 1024 rows of 18 bits, 20 bits of a parameter each. Words of 4, 2 and 1 bits lie in the
// lower eight of every nine bits.
module DP16KD #(
    parameter DATA_WIDTH_A = 18,
    parameter [47:0] REGMODE_A = "NOREG",
    parameter [39:0] CSDECODE_A = "0b000",
    parameter [31:0] CLKAMUX = "CLKA",
    parameter [119:0] WRITEMODE_A = "NORMAL",
    parameter DATA_WIDTH_B = 18,
    parameter [47:0] REGMODE_B = "NOREG",
    parameter [39:0] CSDECODE_B = "0b000",
    parameter [31:0] CLKBMUX = "CLKB",
    parameter [119:0] WRITEMODE_B = "NORMAL",
    parameter [39:0] RESETMODE = "SYNC",
    parameter [39:0] ASYNC_RESET_RELEASE = "SYNC",
    parameter [63:0] GSR = "ENABLED",
    parameter [319:0] INITVAL_00 = 320'h0, INITVAL_01 = 320'h0, INITVAL_02 = 320'h0, INITVAL_03 = 320'h0,
    parameter [319:0] INITVAL_04 = 320'h0, INITVAL_05 = 320'h0, INITVAL_06 = 320'h0, INITVAL_07 = 320'h0,
    parameter [319:0] INITVAL_08 = 320'h0, INITVAL_09 = 320'h0, INITVAL_0A = 320'h0, INITVAL_0B = 320'h0,
    parameter [319:0] INITVAL_0C = 320'h0, INITVAL_0D = 320'h0, INITVAL_0E = 320'h0, INITVAL_0F = 320'h0,
    parameter [319:0] INITVAL_10 = 320'h0, INITVAL_11 = 320'h0, INITVAL_12 = 320'h0, INITVAL_13 = 320'h0,
    parameter [319:0] INITVAL_14 = 320'h0, INITVAL_15 = 320'h0, INITVAL_16 = 320'h0, INITVAL_17 = 320'h0,
    parameter [319:0] INITVAL_18 = 320'h0, INITVAL_19 = 320'h0, INITVAL_1A = 320'h0, INITVAL_1B = 320'h0,
    parameter [319:0] INITVAL_1C = 320'h0, INITVAL_1D = 320'h0, INITVAL_1E = 320'h0, INITVAL_1F = 320'h0,
    parameter [319:0] INITVAL_20 = 320'h0, INITVAL_21 = 320'h0, INITVAL_22 = 320'h0, INITVAL_23 = 320'h0,
    parameter [319:0] INITVAL_24 = 320'h0, INITVAL_25 = 320'h0, INITVAL_26 = 320'h0, INITVAL_27 = 320'h0,
    parameter [319:0] INITVAL_28 = 320'h0, INITVAL_29 = 320'h0, INITVAL_2A = 320'h0, INITVAL_2B = 320'h0,
    parameter [319:0] INITVAL_2C = 320'h0, INITVAL_2D = 320'h0, INITVAL_2E = 320'h0, INITVAL_2F = 320'h0,
    parameter [319:0] INITVAL_30 = 320'h0, INITVAL_31 = 320'h0, INITVAL_32 = 320'h0, INITVAL_33 = 320'h0,
    parameter [319:0] INITVAL_34 = 320'h0, INITVAL_35 = 320'h0, INITVAL_36 = 320'h0, INITVAL_37 = 320'h0,
    parameter [319:0] INITVAL_38 = 320'h0, INITVAL_39 = 320'h0, INITVAL_3A = 320'h0, INITVAL_3B = 320'h0,
    parameter [319:0] INITVAL_3C = 320'h0, INITVAL_3D = 320'h0, INITVAL_3E = 320'h0, INITVAL_3F = 320'h0
) (
    input wire CLKA, CEA, OCEA, WEA, RSTA, CSA0, CSA1, CSA2,
    input wire ADA0, ADA1, ADA2, ADA3, ADA4, ADA5, ADA6, ADA7, ADA8,
    input wire ADA9, ADA10, ADA11, ADA12, ADA13,
    input wire DIA0, DIA1, DIA2, DIA3, DIA4, DIA5, DIA6, DIA7, DIA8,
    input wire DIA9, DIA10, DIA11, DIA12, DIA13, DIA14, DIA15, DIA16, DIA17,
    output wire DOA0, DOA1, DOA2, DOA3, DOA4, DOA5, DOA6, DOA7, DOA8,
    output wire DOA9, DOA10, DOA11, DOA12, DOA13, DOA14, DOA15, DOA16, DOA17,
    input wire CLKB, CEB, OCEB, WEB, RSTB, CSB0, CSB1, CSB2,
    input wire ADB0, ADB1, ADB2, ADB3, ADB4, ADB5, ADB6, ADB7, ADB8,
    input wire ADB9, ADB10, ADB11, ADB12, ADB13,
    input wire DIB0, DIB1, DIB2, DIB3, DIB4, DIB5, DIB6, DIB7, DIB8,
    input wire DIB9, DIB10, DIB11, DIB12, DIB13, DIB14, DIB15, DIB16, DIB17,
    output wire DOB0, DOB1, DOB2, DOB3, DOB4, DOB5, DOB6, DOB7, DOB8,
    output wire DOB9, DOB10, DOB11, DOB12, DOB13, DOB14, DOB15, DOB16, DOB17
);
    localparam [20479:0] INIT = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
        INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
        INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
        INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
        INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
        INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
        INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
        INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
    };

    // Of a row, the word that the four low bits of an address choose.
    function [17:0] word(input integer width, input [3:0] place, input [17:0] row);
        reg [8:0] half;
        begin
            half = place[3] ? row[17:9] : row[8:0];
            case (width)
                18: word = row;
                9: word = {9'b0, half};
                4: word = {14'b0, half[{1'b0, place[2], 2'b00} +: 4]};
                2: word = {16'b0, half[{1'b0, place[2:1], 1'b0} +: 2]};
                default: word = {17'b0, half[{1'b0, place[2:0]}]};
            endcase
        end
    endfunction

    task refuse(input [95:0] name);
        begin
            $display("ERROR: DP16KD: %0s has a value that this model doesn't know", name);
            $finish;
        end
    endtask

    reg [17:0] rows [0:1023];
    integer k;
    initial begin
        for (k = 0; k < 1024; k = k + 1)
            rows[k] = INIT[20 * k +: 18];
        if (DATA_WIDTH_A != 1 && DATA_WIDTH_A != 2 && DATA_WIDTH_A != 4 && DATA_WIDTH_A != 9 && DATA_WIDTH_A != 18)
            refuse("DATA_WIDTH_A");
        if (REGMODE_A != {8'h00, "NOREG"} && REGMODE_A != "OUTREG")
            refuse("REGMODE_A");
        if (CSDECODE_A != "0b000")
            refuse("CSDECODE_A");
        if (CLKAMUX != "CLKA")
            refuse("CLKAMUX");
        if (DATA_WIDTH_B != 1 && DATA_WIDTH_B != 2 && DATA_WIDTH_B != 4 && DATA_WIDTH_B != 9 && DATA_WIDTH_B != 18)
            refuse("DATA_WIDTH_B");
        if (REGMODE_B != {8'h00, "NOREG"} && REGMODE_B != "OUTREG")
            refuse("REGMODE_B");
        if (CSDECODE_B != "0b000")
            refuse("CSDECODE_B");
        if (CLKBMUX != "CLKB")
            refuse("CLKBMUX");
    end

    wire [13:0] address_a = {
        ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7,
        ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0
    };
    reg [17:0] read_a, registered_a;
    always @(posedge CLKA) begin
        if (CEA && {CSA2, CSA1, CSA0} == 3'b000) begin
            read_a <= word(DATA_WIDTH_A, address_a[3:0], rows[address_a[13:4]]);
            if (WEA || RSTA) begin
                $display("ERROR: DP16KD: this model can't be written or reset");
                $finish;
            end
        end
        if (OCEA)
            registered_a <= read_a;
    end
    assign {
        DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
        DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0
    } = REGMODE_A == "OUTREG" ? registered_a : read_a;
    wire unused_a = &{
        1'b0, WRITEMODE_A == 120'b0,
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
        DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0
    };

    wire [13:0] address_b = {
        ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7,
        ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0
    };
    reg [17:0] read_b, registered_b;
    always @(posedge CLKB) begin
        if (CEB && {CSB2, CSB1, CSB0} == 3'b000) begin
            read_b <= word(DATA_WIDTH_B, address_b[3:0], rows[address_b[13:4]]);
            if (WEB || RSTB) begin
                $display("ERROR: DP16KD: this model can't be written or reset");
                $finish;
            end
        end
        if (OCEB)
            registered_b <= read_b;
    end
    assign {
        DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
        DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
    } = REGMODE_B == "OUTREG" ? registered_b : read_b;
    wire unused_b = &{
        1'b0, WRITEMODE_B == 120'b0,
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
        DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0
    };
    wire unused = &{1'b0, RESETMODE == 40'b0, ASYNC_RESET_RELEASE == 40'b0, GSR == 64'b0};
endmodule


// A product of 18 x 18 bits, with or without registers before and behind it.
module MULT18X18D #(
    parameter [31:0] REG_INPUTA_CLK = "NONE",
    parameter [31:0] REG_INPUTB_CLK = "NONE",
    parameter [31:0] REG_OUTPUT_CLK = "NONE",
    parameter [63:0] GSR = "ENABLED"
) (
    input wire CLK0, CE0, RST0, SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    input wire A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17,
    input wire B0, B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17,
    input wire C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13, C14, C15, C16, C17,
    output wire P0, P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12, P13, P14, P15, P16, P17,
    output wire P18, P19, P20, P21, P22, P23, P24, P25, P26, P27, P28, P29, P30, P31, P32, P33, P34, P35
);
    // A bit above 18, so that signed and unsigned numbers are multiplied alike.
    wire signed [18:0] a = {
        SIGNEDA & A17, A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0
    };
    wire signed [18:0] b = {
        SIGNEDB & B17, B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0
    };
    reg signed [18:0] a_later, b_later;
    reg signed [37:0] product_later;
    wire signed [18:0] a_now = REG_INPUTA_CLK == "CLK0" ? a_later : a;
    wire signed [18:0] b_now = REG_INPUTB_CLK == "CLK0" ? b_later : b;
    wire signed [37:0] product = a_now * b_now;
    always @(posedge CLK0)
        if (RST0) begin
            a_later <= 0;
            b_later <= 0;
            product_later <= 0;
        end else if (CE0) begin
            a_later <= a;
            b_later <= b;
            product_later <= product;
        end
    wire signed [37:0] result = REG_OUTPUT_CLK == "CLK0" ? product_later : product;
    assign {
        P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
        P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
    } = result[35:0];
    initial
        if ((REG_INPUTA_CLK != "NONE" && REG_INPUTA_CLK != "CLK0")
                || (REG_INPUTB_CLK != "NONE" && REG_INPUTB_CLK != "CLK0")
                || (REG_OUTPUT_CLK != "NONE" && REG_OUTPUT_CLK != "CLK0")) begin
            $display("ERROR: MULT18X18D: REG_INPUTA_CLK, REG_INPUTB_CLK and REG_OUTPUT_CLK must be NONE or CLK0");
            $finish;
        end
    always @*
        if (SOURCEA === 1'b1 || SOURCEB === 1'b1) begin
            $display("ERROR: MULT18X18D: SOURCEA and SOURCEB must be 0");
            $finish;
        end
    wire unused = &{
        1'b0, GSR == 64'b0, result[37:36], C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13, C14, C15, C16, C17
    };
endmodule

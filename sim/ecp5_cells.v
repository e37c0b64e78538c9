// ECP5's block RAM in netlists, for which Yosys ships no behaviour, in the modes that its synth_ecp5 and our instances make. Any
// other mode ends the simulation with the last line `MUBINN_TB ... FAIL`; a parameter or port that is not declared here does not compile.

// 1024 words of 18 bits. A port of 9 or fewer bits sees the bytes (9 bits) or, of their lower 8, the nibbles, pairs and bits
// one after another; 36 bits are two words, written through DIA and DIB by port A, read from DOA and DOB by port B.
module DP16KD #(
  parameter [319:0] INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0,
  parameter [319:0] INITVAL_04 = 0, INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0,
  parameter [319:0] INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0,
  parameter [319:0] INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0,
  parameter [319:0] INITVAL_10 = 0, INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0,
  parameter [319:0] INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0,
  parameter [319:0] INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0,
  parameter [319:0] INITVAL_1C = 0, INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0,
  parameter [319:0] INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0,
  parameter [319:0] INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0,
  parameter [319:0] INITVAL_28 = 0, INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0,
  parameter [319:0] INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0,
  parameter [319:0] INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0,
  parameter [319:0] INITVAL_34 = 0, INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0,
  parameter [319:0] INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0,
  parameter [319:0] INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0,
  parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18,
  parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG", RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC",
  parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000", CLKAMUX = "CLKA", CLKBMUX = "CLKB",
  parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL", GSR = "AUTO"
) (
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
  input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
  input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
  output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
  reg [17:0] memory [0:1023];
  wire [35:0] write = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3,
    DIB2, DIB1, DIB0, DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2,
    DIA1, DIA0};
  wire [13:0] at_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [13:0] at_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
  reg [35:0] read_a = 0, read_b = 0, later_a = 0, later_b = 0;
  wire [35:0] out_a = REGMODE_A == "OUTREG" ? later_a : read_a;
  wire [35:0] out_b = REGMODE_B == "OUTREG" ? later_b : read_b;
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0}
    = DATA_WIDTH_B == 36 ? out_b[17:0] : out_a[17:0];
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0}
    = DATA_WIDTH_B == 36 ? out_b[35:18] : out_b[17:0];

  localparam [64*320-1:0] CONTENT = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
    INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
    INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
    INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
    INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
    INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
    INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
    INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
  };

  // What a port of `width` bits reads at an address.
  function [35:0] read;
    input [13:0] at;
    input integer width;
    reg [17:0] word;
    begin
      word = memory[at[13:4]];
      case (width)
        36: read = {memory[{at[13:5], 1'b1}], memory[{at[13:5], 1'b0}]};
        18: read = word;
        9: read = word[9*at[3] +: 9];
        4: read = word[9*at[3] + 4*at[2] +: 4];
        2: read = word[9*at[3] + 2*at[2:1] +: 2];
        default: read = word[9*at[3] + at[2:0]];
      endcase
    end
  endfunction

  // Writes `data`; address bits that a wide port does not need enable its bytes.
  task store;
    input [13:0] at;
    input integer width;
    input [35:0] data;
    begin
      case (width)
        36: begin
          if (at[0]) memory[{at[13:5], 1'b0}][8:0] <= data[8:0];
          if (at[1]) memory[{at[13:5], 1'b0}][17:9] <= data[17:9];
          if (at[2]) memory[{at[13:5], 1'b1}][8:0] <= data[26:18];
          if (at[3]) memory[{at[13:5], 1'b1}][17:9] <= data[35:27];
        end
        18: begin
          if (at[0]) memory[at[13:4]][8:0] <= data[8:0];
          if (at[1]) memory[at[13:4]][17:9] <= data[17:9];
        end
        9: memory[at[13:4]][9*at[3] +: 9] <= data[8:0];
        4: memory[at[13:4]][9*at[3] + 4*at[2] +: 4] <= data[3:0];
        2: memory[at[13:4]][9*at[3] + 2*at[2:1] +: 2] <= data[1:0];
        default: memory[at[13:4]][9*at[3] + at[2:0]] <= data[0];
      endcase
    end
  endtask

  // Stores take effect after the edge, so that a port reads what was there before, whichever of them writes.
  wire select_a = CEA && !CSA2 && !CSA1 && !CSA0;
  wire select_b = CEB && !CSB2 && !CSB1 && !CSB0;
  always @(posedge CLKA) begin
    if (RSTA) begin
      if (RESETMODE != "SYNC") refuse("an asynchronous reset");
      read_a <= 0;
      later_a <= 0;
    end else if (select_a && !(WEA && WRITEMODE_A == "NORMAL")) read_a <= read(at_a, DATA_WIDTH_A);
    if (OCEA && !RSTA) later_a <= read_a;
    if (select_a && WEA && !RSTA) store(at_a, DATA_WIDTH_A, write);
  end
  always @(posedge CLKB) begin
    if (RSTB) begin
      if (RESETMODE != "SYNC") refuse("an asynchronous reset");
      read_b <= 0;
      later_b <= 0;
    end else if (select_b && !(WEB && WRITEMODE_B == "NORMAL")) read_b <= read(at_b, DATA_WIDTH_B);
    if (OCEB && !RSTB) later_b <= read_b;
    if (select_b && WEB && !RSTB) store(at_b, DATA_WIDTH_B, write >> 18);
  end

  task refuse;
    input [8*32-1:0] what;
    begin
      $display("MUBINN_TB DP16KD: %0s can't be simulated FAIL", what);
      $finish;
    end
  endtask

  function ordinary;
    input [31:0] width;
    ordinary = width == 1 || width == 2 || width == 4 || width == 9 || width == 18 || width == 36;
  endfunction

  integer k;
  initial begin
    if (!ordinary(DATA_WIDTH_A) || !ordinary(DATA_WIDTH_B)) refuse("this data width");
    if (REGMODE_A != "NOREG" && REGMODE_A != "OUTREG") refuse("this output mode");
    if (REGMODE_B != "NOREG" && REGMODE_B != "OUTREG") refuse("this output mode");
    if (CSDECODE_A != "0b000" || CSDECODE_B != "0b000") refuse("this chip select");
    if (CLKAMUX != "CLKA" || CLKBMUX != "CLKB") refuse("an inverted clock");
    if (WRITEMODE_A == "WRITETHROUGH" || WRITEMODE_B == "WRITETHROUGH") refuse("write-through");
    for (k = 0; k < 1024; k = k + 1) memory[k] = CONTENT[20*k +: 18];
  end
endmodule

// Self-checking testbench of @TOP@. It feeds the samples of the folder `vectors`, with random stalls on both streams
// and a reset in the first window, and compares every record of the golden model's trace inside the core, and every
// result, exactly.
//
// In the folder of this file, with Icarus Verilog:
//   $ iverilog -g2005 -s @TOP@_tb -o tb.vvp @VERILOG@ @TESTBENCH@ && vvp -n tb.vvp
// or with Verilator 5.40 or later:
//   $ verilator --binary --timing -Wno-fatal -O3 --top-module @TOP@_tb @VERILOG@ @TESTBENCH@ && obj_dir/V@TOP@_tb
//
// Append to either: +vectors=DIR  +windows=N (only the first N)  +stall_in=PERCENT +stall_out=PERCENT (0 to 95; 0 is full
//   speed)  +seed=N  +reset_at=CYCLE (reset there and start again; -1: never)  +results=FILE (write what came out)
//   +first=N (number of window 0)@LOAD_OPTION@
// The last line is `MUBINN_TB ... PASS` or `... FAIL`. -DMUBINN_VCD writes tb.vcd.
`default_nettype none

module @TOP@_tb;
  localparam UNITS = @UNITS@;
  localparam CHANNELS = @CHANNELS@;
  localparam CHECKS = @CHECKS@;
  // Cycles after which a core at full speed with nothing left to do stays silent.
  localparam QUIET = @QUIET@;
  // Now and then a result waits so many cycles before it is taken: once in so many results.
  localparam LONG = @LONG@;
  localparam LONG_ODDS = @LONG_ODDS@;
  localparam STARTUP = @STARTUP@;
  // In the middle of a step of the first window, with another behind it in the core.
  localparam RESET = @RESET@;

  reg clk = 0, rst = 1;
  reg i_valid = 0, o_ready = 0;
  reg [@I_BITS@-1:0] i_payload = 0, i_word = 0;
  wire i_ready, o_valid;
  wire [@O_BITS@-1:0] o_payload;
  reg [@O_BITS@-1:0] o_waiting = 0;
  reg o_waits = 0;
@LOAD@
  @TOP@ dut (
    .clk(clk), .rst(rst),
    .i__valid(i_valid), .i__ready(i_ready), .i__payload(i_payload),
    .o__valid(o_valid), .o__ready(o_ready), .o__payload(o_payload)@LOAD_PORTS@
  );

  // The case ----------------------------------------------------------------------------------------------------------
  reg [8*1024-1:0] folder, results_name;
  integer windows, stall_in, stall_out, seed, reset_at, results_file, i_file, file, code;
  integer steps, samples, results, a, b, c, d;
  reg [63:0] idle_limit, cycle_limit;

  initial begin
    if (!$value$plusargs("vectors=%s", folder)) folder = "vectors";
    if (!$value$plusargs("windows=%d", windows)) windows = -1;
    if (!$value$plusargs("stall_in=%d", stall_in)) stall_in = 20;
    if (!$value$plusargs("stall_out=%d", stall_out)) stall_out = 60;
    if (!$value$plusargs("seed=%d", seed)) seed = 1;
    if (!$value$plusargs("reset_at=%d", reset_at)) reset_at = RESET;
    if (stall_in < 0 || stall_in > 95 || stall_out < 0 || stall_out > 95) begin
      $display("MUBINN_TB stalls must be 0 to 95 percent FAIL");
      $finish;
    end
    results_file = 0;
    if ($value$plusargs("results=%s", results_name)) results_file = $fopen(results_name, "w");
    file = $fopen({folder, "/windows.txt"}, "r");
    i_file = $fopen({folder, "/i.hex"}, "r");
    if (file == 0 || i_file == 0) begin
      $display("MUBINN_TB no vectors in %0s FAIL", folder);
      $finish;
    end
    steps = 0;
    samples = 0;
    results = 0;
    a = 0;
    code = 3;
    while (a != windows && code == 3) begin
      code = $fscanf(file, "%d %d %d", b, c, d);
      if (code == 3) begin
        a = a + 1;
        steps = steps + b;
        samples = samples + c;
        results = results + d;
      end
    end
    $fclose(file);
    windows = a;
    idle_limit = (8 * QUIET + STARTUP + 1000) * 100 / (100 - (stall_in > stall_out ? stall_in : stall_out));
    cycle_limit = idle_limit * (steps + 3);
  end

  // Compared signals, a valid bit and a value each --------------------------------------------------------------------
  reg clear = 1;
  wire active = !rst && !clear;
  wire taken = active && o_valid && o_ready;
  wire [31:0] record_total = steps * UNITS;
  wire [31:0] sample_total = samples;
  wire [31:0] result_total = results;
  wire [CHECKS*32-1:0] seen, mismatches, extra, missing;
@INSTANCES@

  reg [31:0] seen_sum, mismatch_sum, extra_sum, missing_sum;
  integer k;
  always @* begin
    seen_sum = 0;
    mismatch_sum = 0;
    extra_sum = 0;
    missing_sum = 0;
    for (k = 0; k < CHECKS; k = k + 1) begin
      seen_sum = seen_sum + seen[k*32 +: 32];
      mismatch_sum = mismatch_sum + mismatches[k*32 +: 32];
      extra_sum = extra_sum + extra[k*32 +: 32];
      missing_sum = missing_sum + missing[k*32 +: 32];
    end
  end

  // Clock, stimulus, end ----------------------------------------------------------------------------------------------
  reg [63:0] cycles = 0, total_cycles = 0, last_event = 0, first_step = 0, last_step = 0;
  reg [31:0] random_in, random_out, seen_before = 0, h_seen = 0;
  integer sent = 0, accepted = 0, protocol = 0, held = 0;
  reg o_waited = 0;
  reg finished = 0;

  function [31:0] xorshift;
    input [31:0] state;
    reg [31:0] s;
    begin
      s = state ^ (state << 13);
      s = s ^ (s >> 17);
      xorshift = s ^ (s << 5);
    end
  endfunction

  task finish;
    begin
      finished = 1;
      $display("MUBINN_TB windows=%0d steps=%0d samples=%0d records=%0d results=%0d mismatches=%0d missing=%0d extra=%0d unsent=%0d protocol=%0d cycles=%0d span=%0d %0s",
        windows, steps, accepted, seen_sum, results, mismatch_sum, missing_sum, extra_sum, samples - accepted, protocol,
        cycles, last_step - first_step,
        steps > 0 && mismatch_sum == 0 && missing_sum == 0 && extra_sum == 0 && accepted == samples && protocol == 0
          && seen_sum > 0 ? "PASS" : "FAIL");
      if (results_file != 0) $fclose(results_file);
      $finish;
    end
  endtask

  always #5 clk = ~clk;

  always @(posedge clk) if (!finished) begin
    cycles = cycles + 1;
    total_cycles = total_cycles + 1;
    if (clear) begin
      // The first cycle, and the one of +reset_at: everything starts again.
      if (total_cycles > 2) begin
        code = $fseek(i_file, 0, 0);
        clear <= 0;
        rst <= 0;
      end
      i_valid <= 0;
      o_ready <= 0;
      o_waits = 0;
      o_waited = 0;
      held = 0;
      sent = 0;
      accepted = 0;
      cycles = 0;
      last_event = 0;
      h_seen = 0;
      random_in = 32'h9E3779B9 ^ (seed * 32'h85EBCA6B);
      random_out = 32'h7F4A7C15 ^ (seed * 32'hC2B2AE35);
      if (random_in == 0) random_in = 1;
      if (random_out == 0) random_out = 1;
    end else if (total_cycles == reset_at) begin
      clear <= 1;
      rst <= 1;
      i_valid <= 0;
      o_ready <= 0;
    end else begin
      random_in = xorshift(random_in);
      random_out = xorshift(random_out);
      if (i_valid && i_ready) begin
        accepted = accepted + 1;
        last_event = cycles;
      end
      if (!i_valid || i_ready) begin
        if (sent < samples && random_in[15:0] % 100 >= stall_in) begin
          code = $fscanf(i_file, "%h", i_word);
          if (code != 1) begin
            $display("i.hex ends after %0d of %0d samples", sent, samples);
            samples = sent;
            protocol = protocol + 1;
          end else begin
            i_valid <= 1;
            i_payload <= i_word;
            sent = sent + 1;
          end
        end else begin
          i_valid <= 0;
          i_payload <= ~i_payload;  // what is not valid must not matter
        end
      end
      if (o_waits && (!o_valid || o_payload !== o_waiting)) begin
        if (protocol < 3) $display("o changed in cycle %0d before it was taken", cycles);
        protocol = protocol + 1;
      end
      o_waits = o_valid && !o_ready;
      o_waiting = o_payload;
      // A result waits until everything that can be under way is finished behind it.
      if (held != 0) held = held - 1;
      else if (stall_out != 0 && o_valid && (taken || !o_waited) && random_out[31:16] % LONG_ODDS == 0) held = LONG;
      o_waited = o_valid;
      o_ready <= held == 0 && random_out[15:0] % 100 >= stall_out;
      if (taken && results_file != 0) $fdisplay(results_file, "%h", o_payload);
      if (@STEP_VALID@) begin
        if (h_seen == 0) first_step = cycles;
        if (h_seen + UNITS == record_total) last_step = cycles;
        h_seen = h_seen + 1;
      end
      if (seen_sum != seen_before) last_event = cycles;
      seen_before = seen_sum;
      if (extra_sum > 10 || cycles > cycle_limit) finish;
      else if (cycles - last_event > (accepted == samples && missing_sum == 0 ? QUIET : idle_limit)) begin
        if (accepted != samples) $display("the core stopped after %0d of %0d samples", accepted, samples);
        finish;
      end
    end
  end

`ifdef MUBINN_VCD
  initial begin
    $dumpfile("tb.vcd");
    $dumpvars;
  end
`endif
endmodule

// Compares a signal with the file NAME.hex, a word a record; the bit above a word's fields says not to.
module @TOP@_tb_check #(
  parameter NAME = "z",
  parameter FIELDS = 1,
  parameter BITS = 1,
  parameter SIGNED = 0,
  parameter EACH = "unit",    // what a record stands for: unit, channel, window
  parameter FIELD = "",       // what a field of it stands for: gate, class, or nothing
  parameter PER_STEP = 1
) (
  input wire clk,
  input wire clear,
  input wire valid,
  input wire [FIELDS*BITS-1:0] value,
  input wire [31:0] expected,
  output reg [31:0] seen,
  output reg [31:0] mismatches,
  output reg [31:0] extra,
  output wire [31:0] missing
);
  reg [8*1024-1:0] folder;
  reg [FIELDS*BITS:0] want;
  reg [BITS-1:0] got_field, want_field;
  integer file, windows_file, code, k, first, window, left, steps, samples, results, size;
  reg found;
  assign missing = seen < expected ? expected - seen : 0;

  initial begin
    if (!$value$plusargs("vectors=%s", folder)) folder = "vectors";
    if (!$value$plusargs("first=%d", first)) first = 0;
    seen = 0;
    mismatches = 0;
    extra = 0;
    file = $fopen({folder, "/", NAME, ".hex"}, "r");
    if (file == 0) $display("no file %0s/%0s.hex", folder, NAME);
  end

  // Window, and place in it, of record number `left`.
  task locate;
    begin
      windows_file = $fopen({folder, "/windows.txt"}, "r");
      window = -1;
      size = 0;
      code = 3;
      while (left >= size && code == 3) begin
        left = left - size;
        window = window + 1;
        code = $fscanf(windows_file, "%d %d %d", steps, samples, results);
        size = EACH == "channel" ? samples : EACH == "window" ? 1 : steps * PER_STEP;
      end
      $fclose(windows_file);
    end
  endtask

  task report;
    begin
      left = seen;
      locate;
      found = 0;
      for (k = 0; k < FIELDS; k = k + 1) begin
        got_field = value[k*BITS +: BITS];
        want_field = want[k*BITS +: BITS];
        if (!found && got_field !== want_field) begin
          found = 1;
          $write("%0s differs %0s at window %0d", NAME, mismatches == 0 ? "first" : "also", first + window);
          if (EACH != "window") $write(", step %0d, %0s %0d", left / PER_STEP, EACH, left % PER_STEP);
          if (FIELD == "gate") $write(", gate %0s", k == 0 ? "i" : k == 1 ? "f" : k == 2 ? "g" : "o");
          else if (FIELD == "class") $write(", class %0d", k);
          if (SIGNED) $display(": got %0d, want %0d", $signed(got_field), $signed(want_field));
          else $display(": got %0d, want %0d", got_field, want_field);
        end
      end
    end
  endtask

  always @(posedge clk) begin
    if (clear) begin
      if (file != 0) code = $fseek(file, 0, 0);
      seen <= 0;
      mismatches <= 0;
      extra <= 0;
    end else if (valid) begin
      if (seen >= expected) begin
        if (extra == 0) $display("%0s has more than the %0d records expected", NAME, expected);
        extra <= extra + 1;
      end else begin
        code = $fscanf(file, "%h", want);
        if (code != 1) begin
          if (mismatches < 3) $display("%0s.hex ends after %0d of %0d records", NAME, seen, expected);
          mismatches <= mismatches + 1;
        end else if (!want[FIELDS*BITS] && value !== want[FIELDS*BITS-1:0]) begin
          if (mismatches < 3) report;
          mismatches <= mismatches + 1;
        end
        seen <= seen + 1;
      end
    end
  end
endmodule

`default_nettype wire

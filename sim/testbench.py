"""The plain-Verilog testbench beside a generated core: `testbench.v` with the names and sizes of the core filled in."""

from importlib.resources import files

__all__ = ["checks", "testbench"]


def testbench(manifest):
    """Text of the testbench of the core that `manifest` describes. It reads the files of `vectors.write_case`.

    Without taps in the manifest only results are compared: so a netlist is tested, which has no wires of the trace.
    """
    spec = manifest["spec"]
    every = checks(manifest)
    instances = "".join(_instance(manifest["top"], number, **check) for number, check in enumerate(every))
    step_valid = next((f"dut.{tap['valid']}" for tap in manifest["taps"] if tap["name"] == "h_code"), "1'b0")
    beats = spec["input_size"] + (0 if spec["classes"] else spec["hidden_size"])
    load = manifest.get("load", {})
    startup = manifest["startup_cycles"] + 6 * load.get("words", 0)
    values = {
        "TOP": manifest["top"],
        "VERILOG": manifest["verilog"],
        "TESTBENCH": manifest["testbench"],
        "UNITS": spec["hidden_size"],
        "CHANNELS": spec["input_size"],
        "CHECKS": len(every),
        "QUIET": 2 * (manifest["ideal_cycles_per_step"] + manifest["latency_cycles"] + beats) + 64,
        "LONG": 3 * manifest["ideal_cycles_per_step"] + manifest["latency_cycles"],
        "LONG_ODDS": 4 if spec["classes"] else 64,
        "STARTUP": startup,
        "RESET": startup + manifest["latency_cycles"] + 5 * manifest["ideal_cycles_per_step"] // 2,
        "I_BITS": manifest["sample"]["payload_bits"],
        "O_BITS": manifest["result"]["payload_bits"],
        "STEP_VALID": step_valid,
        **_loading(manifest),
        "INSTANCES": instances.rstrip("\n"),
    }
    text = files("mubinn.sim").joinpath("testbench.v").read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    assert "@" not in text.replace("@*", "").replace("@(", ""), "a name of testbench.v was not filled in"
    return text


LOAD = """
  // Parameters, unless the core has them; with +load=1 it is loaded again.
  reg [8*1024-1:0] load_folder;
  reg load_valid = 0;
  reg [33:0] load_payload = 0;
  reg [31:0] load_word;
  wire load_ready, loaded, load_error;
  integer load_file, load_code, load_again, load_sent = 0;
  initial begin
    if (!$value$plusargs("vectors=%s", load_folder)) load_folder = "vectors";
    if (!$value$plusargs("load=%d", load_again)) load_again = 0;
    load_file = $fopen({load_folder, "/load.hex"}, "r");
    if (load_file == 0) $display("no file %0s/load.hex", load_folder);
  end
  always @(posedge clk) begin
    if (rst) begin
      if (load_file != 0) load_code = $fseek(load_file, 0, 0);
      load_sent = 0;
      load_valid <= 0;
    end else if (!load_valid || load_ready) begin
      load_valid <= 0;
      if (load_file != 0 && load_sent < LOAD_WORDS && (load_sent > 0 || !loaded || load_again != 0)) begin
        load_code = $fscanf(load_file, "%h", load_word);
        load_payload <= {load_sent == LOAD_WORDS - 1, load_sent == 0, load_word};
        load_valid <= 1;
        load_sent = load_sent + 1;
      end
    end
    if (!rst && load_error) begin
      $display("the core took its parameters for wrong");
      $finish;
    end
  end"""


def _loading(manifest):
    """What a core that loads parameters has more."""
    if "load" not in manifest:
        return {"LOAD": "", "LOAD_PORTS": "", "LOAD_OPTION": ""}
    words = manifest["load"]["words"]
    ports = ",\n    .load__valid(load_valid), .load__ready(load_ready), .load__payload(load_payload), .loaded(loaded)"
    ports += ",\n    .load_error(load_error)"
    option = "\n//   +load=1 (load parameters that the core has)"
    return {"LOAD": f"\n  localparam LOAD_WORDS = {words};{LOAD}", "LOAD_PORTS": ports, "LOAD_OPTION": option}


def checks(manifest):
    """Every compared signal: name, valid and value as Verilog, fields, bits of a field, and words for its place."""
    spec = manifest["spec"]
    every = []
    for tap in manifest["taps"]:
        each = "channel" if tap["name"] == "x_code" else "unit"
        every.append(
            {
                "name": tap["name"],
                "valid": f"active && dut.{tap['valid']}",
                "value": f"dut.{tap['value']}",
                "fields": tap["fields"],
                "bits": tap["bits"],
                "signed": tap["signed"],
                "each": each,
                "field": "gate" if tap["fields"] == 4 else "",
                "per_step": spec["input_size"] if each == "channel" else spec["hidden_size"],
            }
        )
    for name, at in sorted(manifest["result"]["fields"].items(), key=lambda item: item[1]["lsb"]):
        fields = at.get("fields", spec["classes"] if name == "scores" else 1)
        every.append(
            {
                "name": name,
                "valid": "taken",
                "value": f"o_payload[{at['lsb']} +: {at['bits']}]",
                "fields": fields,
                "bits": at["bits"] // fields,
                "signed": name in ("h", "scores"),
                "each": "window" if spec["classes"] else "unit",
                "field": "class" if name == "scores" else "",
                "per_step": 1 if spec["classes"] else spec["hidden_size"],
            }
        )
    return every


def _instance(top, number, *, name, valid, value, fields, bits, signed, each, field, per_step):
    total = {"unit": "record_total", "channel": "sample_total", "window": "result_total"}[each]
    at = f"[{32 * number} +: 32]"
    return f"""\
  {top}_tb_check #(
    .NAME("{name}"), .FIELDS({fields}), .BITS({bits}), .SIGNED({int(signed)}),
    .EACH("{each}"), .FIELD("{field}"), .PER_STEP({per_step})
  ) check_{name} (
    .clk(clk), .clear(clear), .valid({valid}), .value({value}), .expected({total}),
    .seen(seen{at}), .mismatches(mismatches{at}), .extra(extra{at}), .missing(missing{at})
  );
"""

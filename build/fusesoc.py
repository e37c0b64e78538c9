"""The FuseSoC core file of a generated folder."""

from importlib.metadata import version

__all__ = ["core_file", "core_name"]

VENDOR, LIBRARY = "mubinn", "generated"


def core_name(name):
    """By which other cores depend on it."""
    return f"{VENDOR}:{LIBRARY}:{name}:{version('mubinn')}"


def core_file(manifest, files):
    """Text in CAPI2: the core alone, with its wrappers, and with its testbench for Icarus and Verilator's lint.

    Parameters
    ----------
    manifest : dict
    files : sequence of str
        Paths of the test vectors in the folder.
    """
    name, spec = manifest["name"], manifest["spec"]
    sets = {"rtl": [manifest["verilog"]], "bytes": [manifest["wrapper"]]}
    if "axi" in manifest:
        sets["axi"] = [manifest["axi"]["verilog"]]
    if manifest["cells"]:
        sets["cells"] = [manifest["cells"]]  # synthesis knows them
    sets["testbench"] = [manifest["testbench"]]
    models = ["cells"] if manifest["cells"] else []
    tops = {"default": (["rtl"], name), "bytes": (["rtl", "bytes"], f"{name}_bytes")}
    if "axi" in manifest:
        tops["axi"] = (["rtl", "axi"], manifest["axi"]["top"])
    lines = [
        "CAPI=2:",
        "",
        f"name: {core_name(name)}",
        f"description: LSTM {spec['input_size']} -> {spec['hidden_size']}, multi-level binarized, made by mubinn generate",
        "",
        "filesets:",
    ]
    for key, paths in sets.items():
        lines += [f"  {key}:", f"    files: [{', '.join(paths)}]", "    file_type: verilogSource-2005"]
    lines += ["  vectors:", "    files:", *(f"      - {path}: {{copyto: {path}}}" for path in files), "    file_type: user"]
    lines += ["", "targets:"]
    for key, (filesets, top) in tops.items():
        lines += [f"  {key}:", f"    filesets: [{', '.join(filesets)}]", f"    toplevel: {top}"]
    lines += [
        "  sim:",
        "    flow: sim",
        "    flow_options: {tool: icarus, iverilog_options: [-g2005]}",
        f"    filesets: [{', '.join(['rtl', *models, 'testbench', 'vectors'])}]",
        f"    toplevel: {name}_tb",
        "  lint:",
        "    flow: lint",
        "    flow_options: {tool: verilator, verilator_options: [-Wno-fatal]}",
        f"    filesets: [{', '.join(['rtl', *models])}]",
        f"    toplevel: {name}",
    ]
    return "\n".join(lines) + "\n"

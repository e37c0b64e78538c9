"""`mubinn image`: a model as the transfer that a core loads."""

HELP = """\
The transfer that loads a model into the core of DIR, which was generated with --loads.

A file that ends in .hex has a 32-bit word a line; any other is binary, the words little endian: the bytes as the byte-wide bus
takes them, or as a flash memory keeps them. The first word is the core's identity, the last the CRC-32 of all before it. A
model that is not one for this core is refused."""
EXAMPLE = """
mubinn image out/core model.safetensors -o out/model.bin
mubinn image out/core eeg-3-3 -o out/model.hex"""


def add_arguments(parser):
    parser.add_argument("directory", metavar="DIR", help="folder of generate --loads")
    parser.add_argument("model", metavar="MODEL", help="model file, or eeg-1-1, eeg-2-2, eeg-3-3")
    parser.add_argument("-o", "--out", required=True, metavar="FILE", help="file to write, .hex or binary")


def run(args):
    from pathlib import Path

    from mubinn.model.artifact import load_model

    from .image import transfer
    from .paths import write_bytes

    words = transfer(args.directory, load_model(args.model))
    out = Path(args.out)
    if out.suffix == ".hex":
        data = "".join(f"{word:08x}\n" for word in words).encode()
    else:
        data = b"".join(word.to_bytes(4, "little") for word in words)
    write_bytes(out, data)
    print(f"{out}: {len(words)} words of 32 bits, for the core {words[0]:08x}")
    return {"file": str(out), "words": len(words), "identity": words[0], "crc": words[-1]}

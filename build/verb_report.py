"""`mubinn report`: one HTML page about a core."""

HELP = """\
One HTML page of a generated folder: accuracy, equality, area, clock, and what the core computes.

It shows what `eval DIR`, `simulate` and `synth` have measured on that folder, and names what is missing."""
EXAMPLE = """
mubinn report out/core"""


def add_arguments(parser):
    parser.add_argument("directory", metavar="DIR", help="folder of mubinn generate")


def run(args):
    from .report import report

    made = report(args.directory)
    print(made.path)
    return made.figures()

"""The command `mubinn`: finds the verb, runs it, and turns what went wrong into one line and exit code 1.

A verb is a module `verb_NAME` beside this one with HELP (a sentence or two), EXAMPLE (one command line or more),
`add_arguments(parser)` and `run(args)`. `run` prints for people and returns an exit code, or a dict: the verb's result,
which `--json` prints as the only thing on stdout. A result with `"ok": False` exits 1. What the verb prints goes to
stderr then. Only the chosen verb is imported, and what it needs beyond numpy it imports inside `run`. A module with
VERBS and PREFIX in place of the two functions has verbs of its own, in modules PREFIX + name.
"""

import argparse
import contextlib
import importlib
import json
import sys
from importlib.metadata import version

from .errors import UserError, one_line

__all__ = ["VERBS", "main"]

VERBS = {
    "demo": "everything below on the shipped EEG model and windows, a report at the end",
    "windows": "labelled windows from recordings in EDF, BDF or FIF",
    "train": "train an LSTM on EEG or windows of your own and binarize it",
    "tagger": "train a tagger of sentences, a bidirectional LSTM with a CRF, and binarize it",
    "quantize": "binarize a trained LSTM of PyTorch, ONNX or Keras without training",
    "eval": "accuracy of a model, and its agreement with its float parent",
    "generate": "Verilog, memory images, test vectors and testbench of a model",
    "export": "a quantized model as standard ONNX, checked in onnxruntime",
    "image": "a model as the transfer that a core loads while it runs",
    "simulate": "run the generated core on data and compare it with the golden model",
    "synth": "synthesis, place and route of the generated core",
    "report": "one HTML page of a generated folder",
    "reproduce": "tables and figures of the two papers, theirs beside ours",
    "bench": "measurements behind the README's table",
}


class _Parser(argparse.ArgumentParser):
    """Errors are exceptions, and --json is never abbreviated: `main` looks for it before parsing."""

    def __init__(self, **settings):
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message):
        raise UserError(f"{message}; see {self.prog} --help")


class _Help(argparse.HelpFormatter):
    """A column wide enough for the longest verb: argparse forgets that verbs are indented."""

    def add_argument(self, action):
        super().add_argument(action)
        longest = max((len(verb) for verb in action.choices), default=0) if isinstance(action.choices, dict) else 0
        self._action_max_length = max(self._action_max_length, longest + 2 * self._indent_increment)


def _add_verbs(parser, verbs, prefix, argv):
    """A sub-parser for every verb; only the one that `argv` begins with is filled from its module."""
    choices = parser.add_subparsers(metavar="VERB", required=True)
    for name, text in verbs.items():
        child = choices.add_parser(name, help=text)
        if argv[:1] == [name]:
            _fill(child, importlib.import_module(prefix + name), argv[1:])


def _fill(parser, module, argv):
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = module.HELP
    parser.epilog = "example:\n" + "\n".join(f"  {line}" for line in module.EXAMPLE.strip().splitlines())
    if hasattr(module, "VERBS"):
        _add_verbs(parser, module.VERBS, module.PREFIX, argv)
        return
    module.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout, text on stderr")
    parser.set_defaults(run=module.run)


def _parser(argv):
    parser = _Parser(prog="mubinn", description="From a trained LSTM to a verified FPGA core.", formatter_class=_Help)
    parser.add_argument("--version", action="version", version=f"mubinn {version('mubinn')}")
    _add_verbs(parser, VERBS, "mubinn.build.verb_", argv)
    return parser


def _plain(value):
    """numpy's numbers and arrays, paths: what json can't say by itself."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def main(argv=None):
    """Run the command line `argv` (None for the process's own) and return the exit code: 0 when all held, else 1."""
    argv = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in argv
    try:
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            args = _parser(argv).parse_args(argv)
            result = args.run(args)
        if not isinstance(result, dict):
            return int(result or 0)
        if as_json:
            print(json.dumps(result, default=_plain, allow_nan=False))
        return 0 if result.get("ok", True) else 1
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)
    except (Exception, KeyboardInterrupt) as error:
        line = one_line(error)
        if line is None:
            raise
        print(f"mubinn: error: {line}", file=sys.stderr)
        if as_json:
            print(json.dumps({"error": line}))
        return 1


if __name__ == "__main__":
    sys.exit(main())

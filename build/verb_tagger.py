"""`mubinn tagger`: a bidirectional LSTM with a CRF from tagged sentences, in a network's model file."""

import sys

HELP = """\
Train a tagger: embeddings of words and casing, bidirectional LSTM layers, a dense layer a word, and a linear-chain CRF; then
binarize its layers. The best epoch of the last phase by the dev part is kept.

DATA is a folder of column files train, dev and test (.tsv, .txt or .conll, a blank line behind each sentence), or GermEval
2014's integers. Killed at any time, the same command goes on where it was. Beside MODEL lies MODEL.jsonl, one JSON object an
epoch. Preset fp writes float tensors, for --start; the others a model file for mubinn eval and mubinn generate. Needs torch:
pip install 'mubinn[train]'."""
EXAMPLE = """
mubinn tagger --data ../shared/data/tagging/ud_english_ewt --preset qlrl --levels 3,3 -o tagger.safetensors
mubinn tagger --data ../shared/data/tagging/germeval2014 --preset fp --gates BI,BF,NEW -o new.safetensors
mubinn tagger --data conll2000 --tag-column 2 --preset fp -o fp.safetensors
mubinn tagger --data conll2000 --tag-column 2 --preset mubinn2 --start fp.safetensors -o tagger.safetensors"""

STAGES = ("float", "weight", "activation", "cell")


def add_arguments(parser):
    from mubinn.model.train.tag_config import TagConfig as Default

    parser.add_argument("--data", required=True, metavar="DATA", help="folder with train, dev and test")
    parser.add_argument("--word-column", type=int, default=0, metavar="N", help="of column files; default: 0")
    parser.add_argument("--tag-column", type=int, default=1, metavar="N", help="negative counts from the last; default: 1")
    parser.add_argument("-o", "--out", required=True, metavar="MODEL", help="file to write")
    parser.add_argument("--preset", default="mubinn2", metavar="PRESET", help="fp, mubinn2 (default) or qlrl")
    parser.add_argument("--levels", default="3,3", metavar="A,W", help="of activations and weights, 1 to 5; default: 3,3")
    parser.add_argument("--gates", metavar="G,G,...", help="as the second paper names them: GI, GF, GO, BI, BF, BO, B(UVW), "
                        "and NEW; default: BI,BF,NEW with qlrl")  # fmt: skip
    parser.add_argument("--gate-slope", default=Default.gate_slope, metavar="KIND", help="gradient of rounded gates: sigma "
                        "(default) or rounded")  # fmt: skip
    parser.add_argument("--round", default="0.5,1", metavar="R,C", help="of rounded gates: to multiples of R, at most C; other "
                        "than 0.5,1 with preset fp only; default: 0.5,1")  # fmt: skip
    parser.add_argument(
        "--peepholes", default=Default.peepholes, metavar="V", help="none (default), diagonal, or full with preset fp"
    )
    parser.add_argument("--seed", type=int, default=Default.seed, help="decides everything random; default: 0")
    parser.add_argument("--start", metavar="FP", help="start from what preset fp wrote, no float epochs then")
    parser.add_argument("--input", type=int, default=Default.input_size, metavar="N", help="width of embeddings; default: 64")
    parser.add_argument("--hidden", type=int, default=Default.hidden_size, metavar="N", help="units a direction; default: 100")
    parser.add_argument("--layers", type=int, default=Default.layers, help="1 to 4; default: 2")
    parser.add_argument("--epochs", default="12,3,6,1", metavar="F,W,A,C", help="of the stages float, weights, activations, "
                        "cell; default: 12,3,6,1")  # fmt: skip
    parser.add_argument("--batch-size", type=int, default=Default.batch_size, metavar="N", help="sentences; default: 32")
    parser.add_argument("--lr", type=float, default=Default.lr, help=f"highest learning rate; default: {Default.lr:g}")
    parser.add_argument("--dropout", type=float, default=Default.dropout, help="of embeddings and h; default: 0.4")
    parser.add_argument("--max-steps", type=int, default=64, metavar="N", help="words of the longest sentence that the core "
                        "takes; default: 64")  # fmt: skip
    parser.add_argument("--device", default="cpu", help="of torch, such as cuda; default: cpu")
    parser.add_argument("--threads", type=int, default=1, help="of torch; other numbers may round otherwise; default: 1")


def run(args):
    import torch
    from mubinn.model.train.tag_config import TagConfig
    from mubinn.model.train.tag_loop import train_tagger

    from .errors import UserError
    from .paths import command_line
    from .training_bar import training_bar
    from .verb_train import numbers

    for name, low, high in (("threads", 1, 256), ("max_steps", 1, 1024)):
        if not low <= getattr(args, name) <= high:
            raise UserError(f"--{name.replace('_', '-')} must be {low} to {high}, not {getattr(args, name)}")
    config = TagConfig(
        preset=args.preset,
        levels=numbers(args, "levels", 2),
        gates=None if args.gates is None else tuple(name for name in args.gates.split(",") if name),
        gate_slope=args.gate_slope,
        rounding=tuple(args.round.split(",")),
        peepholes=args.peepholes,
        seed=args.seed,
        input_size=args.input,
        hidden_size=args.hidden,
        layers=args.layers,
        batch_size=args.batch_size,
        lr=args.lr,
        dropout=args.dropout,
        **{f"{stage}_epochs": n for stage, n in zip(STAGES, numbers(args, "epochs", len(STAGES)), strict=True)},
    )
    torch.set_num_threads(args.threads)
    # The optimizer's moments of words that a batch does not have decay to denormals, which double an epoch's time.
    torch.set_flush_denormal(True)
    with training_bar(_dev) as show:
        result = train_tagger(
            config,
            args.data,
            args.out,
            word=args.word_column,
            tag=args.tag_column,
            start=args.start,
            device=args.device,
            max_steps=args.max_steps,
            command=command_line(["mubinn", "tagger", *sys.argv[2:]]),
            progress=show,
        )
    print(f"{result.model}: epoch {result.epoch + 1} kept, {result.seconds:.0f} s; log {result.log}")
    for name in ("dev", "test"):
        print(f"{name:<5}" + "".join(f"{what} {value:.4f}  " for what, value in getattr(result, name).items()).rstrip())
    return vars(result) | {"preset": config.preset, "levels": config.levels, "seed": config.seed}


def _dev(record):
    """What an epoch's line says of the dev part."""
    f1 = f"  F1 {record['f1']:.3f}" if "f1" in record else ""
    return f"dev accuracy {record['accuracy']:.4f}{f1}  {record['seconds']:.0f} s"

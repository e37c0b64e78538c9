"""`mubinn eval`: how well a model classifies, and how often it agrees with its float parent."""

from pathlib import Path

HELP = """\
Accuracy of a model on windows it was not trained on, its golden integers against its float parent.

MODEL may be a folder of generate: its model is judged, and the figures are kept there for the report.

DATA is an EEGMAT folder, whose test part is used, or an .npz of x [windows, steps, inputs] in microvolt and
y [windows], or the shipped eeg-sample. The model file knows decimation and normalisation. For a tagger it is a folder of
sentences, of which the test part is used."""
EXAMPLE = """
mubinn eval eeg-2-2 --data eeg-sample
mubinn eval model.safetensors --data ../shared/data/eegmat --split subject:0 --json
mubinn eval tagger.safetensors --data ../shared/data/tagging/ud_english_ewt"""


def add_arguments(parser):
    parser.add_argument("model", metavar="MODEL", help="model file, folder of generate, or eeg-fp, eeg-1-1, eeg-2-2, eeg-3-3")
    parser.add_argument("--data", required=True, metavar="DATA", help="EEGMAT folder, .npz, or eeg-sample")
    parser.add_argument(
        "--split", metavar="SPLIT", help="time, block:K (K 0 to 4) or subject:K (K 0 to 5) for a folder; default: time"
    )
    parser.add_argument("--word-column", type=int, default=0, metavar="N", help="of column files for a tagger; default: 0")
    parser.add_argument("--tag-column", type=int, default=1, metavar="N", help="likewise; negative counts from the last; "
                        "default: 1")  # fmt: skip


def run(args):
    from mubinn.model.artifact import load_model
    from mubinn.model.evaluate import evaluate, load_test
    from rich.console import Console
    from rich.progress import Progress

    from .core_folder import MANIFEST, read_manifest
    from .network_verbs import eval_network, network_model
    from .reports import save_figures

    if path := network_model(args.model):
        return eval_network(args, path)
    folder = Path(args.model) if (Path(args.model) / MANIFEST).is_file() else None
    model_file = load_model(folder / read_manifest(folder)["model"] if folder else args.model)
    windows = load_test(model_file, args.data, args.split)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("eval", total=len(windows))
        found = evaluate(model_file, windows, progress=lambda done, total: bar.update(task, completed=done))
    figures = {"model": args.model, "preset": model_file.preset, "data": args.data} | found.figures()
    print(text(figures))
    if note := leak(model_file.card, args):
        figures["note"] = note
        print(f"note: {note}")
    if folder:
        save_figures(folder, "eval", figures)
    return figures


def leak(card, args):
    """What to say where the model may have been trained on the windows that judge it, else None."""
    config = card.get("config")
    trained = config.get("split") if isinstance(config, dict) else None
    if trained is None or not Path(args.data).is_dir() or trained == (args.split or "time"):
        return None
    return f"trained on the split {trained}, whose training part may hold test windows of {args.split or 'time'}"


def text(figures):
    """The figures for people."""

    def share(name):
        return "-" if figures[name] is None else f"{figures[name]:.4f}"

    lines = [
        f"{figures['model']} ({figures['preset']}) on {figures['data']}: {figures['windows']} windows",
        f"accuracy            {share('accuracy')}",
        f"balanced accuracy   {share('balanced_accuracy')}",
        f"AUC                 {share('auc')}",
        f"float accuracy      {share('float_accuracy')}",
        f"agreement           {share('agreement')}   (its class against the float model's)",
        "confusion           rows: true class, columns: the model's",
        *("                    " + " ".join(f"{n:6}" for n in row) for row in figures["confusion"]),
        f"{figures['seconds']:.2f} s",
    ]
    return "\n".join(lines)

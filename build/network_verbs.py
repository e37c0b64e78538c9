"""What the verbs do where the model is a network: taggers, stacked and bidirectional layers."""

from pathlib import Path

from .errors import UserError

__all__ = ["eval_network", "generate_of", "network_model", "simulate_of"]


def network_model(model):
    """Path of a network's model file, where `model` names one or a folder generated from one, else None."""
    from mubinn.model.network_file import is_network

    from .core_folder import MANIFEST, read_manifest

    path = Path(model)
    if (path / MANIFEST).is_file():
        manifest = read_manifest(path)
        return path / manifest["model"] if manifest.get("kind") == "network" else None
    return path if is_network(path) else None


def generate_of(args, path):
    """`mubinn generate` of a network's file."""
    from mubinn.model.network_file import load_network
    from rich.console import Console

    from .generate import default_folding
    from .network import generate_network
    from .targets import target_named

    refused = {"steps_per_second": None, "fastest": False, "axi": False, "data": None, "scaling": None}
    refused |= {"clock_mhz": None, "contexts": None, "loads": None, "load_banks": None, "weight_memory": None, "also": []}
    refused |= {"skip": None}
    for name, default in refused.items():
        if getattr(args, name) != default:
            raise UserError(f"--{name.replace('_', '-')} must be left out: {args.model} is a network")
    file = load_network(path)
    target = target_named(args.target) if args.target else None
    settings = {} if target is None else {"family": target.family, "clock_mhz": target.clock_mhz}
    names = ("rows", "lanes", "weight_planes", "scale_mults", "ahead")
    chosen = {name: getattr(args, name) for name in names if getattr(args, name) is not None}

    def folding(spec):
        found = default_folding(spec)
        # Layers differ: a smaller one does all at once what it has less of.
        most = {"rows": spec.hidden_size, "lanes": spec.columns, "weight_planes": spec.weight_levels}
        own = {name: min(value, most.get(name, value)) for name, value in chosen.items()}
        return type(found)(**(vars(found) | own)).checked(spec)

    foldings = [[folding(p.spec) for p in layer.directions] for layer in file.network.layers]
    head_mults = 1 if args.head_mults is None else args.head_mults
    most = 1 if file.network.head is None else file.network.head.classes
    if not 1 <= head_mults <= most:
        raise UserError(f"--head-mults must be 1 to {most}, not {head_mults}")
    name = "mubinn_network" if args.name == "mubinn_lstm" else args.name
    with Console(stderr=True).status("generate"):
        made = generate_network(file, args.out, foldings=foldings, head_mults=head_mults, name=name, **settings)
    figures = made.figures()
    cores = len(made.manifest["folding"])
    print(
        f"{made.directory}/{figures['verilog']}: {figures['top']}, {cores} LSTM cores, {figures['parameters']} parameters, "
        f"{figures['weight_bits']} weight bits, {made.manifest['predicted_cycles_per_step']} cycles a step of the slowest part"
    )
    return figures | {"cores": cores, "predicted_cycles_per_step": made.manifest["predicted_cycles_per_step"]}


def eval_network(args, path):
    """`mubinn eval` of a network: a tagger on the test part of a folder of tagged sentences, any other on windows."""
    from mubinn.model.network_file import load_network
    from mubinn.model.tag_score import golden_tags, tag_figures
    from mubinn.model.tagging import load_tagging
    from rich.console import Console
    from rich.progress import Progress

    from .report_network import example

    file = load_network(path)
    if file.vocabulary is None:
        return _eval_windows(args, file)
    if args.split is not None:
        raise UserError("--split must be left out: sentences have train, dev and test")
    data = load_tagging(args.data, word=args.word_column, tag=args.tag_column)
    _check_words(file, data, args)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("eval", total=len(data.test))
        found = golden_tags(file, data.test, progress=lambda done, total: bar.update(task, completed=done))
    figures = {"model": args.model, "data": args.data, "test_sentences": len(data.test)}
    figures |= tag_figures(data.test, found, data.tags)
    _keep(args.model, figures | {"example": example(data.test, file.network.max_steps)})
    print(
        f"{args.model} on {args.data}: {figures['words']} words in {figures['sentences']} of {len(data.test)} sentences, those "
        f"of at most {file.network.max_steps} words"
    )
    for name in ("accuracy", "precision", "recall", "f1"):
        if figures.get(name) is not None:
            print(f"{name:<10} {figures[name]:.4f}")
    return figures


def _eval_windows(args, file):
    """Accuracy of a network that answers once a window."""
    import numpy as np
    from mubinn.model.evaluate import auc, balanced_accuracy, confusion, load_test

    if file.network.kind != "label":
        raise UserError(f"{args.model}: answers every step, and windows have one class each")
    windows = load_test(file, args.data, args.split)
    traces = [file.network.run(file.quantize_input(x)) for x in np.array_split(windows.x, -(-len(windows) // 128))]
    label, scores = (np.concatenate([getattr(trace, name) for trace in traces]) for name in ("label", "scores"))
    if windows.y.max() >= scores.shape[1]:
        raise UserError(f"{args.data}: y must be 0 to {scores.shape[1] - 1}, the network's classes, not {windows.y.max()}")
    figures = {
        "model": args.model,
        "data": args.data,
        "windows": len(windows),
        "accuracy": float((label == windows.y).mean()),
        "balanced_accuracy": balanced_accuracy(windows.y, label),
        "auc": auc(windows.y, scores),
        "confusion": confusion(windows.y, label, scores.shape[1]).tolist(),
    }
    _keep(args.model, figures)
    print(f"{args.model} on {args.data}: {len(windows)} windows\naccuracy            {figures['accuracy']:.4f}")
    return figures


def _keep(model, figures):
    """Figures of `mubinn eval` where the model is a generated folder, for its report."""
    from .reports import save_figures

    if Path(model).is_dir():
        save_figures(model, "eval", figures)


def _check_words(file, data, args):
    """The word numbers of the data must be those that the tagger was trained with."""
    if file.vocabulary.tags != data.tags or len(file.vocabulary.words) != data.word_count:
        raise UserError(f"--data must be the data that {args.model} was trained with: its words or tags differ")


def simulate_of(args, manifest):
    """`mubinn simulate` of a network's folder: its vectors, sentences of a folder's test part, or windows."""
    from mubinn.model.network_file import load_network
    from mubinn.model.tagging import source_files
    from rich.console import Console

    from .network import simulate_network
    from .reports import save_figures

    if args.cocotb or args.simulator == "amaranth":
        raise UserError("--simulator must be verilator or icarus, without --cocotb: this core is a network")
    file, sentences, windows = load_network(Path(args.directory) / manifest["model"]), None, None
    if args.split is not None and file.vocabulary is not None:
        raise UserError("--split must be left out: sentences have train, dev and test")
    if args.data is not None and file.vocabulary is None:
        from mubinn.model.evaluate import load_test

        windows = list(file.quantize_input(load_test(file, args.data, args.split).x)[: args.windows])
    elif args.data is not None:
        if not file.vocabulary.words[-1]:
            raise UserError("--data must be left out: the network does not know how words are written")
        sentences = _sentences(source_files(args.data)[-1], args, manifest["spec"]["max_steps"])
    elif args.windows is not None:
        raise UserError("--windows must be left out without --data")
    with Console(stderr=True).status(args.simulator):
        found = simulate_network(args.directory, manifest, sentences=sentences, windows=windows, simulator=args.simulator,
                                 stall=args.stall, seed=args.seed)  # fmt: skip
    figures = {
        "ok": found.ok,
        "data": args.data,
        "simulator": args.simulator,
        "sentences": None if sentences is None else len(sentences),
        "windows": found.windows,
        "steps": found.steps,
        "records": found.records,
        "mismatches": found.mismatches,
        "cycles": found.cycles,
        "differences": list(found.differences),
    }
    save_figures(args.directory, "simulate", figures)
    print(f"{args.simulator}: {found.windows} windows, {found.steps} steps, {found.cycles} cycles")
    print(f"mismatches        {found.mismatches}")
    for words in found.differences:
        print(f"  {words}")
    return figures


def _sentences(path, args, most):
    """The first sentences of a column file that the network is long enough for, as lists of words."""
    from mubinn.model.tagging import read_columns

    if path.suffix == ".npz":
        raise UserError("--data must be a folder of column files: the words of this one are numbers")
    found = [[word for word, _ in sentence] for sentence in read_columns(path, word=args.word_column)]
    return [sentence for sentence in found if len(sentence) <= most][: args.windows or 5]

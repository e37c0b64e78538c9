"""`mubinn reproduce`: the tables and figures of the two papers, theirs beside ours."""

HELP = """\
Train what a table or figure of the papers is made of, and print the paper's figures beside ours.

fig4 and fig5 of MuBiNN need --eeg; the EEG set of the paper has no name, so compare the differences to full precision, not
the accuracies. The tables of Quantization Loss Re-Learning need --ner (GermEval 2014), and where they have such rows --pos
(Universal Dependencies) and --chunking (CoNLL 2000 in columns); rows of data that are not given stay empty. memory and gates
train nothing.

Trainings that are done already are not repeated, and an interrupted one goes on where it was. ITEM.json, ITEM.svg and
ITEM.png lie in --out at the end. Exits 1 where a limit is missed: in table6 and fig2 NEW is to have at least full precision's
F1 less 1.0 points, and rounding after the training at least 10 points less than NEW; fig4 and fig5 have the limits of mubinn
bench accuracy. Needs torch and matplotlib: pip install 'mubinn[train,report]'."""
EXAMPLE = """
mubinn reproduce memory
mubinn reproduce gates
mubinn reproduce fig5 --eeg ../shared/data/eegmat --split time --seeds 0,1,2
mubinn reproduce table6 --ner ../shared/data/tagging/germeval2014 --pos ../shared/data/tagging/ud_english_ewt"""

ITEMS = ("fig4", "fig5", "memory", "qlrl-table2", "table3", "table4", "table5", "table6", "fig2", "gates")
ROLES = ("ner", "pos", "chunking")
SENTENCE = "95 % intervals by bootstrap over sentences, then seeds"


def add_arguments(parser):
    parser.add_argument("item", choices=ITEMS, metavar="ITEM", help=", ".join(ITEMS))
    parser.add_argument("--eeg", metavar="FOLDER", help="EEGMAT folder")
    parser.add_argument("--split", choices=("time", "block", "subject"), default="time", help="of the EEG; default: time")
    for role, what in zip(ROLES, ("GermEval 2014", "UD English", "CoNLL 2000, tags in the third column"), strict=True):
        parser.add_argument(f"--{role}", metavar="FOLDER", help=what)
    parser.add_argument("--seeds", default="0,1,2", metavar="N,N,...", help="default: 0,1,2")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time; default: 2")
    parser.add_argument("--record", metavar="FILE", help="results in this file are not trained again, new ones are added")
    parser.add_argument("--epochs", metavar="F,W,A,C", help="of taggers, see mubinn tagger; default: 12,3,6,1")
    parser.add_argument("--model", default="eeg-fp", help="full-precision model of gates; default: eeg-fp")
    parser.add_argument("--out", default="out/reproduce", metavar="DIR", help="default: out/reproduce")


def run(args):
    import json
    from pathlib import Path

    from .errors import UserError
    from .paths import write_text

    try:
        seeds = [int(seed) for seed in args.seeds.split(",")]
    except ValueError:
        raise UserError(f"--seeds must be integers with commas between them, not {args.seeds!r}") from None
    if not 1 <= args.jobs <= 64:
        raise UserError(f"--jobs must be 1 to 64, not {args.jobs}")
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    made = {"memory": _memory, "gates": _gates, "fig4": _eeg, "fig5": _eeg}.get(args.item, _table)(args, seeds, out)
    write_text(out / f"{args.item}.json", json.dumps(made, indent=1) + "\n")
    print(f"pictures: {', '.join(made['pictures'])}")
    return made


def _memory(args, seeds, out):
    from .reproduce_computed import memory, memory_text
    from .reproduce_pictures import memory_map

    rows = memory()
    print(
        "LSTM of 32 inputs and 100 units: memory of weights, biases and a step's x, h and c, times less than in full precision"
    )
    print(memory_text(rows))
    pictures = memory_map(out / "memory", "memory, times less than full precision", rows)
    return {"input_size": 32, "hidden_size": 100, "rows": rows, "pictures": pictures}


def _gates(args, seeds, out):
    import numpy as np
    from mubinn.model.artifact import load_model
    from mubinn.model.evaluate import load_test

    from .errors import UserError
    from .reproduce_computed import gate_values, gradient_shares
    from .reproduce_pictures import gates

    file = load_model(args.model)
    if file.float_weights is None or not file.classes:
        raise UserError(f"--model must have float weights and a head, which {args.model} does not")
    windows = load_test(file, "eeg-sample" if args.eeg is None else args.eeg)
    x = file.normalise(windows.x)
    values, shares = gate_values(file.float_weights, x), gradient_shares(file.float_weights, x, windows.y)
    near = {
        name: {str(point): float((np.abs(array - point) <= 0.05).mean()) for point in (0, 0.5, 1)}
        for name, array in values.items()
    }
    print(f"{args.model}, {len(windows)} windows: share of the gates within 0.05 of 0, 1/2 and 1")
    for name, own in near.items():
        print(f"  {name}  " + "  ".join(f"{point}: {100 * share:5.1f} %" for point, share in own.items()))
    print("Eq. 12 for W_f: norms of both terms over that of the gradient, as r of Round & Clip falls")
    print("  r        mean |f - rounded f|   first   second   error of Eq. 11   of Eq. 12")
    for row in shares:
        print(f"  {row['r']:<8} {row['mean_delta']:12.4f} {row['first']:16.4f} {row['second']:8.4f} {row['eq11_error']:14.1e} "
              f"{row['eq12_error']:12.1e}")  # fmt: skip
    pictures = gates(out / "gates", f"{args.model}: gates, and Eq. 12", values, shares)
    exact = all(row["eq11_error"] < 1e-12 and row["eq12_error"] < 1e-9 for row in shares)
    return {"model": args.model, "windows": len(windows), "near": near, "shares": shares, "pictures": pictures, "ok": exact}


def _eeg(args, seeds, out):
    from mubinn.model.splits import split_names

    from . import accuracy
    from .bench_accuracy import plan
    from .errors import UserError
    from .paper import EEG
    from .reproduce_pictures import bars
    from .trainings import run_all

    if args.eeg is None:
        raise UserError(f"--eeg must be given for {args.item}")
    figure, splits = EEG[args.item], split_names(args.split)
    methods = [accuracy.Method(text) for text in figure["methods"]]
    run_all(plan(args.eeg, splits, seeds, methods, out / "eeg"), args.jobs, record=args.record, out=out)
    found = accuracy.compare(out / "eeg", splits, seeds, methods, apart=args.split != "time")
    print(f"{figure['title']}. The paper: {figure['claim']}.")
    print(accuracy.text(found))
    paper, rows = figure["paper"], []
    for row in found["rows"]:
        name, ours = row["levels"], row["difference"]
        theirs = paper[name] - paper["fp"] if name in paper else None
        rows.append((name, theirs, ours, row["difference_interval"]))
        if theirs is not None:
            print(f"{name:14} minus full precision: paper {theirs:+.2f}, ours {ours:+.2f} points")
    pictures = bars(out / args.item, figure["title"], rows, axis="points of accuracy, minus full precision")
    return found | {"paper": paper, "claim": figure["claim"], "pictures": pictures}


def _table(args, seeds, out):
    from .errors import UserError
    from .paper import TABLES
    from .reproduce import differences, measured, plan, table_text
    from .reproduce_pictures import bars
    from .trainings import run_all

    table = TABLES[args.item]
    data = {role: getattr(args, role) for role in ROLES if getattr(args, role) is not None}
    if not {row.data for row in table.rows} & set(data):
        raise UserError(f"--ner must be given for {args.item}")
    run_all(plan(table, data, seeds, out, epochs=args.epochs), args.jobs, record=args.record, out=out)
    rows, pairs = measured(table, data, seeds, out), differences(table, data, seeds, out)
    print(table_text(f"{table.title}; seeds {', '.join(map(str, seeds))}, {SENTENCE}", rows, pairs))
    pictures = bars(out / args.item, table.title, [_bar(row) for row in rows], axis="F1 (pos: accuracy)", low=0)
    ok = all(pair.get("ok", True) for pair in pairs)
    return {"title": table.title, "seeds": seeds, "rows": rows, "differences": pairs, "pictures": pictures, "ok": ok}


def _bar(row):
    """(label, paper, ours, ends of ours' deviation)."""
    merit = "accuracy" if row["data"] == "pos" else "f1"
    label = f"{row['settings']} ({row['data']})" + ("" if row["rounding"] == "0.5,1" else f" {row['rounding']}")
    if row["ours"] is None:
        return label, row["paper"].get(merit), None, None
    own = row["ours"][merit]
    spread = own["deviation"] or 0.0
    return label, row["paper"].get(merit), own["mean"], (own["mean"] - spread, own["mean"] + spread)

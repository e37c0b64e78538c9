"""`mubinn bench linear`: what a linear model on log band power makes of the windows that the networks are tested on."""

HELP = """\
Fit a linear model (logistic regression) to the logarithm of the power in five bands of every channel, with a penalty chosen on
the validation part, and test it on the windows that lie side by side: the splits and windows of mubinn bench accuracy --apart.
A minute. Needs scikit-learn: pip install 'mubinn[train]'."""
EXAMPLE = """
mubinn bench linear --data ../shared/data/eegmat --split block
mubinn bench linear --data ../shared/data/eegmat --split subject --json"""


def add_arguments(parser):
    from .bench_accuracy import KINDS

    parser.add_argument("--data", required=True, metavar="FOLDER", help="EEGMAT folder")
    parser.add_argument("--split", choices=KINDS, default="time", help="default: time")


def run(args):
    import numpy as np
    from mubinn.model.data import load_eegmat
    from mubinn.model.splits import named_split, split_names

    from .accuracy import interval
    from .linear import judge

    recordings, names = load_eegmat(args.data), split_names(args.split)
    found = judge(named_split(recordings, name) for name in names)
    right, subject = found["right"], found["subject"]
    own = np.array([[right[subject == s].mean()] for s in np.unique(subject)])
    figures = {
        "split": args.split,
        "subjects": len(own),
        "windows": len(right),
        "accuracy": float(100 * own.mean()),
        "accuracy_interval": [100 * v for v in interval(own)],
        "auc": found["auc"],
        "penalties": found["penalties"],
    }
    low, high = figures["accuracy_interval"]
    print(f"{args.split} split, {figures['windows']} windows side by side, {figures['subjects']} subjects: "
          f"{figures['accuracy']:.2f} % right [{low:.2f}, {high:.2f}], AUC {figures['auc']:.3f}")  # fmt: skip
    return figures

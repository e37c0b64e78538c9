"""`mubinn windows`: labelled windows from recordings in EDF, BDF or FIF."""

HELP = """\
Cut recordings at their events into labelled windows, an .npz that train, quantize, eval and simulate take.

An event is an annotation, or where a file has none a code of its stimulus channel; --labels says which are windows of which
class. Of an annotation that lasts for several windows there are as many as fit. A file's number is its windows' subject.
Needs MNE: pip install 'mubinn[mne]'."""
EXAMPLE = """
mubinn windows subject1.edf subject2.edf --labels rest=0,task=1 --seconds 2.6 --fs 125 -o windows.npz
mubinn windows run.fif --labels 1=0,2=1 --seconds 1 --offset 0.2 --channels Fz,Cz,Pz --band 0.5,40 -o windows.npz"""


def add_arguments(parser):
    parser.add_argument("recordings", nargs="+", metavar="FILE", help=".edf, .bdf or .fif")
    parser.add_argument("-o", "--out", required=True, metavar="WINDOWS", help=".npz to write")
    parser.add_argument("--labels", required=True, metavar="EVENT=N,...", help="classes of events, from 0")
    parser.add_argument("--seconds", type=float, required=True, help="of a window")
    parser.add_argument("--offset", type=float, default=0.0, help="seconds from an event to its window; default: 0")
    parser.add_argument("--channels", metavar="NAME,...", help="in the order of the inputs; default: all of EEG")
    parser.add_argument("--fs", type=float, metavar="HZ", help="steps a second; default: the recording's own")
    parser.add_argument("--band", metavar="LOW,HIGH", help="Hz that are kept, either may be left out; default: all")


def run(args):
    import numpy as np
    from mubinn.model.readers.raw import read_windows
    from mubinn.model.windows import save_windows
    from rich.console import Console

    labels = labels_of(args.labels)
    with Console(stderr=True).status("read"):
        windows = read_windows(
            args.recordings,
            labels=labels,
            seconds=args.seconds,
            channels=args.channels.split(",") if args.channels else None,
            offset=args.offset,
            fs=args.fs,
            filter_hz=band(args.band),
        )
    save_windows(args.out, windows)
    counts = {label: int(np.count_nonzero(windows.y == label)) for label in sorted(set(labels.values()))}
    print(f"{args.out}: {len(windows)} windows of {windows.steps} steps, {windows.x.shape[2]} channels at {windows.fs:g} Hz")
    print("windows of each class: " + ", ".join(f"{label}: {count}" for label, count in counts.items()))
    return {
        "file": args.out,
        "windows": len(windows),
        "steps": windows.steps,
        "channels": windows.x.shape[2],
        "fs": windows.fs,
        "classes": counts,
    }


def labels_of(text):
    """{event: class} of EVENT=N,..."""
    from .errors import UserError

    found = {}
    for part in text.split(","):
        name, _, label = part.rpartition("=")
        if not name or not label.isdecimal() or int(label) > 31:
            raise UserError(f"--labels must be EVENT=N,... with N 0 to 31, not {text!r}")
        found[name] = int(label)
    return found


def band(text):
    """(low, high) of LOW,HIGH, None where one is left out; None for None."""
    from .errors import UserError

    if text is None:
        return None
    try:
        low, high = (float(part) if part else None for part in text.split(","))
    except ValueError:
        raise UserError(f"--band must be LOW,HIGH in Hz, not {text!r}") from None
    if (low is None and high is None) or min(low or 0, high or 0) < 0 or (low and high and low >= high):
        raise UserError(f"--band must be LOW,HIGH in Hz, LOW below HIGH, not {text!r}")
    return low, high

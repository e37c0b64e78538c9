"""Labelled windows from recordings that MNE reads: EDF, BDF and FIF, cut at their events."""

from pathlib import Path

import mne
import numpy as np

from ..windows import DataError, Windows

__all__ = ["read_windows"]

SUFFIXES = (".edf", ".bdf", ".fif")
MICROVOLT = 1e6


def read_windows(paths, *, labels, seconds, channels=None, offset=0.0, fs=None, filter_hz=None):
    """Windows of every file, its number as subject.

    An event is an annotation, or where a file has none a code of its stimulus channel. A window begins `offset` seconds behind
    its event; of an annotation that lasts for several windows there are as many as fit, one behind the other.

    Parameters
    ----------
    paths : sequence of path
    labels : {event: int}
        Which events are windows of which class; others are left out.
    seconds : float
        Of a window, above 0.
    channels : sequence of str or None
        In the order of the network's inputs; None takes all EEG channels.
    offset : float
    fs : float or None
        Steps a second, to which the recording is resampled; None keeps its own.
    filter_hz : (low, high) or None
        Band that is kept, either None for open.

    Raises DataError for a file that can't be read, a missing channel, a file without these events, and rates that differ.
    """
    if not seconds > 0:
        raise DataError(f"seconds must be above 0, not {seconds}")
    found = [
        _of_file(Path(path), number, labels, seconds, channels, offset, fs, filter_hz) for number, path in enumerate(paths)
    ]
    rates = {own.fs for own in found}
    if len(rates) > 1:
        raise DataError(
            f"fs must be given where recordings have several: {', '.join(f'{rate:g}' for rate in sorted(rates))} Hz"
        )
    counts = {own.x.shape[2] for own in found}
    if len(counts) > 1:
        raise DataError(f"channels must be given where recordings have several numbers of them: {sorted(counts)}")
    arrays = {name: np.concatenate([getattr(own, name) for own in found]) for name in ("x", "y", "subject", "start")}
    return Windows(**arrays, fs=found[0].fs)


def _of_file(path, number, labels, seconds, channels, offset, fs, filter_hz):
    raw = _read(path)
    missing = sorted(set(channels or ()) - set(raw.ch_names))
    if missing:
        raise DataError(f"{path}: channel {missing[0]} is not in it; it has {', '.join(raw.ch_names[:12])}")
    events = _events(path, raw, labels)
    if channels is None:
        picks = mne.pick_types(raw.info, eeg=True, exclude=[])
        channels = [raw.ch_names[k] for k in picks]
        if not channels:
            raise DataError(f"{path}: channels must be given: it has no channel of the type EEG")
    raw.pick(list(channels)).reorder_channels(list(channels))
    if filter_hz is not None:
        raw.filter(*filter_hz, picks="all", verbose="error")
    if fs is not None and fs != raw.info["sfreq"]:
        raw.resample(fs, verbose="error")
    rate = float(raw.info["sfreq"])
    signal, steps = raw.get_data().T * MICROVOLT, round(seconds * rate)
    if steps < 1:
        raise DataError(f"seconds must be at least a step of {1 / rate:g}, not {seconds}")
    x, y, start = [], [], []
    for onset, duration, label in events:
        first = round((onset + offset) * rate)
        for k in range(max(1, int(round(duration * rate) - round(offset * rate)) // steps)):
            begin = first + k * steps
            if 0 <= begin and begin + steps <= len(signal):
                x.append(signal[begin : begin + steps])
                y.append(label)
                start.append(begin)
    if not x:
        raise DataError(f"{path}: no window of {seconds:g} s lies in it whole")
    return Windows(
        x=np.stack(x).astype(np.float32),
        y=np.array(y, dtype=np.int64),
        subject=np.full(len(x), number, dtype=np.int64),
        start=np.array(start, dtype=np.int64),
        fs=rate,
    )


def _read(path):
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: must end in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        return mne.io.read_raw(path, preload=True, verbose="error")
    except Exception as error:  # readers of so many formats raise what they like
        said = (str(error).strip().splitlines() or ["damaged"])[0][:120]
        raise DataError(f"{path}: MNE can't read it: {said}") from error


def _events(path, raw, labels):
    """(seconds from the first sample, seconds, label) of every event that has a label."""
    first = raw.first_time
    found = [
        (a["onset"] - (first if raw.info["meas_date"] else 0), a["duration"], str(a["description"])) for a in raw.annotations
    ]
    if not found and len(mne.pick_types(raw.info, stim=True)):
        rate = raw.info["sfreq"]
        codes = mne.find_events(raw, shortest_event=1, verbose="error")
        found = [((sample - raw.first_samp) / rate, 0.0, str(code)) for sample, _, code in codes]
    chosen = [(onset, duration, labels[name]) for onset, duration, name in found if name in labels]
    if not chosen:
        names = sorted({name for *_, name in found})
        raise DataError(f"{path}: events must be {', '.join(labels)}; it has {', '.join(names) or 'none'}")
    return chosen

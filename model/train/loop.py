"""Training from float to levels: phases and stages, validation by the golden model, checkpoints."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch

from ..artifact import load_model, save_model
from ..data import sha256
from ..evaluate import evaluate
from ..zoo import data_path
from .batches import load_training_data
from .checkpoint import load_checkpoint, save_checkpoint, write_log
from .config import TrainError
from .export import cell_report, model_file
from .run import Run

__all__ = ["TrainResult", "train"]


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """Attributes
    ----------
    model, log : Path
    epoch : int
        The kept one, counted from 0 over all phases.
    validation, test : dict
        Figures of `evaluate`; test is None for an .npz.
    test_label, test_y, test_subject, test_start : list or None
        Class, true class, subject and first step of every test window, in the order of the split.
    steps : int
        Of a window.
    cell : dict or None
        See `export.cell_report`; None for full precision.
    seconds : float
        Wall time of the training, interruptions left out.
    """

    model: Path
    log: Path
    epoch: int
    validation: dict
    test: dict | None
    test_label: list | None
    test_y: list | None
    test_subject: list | None
    test_start: list | None
    steps: int
    cell: dict | None
    seconds: float


def train(config, data, out, *, start=None, command="", card=None, progress=lambda event: None):
    """Train one network and write its model file.

    Killed at any time, the same call resumes at the last complete epoch and ends with the same bytes. Beside `out` lie
    `out`.checkpoint until the end, and `out`.jsonl: one JSON object an epoch, then one with the cell's drift.

    Parameters
    ----------
    config : TrainConfig
    data : path
        EEGMAT folder, or an .npz of x and y.
    out : path
        The model file; its folder must exist.
    start : path or None
        Model file or shipped name whose float weights take the place of the first phase.
    command : str
        For the model card.
    card : dict or None
        More entries for the model card.
    progress : function of a dict
        Called after every batch with epoch, epochs, stage, batch, batches, loss, and after every epoch with its record.

    Raises TrainError, DataError or ArtifactError for what a user can cause.
    """
    out = Path(out)
    if not out.parent.is_dir():
        raise TrainError(f"{out}: can't be written: its folder does not exist")
    data = data_path(data)
    data_hash = sha256(data)
    parts = load_training_data(data, split=config.split, decimation=config.decimation)
    config = config.for_channels(len(parts.preprocess.channels))
    parts = parts.shared(config.input_copies)
    run = Run(config, parts, None if start is None else load_model(start))
    checkpoint, log = out.with_name(out.name + ".checkpoint"), out.with_name(out.name + ".jsonl")
    key = hashlib.sha256(f"{config.to_json()} {data_hash} {run.origin}".encode()).hexdigest()
    state = load_checkpoint(checkpoint, key=key)
    if state is not None:
        run.restore(state)
    run.progress = progress
    for position in range(run.position, len(run.epochs)):
        run.epoch(position)
        save_checkpoint(checkpoint, key=key, state=run.state())
        write_log(log, run.records)
    run.keep_best()
    result = _written(run, out, log, {"command": command, "data_sha256": data_hash}, card or {})
    checkpoint.unlink(missing_ok=True)
    return result


def _written(run, out, log, facts, card):
    """Write the model file of a finished Run, its log's last line with it. Returns the TrainResult."""
    config, parts, report = run.config, run.parts, None
    if config.preset != "fp":
        report = cell_report(run.network, parts)
        write_log(log, [*run.records, {"cell": report}])
    facts = facts | {
        "seed": config.seed,
        "config": json.loads(config.to_json()),
        "torch": torch.__version__,
        "epoch": run.best["epoch"],
        "intended use": "research and demonstration; not a medical device",
    }
    written = model_file(run.network, parts.preprocess, run.parent, preset=config.preset, card=facts)
    validation, test = evaluate(written, parts.validation), None
    facts["validation_accuracy"] = validation.figures()["accuracy"]
    if parts.test is not None:
        test = evaluate(written, parts.test)
        facts["test_accuracy"] = test.figures()["accuracy"]
    save_model(out, dataclasses.replace(written, card=facts | card))
    return TrainResult(
        model=out,
        log=log,
        epoch=run.best["epoch"],
        validation=validation.figures(),
        test=test and test.figures(),
        test_label=test and test.label.tolist(),
        test_y=test and test.y.tolist(),
        test_subject=test and parts.test.subject.tolist(),
        test_start=test and parts.test.start.tolist(),
        steps=parts.steps,
        cell=report,
        seconds=run.seconds,
    )

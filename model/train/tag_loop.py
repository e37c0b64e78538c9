"""Training of a tagger from float to levels, with checkpoints, and the figures of its golden network."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..network_file import save_network
from ..tag_score import sentence_counts
from ..tagging import load_tagging, source_files
from ..windows import sha256
from .checkpoint import load_checkpoint, save_checkpoint, write_log
from .config import TrainError
from .tag_export import tagger_file
from .tag_run import TagRun

__all__ = ["TagResult", "train_tagger"]


@dataclass(frozen=True, kw_only=True)
class TagResult:
    """Attributes
    ----------
    model, log : Path
    epoch, epochs : int
        The kept one, counted from 0 over all phases; how many were trained.
    dev, test : dict
        accuracy, and for spans precision, recall and f1, of the network in PyTorch.
    test_counts : list
        Of every test sentence, see `tag_score.sentence_counts`.
    seconds : float
        Wall time of the training, interruptions left out.
    """

    model: Path
    log: Path
    epoch: int
    epochs: int
    dev: dict
    test: dict
    test_counts: list
    seconds: float


def train_tagger(config, data, out, *, word=0, tag=1, start=None, device="cpu", max_steps=64, command="",
                 progress=lambda event: None):  # fmt: skip
    """Train one tagger and write its file: a network's model file, or for preset fp its float tensors.

    Killed at any time, the same call resumes at the last complete epoch. Beside `out` lie `out`.checkpoint until the end, and
    `out`.jsonl: one JSON object an epoch.

    Parameters
    ----------
    config : TagConfig
    data : path
        Folder as of `tagging.load_tagging`.
    out : path
    word, tag : int
        Columns of column files.
    start : path or None
        What preset fp wrote, in place of the first phase.
    device : str
        Of torch.
    max_steps : int
        Words of the longest sentence that the network takes.
    command : str
        For the model card.
    progress : function of a dict
        Called now and then with epoch, epochs, stage, batch, batches, loss, and after every epoch with its record.

    Raises TrainError, DataError or ArtifactError for what a user can cause.
    """
    out = Path(out)
    if not out.parent.is_dir():
        raise TrainError(f"{out}: can't be written: its folder does not exist")
    loaded = load_tagging(data, word=word, tag=tag)
    data_hash = hashlib.sha256("".join(sha256(file) for file in source_files(data)).encode()).hexdigest()
    try:
        run = TagRun(config, loaded, device)
    except (RuntimeError, AssertionError) as error:  # torch has no such device
        raise TrainError(f"device must be one that torch has, not {device!r}: {str(error).splitlines()[0]}") from None
    if start is not None:
        _start_from(run, start)
    checkpoint, log = out.with_name(out.name + ".checkpoint"), out.with_name(out.name + ".jsonl")
    origin = "none" if start is None else hashlib.sha256(Path(start).read_bytes()).hexdigest()
    key = hashlib.sha256(f"{config.to_json()} {data_hash} {word} {tag} {origin}".encode()).hexdigest()
    state = load_checkpoint(checkpoint, key=key)
    if state is not None:
        run.restore(state)
    run.progress = progress
    for position in range(run.position, len(run.epochs)):
        run.epoch(position)
        save_checkpoint(checkpoint, key=key, state=run.state())
        write_log(log, run.records)
    run.keep_best()
    result = _written(run, out, log, {"command": command, "data_sha256": data_hash}, max_steps)
    checkpoint.unlink(missing_ok=True)
    return result


def _written(run, out, log, card, max_steps):
    """Write the file of a finished TagRun. Returns the TagResult."""
    config, data = run.config, run.data
    dev, test = run.figures(data.dev), run.figures(data.test)
    card = card | {
        "config": json.loads(config.to_json()),
        "torch": torch.__version__,
        "epoch": run.best["epoch"],
        "dev": dev,
        "test": test,
    }
    if config.phases[1] and config.preset != "fp":
        save_network(out, tagger_file(run.network, data, max_steps=max_steps, card=card))
    else:
        _save_float(run.network, out, card)
    return TagResult(
        model=out,
        log=log,
        epoch=run.best["epoch"],
        epochs=len(run.epochs),
        dev=dev,
        test=test,
        test_counts=sentence_counts(data.test, run.predict(data.test), data.tags).tolist(),
        seconds=run.seconds,
    )


def _save_float(network, out, card):
    temporary = out.with_name(f".{out.name}.tmp")
    # Directions of a layer share tensors, which a file of safetensors does not.
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, temporary, metadata={"mubinn-tagger": json.dumps(card)})
    temporary.replace(out)


def _start_from(run, start):
    """Float weights of another tagger of the same sizes, and no float phase."""
    start = Path(start)
    if not start.is_file():
        raise TrainError(f"{start}: no such file")
    try:
        tensors = load_file(start)
    except (SafetensorError, OSError) as error:
        raise TrainError(f"{start}: not a tagger of preset fp: {error}") from None
    own = run.network.state_dict()
    shared = {name: tensor for name, tensor in tensors.items() if name in own and own[name].shape == tensor.shape}
    missing = sorted(name for name in own if "weight" in name and name not in shared)
    if missing:
        raise TrainError(f"{start}: {missing[0]} must have shape {list(own[missing[0]].shape)}: other data or other sizes?")
    # Scales are fitted at the start of their stage, whatever they are before.
    run.network.load_state_dict(own | {name: tensor for name, tensor in shared.items() if "steps" not in name})
    run.epochs = [entry for entry in run.epochs if entry[0] > 0]
    if not run.epochs:
        raise TrainError("epochs must be at least 1 behind the float ones, not 0")

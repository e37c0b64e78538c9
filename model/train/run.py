"""State of one training: its epochs, each decided by the seed and its position alone, and the best of them."""

import hashlib
import math
import time

import numpy as np
import torch

from ..evaluate import auc, evaluate
from .average import Average
from .config import TrainError
from .export import load_float, model_file
from .network import Classifier

__all__ = ["Run"]

WARM_UP = 40
"""Batches in which the learning rate of a phase rises."""
LONGEST_GRADIENT = 1.0
BEYOND = float(np.finfo(np.float32).max)
"""Logged for a gradient that is not finite."""
TEMPERATURE = 2.0
"""Softens the scores that are distilled."""
MOST_MIXED = 0.5
"""Share of the power of another window, at most."""
AVERAGE_DECAY = 0.98
"""Of the parameters' average, a batch: it spans about an epoch."""
SCALE_RATE, SINGLE_SCALE_RATE = 0.1, 0.5
"""Learning rate of the scales, as a share of the weights'; the second with a single level, whose scale has farther to go."""


class Run:
    """Network, optimizer, position, records and the best epoch so far.

    Parameters
    ----------
    config : TrainConfig
    parts : TrainingData
    origin : ModelFile or None
        Whose float weights take the place of the first phase.
    """

    def __init__(self, config, parts, origin):
        self.config, self.parts = config, parts
        torch.manual_seed(config.seed)
        self.network = Classifier(
            len(parts.preprocess.channels),
            config.hidden_size,
            parts.classes,
            activation_levels=config.levels[0],
            weight_levels=config.levels[1],
            peepholes=config.peepholes,
            input_copies=config.input_copies,
            pool=config.pool,
            dropout=config.dropout,
            **config.layer,
        )
        phases = config.phases
        self.origin = "none"
        if origin is not None:
            load_float(self.network, origin, parts.preprocess)
            phases, self.origin = ((), *phases[1:]), _digest(self.network)
        self.epochs = [(phase, k, stage) for phase, stages in enumerate(phases) for k, stage in enumerate(stages)]
        if not self.epochs:
            raise TrainError("epochs must be at least 1 in all, not 0")
        self.lengths = [len(stages) for stages in phases]
        self.parent = None if origin is None else self.network.float_state()
        self.position, self.records, self.best, self.optimizer, self.seconds = 0, [], None, None, 0.0
        self.average = self.teacher = self.progress = None

    def _start_phase(self):
        """A fresh optimizer, and what was best before no longer counts."""
        self.best = self.average = None
        if self.parent is None and self.position:
            self.parent = self.network.float_state()
        self.optimizer = _optimizer(self.network, self.config)

    def epoch(self, position):
        """One epoch, decided by the seed and its position alone; then validation, of the average where there is one."""
        began, config, network = time.perf_counter(), self.config, self.network
        phase, k, stage = self.epochs[position]
        rng = np.random.default_rng([config.seed, phase, k])
        torch.manual_seed(int(rng.integers(1 << 31)))
        if k == 0:
            self._start_phase()
        while network.stage != stage:
            following = network.following()
            network.start(following, self._batch(rng)[0])
        if self.average is None and self._counts(position):
            self.average = Average(network, AVERAGE_DECAY)
        total, norms, clipped = 0.0, [], 0
        for batch in range(config.batches):
            done = k * config.batches + batch
            rate = config.peaks[phase] * _schedule(done, self.lengths[phase] * config.batches)
            for group in self.optimizer.param_groups:
                group["lr"] = rate * group["share"]
            x, y = self._batch(rng)
            loss = self._loss(x, y)
            self.optimizer.zero_grad()
            loss.backward()
            norm = float(torch.nn.utils.clip_grad_norm_(network.parameters(), LONGEST_GRADIENT))
            if not math.isfinite(loss.item()):
                raise TrainError(f"lr must be smaller: the loss is not finite in epoch {position}")
            if math.isfinite(norm):  # weights may multiply it in every step, beyond float32
                self.optimizer.step()
                network.project()
                if self.average:
                    self.average.update(network)
            total, clipped = total + loss.item(), clipped + (norm > LONGEST_GRADIENT)
            norms.append(norm if math.isfinite(norm) else BEYOND)
            self.progress({"epoch": position, "epochs": len(self.epochs), "stage": stage, "batch": batch + 1,
                           "batches": config.batches, "loss": total / (batch + 1)})  # fmt: skip
        if min(norms) == BEYOND:
            raise TrainError(f"lr must be smaller: the gradient of no batch is finite in epoch {position}")
        if self.average:
            self.average.swap(network)
        y, scores = self._validate()
        record = {
            "epoch": position,
            "stage": stage,
            "lr": rate,
            "loss": total / config.batches,
            "gradient_norm": float(np.median(norms)),
            "gradients_clipped": clipped / config.batches,
            "clipped": dict(network.clipped),
            "validation_accuracy": float((scores.argmax(1) == y).mean()),
            "validation_auc": auc(y, scores),
        }
        self.records.append(record)
        self.seconds += time.perf_counter() - began
        self.position = position + 1
        if self._counts(position) and (self.best is None or self._merit(record) >= self._merit(self.best["record"])):
            copy = {name: tensor.clone() for name, tensor in network.state_dict().items()}
            self.best = {"epoch": position, "record": record, "network": copy, "stage": stage}
        if self.average:
            self.average.swap(network)
        self.progress({"record": record | {"epochs": len(self.epochs)}})

    def _loss(self, x, y):
        """Cross entropy with the classes; once something is quantized, with the float parent's scores.

        The parent judges mixtures of two windows as well, of which there are as many as one likes: a network that
        agrees with it there agrees with it on windows to come, where one that learns the classes again learns other
        accidents of the training part.
        """
        cross_entropy, share = torch.nn.functional.cross_entropy, self.config.distillation
        if not share or self.network.stage == "float":
            return self._mixed_up(x, y) if self.config.mixup else cross_entropy(self.network(x), y)
        if self.teacher is None:
            self.teacher = self.network.float_twin(self.parent)
        part = torch.rand(x.shape[1]) * MOST_MIXED
        x = x * (1 - part).sqrt()[None, :, None] + x[:, torch.randperm(x.shape[1])] * part.sqrt()[None, :, None]
        with torch.no_grad():
            wanted = torch.softmax(self.teacher(x) / TEMPERATURE, 1)
        scores = self.network(x)
        distilled = cross_entropy(scores / TEMPERATURE, wanted) * TEMPERATURE**2
        return distilled if share == 1 else (1 - share) * cross_entropy(scores, y) + share * distilled

    def _mixed_up(self, x, y):
        """Cross entropy of windows that are mixtures of two with the classes of both, by their share of the power."""
        cross_entropy, concentration = torch.nn.functional.cross_entropy, torch.tensor(self.config.mixup)
        part, other = torch.distributions.Beta(concentration, concentration).sample(), torch.randperm(x.shape[1])
        scores = self.network(x * part.sqrt() + x[:, other] * (1 - part).sqrt())
        return part * cross_entropy(scores, y) + (1 - part) * cross_entropy(scores, y[other])

    def _counts(self, position):
        """Whether an epoch may be kept: of the last third of its phase, where the learning rate is low already and a
        high validation figure more than luck. From there on the average is validated and kept."""
        phase, k, _ = self.epochs[position]
        return 3 * (k + 1) > 2 * self.lengths[phase]

    @staticmethod
    def _merit(record):
        return record["validation_auc"]

    def _batch(self, rng):
        settings = {name: getattr(self.config, name) for name in ("noise", "gain", "flip", "surrogates")}
        x, y = self.parts.batch(rng, self.config.batch_size, **settings)
        return torch.from_numpy(x), torch.from_numpy(y)

    def _validate(self):
        """(true classes, scores) of the validation windows: the golden model's once activations are quantized."""
        network, windows = self.network, self.parts.validation
        if network.quantizes("activations"):
            golden = model_file(network, self.parts.preprocess, None, preset="mubinn2", card={})
            return windows.y, evaluate(golden, windows).scores
        network.eval()
        x = torch.from_numpy(self.parts.preprocess.apply(windows.x).astype(np.float32)).transpose(0, 1)
        with torch.no_grad():
            scores = torch.cat([network(part.contiguous()) for part in x.split(128, dim=1)])
        network.train()
        return windows.y, scores.numpy()

    def keep_best(self):
        """Go back to the best epoch."""
        self.network.load_state_dict(self.best["network"])
        self.network.stage = self.best["stage"]

    def state(self):
        """What `restore` needs."""
        names = ("position", "records", "best", "parent", "seconds")
        return {name: getattr(self, name) for name in names} | {
            "network": self.network.state_dict(),
            "average": self.average and self.average.state,
            "stage": self.network.stage,
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state):
        """Go on from a `state`."""
        self.network.load_state_dict(state["network"])
        self.network.stage = state["stage"]
        self.optimizer = _optimizer(self.network, self.config)
        self.optimizer.load_state_dict(state["optimizer"])
        if state["average"] is not None:
            self.average = Average(self.network, AVERAGE_DECAY)
            self.average.state = state["average"]
        for name in ("position", "records", "best", "parent", "seconds"):
            setattr(self, name, state[name])


def _digest(network):
    """Hash of the float weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.float_state().items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def _schedule(done, total):
    """Warm-up, then half a cosine to 0."""
    return min(1.0, (done + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * done / total))


def _optimizer(network, config):
    """AdamW: weights decay; biases, thresholds and scales don't, and scales move slowly."""
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    weights = [p for name, p in named if "weight" in name]
    scales = [p for name, p in named if "steps" in name]
    others = [p for name, p in named if "weight" not in name and "steps" not in name]
    return torch.optim.AdamW(
        [
            {"params": weights, "weight_decay": config.weight_decay, "share": 1.0},
            {"params": others, "weight_decay": 0.0, "share": 1.0},
            {"params": scales, "weight_decay": 0.0, "share": SINGLE_SCALE_RATE if config.fewest_levels == 1 else SCALE_RATE},
        ],
        lr=config.lr,
    )

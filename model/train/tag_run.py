"""Training of a tagger: batches of sentences of like lengths, phases and stages, the best epoch, checkpoints."""

import math
import time

import numpy as np
import torch

from ..tag_score import span_f1
from ..tagging import CASES, UNKNOWN
from .tagger import Tagger

__all__ = ["TagRun"]

WARM_UP = 100
"""Batches in which the learning rate of a phase rises."""
LONGEST_GRADIENT = 1.0
SCALE_RATE = 0.1
POOL = 50
"""Batches whose sentences are sorted by length together."""
FIT_SENTENCES = 128


class TagRun:
    """Network, optimizer, position, records and the best epoch so far.

    Parameters
    ----------
    config : TagConfig
    data : TaggingData
    device : str
        Of torch.
    """

    def __init__(self, config, data, device="cpu"):
        self.config, self.data, self.device = config, data, torch.device(device)
        torch.manual_seed(config.seed)
        sizes = {"input_size": config.input_size, "hidden_size": config.hidden_size, "layers": config.layers}
        self.network = Tagger(data.word_count, len(CASES), len(data.tags), dropout=config.dropout, **sizes, **config.layer).to(
            self.device
        )
        self.epochs = [(phase, k, stage) for phase, stages in enumerate(config.phases) for k, stage in enumerate(stages)]
        self.position, self.records, self.best, self.seconds, self.optimizer = 0, [], None, 0.0, None
        self.progress = lambda event: None

    def epoch(self, position):
        """One epoch, decided by the seed and its position alone; then the dev part."""
        began, config, network = time.perf_counter(), self.config, self.network
        phase, k, stage = self.epochs[position]
        rng = np.random.default_rng([config.seed, phase, k])
        torch.manual_seed(int(rng.integers(1 << 31)))
        network.train()
        if k == 0:
            self.optimizer = self._new_optimizer(config.lr / (2 if phase else 1))
            self.best = None if phase else self.best
        while network.stage != stage:
            network.start(network.following(), *self._fit_batch(rng))
            self.best = None
        batches = self._batches(rng)
        length = len(self.config.phases[phase]) * len(batches)
        total = 0.0
        for done, chosen in enumerate(batches):
            for group in self.optimizer.param_groups:
                group["lr"] = group["share"] * _schedule(k * len(batches) + done, length)
            word, case, tag, lengths = self._tensors(self.data.train.padded(chosen))
            if config.word_dropout:
                word = torch.where((torch.rand(word.shape, device=self.device) < config.word_dropout) & (word > UNKNOWN),
                                   UNKNOWN, word)  # fmt: skip
            loss = network.crf.loss(network(word, case, lengths), tag, lengths)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), LONGEST_GRADIENT)
            self.optimizer.step()
            network.project()
            total += loss.detach()
            if done % 10 == 9 or done == len(batches) - 1:
                self.progress({"epoch": position, "epochs": len(self.epochs), "stage": stage, "batch": done + 1,
                               "batches": len(batches), "loss": float(total) / (done + 1)})  # fmt: skip
        self.seconds += time.perf_counter() - began
        record = {"epoch": position, "stage": stage, "loss": float(total) / len(batches),
                  "seconds": time.perf_counter() - began} | self.figures(self.data.dev)  # fmt: skip
        self.records.append(record)
        self.position = position + 1
        if self.best is None or record[self.merit] >= self.best["record"][self.merit]:
            copy = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
            self.best = {"epoch": position, "record": record, "network": copy, "stage": stage}
        self.progress({"record": record | {"epochs": len(self.epochs)}})

    @property
    def merit(self):
        """Figure by which the best epoch is chosen."""
        return "f1" if self.data.tags[0] == "O" else "accuracy"

    def predict(self, corpus):
        """Tags uint8 [tokens] of a corpus."""
        self.network.eval()
        order = np.argsort(corpus.lengths, kind="stable")
        found = np.empty(len(corpus.word), np.uint8)
        with torch.no_grad():
            for chosen in np.array_split(order, -(-len(order) // 256)):
                word, case, _, lengths = self._tensors(corpus.padded(chosen))
                tags = self.network.crf.decode(self.network(word, case, lengths), lengths).cpu().numpy()
                for column, sentence in enumerate(chosen):
                    start, length = corpus.starts[sentence], corpus.lengths[sentence]
                    found[start : start + length] = tags[:length, column]
        self.network.train()
        return found

    def figures(self, corpus):
        """{"accuracy": share of the words, and for tags of spans "precision", "recall", "f1"}."""
        found = self.predict(corpus)
        figures = {"accuracy": float((found == corpus.tag).mean())}
        if self.data.tags[0] == "O":
            figures |= span_f1(corpus, found, self.data.tags)
        return figures

    def _fit_batch(self, rng):
        """Sentences of about the median length, so that few places are padding."""
        lengths = self.data.train.lengths
        near = np.argsort(np.abs(lengths - np.quantile(lengths, 0.7)), kind="stable")[: 4 * FIT_SENTENCES]
        word, case, _, lengths = self._tensors(self.data.train.padded(rng.permutation(near)[:FIT_SENTENCES]))
        return word, case, lengths

    def _batches(self, rng):
        """Sentences of an epoch: shuffled, sorted by length within pools, and the batches shuffled again."""
        size, lengths = self.config.batch_size, self.data.train.lengths
        order = rng.permutation(len(lengths))
        batches = []
        for start in range(0, len(order), POOL * size):
            pool = order[start : start + POOL * size]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            batches += [pool[k : k + size] for k in range(0, len(pool), size)]
        return [batches[k] for k in rng.permutation(len(batches))]

    def _tensors(self, arrays):
        return [torch.from_numpy(np.asarray(array)).to(self.device) for array in arrays]

    def _new_optimizer(self, lr):
        named = [(name, p) for name, p in self.network.named_parameters() if p.requires_grad]
        weights = [p for name, p in named if "weight" in name and "word" not in name and "case" not in name]
        scales = [p for name, p in named if "steps" in name]
        rest = {id(p) for p in (*weights, *scales)}
        others = [p for _, p in named if id(p) not in rest]
        groups = [
            {"params": weights, "weight_decay": self.config.weight_decay, "share": lr},
            {"params": others, "weight_decay": 0.0, "share": lr},
            {"params": scales, "weight_decay": 0.0, "share": lr * SCALE_RATE},
        ]
        # In one pass: most parameters are word embeddings, of which a batch reads few.
        return torch.optim.AdamW(groups, lr=lr, fused=True)

    def keep_best(self):
        """Go back to the best epoch."""
        self.network.load_state_dict(self.best["network"])
        self.network.stage = self.best["stage"]

    def state(self):
        """What `restore` needs."""
        return {name: getattr(self, name) for name in ("position", "records", "best", "seconds")} | {
            "network": self.network.state_dict(),
            "stage": self.network.stage,
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state):
        """Go on from a `state`."""
        self.network.load_state_dict(state["network"])
        self.network.stage = state["stage"]
        self.optimizer = self._new_optimizer(self.config.lr)
        self.optimizer.load_state_dict(state["optimizer"])
        for name in ("position", "records", "best", "seconds"):
            setattr(self, name, state[name])


def _schedule(done, total):
    """Warm-up, then half a cosine to 0."""
    return min(1.0, (done + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * done / total))

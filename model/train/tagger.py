"""Tagger in PyTorch: word and casing embeddings, bidirectional LSTM layers, a dense layer a word, and a CRF."""

import torch
from torch import nn

from .crf import Crf
from .directions import reversed_steps
from .layer import QuantLstm
from .stages import STAGES

__all__ = ["Tagger"]

CASE_SIZE = 8
"""Width of the casing embedding, part of `input_size`."""


class Tagger(nn.Module):
    """BiLSTM-CRF. Layers after the first take the codes of the layer before, so its directions share their scales of h.

    Parameters
    ----------
    words, cases, tags : int
        Numbers of each; word and case 0 stand behind the end of a sentence.
    input_size : int
        Width of word and casing embeddings together.
    hidden_size : int
        Units of each direction.
    layers : int
    dropout : float
        Of the embeddings and of every layer's h, in training.
    **layer
        See QuantLstm.
    """

    def __init__(self, words, cases, tags, *, input_size=64, hidden_size=100, layers=2, dropout=0.3, **layer):
        super().__init__()
        self.word = nn.Embedding(words, input_size - CASE_SIZE, padding_idx=0)
        self.case = nn.Embedding(cases, CASE_SIZE, padding_idx=0)
        with torch.no_grad():
            self.word.weight.mul_(0.3)
        self.layers = nn.ModuleList()
        for depth in range(layers):
            width = 2 * hidden_size if depth else input_size
            pair = [QuantLstm(width, hidden_size, takes_codes=depth > 0, **layer) for _ in range(2)]
            pair[1].h_scales = pair[0].h_scales
            for one in pair if depth else ():
                one.x_scales = self.layers[-1][0].h_scales
            # Both directions read the same x, so they have one format of it.
            if not depth:
                pair[1].x_scales, pair[1].x_shift = pair[0].x_scales, pair[0].x_shift
            self.layers.append(nn.ModuleList(pair))
        self.head = nn.Linear(2 * hidden_size, tags)
        self.crf = Crf(tags)
        self.dropout = nn.Dropout(dropout)

    @property
    def stage(self):
        """What is quantized, of STAGES."""
        return self.layers[0][0].stage

    @stage.setter
    def stage(self, stage):
        for pair in self.layers:
            for one in pair:
                one.stage = stage

    def following(self):
        """The stage after this one."""
        return STAGES[STAGES.index(self.stage) + 1]

    def embedded(self, word, case):
        """x [steps, sentences, input_size]."""
        return torch.cat([self.word(word), self.case(case)], dim=2)

    def forward(self, word, case, lengths):
        """Emissions [steps, sentences, tags] of int64 word, case [steps, sentences] and lengths [sentences]."""
        return self.head(self.features(word, case, lengths))

    def features(self, word, case, lengths):
        """h of the last layer, both directions side by side: [steps, sentences, 2 * hidden_size]."""
        x = self.dropout(self.embedded(word, case))
        for pair in self.layers:
            x = self.dropout(_both(pair, x, lengths))
        return x

    def start(self, stage, word, case, lengths):
        """Go on to `stage`, layer after layer; the sentences are those that new scales are fitted to."""
        x = self.embedded(word, case).detach()
        with torch.no_grad():
            for pair in self.layers:
                for one, samples in zip(pair, (x, reversed_steps(x, lengths)), strict=True):
                    one.start(stage, samples)
                x = _both(pair, x, lengths)

    def project(self):
        """After an optimizer's step."""
        for pair in self.layers:
            for one in pair:
                one.project()


def _both(pair, x, lengths):
    """h of both directions side by side."""
    forward, backward = pair[0].output(x), pair[1].output(reversed_steps(x, lengths))
    return torch.cat([forward, reversed_steps(backward, lengths)], dim=2)

"""From a tagger in training to the golden model's network, and the integers that its words become."""

import numpy as np
import torch

from ..crf import Crf
from ..fixed import round_half_up
from ..network import Layer, Network, StepHead
from ..network_file import NetworkFile, Vocabulary
from .integers import HEAD_BITS, integer_head, integer_parameters

__all__ = ["tagger_file"]


def tagger_file(tagger, data, *, max_steps, card=None):
    """NetworkFile of a Tagger whose stage is "cell".

    Parameters
    ----------
    tagger : Tagger
    data : TaggingData
        For its words and tags.
    max_steps : int
        Words of the longest sentence.
    """
    layers = [
        Layer(
            **{
                name: integer_parameters(one, max_steps=max_steps)
                for name, one in zip(("forward", "backward"), pair, strict=True)
            }
        )
        for pair in tagger.layers
    ]
    spec, h_fraction = layers[0].forward.spec, layers[-1].forward.spec.h_fraction
    weight, bias, fraction = integer_head(tagger.head, h_fraction)
    point = float(1 << fraction + h_fraction)
    scores = {
        name: round_half_up(tensor.detach().double().cpu().numpy() * point)
        for name, tensor in (("transitions", tagger.crf.transitions), ("first", tagger.crf.first), ("last", tagger.crf.last))
    }
    network = Network(layers=layers, head=StepHead(weight=weight, bias=bias, weight_bits=HEAD_BITS), crf=Crf(**scores))
    with torch.no_grad():
        shift = tagger.layers[0][0].x_shift
        split = tagger.word.embedding_dim
        tables = (tagger.word.weight - shift[:split], tagger.case.weight - shift[split:])
        word, case = (spec.x.quantize(table.double().cpu().numpy()).astype(np.int16) for table in tables)
    words = data.words or ("",) * data.word_count
    vocabulary = Vocabulary(words=words, tags=data.tags, word=word, case=case)
    return NetworkFile(network=network, vocabulary=vocabulary, card=card or {})

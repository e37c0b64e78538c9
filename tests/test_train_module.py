"""The module with nn.LSTM's signature: nn.LSTM in full precision, the golden model at the end."""

import numpy as np
import pytest
import torch
from mubinn.model.train.module import LSTM
from mubinn.model.train.stages import STAGES
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence

SHAPES = [{}, {"bidirectional": True}, {"num_layers": 2}, {"num_layers": 2, "bidirectional": True, "batch_first": True}]


def pair(**shape):
    torch.manual_seed(1)
    theirs = nn.LSTM(3, 5, **shape)
    return theirs, LSTM(3, 5, levels=(2, 2), **shape).load(theirs)


def close(a, b):
    assert a.shape == b.shape
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_in_full_precision_it_is_nn_lstm(shape):
    theirs, ours = pair(**shape)
    x = torch.randn(4, 6, 3)
    for sample in (x, x[0]):  # a batch, and none
        (a, (ha, ca)), (b, (hb, cb)) = theirs(sample), ours(sample)
        close(a, b), close(ha, hb), close(ca, cb)
    weight = torch.randn_like(theirs(x)[0])
    for module in (theirs, ours):
        out, (h, _) = module(x)
        ((out * weight).sum() + h.sum()).backward()
    close(theirs.weight_hh_l0.grad, ours.layers[0][0].lstm.weight_hh_l0.grad)
    close(theirs.weight_ih_l0.grad, ours.layers[0][0].lstm.weight_ih_l0.grad)


@pytest.mark.parametrize("sorts", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_packed_sequences(shape, sorts):
    theirs, ours = pair(**shape)
    lengths = [6, 4, 4, 1] if sorts else [4, 1, 6, 4]
    packed = pack_sequence([torch.randn(length, 3) for length in lengths], enforce_sorted=sorts)
    (a, (ha, ca)), (b, (hb, cb)) = theirs(packed), ours(packed)
    close(a.data, b.data), close(ha, hb), close(ca, cb)
    assert torch.equal(a.batch_sizes, b.batch_sizes)
    close(pad_packed_sequence(a)[0], pad_packed_sequence(b)[0])


@pytest.mark.parametrize("shape", SHAPES)
def test_at_the_end_it_is_the_golden_model(shape):
    _, ours = pair(**shape)
    x = torch.randn(8, 7, 3) if shape.get("batch_first") else torch.randn(7, 8, 3)
    for stage in STAGES[1:]:
        assert ours.following() == stage
        ours.start(stage, x)
        ours.train()
        ours(x)[0].square().sum().backward()
        ours.project()
        assert ours.stage == stage
    ours.eval()
    x = (x * 64).round() / 64  # samples that the chip's format has
    with torch.no_grad():
        out = ours(x)[0]
    windows = (x if shape.get("batch_first") else x.transpose(0, 1)).numpy()
    network = ours.network(max_steps=16)
    fraction = network.layers[-1].forward.spec.h_fraction
    golden = network.run(ours.quantize(windows)).features
    mine = out if shape.get("batch_first") else out.transpose(0, 1)
    # Sums in float32 may fall on the other side of a rounding now and then, and h feeds back.
    assert np.mean(mine.double().numpy() * (1 << fraction) == golden) > 0.95


def test_a_packed_batch_is_its_sentences():
    _, ours = pair(bidirectional=True, num_layers=2)
    ours.start("weights", torch.randn(5, 4, 3))
    ours.start("activations", torch.randn(5, 4, 3))
    ours.start("cell", torch.randn(5, 4, 3))
    ours.eval()
    parts = [torch.randn(length, 3) for length in (5, 2, 4)]
    packed = pack_padded_sequence(nn.utils.rnn.pad_sequence(parts), torch.tensor([5, 2, 4]), enforce_sorted=False)
    with torch.no_grad():
        together, lengths = pad_packed_sequence(ours(packed)[0])
        for k, part in enumerate(parts):
            assert torch.equal(together[: lengths[k], k], ours(part)[0])


def test_it_learns_in_a_loop_of_ones_own():
    """Which of two halves of a window was louder."""
    torch.manual_seed(2)
    x = torch.randn(64, 8, 2)
    y = (torch.rand(64) < 0.5).long()
    x[y == 0, :4] *= 3
    x[y == 1, 4:] *= 3
    x = x.abs()
    ours, head = LSTM(2, 12, batch_first=True, levels=(3, 3)), nn.Linear(12, 2)
    for stage in STAGES:
        if stage != "float":
            ours.start(stage, x)
        optimizer = torch.optim.Adam([*ours.parameters(), *head.parameters()], lr=0.02)
        for _ in range(40):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(head(ours(x)[0][:, -1]), y)
            loss.backward()
            optimizer.step()
            ours.project()
    ours.eval()
    right = (head(ours(x)[0][:, -1]).argmax(1) == y).float().mean()
    assert right > 0.9


def test_what_it_can_not_do():
    _, ours = pair()
    x, state = torch.randn(4, 2, 3), torch.zeros(1, 2, 5)
    close(ours(x, (state, state))[0], ours(x)[0])
    with pytest.raises(ValueError, match="hx must be None or zeros"):
        ours(x, (state + 1, state))
    with pytest.raises(ValueError, match="input must have 3 features, not 2"):
        ours(torch.randn(4, 2, 2))
    with pytest.raises(ValueError, match="input must have 2 or 3 dimensions, not 1"):
        ours(torch.randn(3))
    with pytest.raises(ValueError, match="bias must be True"):
        LSTM(3, 5, bias=False)
    with pytest.raises(ValueError, match="proj_size must be 0, not 2"):
        LSTM(3, 5, proj_size=2)

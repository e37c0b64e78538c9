"""Linear-chain conditional random field: the exact likelihood by the forward algorithm, and Viterbi decoding."""

import torch
from torch import nn

__all__ = ["Crf"]


class Crf(nn.Module):
    """Scores of tag sequences: emissions, transitions from tag to tag, and of the first and the last tag.

    Parameters
    ----------
    tags : int
    """

    def __init__(self, tags):
        super().__init__()
        self.transitions = nn.Parameter(0.1 * torch.randn(tags, tags))  # from, to
        self.first = nn.Parameter(torch.zeros(tags))
        self.last = nn.Parameter(torch.zeros(tags))

    def loss(self, emissions, tags, lengths):
        """Mean negative log likelihood of a sentence.

        Parameters
        ----------
        emissions : tensor [steps, sentences, tags]
        tags : int64 tensor [steps, sentences]
        lengths : int64 tensor [sentences]
        """
        steps = len(emissions)
        inside = torch.arange(steps, device=emissions.device)[:, None] < lengths
        alpha = self.first + emissions[0]
        for t in range(1, steps):
            new = torch.logsumexp(alpha[:, :, None] + self.transitions, dim=1) + emissions[t]
            alpha = torch.where(inside[t, :, None], new, alpha)
        total = torch.logsumexp(alpha + self.last, dim=1)
        own = emissions.gather(2, tags[:, :, None])[:, :, 0]
        steps_between = self.transitions[tags[:-1], tags[1:]] * inside[1:]
        final = tags.gather(0, (lengths - 1)[None])[0]
        score = (own * inside).sum(0) + steps_between.sum(0) + self.first[tags[0]] + self.last[final]
        return (total - score).mean()

    @torch.no_grad()
    def decode(self, emissions, lengths):
        """Best tags int64 [steps, sentences]; behind the end of a sentence they mean nothing."""
        steps, sentences, count = emissions.shape
        inside = torch.arange(steps, device=emissions.device)[:, None] < lengths
        delta, pointers = self.first + emissions[0], []
        stay = torch.arange(count, device=emissions.device).expand(sentences, count)
        for t in range(1, steps):
            best, pointer = (delta[:, :, None] + self.transitions).max(dim=1)
            delta = torch.where(inside[t, :, None], best + emissions[t], delta)
            pointers.append(torch.where(inside[t, :, None], pointer, stay))
        tag = (delta + self.last).argmax(dim=1)
        tags = [tag]
        for pointer in reversed(pointers):
            tag = pointer.gather(1, tag[:, None])[:, 0]
            tags.append(tag)
        return torch.stack(tags[::-1])

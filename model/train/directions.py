"""Windows of several lengths, read from their ends."""

import torch

__all__ = ["reversed_steps"]


def reversed_steps(x, lengths):
    """x [steps, windows, ...] with every window in reverse; what is behind its end, of `lengths` [windows], stays there."""
    at = torch.arange(len(x), device=x.device)[:, None]
    at = torch.where(at < lengths, lengths - 1 - at, at)
    return x.gather(0, at[:, :, None].expand_as(x))

"""The moving average of a network's parameters."""

__all__ = ["Average"]


class Average:
    """Exponential moving average of every parameter.

    Signs of weights flip from batch to batch and a quantized recurrence multiplies what they do, so single epochs differ
    by several points of accuracy; the average of the latent parameters doesn't.

    Parameters
    ----------
    network : torch.nn.Module
        Where the average starts.
    decay : float
        Share of the old average that a batch leaves, below 1.
    """

    def __init__(self, network, decay):
        self.decay = decay
        self.state = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def update(self, network):
        """After an optimizer's step."""
        for name, tensor in network.state_dict().items():
            self.state[name].lerp_(tensor, 1 - self.decay)

    def swap(self, network):
        """Exchange the network's parameters and the average; a second call takes them back."""
        held = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        network.load_state_dict(self.state)
        self.state = held

"""TCN: a temporal convolutional network on the waveform, causal convolutions with growing dilation.

Weights of the shortcuts begin at N(0, 0.01), those of the other convolutions as torch draws them. That is
what the published code does: it draws them all from N(0, 0.01), but weight norm computes the weights of
the convolutions anew from parameters that this does not reach. Drawn so, they would silence the network.

References
----------
Bai, Kolter, Koltun, "An empirical evaluation of generic convolutional and recurrent networks for sequence
modeling", 2018.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from taggram.lab.front_ends._layers import Normalised, Shape

_INITIAL_DEVIATION = 0.01


class TCN(Normalised):
    """Residual blocks of two causal convolutions, then max pooling.

    Parameters
    ----------
    shape
        (n_features, n_frames).
    channels
        Channels of each block; the dilation doubles from block to block.
    kernel
        Length of the filters.
    dropout
        Probability of dropping an element behind each convolution, in training.
    pool
        Steps that are pooled into one.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        channels: Sequence[int] = (4, 8, 16, 32),
        kernel: int = 2,
        dropout: float = 0.2,
        pool: int = 3,
    ) -> None:
        widths = enumerate(pairwise((shape[0], *channels)))
        blocks = [CausalBlock(n_in, n_out, kernel, 2**index, dropout) for index, (n_in, n_out) in widths]
        super().__init__(shape, nn.Sequential(*blocks, nn.MaxPool1d(pool)))


class CausalBlock(nn.Module):
    """Two causal, weight-normed convolutions beside a shortcut: no step hears a later one."""

    def __init__(self, n_in: int, n_out: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ConstantPad1d(((kernel - 1) * dilation, 0), 0.0),
            weight_norm(nn.Conv1d(n_in, n_out, kernel, dilation=dilation)),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.ConstantPad1d(((kernel - 1) * dilation, 0), 0.0),
            weight_norm(nn.Conv1d(n_out, n_out, kernel, dilation=dilation)),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.shortcut = nn.Identity() if n_in == n_out else nn.Conv1d(n_in, n_out, 1)
        if isinstance(self.shortcut, nn.Conv1d):
            nn.init.normal_(self.shortcut.weight, 0.0, _INITIAL_DEVIATION)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (batch, n_in, n_steps) to (batch, n_out, n_steps)."""
        return torch.relu(self.main(maps) + self.shortcut(maps))


FRONT_END = TCN

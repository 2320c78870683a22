"""CNN: two, three or more 3 × 3 convolutions on a feature as an image, each halving both axes."""

from itertools import pairwise

from torch import Tensor, nn

from taggram.lab.front_ends._layers import Shape


class CNN(nn.Module):
    """Batch norm of every row, then n_layers × [conv 3 × 3 → batch norm → ReLU → max pooling 2 × 2].

    The rows that are left are joined to the channels: (batch, n_channels · n_rows, n_steps).

    Parameters
    ----------
    shape
        (n_features, n_frames).
    n_layers
        Number of convolutions.
    n_channels
        Of the first convolution; every further one has twice as many.
    """

    def __init__(self, shape: Shape, *, n_layers: int = 3, n_channels: int = 32) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(shape[0])
        widths = [1, *(n_channels * 2**layer for layer in range(n_layers))]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            conv = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
            layers += [conv, nn.BatchNorm2d(n_out), nn.ReLU(), nn.MaxPool2d(2)]
        self.layers = nn.Sequential(*layers)

    def forward(self, feature: Tensor) -> Tensor:
        """Map (batch, n_features, n_frames) to (batch, n_channels, n_steps)."""
        maps: Tensor = self.layers(self.norm(feature).unsqueeze(1))
        return maps.flatten(1, 2)


FRONT_END = CNN

"""Conv2d: filters over all rows of a spectrogram and a few of its frames."""

from torch import Tensor, nn

from taggram.lab.front_ends._layers import Normalised, Shape


class Conv2d(Normalised):
    """One valid convolution over time; every filter sees all rows, as (128, 5) sees a log-mel of 128 bands.

    Parameters
    ----------
    shape
        (n_features, n_frames).
    n_filters
        Number of filters.
    width
        Frames that a filter sees.
    """

    def __init__(self, shape: Shape, *, n_filters: int = 80, width: int = 5) -> None:
        super().__init__(shape, _TallFilters(shape[0], n_filters, width))


class _TallFilters(nn.Module):
    def __init__(self, height: int, n_filters: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, n_filters, (height, width))

    def forward(self, feature: Tensor) -> Tensor:
        filtered: Tensor = self.conv(feature.unsqueeze(1)).squeeze(2)
        return filtered


FRONT_END = Conv2d

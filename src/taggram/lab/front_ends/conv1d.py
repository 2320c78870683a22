"""Conv1d: free filters on the waveform, with a stride, then max pooling."""

from torch import nn

from taggram.lab.front_ends._layers import Normalised, Shape, need_one_row


class Conv1d(Normalised):
    """Strided convolution of the waveform.

    Parameters
    ----------
    shape
        (1, n_samples).
    n_filters, length, stride
        Number of filters, their length and distance in samples.
    pool
        Steps that are pooled into one.
    """

    def __init__(
        self, shape: Shape, *, n_filters: int = 80, length: int = 251, stride: int = 15, pool: int = 3
    ) -> None:
        need_one_row("conv1d", shape)
        filters = nn.Sequential(nn.Conv1d(1, n_filters, length, stride=stride), nn.MaxPool1d(pool))
        super().__init__(shape, filters)


FRONT_END = Conv1d

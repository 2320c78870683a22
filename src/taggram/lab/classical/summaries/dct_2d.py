"""DCT over both axes: the coarse shape of a feature as an image, n_rows · n_columns values."""

import torch
from torch import Tensor

from taggram.lab.classical.summaries._base import Shape, Summary
from taggram.lab.features.mfcc import compute_dct


class DCT2d(Summary):
    """Low coefficients of the orthonormal two-dimensional DCT-II.

    Parameters
    ----------
    shape
        (n_features, n_frames).
    n_rows, n_columns
        Coefficients kept along features and along time.
    """

    row_dct: Tensor
    column_dct: Tensor

    def __init__(self, shape: Shape, *, n_rows: int = 16, n_columns: int = 16) -> None:
        super().__init__()
        self.register_buffer("row_dct", torch.from_numpy(compute_dct(shape[0], min(n_rows, shape[0]))))
        columns = torch.from_numpy(compute_dct(shape[1], min(n_columns, shape[1])))
        self.register_buffer("column_dct", columns.T.contiguous())

    def forward(self, features: Tensor) -> Tensor:
        """Map (batch, n_features, n_frames) to (batch, n_rows * n_columns)."""
        return (self.row_dct @ features @ self.column_dct).flatten(1)


SUMMARY = DCT2d

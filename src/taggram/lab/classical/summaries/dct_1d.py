"""DCT over time: the slowest movements of each row, n_features · n_coefficients values.

Coefficient k of the orthonormal DCT-II over n frames is a movement of k half periods in the chunk.

References
----------
McKinney, Breebaart, "Features for audio and music classification", ISMIR 2003, for the idea to describe a
feature by its movement over time.
"""

import torch
from torch import Tensor

from taggram.lab.classical.summaries._base import Shape, Summary
from taggram.lab.features.mfcc import compute_dct


class DCT1d(Summary):
    """Low DCT coefficients of every row.

    Parameters
    ----------
    shape
        (n_features, n_frames).
    n_coefficients
        Kept of each row; at most as many as there are frames.
    """

    dct: Tensor

    def __init__(self, shape: Shape, *, n_coefficients: int = 8) -> None:
        super().__init__()
        dct = torch.from_numpy(compute_dct(shape[1], min(n_coefficients, shape[1])))
        self.register_buffer("dct", dct.T.contiguous())

    def forward(self, features: Tensor) -> Tensor:
        """Map (batch, n_features, n_frames) to (batch, n_features * n_coefficients)."""
        return (features @ self.dct).flatten(1)


SUMMARY = DCT1d

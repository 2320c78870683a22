"""Zero crossing rate: the share of neighbouring samples of a frame that differ in sign, (batch, 1, n_frames).

Zero counts as positive. Frames are centred; beyond the ends the first and last sample are repeated. A
count has no gradient.
"""

from torch import Tensor
from torch.nn import functional

from taggram.lab.features._base import Feature, row
from taggram.modelfile.specification import Waveform


class ZeroCrossingRate(Feature):
    """Zero crossing rate, in [0, 1].

    Parameters
    ----------
    sample_rate
        Hz.
    frame_length, hop_length
        Samples of a frame, even, and between frames.
    """

    is_differentiable = False

    def __init__(self, *, sample_rate: int = 22_050, frame_length: int = 2048, hop_length: int = 512) -> None:
        super().__init__(Waveform(), sample_rate=sample_rate, n_features=1, hop_length=hop_length)
        self.frame_length = frame_length

    def transform(self, inputs: Tensor) -> Tensor:
        """Map a waveform to its rate of zero crossings over time."""
        half = self.frame_length // 2
        is_negative = functional.pad(
            (inputs < 0).to(inputs.dtype).unsqueeze(1), (half, half), mode="replicate"
        )
        crossings = (is_negative[:, 0, 1:] - is_negative[:, 0, :-1]).abs()
        # A frame of n samples has n − 1 pairs of neighbours.
        n_pairs = self.frame_length - 1
        rate = functional.avg_pool1d(row(crossings), n_pairs, self.hop_length)
        return rate * (n_pairs / self.frame_length)


FEATURE = ZeroCrossingRate

"""Root mean square of the waveform in each frame: (batch, 1, n_frames).

Frames are centred, with silence beyond the ends. A mean square below 1e-10 (−100 dB) counts as 1e-10.
"""

from torch import Tensor
from torch.nn import functional

from taggram.lab.features._base import Feature, magnitude_of
from taggram.modelfile.specification import Waveform


class RMS(Feature):
    """Root mean square.

    Parameters
    ----------
    sample_rate
        Hz.
    frame_length, hop_length
        Samples of a frame, even, and between frames.
    """

    def __init__(self, *, sample_rate: int = 22_050, frame_length: int = 2048, hop_length: int = 512) -> None:
        super().__init__(Waveform(), sample_rate=sample_rate, n_features=1, hop_length=hop_length)
        self.frame_length = frame_length

    def transform(self, inputs: Tensor) -> Tensor:
        """Map a waveform to its level over time."""
        half = self.frame_length // 2
        squares = functional.pad(inputs.square().unsqueeze(1), (half, half))
        return magnitude_of(functional.avg_pool1d(squares, self.frame_length, self.hop_length))


FEATURE = RMS

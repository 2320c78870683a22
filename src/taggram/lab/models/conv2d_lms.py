"""Conv2d-LMS: filters over all bands of a log-mel spectrogram, the tutorial's first experiment.

The tutorial cuts patches of 64 frames from the spectrogram of a whole file; a chunk here has as many, and
its first and last frame see the chunk mirrored at its ends.
"""

from taggram.lab.models._base import Architecture
from taggram.lab.models.composed import TUTORIAL, ComposedModel, Composition
from taggram.modelfile.specification import PowerSpectrogram


class Conv2dLMS(ComposedModel):
    """Conv2d (128, 5) on log-mel; chunks of 2.93 s, 64 frames."""

    architecture = Architecture(
        name="conv2d_lms",
        title="Conv2d-LMS",
        paper=TUTORIAL,
        chunk_length=63 * 1024,
        front_end=PowerSpectrogram(n_fft=2048, hop_length=1024),
        sample_rate=22_050,
    )
    composition = Composition({"name": "log_mel", "hop_length": 1024}, "conv2d")


MODEL = Conv2dLMS

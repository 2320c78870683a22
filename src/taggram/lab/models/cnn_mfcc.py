"""CNN on MFCC with deltas: three convolutions, or as many as the recipe says."""

from taggram.lab.models._base import Architecture
from taggram.lab.models.composed import ComposedModel, Composition
from taggram.modelfile.specification import PowerSpectrogram


class CNNMFCC(ComposedModel):
    """Three 3 × 3 convolutions on MFCC; chunks of 3.04 s, 132 frames."""

    architecture = Architecture(
        name="cnn_mfcc",
        title="CNN on MFCC",
        paper="Taggram's own plain baseline",
        chunk_length=131 * 512,
        front_end=PowerSpectrogram(n_fft=2048, hop_length=512),
        sample_rate=22_050,
    )
    composition = Composition("mfcc", "cnn", "mean_max")


MODEL = CNNMFCC

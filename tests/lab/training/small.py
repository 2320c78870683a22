"""A small model and small sounds, with which a training run takes a second."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from taggram.lab.models import Architecture, TaggingModel
from taggram.lab.training.clips import Clips
from taggram.modelfile.specification import PowerSpectrogram

SAMPLE_RATE = 4000
FREQUENCIES = (200, 500, 1200)


class SmallNetwork(TaggingModel):
    """Log power, two dense layers, dropout and batch normalisation: all that makes resuming hard."""

    architecture = Architecture(
        name="small",
        title="Small network for tests",
        paper="none",
        sample_rate=SAMPLE_RATE,
        chunk_length=2000,
        front_end=PowerSpectrogram(n_fft=128, hop_length=64),
    )

    def __init__(self, n_tags: int = 3) -> None:
        super().__init__(n_tags, embedding_dim=16)
        self.hidden = nn.Linear(65, 16)
        self.norm = nn.BatchNorm1d(16)
        self.dropout = nn.Dropout(0.2)

    def embed_features(self, features: Tensor) -> Tensor:
        level = torch.log(features.mean(dim=1) + 1e-5)
        embedding: Tensor = self.dropout(torch.relu(self.norm(self.hidden(level))))
        return embedding


class Sounds:
    """Clips in memory."""

    def __init__(self, waveforms: Mapping[str, NDArray[np.float32]]) -> None:
        self._waveforms = waveforms

    def read(self, id_: str, *, start: int = 0, length: int | None = None) -> NDArray[np.float32]:
        stop = None if length is None else start + length
        return self._waveforms[id_][start:stop]

    def length(self, id_: str) -> int:
        return len(self._waveforms[id_])


def make_clips(n_clips: int, seed: int, *, multi_class: bool = False) -> Clips:
    """Make noisy clips in which the tones of their tags sound, of different lengths."""
    rng = np.random.default_rng(seed)
    labels = rng.random((n_clips, 3)) < 0.5
    if multi_class:
        labels = np.eye(3, dtype=bool)[rng.integers(0, 3, n_clips)]
    waveforms = {}
    for clip, row in enumerate(labels):
        times = np.arange(rng.integers(1500, 6000)) / SAMPLE_RATE
        tones = [
            0.1 * np.sin(2 * np.pi * f * times) for f, here in zip(FREQUENCIES, row, strict=True) if here
        ]
        noise = 0.05 * rng.standard_normal(len(times))
        waveforms[f"clip{clip}"] = np.asarray(sum(tones, noise), np.float32)
    return Clips(Sounds(waveforms), list(waveforms), labels)

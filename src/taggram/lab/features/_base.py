"""What every feature offers: a declared shape and rate, and a division at the front end.

Conventions: `waveform` is float32 (batch, n_samples); a feature is (batch, n_features, n_frames), frames
in the last axis. Frames are centred: frame `i` is centred on sample `i * hop_length`.

A feature falls into two parts, as a model does: the *front end*, which the runtime computes beside an
exported graph (the waveform itself or its power spectrogram), and `transform`, which is in the graph.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from taggram.lab.features._power_spectrogram import PowerSpectrogramLayer
from taggram.modelfile.specification import PowerSpectrogram, Waveform

#: Smallest power or magnitude that roots and quotients see: keeps values and gradients finite on silence.
TINY = 1e-10


class Feature(nn.Module):
    """Base of all features.

    Parameters
    ----------
    spec
        The front end: `Waveform()` or a `PowerSpectrogram`.
    sample_rate
        Hz.
    n_features
        Rows of the feature.
    hop_length
        Samples between frames; a power spectrogram brings its own.

    Attributes
    ----------
    is_differentiable
        Whether a gradient flows back to the waveform; features that count or choose have none.
    """

    is_differentiable: ClassVar[bool] = True

    def __init__(
        self, spec: Waveform | PowerSpectrogram, *, sample_rate: int, n_features: int, hop_length: int = 1
    ) -> None:
        super().__init__()
        self.spec = spec
        self.sample_rate = sample_rate
        self.n_features = n_features
        self.hop_length = spec.hop_length if isinstance(spec, PowerSpectrogram) else hop_length
        self.front_end: nn.Module = (
            nn.Identity() if isinstance(spec, Waveform) else PowerSpectrogramLayer(spec)
        )

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

    def n_frames(self, n_samples: int) -> int:
        """Return the number of frames of a waveform of `n_samples` samples."""
        return 1 + n_samples // self.hop_length

    def transform(self, inputs: Tensor) -> Tensor:
        """Map what the front end gives to the feature (batch, n_features, n_frames)."""
        raise NotImplementedError

    def forward(self, waveform: Tensor) -> Tensor:
        """Map a waveform (batch, n_samples) to the feature (batch, n_features, n_frames)."""
        return self.transform(self.front_end(waveform))


class SpectralFeature(Feature):
    """Base of features of the power spectrogram: periodic Hann window, frames by reflection at the ends.

    Parameters
    ----------
    sample_rate
        Hz.
    n_fft, hop_length
        Samples of a frame and between frames.
    """

    frequencies: Tensor

    def __init__(
        self, *, sample_rate: int = 22_050, n_fft: int = 2048, hop_length: int = 512, n_features: int = 1
    ) -> None:
        spec = PowerSpectrogram(n_fft=n_fft, hop_length=hop_length)
        super().__init__(spec, sample_rate=sample_rate, n_features=n_features)
        frequencies = torch.linspace(0.0, sample_rate / 2, spec.n_bins)
        self.register_buffer("frequencies", frequencies, persistent=False)


def power_to_decibel(power: Tensor) -> Tensor:
    """Return 10·log10(max(power, 1e-10)), in decibels; nothing is clipped from above."""
    return 10.0 * torch.log10(power.clamp(min=TINY))


def magnitude_of(power: Tensor) -> Tensor:
    """Return the root of a power; below 1e-10 that of 1e-10, so that the gradient stays finite."""
    return power.clamp(min=TINY).sqrt()


def row(values: Tensor) -> Tensor:
    """Turn (batch, n_frames) into a feature of one row, (batch, 1, n_frames)."""
    return values.unsqueeze(1)

"""What every architecture of the zoo offers: the same verbs, and a statement of what it takes.

Conventions: `waveform` is float32 of shape (batch, n_samples) at `sample_rate`; models return
**logits**, sigmoid and softmax belong to inference. `features` is what the runtime computes beside
the exported graph: the waveform itself, or the power spectrogram (batch, n_frames, n_bins).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from taggram.lab.features.power_spectrogram import PowerSpectrogramLayer
from taggram.modelfile.specification import PowerSpectrogram, Waveform


@dataclass(frozen=True)
class Architecture:
    """What one architecture is and takes.

    Attributes
    ----------
    name, title
        Registry name, and the name used in the literature.
    paper
        Where it was published.
    sample_rate
        Hz.
    chunk_length
        Samples of one chunk.
    front_end
        What is computed in front of the network.
    """

    name: str
    title: str
    paper: str
    chunk_length: int
    front_end: Waveform | PowerSpectrogram
    sample_rate: int = 16_000

    @property
    def chunk_duration(self) -> float:
        """Length of one chunk in seconds."""
        return self.chunk_length / self.sample_rate


class TaggingModel(nn.Module):
    """Base of all architectures: waveform → features → embedding → logits.

    A subclass sets `architecture`, builds its layers, assigns its last linear layer to the attribute
    named by `head_name`, and writes `embed_features`.
    """

    architecture: Architecture
    head_name = "dense"

    def __init__(self) -> None:
        super().__init__()
        spec = self.architecture.front_end
        self.front_end: nn.Module = (
            nn.Identity() if isinstance(spec, Waveform) else PowerSpectrogramLayer(spec)
        )

    @property
    def head(self) -> nn.Linear:
        """Last layer: (batch, embedding_dim) → (batch, n_tags)."""
        head = getattr(self, self.head_name)
        assert isinstance(head, nn.Linear)
        return head

    @property
    def embedding_dim(self) -> int:
        """Length of the embedding."""
        return self.head.in_features

    def embed_features(self, features: Tensor) -> Tensor:
        """Map features to the embedding (batch, embedding_dim), the input of the head."""
        raise NotImplementedError

    def embed(self, waveform: Tensor) -> Tensor:
        """Map a waveform (batch, n_samples) to the embedding (batch, embedding_dim)."""
        return self.embed_features(self.front_end(waveform))

    def forward(self, waveform: Tensor) -> Tensor:
        """Map a waveform (batch, n_samples) to logits (batch, n_tags)."""
        logits: Tensor = self.head(self.embed(waveform))
        return logits

    def reset_head(self, n_tags: int) -> None:
        """Replace the last layer by a fresh one for `n_tags` tags, as transfer learning does."""
        setattr(self, self.head_name, nn.Linear(self.embedding_dim, n_tags))


def power_to_db(power: Tensor, *, amin: float = 1e-10) -> Tensor:
    """Return 10·log10(max(power, amin)), without clipping from above or below otherwise."""
    return 10.0 * torch.log10(torch.clamp(power, min=amin))

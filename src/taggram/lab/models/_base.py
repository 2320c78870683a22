"""What every architecture of the zoo offers: the same verbs, and a statement of what it takes.

Conventions: `waveform` is float32 of shape (batch, n_samples) at `sample_rate`; models return
**logits**, sigmoid and softmax belong to inference. `features` is what the runtime computes beside
the exported graph: the waveform itself, or the power spectrogram (batch, n_frames, n_bins).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from taggram.errors import ShapeError
from taggram.lab.features._power_spectrogram import PowerSpectrogramLayer
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
    chunk_length
        Samples of one chunk.
    front_end
        What is computed in front of the network.
    sample_rate
        Hz.
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

    A subclass sets `architecture`, passes the length of its embedding up, builds its layers and writes
    `embed_features`; one with published weights also writes `convert_peer_state`.

    Attributes
    ----------
    architecture
        Of the class; a model that is composed by options replaces it by its own.
    front_end
        waveform → features; never part of the exported graph.
    head
        Last layer: (batch, embedding_dim) → (batch, n_tags).
    """

    architecture: Architecture

    def __init__(
        self, n_tags: int = 50, embedding_dim: int = 64, *, architecture: Architecture | None = None
    ) -> None:
        super().__init__()
        if architecture is not None:
            self.architecture = architecture
        spec = self.architecture.front_end
        self.front_end: nn.Module = (
            nn.Identity() if isinstance(spec, Waveform) else PowerSpectrogramLayer(spec)
        )
        self.head = nn.Linear(embedding_dim, n_tags)

    @property
    def embedding_dim(self) -> int:
        """Length of the embedding."""
        return self.head.in_features

    @property
    def n_tags(self) -> int:
        """Number of logits."""
        return self.head.out_features

    def embed_features(self, features: Tensor) -> Tensor:
        """Map features to the embedding (batch, embedding_dim), the input of the head."""
        raise NotImplementedError

    def embed(self, waveform: Tensor) -> Tensor:
        """Map a waveform (batch, chunk_length) to the embedding (batch, embedding_dim).

        Raises
        ------
        ShapeError
            If the waveform is not a batch of chunks of the architecture's length.
        """
        expected = self.architecture.chunk_length
        if waveform.ndim != 2 or waveform.shape[1] != expected:
            raise ShapeError(
                f"{self.architecture.name} takes waveforms of shape (batch, {expected}) at "
                f"{self.architecture.sample_rate} Hz, got {tuple(waveform.shape)}: cut or pad the waveform "
                "to chunks"
            )
        return self.embed_features(self.front_end(waveform))

    def forward(self, waveform: Tensor) -> Tensor:
        """Map a waveform (batch, chunk_length) to logits (batch, n_tags)."""
        logits: Tensor = self.head(self.embed(waveform))
        return logits

    def reset_head(self, n_tags: int) -> None:
        """Replace the last layer by a fresh one for `n_tags` tags, as transfer learning does."""
        device, dtype = self.head.weight.device, self.head.weight.dtype
        self.head = nn.Linear(self.embedding_dim, n_tags, device=device, dtype=dtype)

    @staticmethod
    def convert_peer_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert the tensors of a published checkpoint to a state of this architecture.

        Parameters
        ----------
        state
            What `taggram.lab.weights.readers.read_weights` returns.

        Returns
        -------
        Parameter and buffer names of this model with their tensors; a tensor that the conversion does not
        know keeps its name, so that strict loading reports it.
        """
        raise NotImplementedError


def power_to_db(power: Tensor, *, amin: float = 1e-10) -> Tensor:
    """Return 10·log10(max(power, amin)), without clipping from above or below otherwise."""
    return 10.0 * torch.log10(torch.clamp(power, min=amin))

"""Self-attention: residual convolutions shorten the spectrogram, a transformer encoder looks over time.

The encoder is post-norm (BERT). There is no positional encoding, and the vector in front of the sequence
whose output is the embedding is a constant: the published model neither learns nor stores it.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from taggram.lab.models._base import Architecture, TaggingModel
from taggram.lab.models._layers import SOTA_POWER_SPECTROGRAM, ResidualBlock2d, sota_log_mel
from taggram.lab.models._peer_names import convert_sota_state

WIDTH = 256
N_HEADS = 8
N_LAYERS = 2
LAYER_NORM_EPSILON = 1e-12


class MultiHeadAttention(nn.Module):
    """Scaled dot-product self-attention over the sequence."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.dropout = nn.Dropout(dropout)

    def forward(self, sequence: Tensor) -> Tensor:
        """Map (batch, length, WIDTH) to the same shape."""
        query, key, value = (
            # (batch, n_heads, length, width of one head)
            layer(sequence).unflatten(2, (N_HEADS, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(2, 3) / (WIDTH // N_HEADS) ** 0.5
        context = self.dropout(scores.softmax(dim=-1)) @ value
        mapped: Tensor = self.out(context.transpose(1, 2).flatten(2))
        return mapped


class EncoderLayer(nn.Module):
    """Attention and a feed-forward network, each followed by a residual sum and layer norm."""

    def __init__(self, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(attention_dropout)
        self.attention_norm = nn.LayerNorm(WIDTH, eps=LAYER_NORM_EPSILON)
        self.feed_forward = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))
        self.feed_forward_norm = nn.LayerNorm(WIDTH, eps=LAYER_NORM_EPSILON)
        self.dropout = nn.Dropout(dropout)

    def forward(self, sequence: Tensor) -> Tensor:
        """Map (batch, length, WIDTH) to the same shape."""
        sequence = self.attention_norm(sequence + self.dropout(self.attention(sequence)))
        encoded: Tensor = self.feed_forward_norm(sequence + self.dropout(self.feed_forward(sequence)))
        return encoded


class SelfAttention(TaggingModel):
    """Seven residual blocks, two encoder layers, a pooling layer on the first position; chunks of 15 s.

    Parameters
    ----------
    n_tags
        Size of the tag vocabulary.
    dropout
        Probability of dropping an element of the embedding, and of the attention, in training.
    residual_dropout
        Probability of dropping an element that is added to the sequence, in training.
    """

    architecture = Architecture(
        name="self_attention",
        title="Self-attention",
        paper="Won, Chun, Serra, Toward interpretable music tagging with self-attention, 2019",
        chunk_length=240_000,
        front_end=SOTA_POWER_SPECTROGRAM,
    )
    first_vector: Tensor

    def __init__(self, n_tags: int = 50, *, dropout: float = 0.5, residual_dropout: float = 0.4) -> None:
        super().__init__(n_tags, embedding_dim=WIDTH)
        self.log_mel = sota_log_mel(n_mels=128)
        self.layers = nn.Sequential(
            ResidualBlock2d(1, 128, 2),
            ResidualBlock2d(128, 128, 2),
            ResidualBlock2d(128, WIDTH, 2),
            *(ResidualBlock2d(WIDTH, WIDTH, (2, 1)) for _ in range(4)),
        )
        # NumPy keeps this legacy stream fixed for good; the published weights were trained with it.
        constant = np.random.RandomState(0).random_sample((1, 1, WIDTH)).astype(np.float32)
        self.register_buffer("first_vector", torch.from_numpy(constant), persistent=False)
        self.encoder = nn.Sequential(*(EncoderLayer(residual_dropout, dropout) for _ in range(N_LAYERS)))
        self.pooler = nn.Linear(WIDTH, WIDTH)
        self.dropout = nn.Dropout(dropout)

    def embed_features(self, features: Tensor) -> Tensor:
        """Map the power spectrogram (batch, 938, 257) to the embedding (batch, 256)."""
        sequence = self.layers(self.log_mel(features)).squeeze(2).transpose(1, 2)  # (batch, 118, WIDTH)
        first = self.first_vector.expand(sequence.shape[0], -1, -1)
        encoded = self.encoder(torch.cat([first, sequence], dim=1))
        embedding: Tensor = self.dropout(torch.tanh(self.pooler(encoded[:, 0])))
        return embedding

    @staticmethod
    def convert_peer_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a checkpoint of minzwon/sota-music-tagging-models."""
        encoder: dict[str, str] = {}
        for number in range(N_LAYERS):
            theirs, ours = f"encoder.layer.{number}.", f"encoder.{number}."
            encoder |= {
                f"{theirs}attention.self.": f"{ours}attention.",
                f"{theirs}attention.output.dense.": f"{ours}attention.out.",
                f"{theirs}attention.output.LayerNorm.": f"{ours}attention_norm.",
                f"{theirs}intermediate.dense.": f"{ours}feed_forward.0.",
                f"{theirs}output.dense.": f"{ours}feed_forward.2.",
                f"{theirs}output.LayerNorm.": f"{ours}feed_forward_norm.",
            }
        return convert_sota_state(state, {**encoder, "pooler.dense.": "pooler.", "dense.": "head."})


MODEL = SelfAttention

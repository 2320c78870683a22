"""Convolutions, a bidirectional GRU and outputs apart for root, quality and bass: the network that ships.

The first convolutions find tones and join the two bins of a semitone; the next sees the octave below and
above, where partials lie; what they found is read by one layer over the whole range, and in time by a GRU
in both directions. The structured outputs are
those of McFee and Bello, without their layer from parts to chords: here a chord's score is p(root) ·
p(quality | root).

References
----------
McFee & Bello, "Structured training for large-vocabulary chord recognition", ISMIR 2017.
"""

import torch
from torch import Tensor, nn

from taggram.lab.chords.models._base import ChordLogits, ChordModel
from taggram.lab.chords.targets import N_QUALITIES, N_ROOTS

_COMPRESSION = 100.0  # a sine of amplitude 0.01 (−40 dB) in a low bin becomes about 5 · log(2)


class ConvGRU(ChordModel):
    """The network.

    Parameters
    ----------
    n_bins
        Of the spectrum: half semitones.
    n_channels, n_wide
        Of the first, and of the other convolutions.
    n_hidden
        Of the layer over the whole range.
    n_recurrent
        Of the GRU, in each direction.
    dropout
        Before and behind the GRU.
    """

    title = "Convolutions and bidirectional GRU, root, quality and bass apart"
    paper = "own; outputs after McFee and Bello, ISMIR 2017"

    def __init__(
        self,
        n_bins: int = 168,
        *,
        n_channels: int = 24,
        n_wide: int = 32,
        n_hidden: int = 128,
        n_recurrent: int = 96,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.tones = nn.Sequential(
            nn.Conv2d(1, n_channels, (3, 6), stride=(1, 2), padding=(1, 2), bias=False),
            nn.BatchNorm2d(n_channels),
            nn.ReLU(),
            nn.Conv2d(n_channels, n_wide, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_wide),
            nn.ReLU(),
        )
        self.octaves = nn.Sequential(
            nn.Conv2d(n_wide, n_wide, (1, 3), padding=(0, 12), dilation=(1, 12), bias=False),
            nn.BatchNorm2d(n_wide),
            nn.ReLU(),
        )
        self.range = nn.Sequential(
            nn.Linear(n_wide * (n_bins // 2), n_hidden), nn.LayerNorm(n_hidden), nn.ReLU()
        )
        self.dropout = nn.Dropout(dropout)
        self.recurrent = nn.GRU(n_hidden, n_recurrent, batch_first=True, bidirectional=True)
        n_features = 2 * n_recurrent + n_hidden
        self.root = nn.Linear(n_features, N_ROOTS)
        self.quality = nn.Linear(n_features, 12 * N_QUALITIES)
        self.bass = nn.Linear(n_features, N_ROOTS)

    def forward(self, spectrum: Tensor) -> ChordLogits:
        """Map magnitudes (batch, n_frames, n_bins) to logits."""
        levels = torch.log1p(_COMPRESSION * spectrum).unsqueeze(1)
        levels = levels.contiguous(memory_format=torch.channels_last)  # 1.5 times faster on a processor
        tones = self.tones(levels)  # (batch, channels, n_frames, semitones)
        tones = tones + self.octaves(tones)
        frames = self.dropout(self.range(tones.transpose(1, 2).flatten(2)))
        in_time, _ = self.recurrent(frames)
        features = self.dropout(torch.cat([frames, in_time], dim=2))
        quality = self.quality(features).unflatten(2, (12, N_QUALITIES))
        return ChordLogits(self.root(features), quality, self.bass(features))


MODEL = ConvGRU

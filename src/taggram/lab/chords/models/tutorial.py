"""The chord network of the tutorial: strided convolutions over the range, then a bidirectional LSTM.

    (1, 72, 256) → [LN → Conv 1→32 (1, 5) → LeakyReLU] → 3 × [LN → Conv 32→32 (5, 1) / 3 → LeakyReLU]
    → (32, 256) → [LN → Conv 32→16 (15)] → [LN → Conv 16→16 (15)] → BiLSTM 2 × 8 → Linear 25

Its layer normalisation runs over all axes but the batch, with a weight for each place, so it takes patches
of one length. As there, patches last 23.8 s; here that is 256 frames, not 1024, since our spectrum has
10.8 frames a second where the tutorial's has 43, and the 72 bins are every second bin of the lower six
octaves. We leave out the LeakyReLU on its logits (it only bends the softmax) and learn nothing from frames
without an annotation, which the tutorial calls A#:maj.

Its 25 classes stand in our outputs as p(root) and p(maj or min | root); of the bass it says nothing but the
root.

References
----------
Tutorial "Deep learning for music information retrieval", chord model on RWC Popular (peer specification
6.3).
"""

import torch
from torch import Tensor, nn

from taggram.lab.chords.models._base import ChordLogits, ChordModel
from taggram.lab.chords.targets import N_QUALITIES

_N_BINS = 72
_N_CLASSES = 25
_IMPOSSIBLE = -30.0  # logit of what the network has no word for


class Tutorial(ChordModel):
    """The network, for patches of `n_frames` frames."""

    title = "The tutorial's Conv2d and bidirectional LSTM"
    paper = "tutorial on deep learning for music information retrieval"
    n_frames = 256
    vocabularies = ("majmin",)

    def __init__(self) -> None:
        super().__init__()
        time = self.n_frames
        layers: list[nn.Module] = []
        for n_in, kernel, stride, height in ((1, (1, 5), 1, 72), (32, (5, 1), 3, 72), (32, (5, 1), 3, 23)):
            padding = (0, 2) if kernel == (1, 5) else (0, 0)
            layers += [
                nn.LayerNorm((n_in, height, time)),
                nn.Conv2d(n_in, 32, kernel, stride=(stride, 1), padding=padding),
                nn.LeakyReLU(),
            ]
        layers += [nn.LayerNorm((32, 7, time)), nn.Conv2d(32, 32, (5, 1), stride=(3, 1)), nn.LeakyReLU()]
        self.spectrum = nn.Sequential(*layers)
        self.time = nn.Sequential(
            nn.LayerNorm((32, time)),
            nn.Conv1d(32, 16, 15, padding=7),
            nn.LeakyReLU(),
            nn.LayerNorm((16, time)),
            nn.Conv1d(16, 16, 15, padding=7),
            nn.LeakyReLU(),
        )
        self.recurrent = nn.LSTM(16, 8, batch_first=True, bidirectional=True)
        self.head = nn.Linear(16, _N_CLASSES)

    def classify(self, spectrum: Tensor) -> Tensor:
        """Return the logits (batch, n_frames, 25): C:maj, C:min, C#:maj, …, no chord."""
        image = spectrum[:, :, : 2 * _N_BINS : 2].transpose(1, 2).unsqueeze(1)
        frames = self.time(self.spectrum(image).squeeze(2)).transpose(1, 2)
        in_time, _ = self.recurrent(frames)
        logits: Tensor = self.head(in_time)
        return logits

    def forward(self, spectrum: Tensor) -> ChordLogits:
        """Map magnitudes (batch, 256, n_bins) to logits."""
        scores = self.classify(spectrum).log_softmax(dim=2)
        triads = scores[..., :-1].reshape(*scores.shape[:2], 12, 2)
        nothing = scores[..., -1:]
        root = torch.cat([triads.logsumexp(dim=3), nothing], dim=2)
        rest = triads.new_full((*triads.shape[:3], N_QUALITIES - 2), _IMPOSSIBLE)
        # Major and minor are the first two qualities.
        quality = torch.cat([triads, triads.logsumexp(dim=3, keepdim=True) + rest], dim=3)
        return ChordLogits(root, quality, root)


MODEL = Tutorial

"""What every chord network offers: frames of a constant-Q spectrum in; root, quality and bass out.

Conventions: `spectrum` is float32 (batch, n_frames, n_bins), magnitudes; outputs are **logits**, one row
for each frame:

    root     (batch, n_frames, 13)       C … B, no chord
    quality  (batch, n_frames, 12, 14)   of the chord on each root: a softmax over the last axis
    bass     (batch, n_frames, 13)       C … B, no chord

so that the score of a chord is p(root) · p(quality | root), a distribution over 12 · 14 + 1 chords.
"""

from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from taggram.chords.vocabulary import VocabularyName


class ChordLogits(NamedTuple):
    """Logits of root, quality on each root, and bass."""

    root: Tensor
    quality: Tensor
    bass: Tensor


class ChordModel(nn.Module):
    """Base of all chord networks.

    Attributes
    ----------
    title, paper
        What it is called, and where it was published.
    n_frames
        The only length that it takes; None is any.
    vocabularies
        What it can tell apart, the finest last.
    """

    title: ClassVar[str]
    paper: ClassVar[str]
    n_frames: ClassVar[int | None] = None
    vocabularies: ClassVar[tuple[VocabularyName, ...]] = ("majmin", "sevenths", "full")

    def forward(self, spectrum: Tensor) -> ChordLogits:
        """Map magnitudes (batch, n_frames, n_bins) to logits."""
        raise NotImplementedError

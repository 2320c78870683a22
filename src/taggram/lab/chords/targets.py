"""What a network is to say at every frame: root, quality and bass, apart from each other.

A frame's time decides which chord it belongs to. Where the annotation says less (`X`, a bare fifth, no
annotation at all), the target is `IGNORED`: a loss leaves it out and nothing is learned from it.

Conventions: roots and basses are pitch classes 0–11 and 12 for no chord; qualities are the columns of
`taggram.chords.harte.QUALITIES`; all arrays are int64 (n_frames,).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from taggram.chords.harte import QUALITIES, parse_chord
from taggram.lab.datasets._base import Segment

IGNORED = -1
NO_ROOT = 12
N_ROOTS = 13
N_QUALITIES = len(QUALITIES)

Labels = NDArray[np.int64]
_COLUMN = {quality: column for column, quality in enumerate(QUALITIES)}


@dataclass(frozen=True)
class Targets:
    """Root, quality and bass of each frame, each (n_frames,)."""

    root: Labels
    quality: Labels
    bass: Labels

    @classmethod
    def join(cls, songs: Sequence[Self]) -> Self:
        """Return the targets of several songs, one after the other."""
        return cls(
            root=np.concatenate([song.root for song in songs]),
            quality=np.concatenate([song.quality for song in songs]),
            bass=np.concatenate([song.bass for song in songs]),
        )


def compute_targets(
    segments: Iterable[Segment], frame_times: NDArray[np.float64], *, transposition: int = 0
) -> Targets:
    """Write segments out frame by frame.

    Parameters
    ----------
    segments
        Chords in the syntax of Harte.
    frame_times
        shape (n_frames,), ascending, seconds.
    transposition
        Semitones from the annotation to the sound.
    """
    targets = Targets(*(np.full(len(frame_times), IGNORED) for _ in range(3)))
    for segment in segments:
        chord = parse_chord(segment.label)
        if chord is None:
            continue
        frames = slice(*np.searchsorted(frame_times, (segment.start, segment.end)))
        if chord.is_nothing:
            targets.root[frames] = targets.bass[frames] = NO_ROOT
            continue
        targets.root[frames] = (chord.root + transposition) % 12
        targets.bass[frames] = (chord.root + chord.bass + transposition) % 12
        if chord.quality is not None:
            targets.quality[frames] = _COLUMN[chord.quality]
    return targets


def transpose_targets(labels: Labels, semitones: int) -> Labels:
    """Return roots or basses so many semitones higher; no chord and `IGNORED` stay."""
    return np.where((labels >= 0) & (labels < NO_ROOT), (labels + semitones) % 12, labels)

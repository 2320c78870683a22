"""Vocabularies: which chords are told apart, and how the finer ones count in the coarser.

    majmin     major and minor triads                            25 chords with N
    sevenths   those and 7, maj7, min7                           61
    full       all fourteen qualities of `taggram.chords.harte`  169

A network tells fourteen qualities apart; the probability of a coarser one is the sum over its members. A
suspended chord has no third and is a member of neither major nor minor: where it may not be said, its share
is left out and the others stand for its root.

Conventions: states are numbered root · n_qualities + quality, roots from C; the last one is no chord.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from taggram.chords.harte import QUALITIES, SHARPS, Spelling, format_label

VocabularyName = Literal["majmin", "sevenths", "full"]
Floats = NDArray[np.float32]

_MINOR = ("min", "min6", "minmaj7", "dim", "dim7")
_GROUPS: Mapping[VocabularyName, Mapping[str, tuple[str, ...]]] = {
    "majmin": {
        "maj": ("maj", "maj6", "maj7", "7", "aug"),
        "min": (*_MINOR, "min7", "hdim7"),
    },
    "sevenths": {
        "maj": ("maj", "maj6", "aug"),
        "min": _MINOR,
        "maj7": ("maj7",),
        "7": ("7",),
        "min7": ("min7", "hdim7"),
    },
    "full": {quality: (quality,) for quality in QUALITIES},
}


@dataclass(frozen=True)
class Vocabulary:
    """One vocabulary.

    Attributes
    ----------
    name
        Of the vocabulary.
    groups
        Quality → those of the network's qualities that count in it.
    """

    name: VocabularyName
    groups: Mapping[str, tuple[str, ...]]

    @property
    def qualities(self) -> tuple[str, ...]:
        """The qualities, in order."""
        return tuple(self.groups)

    @property
    def n_states(self) -> int:
        """Number of chords, with no chord."""
        return 12 * len(self.groups) + 1

    def split(self, state: int) -> tuple[int, str]:
        """Return root and quality of a state; −1 and "" for no chord."""
        if state == self.n_states - 1:
            return -1, ""
        root, quality = divmod(state, len(self.groups))
        return root, self.qualities[quality]

    def label(self, state: int, *, spelling: Spelling = SHARPS) -> str:
        """Return the name of a state."""
        return format_label(*self.split(state), spelling=spelling)

    def labels(self) -> tuple[str, ...]:
        """Return the names of all states."""
        return tuple(self.label(state) for state in range(self.n_states))

    def reduce(self, quality: str) -> str | None:
        """Return the quality that one of the network's counts in; None if it counts in none."""
        return next((name for name, members in self.groups.items() if quality in members), None)

    def log_probabilities(self, root: Floats, quality: Floats) -> Floats:
        """Return log p of every state.

        Parameters
        ----------
        root : shape (n_frames, 13)
            log p(root), no chord last.
        quality : shape (n_frames, 12, 14)
            log p(quality | root).

        Returns
        -------
        shape (n_frames, n_states)
        """
        columns = list(QUALITIES)
        groups = [[columns.index(member) for member in members] for members in self.groups.values()]
        p_quality = np.exp(quality)
        sums = np.stack([p_quality[..., group].sum(axis=2) for group in groups], axis=2)
        sums = np.maximum(sums, np.float32(1e-9))
        given_root = np.log(sums / sums.sum(axis=2, keepdims=True))
        chords = (root[:, :12, None] + given_root).reshape(len(root), -1)
        return np.concatenate([chords, root[:, 12:]], axis=1)


VOCABULARIES: Mapping[VocabularyName, Vocabulary] = {
    name: Vocabulary(name, groups) for name, groups in _GROUPS.items()
}

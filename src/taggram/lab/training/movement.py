"""Where in a song a tag is: how well a student follows its teachers, and what limits it.

Only the teachers that hear 3 s say anything about it. They are several per tag, and differ: what they have
in common is taken for what can be heard, the rest for each one's own. A listener who knew exactly what they
have in common would correlate with their mean as the `ceiling` says: the root of the mean's reliability,
m·r / (1 + (m − 1)·r) for m teachers that correlate by r on average (Spearman, "Correlation calculated from
faulty data", 1910; Brown, "Some experimental results in the correlation of mental abilities", 1910).
A student that copies what is its teachers' own goes beyond it; on clips that it learned by heart it can.

Conventions: correlations are within songs, mean over tags; a scale of n chunks means that the scores of each
n consecutive chunks were averaged first. Whatever is left at the end of a song is left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from taggram.inference.session import Session
from taggram.lab.training.agreement import within_song_correlation_per_tag
from taggram.lab.training.default_model import DefaultModelTraining, run_file

Scores = NDArray[np.float32]

SCALES = (1, 2, 4)
"""In chunks; a song of fewer than two groups does not move and is left out."""


@dataclass(frozen=True)
class Movement:
    """Within-song correlations on one split, at one scale.

    Attributes
    ----------
    split, scale
        The scale in chunks.
    with_ensemble, with_chunk_teachers
        Of the student with all teachers' mean, and with that of the teachers that hear single chunks.
    between_teachers
        Of one teacher that hears single chunks with another one; over the tags that two or more say.
    ceiling
        See the module; over the same tags.
    with_chunk_teachers_there
        Of the student, over the same tags.
    """

    split: str
    scale: int
    with_ensemble: float
    with_chunk_teachers: float
    between_teachers: float
    ceiling: float
    with_chunk_teachers_there: float


def judge_movement(training: DefaultModelTraining, session: Session, split: str) -> list[Movement]:
    """Compare a model file with its teachers within songs, at every scale."""
    clips = training.held_out(split)
    heard = list(
        zip(
            [clip.reference for clip in clips],
            [run_file(session, clip.waveform)[0] for clip in clips],
            training.single_chunk_scores(split),
            strict=True,
        )
    )
    return [_compare(split, scale, heard) for scale in SCALES]


def coarser(song: Scores, scale: int) -> Scores:
    """Average each `scale` consecutive rows of (n_chunks, n_tags)."""
    n_groups = len(song) // scale
    groups: Scores = song[: n_groups * scale].reshape(n_groups, scale, song.shape[1]).mean(axis=1)
    return groups


def _compare(split: str, scale: int, heard: Iterable[tuple[Scores, Scores, Scores]]) -> Movement:
    """Compare (ensemble's, student's, single teachers') scores of songs at one scale."""
    moving = [song for song in heard if len(song[0]) >= 2 * scale]
    reference = [coarser(song, scale) for song, _, _ in moving]
    scores = [coarser(song, scale) for _, song, _ in moving]
    singles = [np.stack([coarser(teacher, scale) for teacher in song]) for _, _, song in moving]
    says = ~np.isnan(singles[0][:, 0])
    shared = says.sum(axis=0) > 1
    together = [np.nanmean(song, axis=0) for song in singles]
    with_teachers = within_song_correlation_per_tag(together, scores)
    between = _between_teachers(singles)[:, shared]
    r = np.nanmean(between, axis=0)
    return Movement(
        split,
        scale,
        float(np.nanmean(within_song_correlation_per_tag(reference, scores))),
        float(np.nanmean(with_teachers)),
        float(r.mean()),
        float(ceiling(r, says.sum(axis=0)[shared]).mean()),
        float(np.nanmean(with_teachers[shared])),
    )


def _between_teachers(singles: Sequence[Scores]) -> NDArray[np.float64]:
    """Return the correlation of every pair of teachers, (n_pairs, n_tags); NaN unless both say the tag."""
    pairs = combinations(range(len(singles[0])), 2)
    return np.stack(
        [
            within_song_correlation_per_tag([song[i] for song in singles], [song[j] for song in singles])
            for i, j in pairs
        ]
    )


def ceiling(correlation: NDArray[np.float64], n_teachers: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return how far what teachers have in common correlates with their mean.

    Parameters
    ----------
    correlation
        Mean correlation between two of them; below 0 counts as 0.
    n_teachers
        How many there are.
    """
    r = np.maximum(correlation, 0)
    return np.asarray(np.sqrt(n_teachers * r / (1 + (n_teachers - 1) * r)))

"""From what a network says of frames to chords with a beginning, an end, a bass and a confidence.

A chord that begins with frame `i` begins half a frame earlier, in the middle between two frames; the first
begins at 0, and the last ends with the sound.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from taggram.chords.decoder import Decoder
from taggram.chords.harte import QUALITIES
from taggram.chords.network import Evidence
from taggram.chords.result import ChordSegment
from taggram.chords.vocabulary import Vocabulary
from taggram.modelfile.specification import ChordStatistics


class _Run(NamedTuple):
    """Consecutive frames of one state, with sums of its probability and of the basses'."""

    first: int
    n_frames: int
    state: int
    probability: float
    bass: NDArray[np.float64]  # (13,)


class ChordAssembler:
    """Decodes what a network says, and puts the frames together to chords.

    Parameters
    ----------
    vocabulary
        Which chords to tell apart.
    statistics
        Of the decoder, for this vocabulary.
    frame_duration
        Seconds.
    """

    def __init__(self, vocabulary: Vocabulary, statistics: ChordStatistics, frame_duration: float) -> None:
        self._vocabulary = vocabulary
        self._decoder = Decoder(statistics, vocabulary.n_states, frame_duration)
        self._frame_duration = frame_duration
        self._scores = np.empty((0, vocabulary.n_states), np.float32)
        self._bass = np.empty((0, 13), np.float32)
        self._n_decided = 0
        self._runs: list[_Run] = []

    def add(self, evidence: Evidence) -> None:
        """Take the next frames."""
        scores = self._vocabulary.log_probabilities(evidence.root, evidence.quality)
        self._scores = np.concatenate([self._scores, scores])
        self._bass = np.concatenate([self._bass, evidence.bass])
        self._decide(self._decoder.add(scores))

    def finish(self, duration: float) -> tuple[ChordSegment, ...]:
        """End the sound, so many seconds long; return its chords, from 0 to the end."""
        self._decide(self._decoder.flush())
        chords = (self._chord(run, duration) for run in self._runs)
        return tuple(chord for chord in chords if chord.end > chord.start)

    def _decide(self, states: NDArray[np.int64]) -> None:
        """Take the states of the oldest frames."""
        if not len(states):
            return
        probabilities = np.exp(self._scores[np.arange(len(states)), states]).astype(np.float64)
        bass = np.exp(self._bass[: len(states)]).astype(np.float64)
        edges = np.flatnonzero(np.diff(states)) + 1
        for begin, end in zip([0, *edges], [*edges, len(states)], strict=True):
            probability = float(probabilities[begin:end].sum())
            self._extend(_Run(0, end - begin, int(states[begin]), probability, bass[begin:end].sum(axis=0)))
        self._scores, self._bass = self._scores[len(states) :], self._bass[len(states) :]

    def _extend(self, run: _Run) -> None:
        """Add a run behind the last one, or to it."""
        last = self._runs[-1] if self._runs else None
        if last is not None and last.state == run.state:
            self._runs[-1] = last._replace(
                n_frames=last.n_frames + run.n_frames,
                probability=last.probability + run.probability,
                bass=last.bass + run.bass,
            )
        else:
            self._runs.append(run._replace(first=self._n_decided))
        self._n_decided += run.n_frames

    def _chord(self, run: _Run, duration: float) -> ChordSegment:
        root, quality = self._vocabulary.split(run.state)
        end = run.first + run.n_frames
        return ChordSegment(
            start=self._time(run.first),
            end=duration if end == self._n_decided else min(self._time(end), duration),
            root=root,
            quality=quality,
            bass=self._bass_of(root, quality, run.bass / run.n_frames),
            confidence=run.probability / run.n_frames,
        )

    def _time(self, frame: int) -> float:
        return max(0.0, (frame - 0.5) * self._frame_duration)

    def _bass_of(self, root: int, quality: str, probabilities: NDArray[np.float64]) -> int:
        """Return the interval of the bass: the root, unless another note of the chord is clearly lower."""
        if root < 0 or self._vocabulary.name != "full":
            return 0
        notes = np.array(sorted(QUALITIES[quality]))
        of_notes = probabilities[(root + notes) % 12]
        return int(notes[of_notes.argmax()]) if of_notes.max() > 0.5 else 0

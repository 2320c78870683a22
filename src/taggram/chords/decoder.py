"""From log-probabilities of frames to chords that last: a hidden Markov model with durations, in a stream.

A chord passes through `n_stages` stages and may not skip one, so that its duration is a sum of geometric
times: short ones are rare, unlike under a plain chain. Behind its last stage it goes over into another chord
with the probability that the statistics give for the step between the roots and the two qualities. The most
probable path is found by Viterbi's algorithm. What every surviving path agrees on is decided at once, so
memory holds what is open only, and the result is that of the whole.

Conventions: evidence is float32 (n_frames, n_states), log-probabilities; states as in
`taggram.chords.vocabulary`, the last is no chord.

References
----------
Rabiner, "A tutorial on hidden Markov models", Proc. IEEE 1989; expanded states after Cook and Russell,
"Improved duration modelling in hidden Markov models", ICASSP 1986.
"""

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ShapeError
from taggram.modelfile.specification import ChordStatistics

Floats = NDArray[np.float32]
States = NDArray[np.int64]

_LEAST = 1e-6  # no transition is impossible
_FRAMES_BETWEEN_DECISIONS = 256
_MOST_OPEN = 8192  # frames, about 13 minutes: then the best path so far decides


def transition_matrix(statistics: ChordStatistics, n_states: int) -> NDArray[np.float64]:
    """Return the probability of each state after each other one, (n_states, n_states); rows sum to 1.

    Raises
    ------
    ShapeError
        If the statistics are of another vocabulary.
    """
    n_qualities = (n_states - 1) // 12
    table = np.array([row for row in statistics.transitions if len(row) == 12 * n_qualities])
    if table.shape != (n_qualities, 12 * n_qualities) or len(statistics.first) != n_qualities:
        raise ShapeError(f"the model's chord statistics are not those of {n_qualities} qualities")
    matrix = np.zeros((n_states, n_states))
    for root in range(12):
        rows = slice(root * n_qualities, (root + 1) * n_qualities)
        # Column `interval` of the table is the root so many semitones higher.
        matrix[rows, :-1] = np.roll(table, root * n_qualities, axis=1)
    matrix[:-1, -1] = 1 - table.sum(axis=1)[np.arange(n_states - 1) % n_qualities]
    matrix[-1, :-1] = np.tile(np.array(statistics.first) / 12, 12)
    matrix = np.maximum(matrix, _LEAST)
    np.fill_diagonal(matrix, 0)
    rows_sum: NDArray[np.float64] = matrix.sum(axis=1, keepdims=True)
    return matrix / rows_sum


class Decoder:
    """Turns evidence into states, frame by frame.

    Parameters
    ----------
    statistics
        Of the vocabulary.
    n_states
        Of the vocabulary.
    frame_duration
        Seconds.
    """

    def __init__(self, statistics: ChordStatistics, n_states: int, frame_duration: float) -> None:
        leaving = min(frame_duration / statistics.stage_duration, 0.9)
        matrix = transition_matrix(statistics, n_states)
        with np.errstate(divide="ignore"):
            self._step = np.log(matrix).astype(np.float32) + np.float32(np.log(leaving))
        self._stay = np.float32(np.log(1 - leaving))
        self._go_on = np.float32(np.log(leaving))
        self._weight = np.float32(statistics.evidence_weight)
        self._n_stages, self._n_states = statistics.n_stages, n_states
        self._scores: Floats | None = None  # (n_stages, n_states) of the best paths
        self._origins: list[NDArray[np.int32]] = []  # of each open frame but the first: place before it
        self._n_open = 0

    def add(self, evidence: Floats) -> States:
        """Take the next frames; return the states that are now decided, perhaps none."""
        if evidence.ndim != 2 or evidence.shape[1] != self._n_states:
            raise ShapeError(f"evidence must be (n_frames, {self._n_states}), got {evidence.shape}")
        decided = []
        for first in range(0, len(evidence), _FRAMES_BETWEEN_DECISIONS):
            for frame in evidence[first : first + _FRAMES_BETWEEN_DECISIONS]:
                self._advance(self._weight * frame)
            decided.append(self._decide())
        return np.concatenate(decided) if decided else np.empty(0, np.int64)

    def flush(self) -> States:
        """End the sound; return the states of the remaining frames."""
        if self._scores is None:
            return np.empty(0, np.int64)
        path = self._trace(np.array([int(self._scores.argmax())]))[:, 0]
        self._scores, self._origins, self._n_open = None, [], 0
        return path % self._n_states

    def _advance(self, evidence: Floats) -> None:
        """Go one frame further; a place is stage · n_states + state."""
        self._n_open += 1
        if self._scores is None:
            self._scores = np.full((self._n_stages, self._n_states), -np.inf, np.float32)
            self._scores[0] = evidence
            return
        scores, n_states = self._scores, self._n_states
        places = np.arange(scores.size, dtype=np.int32).reshape(scores.shape)
        stayed = scores + self._stay
        came = np.empty_like(scores)
        origins = np.empty_like(places)
        from_others = scores[-1][:, None] + self._step
        best = from_others.argmax(axis=0)
        came[0] = from_others[best, np.arange(n_states)]
        origins[0] = places[-1][best]
        came[1:] = scores[:-1] + self._go_on
        origins[1:] = places[:-1]
        has_come = came > stayed
        self._origins.append(np.where(has_come, origins, places).ravel())
        self._scores = np.where(has_come, came, stayed) + evidence
        self._scores -= self._scores.max()  # single precision stays precise

    def _decide(self) -> States:
        """Return, and forget, the frames on which all surviving paths agree."""
        assert self._scores is not None
        alive = np.flatnonzero(np.isfinite(self._scores.ravel()))
        if self._n_open > _MOST_OPEN:
            alive = alive[[self._scores.ravel()[alive].argmax()]]
        paths = self._trace(alive)
        agree = (paths == paths[:, :1]).all(axis=1)
        # Of the last frame nothing is decided: its scores are what the next frame builds on.
        n_decided = min(int(np.flatnonzero(agree)[-1]) + 1 if agree.any() else 0, self._n_open - 1)
        if len(alive) == 1:
            self._keep_only(int(alive[0]))
        decided = paths[:n_decided, 0] % self._n_states
        del self._origins[:n_decided]
        self._n_open -= n_decided
        return decided

    def _keep_only(self, place: int) -> None:
        """Drop every path but one."""
        assert self._scores is not None
        kept = np.full(self._scores.size, -np.inf, np.float32)
        kept[place] = self._scores.ravel()[place]
        self._scores = kept.reshape(self._scores.shape)

    def _trace(self, ends: NDArray[np.int64]) -> States:
        """Return the places of the paths that end at `ends`, (n_open, n_paths)."""
        paths = np.empty((self._n_open, len(ends)), np.int64)
        paths[-1] = ends
        for frame in range(self._n_open - 2, -1, -1):
            paths[frame] = self._origins[frame][paths[frame + 1]]
        return paths


def decode(evidence: Floats, statistics: ChordStatistics, *, frame_duration: float) -> States:
    """Return the state of every frame of a whole sound, (n_frames,)."""
    decoder = Decoder(statistics, evidence.shape[1], frame_duration)
    return np.concatenate([decoder.add(evidence), decoder.flush()])

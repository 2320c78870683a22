"""What chords do before one hears any: steps, durations and keys, counted in annotations.

Steps and durations of the model that ships come from the annotations of the McGill Billboard collection,
real songs, and those of a recipe from its training songs; chords by degree of the key from the training
songs of POP909 that stay in one key. Counts are smoothed: a step that was never seen takes a share from how
often its interval and its quality are seen at all.

References
----------
Burgoyne, Wild, Fujinaga, "An expert ground truth set for audio chord recognition and music analysis",
ISMIR 2011.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from taggram.chords.harte import parse_chord
from taggram.chords.vocabulary import VOCABULARIES, Vocabulary
from taggram.errors import DatasetError
from taggram.lab.datasets._base import Segment, Track
from taggram.lab.datasets._chords import read_segments
from taggram.modelfile.specification import ChordStatistics

_SMOOTHING = 20.0  # steps that are added to those of each quality
_MOST_STAGES = 8
_LONGEST = 30.0  # seconds: what lasts longer is an ending or a silence, not a chord like others
_DIGITS = 7

Mode = Literal["major", "minor"]
_Event = tuple[tuple[int, str] | None, float]
"""Root and quality of a chord, −1 for no chord, None if nobody can say; and its duration in seconds."""

_log = logging.getLogger(__name__)


@dataclass
class _Counts:
    """Steps and durations of the chords of one vocabulary."""

    vocabulary: Vocabulary
    steps: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    beginnings: Counter[str] = field(default_factory=Counter)
    durations: list[float] = field(default_factory=list)

    def add(self, segments: Sequence[Segment]) -> None:
        """Count one song."""
        events = list(_merged((self._reduce(segment), segment.end - segment.start) for segment in segments))
        self.durations += [
            seconds for chord, seconds in events if chord is not None and 0 < seconds < _LONGEST
        ]
        for (earlier, _), (later, _) in pairwise(events):
            if earlier is None or later is None:
                continue
            (root, quality), (next_root, next_quality) = earlier, later
            if root < 0 <= next_root:
                self.beginnings[next_quality] += 1
            elif next_root < 0 <= root:
                self.endings[quality] += 1
            elif root >= 0:
                self.steps[quality, (next_root - root) % 12, next_quality] += 1

    def _reduce(self, segment: Segment) -> tuple[int, str] | None:
        chord = parse_chord(segment.label)
        if chord is None or chord.is_nothing:
            return None if chord is None else (-1, "")
        quality = None if chord.quality is None else self.vocabulary.reduce(chord.quality)
        return None if quality is None else (chord.root, quality)


def count_chords(
    songs: Iterable[Sequence[Segment]], *, evidence_weight: float = 1.0
) -> dict[str, ChordStatistics]:
    """Return vocabulary → statistics of annotated songs.

    Raises
    ------
    DatasetError
        If there is no song, or none with a chord.
    """
    songs = list(songs)
    if not songs:
        raise DatasetError("no songs with annotated chords to count steps and durations in")
    statistics = {}
    for name, vocabulary in VOCABULARIES.items():
        counts = _Counts(vocabulary)
        for segments in songs:
            counts.add(segments)
        if not counts.durations:
            raise DatasetError(f"none of {len(songs)} songs has a chord whose duration could be counted")
        statistics[str(name)] = _statistics(counts, evidence_weight)
    return statistics


def count_keys(tracks: Iterable[Track]) -> dict[Mode, tuple[float, ...]]:
    """Return the share of major triads on each degree of a key, then of minor ones, for either mode."""
    seconds: dict[Mode, NDArray[np.float64]] = {"major": np.ones(24), "minor": np.ones(24)}
    for track in tracks:
        key = read_key(track)
        if key is None:
            continue
        tonic, mode = key
        for segment in track.segments:
            chord = parse_chord(segment.label)
            quality = None if chord is None or chord.quality is None else chord.quality
            triad = quality and VOCABULARIES["majmin"].reduce(quality)
            if chord is not None and triad:
                place = (chord.root - tonic) % 12 + (12 if triad == "min" else 0)
                seconds[mode][place] += segment.end - segment.start
    return {mode: _rounded(shares / shares.sum()) for mode, shares in seconds.items()}


def read_key(track: Track) -> tuple[int, Mode] | None:
    """Return tonic and mode of a song of POP909 that stays in one key; None of any other."""
    path = track.path.parent / "key_audio.txt"
    if not path.is_file():
        return None
    keys = {line.split()[2] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()}
    chord = parse_chord(keys.pop()) if len(keys) == 1 else None
    if chord is None or chord.is_nothing:
        return None
    return chord.root, "minor" if chord.quality == "min" else "major"


def read_songs(files: Iterable[Path]) -> Iterator[tuple[Segment, ...]]:
    """Read annotations; of 890 files of Billboard one (0974) runs backwards and is left out."""
    for path in files:
        try:
            yield read_segments(path)
        except ValueError as error:
            _log.warning("left out: %s", error)


def _merged(events: Iterable[_Event]) -> Iterator[_Event]:
    """Join equal neighbours."""
    last: _Event | None = None
    for chord, seconds in events:
        if last is not None and last[0] == chord:
            last = chord, last[1] + seconds
            continue
        if last is not None:
            yield last
        last = chord, seconds
    if last is not None:
        yield last


def _statistics(counts: _Counts, evidence_weight: float) -> ChordStatistics:
    qualities = counts.vocabulary.qualities
    steps = np.array(
        [[[counts.steps[q, i, after] for after in qualities] for i in range(12)] for q in qualities], float
    )
    any_interval = steps.sum(axis=(0, 2)) + 1
    any_quality = steps.sum(axis=(0, 1)) + 1
    usual = np.outer(any_interval / any_interval.sum(), any_quality / any_quality.sum())
    endings = np.array([counts.endings[q] for q in qualities], float)
    smoothed = steps + _SMOOTHING * usual
    # A chord does not follow itself.
    smoothed[np.arange(len(qualities)), 0, np.arange(len(qualities))] = 0
    total = smoothed.sum(axis=(1, 2)) + endings + 1  # one more ending: each may be the last
    transitions = (smoothed / total[:, None, None]).reshape(len(qualities), -1)
    beginnings = np.array([counts.beginnings[q] + 1 for q in qualities], float)
    n_stages = _fit_stages(np.array(counts.durations))
    return ChordStatistics(
        transitions=tuple(_rounded(row) for row in transitions),
        first=_rounded(beginnings / beginnings.sum()),
        n_stages=n_stages,
        stage_duration=round(float(np.mean(counts.durations)) / n_stages, 4),
        evidence_weight=evidence_weight,
    )


def _fit_stages(durations: NDArray[np.float64]) -> int:
    """Return the number of stages under which the durations are most likely, each with the same mean."""
    mean, mean_log = durations.mean(), np.log(durations).mean()
    stages = np.arange(1, _MOST_STAGES + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(stages[:-1]))])
    # Mean log-density of the Erlang distribution of n stages with the given mean.
    likelihood = stages * np.log(stages / mean) + (stages - 1) * mean_log - stages - log_factorial
    return int(stages[likelihood.argmax()])


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), _DIGITS) for value in values)

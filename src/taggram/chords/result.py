"""What was heard: chords over time, key and tuning.

Conventions: times in seconds; roots and tonics are pitch classes from C, a root of −1 is no chord; a bass
is an interval above the root.
"""

from dataclasses import dataclass
from typing import Literal

from taggram.chords.harte import SHARPS, Spelling, format_label
from taggram.chords.spelling import TONICS, spell_key
from taggram.chords.vocabulary import VOCABULARIES, VocabularyName

Mode = Literal["major", "minor"]

DOUBTFUL = 0.4
"""Confidence below which a chord is marked with a question mark."""


@dataclass(frozen=True)
class ChordSegment:
    """One chord.

    Attributes
    ----------
    start, end
        Seconds.
    root, quality, bass
        What it is; the quality of no chord is "".
    confidence
        Mean probability of the chord in its frames, in [0, 1].
    """

    start: float
    end: float
    root: int
    quality: str
    bass: int
    confidence: float

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.end - self.start

    @property
    def is_nothing(self) -> bool:
        """Whether no chord sounds."""
        return self.root < 0

    @property
    def is_minor(self) -> bool:
        """Whether it counts as a minor triad."""
        return not self.is_nothing and VOCABULARIES["majmin"].reduce(self.quality) == "min"

    @property
    def is_doubtful(self) -> bool:
        """Whether a chord sounds, and the model is not sure which."""
        return not self.is_nothing and self.confidence < DOUBTFUL

    def label(self, spelling: Spelling = SHARPS) -> str:
        """Return the name in the syntax of Harte."""
        return format_label(self.root, self.quality, self.bass, spelling=spelling)


@dataclass(frozen=True)
class Key:
    """A key.

    Attributes
    ----------
    tonic, mode
        What it is.
    lead
        How much more likely the chords are in this key than in the next best, as mean log-probability of
        a second of chords; near 0 where the song does not say.
    """

    tonic: int
    mode: Mode
    lead: float = 0.0

    @property
    def spelling(self) -> Spelling:
        """How notes are written in it."""
        return spell_key(self.tonic_name)

    @property
    def tonic_name(self) -> str:
        """Such as "Bb"."""
        return TONICS[self.mode][self.tonic]

    @property
    def name(self) -> str:
        """Such as "Bb major"."""
        return f"{self.tonic_name} {self.mode}"


@dataclass(frozen=True)
class ChordResult:
    """What was heard in one sound.

    Attributes
    ----------
    chords
        From 0 to `duration` without gaps; neighbours differ.
    duration
        Seconds of sound.
    key
        None if there are no chords.
    tuning_cents
        Deviation from A = 440 Hz, in [−50, 50).
    vocabulary
        Which chords were told apart.
    model
        Name of the model.
    path
        The file as it was given; None for a waveform.
    message
        What a person should know; empty if there is nothing to say.
    """

    chords: tuple[ChordSegment, ...]
    duration: float
    key: Key | None
    tuning_cents: float
    vocabulary: VocabularyName
    model: str
    path: str | None = None
    message: str = ""

    @property
    def spelling(self) -> Spelling:
        """How notes are written in the key."""
        return self.key.spelling if self.key else SHARPS

    @property
    def confidence(self) -> float:
        """Mean confidence over the time in which chords sound; 0 if none do."""
        sounding = [chord for chord in self.chords if not chord.is_nothing]
        seconds = sum(chord.duration for chord in sounding)
        return sum(chord.confidence * chord.duration for chord in sounding) / seconds if seconds else 0.0

"""A tiny set of music that our own code renders in seconds: for tests, documentation and first steps.

Layout of the root, as `render` writes it: `manifest.csv` and `audio/artist-00/clip-0000.wav` and so on, mono,
16-bit, 16 kHz, 3 s each.

A clip is a progression of triads in a random key, played by one to three instruments (`piano`, `plucked`,
`pad`, `bass`), with or without `drums`, at a `fast`, a `slow` or a middle tempo, in `major`, in `minor` or
on bare fifths, with or without background `noise`. An *artist* is a room, a tuning, a tone and a noise floor
that all clips of the artist share; artists are disjoint between the splits, so that a model which learns
the artist is found out. Instruments and noise show in the mean spectrum; tempo shows only over time, and
the mode only in the notes, so that no simple model can have everything right.

`python -m taggram.lab.datasets.synthetic FOLDER` renders it.
"""

import csv
import sys
import wave
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taggram.lab.datasets._base import Annotations, Dataset, ExpectedFile, Split
from taggram.lab.datasets._catalogue import Family
from taggram.lab.datasets._manifest import annotations_of, read_manifest
from taggram.lab.datasets._reading import split_labels

Waveform = NDArray[np.float32]

SAMPLE_RATE = 16_000
DURATION = 3.0
TAGS = ("piano", "plucked", "pad", "bass", "drums", "fast", "slow", "major", "minor", "noise")

_INSTRUMENTS = ("piano", "plucked", "pad", "bass")
_BEATS_PER_MINUTE = {"slow": (55.0, 80.0), "": (95.0, 120.0), "fast": (150.0, 190.0)}
_TRIADS: Mapping[str, tuple[int, ...]] = {"major": (0, 4, 7), "minor": (0, 3, 7), "": (0, 7, 12)}
# Roots of the chords, in semitones above the key: I–IV–V–I, i–VI–iv–v, and fifths that move by fourths.
_PROGRESSIONS = {"major": (0, 5, 7, 0), "minor": (0, 8, 5, 7), "": (0, 5, 10, 7)}
_TRIAD_IN_MINOR = {8: "major"}  # the only chord of the progressions that is not of its mode
_CLIPS_PER_ARTIST = 6
_SPLITS: tuple[Split, ...] = ("train", "train", "train", "validation", "test")


@dataclass(frozen=True)
class Artist:
    """What the clips of one artist have in common.

    Attributes
    ----------
    tuning
        Semitones above 440 Hz.
    brightness
        Weight of the difference between neighbouring samples, from −0.5 (dull) to 0.5 (bright).
    reverberation
        Seconds in which the sound of the room decays to 1/e.
    floor_db
        Level of the noise that is always there, dB below full scale.
    """

    tuning: float
    brightness: float
    reverberation: float
    floor_db: float


@dataclass(frozen=True)
class Score:
    """What a clip plays.

    Attributes
    ----------
    instruments
        Of "piano", "plucked", "pad" and "bass".
    has_drums, has_noise
        Whether there are drums, and noise in the background.
    tempo
        "fast", "slow", or empty for neither.
    mode
        "major", "minor", or empty for bare fifths.
    beats_per_minute
        Quarter notes.
    key
        MIDI number of the tonic.
    levels_db
        Of the instruments, then drums, then noise.
    """

    instruments: tuple[str, ...]
    has_drums: bool
    has_noise: bool
    tempo: str
    mode: str
    beats_per_minute: float
    key: int
    levels_db: tuple[float, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The tags of the clip, in the order of `TAGS`."""
        extra = [
            name for name, is_there in (("drums", self.has_drums), ("noise", self.has_noise)) if is_there
        ]
        present = {*self.instruments, *extra, self.tempo, self.mode}
        return tuple(tag for tag in TAGS if tag in present)


def draw_artist(rng: np.random.Generator) -> Artist:
    """Draw an artist."""
    return Artist(
        tuning=rng.uniform(-0.3, 0.3),
        brightness=rng.uniform(-0.5, 0.5),
        reverberation=rng.uniform(0.01, 0.12),
        floor_db=rng.uniform(-70, -45),
    )


def draw_score(rng: np.random.Generator) -> Score:
    """Draw what a clip plays; every tag has a probability of about 0.4."""
    n_instruments = int(rng.integers(1, 4))
    tempo = str(rng.choice(list(_BEATS_PER_MINUTE), p=[0.4, 0.2, 0.4]))
    return Score(
        instruments=tuple(sorted(map(str, rng.choice(_INSTRUMENTS, n_instruments, replace=False)))),
        has_drums=bool(rng.random() < 0.4),
        has_noise=bool(rng.random() < 0.4),
        tempo=tempo,
        mode=str(rng.choice(list(_TRIADS), p=[0.4, 0.4, 0.2])),
        beats_per_minute=float(rng.uniform(*_BEATS_PER_MINUTE[tempo])),
        key=int(rng.integers(53, 65)),
        levels_db=tuple(float(level) for level in rng.uniform(-14, 0, n_instruments + 2)),
    )


def render_clip(score: Score, artist: Artist, rng: np.random.Generator) -> Waveform:
    """Render a clip, shape (48000,), peak 0.1 to 0.9."""
    n_samples = round(DURATION * SAMPLE_RATE)
    beat = 60 / score.beats_per_minute
    mix = np.zeros(n_samples)
    for name, level in zip(score.instruments, score.levels_db, strict=False):
        mix += _gain(level) * _play(name, score, artist, beat, n_samples)
    if score.has_drums:
        mix += _gain(score.levels_db[-2]) * _drums(beat, n_samples, rng)
    mix = _in_room(mix, artist, rng)
    mix /= max(float(np.abs(mix).max()), 1e-9)
    if score.has_noise:
        mix += 0.25 * _gain(score.levels_db[-1]) * _hiss(n_samples, rng)
    mix += _gain(artist.floor_db) * rng.standard_normal(n_samples)
    mix *= rng.uniform(0.1, 0.9) / np.abs(mix).max()
    return mix.astype(np.float32)


def render(root: Path, n_clips: int = 180, seed: int = 0) -> None:
    """Render the whole set into a folder; the same arguments give the same files.

    Parameters
    ----------
    root
        Folder to write to; made if it is not there.
    n_clips
        At least 5, so that every split has a clip; about 60 % are for training.
    seed
        Of everything that is drawn.

    Raises
    ------
    ValueError
        If there are fewer than 5 clips.
    """
    if n_clips < len(_SPLITS):
        raise ValueError(
            f"n_clips is {n_clips}; at least {len(_SPLITS)} are needed, one for each part of a split"
        )
    n_artists = max(len(_SPLITS), n_clips // _CLIPS_PER_ARTIST)
    rows = []
    for number in range(n_clips):
        place = number % n_artists
        artist = draw_artist(np.random.default_rng([seed, 0, place]))
        rng = np.random.default_rng([seed, 1, number])
        score = draw_score(rng)
        path = Path("audio", f"artist-{place:02}", f"clip-{number:04}.wav")
        _write_wav(root / path, render_clip(score, artist, rng))
        split = _SPLITS[place % len(_SPLITS)]
        rows.append((path.as_posix(), path.stem, f"artist-{place:02}", split, ";".join(score.labels)))
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "id", "artist", "split", "labels"), *rows])


def _gain(level_db: float) -> float:
    return float(10 ** (level_db / 20))


def _play(name: str, score: Score, artist: Artist, beat: float, n_samples: int) -> NDArray[np.float64]:
    """Return the part of one instrument."""
    part = np.zeros(n_samples)
    for onset, duration, pitch in _NOTES[name](score, beat):
        start = round(onset * SAMPLE_RATE)
        n_left = n_samples - start
        if n_left > 0:
            frequency = 440 * 2 ** ((pitch + artist.tuning - 69) / 12)
            note = _note(name, frequency, duration)[:n_left]
            part[start : start + len(note)] += note
    return part / max(float(np.abs(part).max()), 1e-9)


def _chords(score: Score, beat: float) -> Iterator[tuple[float, tuple[int, ...]]]:
    """Yield onset and pitches of each chord; two beats each."""
    for number in range(round(DURATION / (2 * beat)) + 1):
        root = _PROGRESSIONS[score.mode][number % 4]
        quality = _TRIAD_IN_MINOR.get(root, score.mode) if score.mode == "minor" else score.mode
        yield number * 2 * beat, tuple(score.key + root + step for step in _TRIADS[quality])


def _struck(score: Score, beat: float) -> Iterator[tuple[float, float, float]]:
    for onset, pitches in _chords(score, beat):
        for half in (0, 1):
            yield from ((onset + half * beat, 1.5 * beat, pitch) for pitch in pitches)


def _arpeggio(score: Score, beat: float) -> Iterator[tuple[float, float, float]]:
    for onset, (low, middle, high) in _chords(score, beat):
        for place, pitch in enumerate((low, middle, high, middle)):
            yield onset + place * beat / 2, beat, pitch + 12


def _held(score: Score, beat: float) -> Iterator[tuple[float, float, float]]:
    for onset, pitches in _chords(score, beat):
        yield from ((onset, 2 * beat, pitch) for pitch in pitches)


def _walking(score: Score, beat: float) -> Iterator[tuple[float, float, float]]:
    for onset, (root, *_) in _chords(score, beat):
        yield from ((onset + place * beat, 0.9 * beat, root - 24) for place in (0, 1))


_NOTES: Mapping[str, Callable[[Score, float], Iterator[tuple[float, float, float]]]] = {
    "piano": _struck,
    "plucked": _arpeggio,
    "pad": _held,
    "bass": _walking,
}
# Instrument → (harmonics, slope of their amplitudes, seconds of attack, seconds of decay to 1/e).
_TIMBRES = {
    "piano": (8, 1.3, 0.004, 0.45),
    "plucked": (12, 0.8, 0.001, 0.12),
    "pad": (5, 1.8, 0.15, 9.0),
    "bass": (5, 1.6, 0.01, 0.5),
}


@lru_cache(maxsize=256)  # a clip repeats its notes
def _note(name: str, frequency: float, duration: float) -> NDArray[np.float64]:
    n_harmonics, slope, attack, decay = _TIMBRES[name]
    times = np.arange(round(duration * SAMPLE_RATE)) / SAMPLE_RATE
    numbers = np.arange(1, n_harmonics + 1)
    numbers = numbers[numbers * frequency < 0.45 * SAMPLE_RATE]
    phases = 2 * np.pi * frequency * numbers[:, None] * times
    release = np.clip((duration - times) / 0.02, 0, 1)
    envelope = np.clip(times / attack, 0, 1) * np.exp(-times / decay) * release
    return np.asarray((numbers**-slope) @ np.sin(phases) * envelope)


def _drums(beat: float, n_samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return kick on the beat and hi-hat on every half beat."""
    times = np.arange(round(0.15 * SAMPLE_RATE)) / SAMPLE_RATE
    kick = np.sin(2 * np.pi * (55 * times + 3 * (1 - np.exp(-times / 0.02)))) * np.exp(-times / 0.06)
    hat = np.diff(rng.standard_normal(len(times) + 1)) * np.exp(-times / 0.02) * 0.3
    part = np.zeros(n_samples + len(times))
    for number in range(int(DURATION / (beat / 2)) + 1):
        start = round(number * beat / 2 * SAMPLE_RATE)
        if start < n_samples:
            part[start : start + len(times)] += hat + (kick if number % 2 == 0 else 0)
    return part[:n_samples]


def _hiss(n_samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return noise that falls by about 3 dB per octave, like wind or a tape."""
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    hiss = np.fft.irfft(spectrum, n_samples)
    return np.asarray(hiss / np.abs(hiss).max())


def _in_room(mix: NDArray[np.float64], artist: Artist, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the sound with the artist's tone and room."""
    toned = mix - artist.brightness * np.concatenate(([0.0], mix[:-1]))
    length = round(4 * artist.reverberation * SAMPLE_RATE)
    response = rng.standard_normal(length) * np.exp(-np.arange(length) / (artist.reverberation * SAMPLE_RATE))
    response *= 0.3 / np.sqrt(np.square(response).sum())
    response[0] = 1.0
    n_fft = 1 << (len(mix) + length - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(toned, n_fft) * np.fft.rfft(response, n_fft), n_fft)[: len(mix)]


def _write_wav(path: Path, waveform: Waveform) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.rint(waveform * 32767).astype("<i2").tobytes())


@dataclass(frozen=True, kw_only=True)
class Synthetic(Dataset):
    """What `render` wrote."""

    def _read(self, root: Path) -> Annotations:
        rows = read_manifest(root)
        return annotations_of(rows, [split_labels(row.fields["labels"]) for row in rows], TAGS)


DATASET = Family(
    (
        Synthetic(
            name="synthetic",
            title="Synthetic music",
            description="Clips of 3 s that our own code renders, with ten tags of instrument, tempo, mode "
            "and noise; split by artist. For tests and first steps.",
            citation="none",
            licence="MIT, as the program that renders it",
            source="python -m taggram.lab.datasets.synthetic FOLDER",
            task="multi_label",
            files=(ExpectedFile("manifest.csv"),),
            n_tags=len(TAGS),
        ),
    )
)

if __name__ == "__main__":
    render(Path(sys.argv[1]), *map(int, sys.argv[2:4]))

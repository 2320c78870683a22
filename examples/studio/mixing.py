"""Players and the mixing desk: notes through an instrument become a track, tracks become a recording."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from studio.effects import compress, limit
from studio.instruments import Instrument
from studio.score import Clock, Note
from studio.sound import Sound, convolve, high_pass, n_samples


def play(
    notes: Iterable[Note],
    instrument: Instrument,
    clock: Clock,
    rng: np.random.Generator,
    *,
    pan: float = 0.0,
    spread: float = 0.0,
) -> Sound:
    """Play notes on an instrument.

    Parameters
    ----------
    pan
        −1 is left, 1 is right.
    spread
        How far low and high notes lie apart, as the keys of a piano do.

    Returns
    -------
    shape (2, n_samples)
    """
    sounds: list[tuple[int, Sound]] = []
    for note in notes:
        start = clock.seconds(note.start)
        sound = instrument(note.pitch, clock.seconds(note.end) - start, note.velocity, rng)
        place = float(np.clip(pan + spread * (note.pitch - 64) / 32, -1, 1))
        sounds.append((n_samples(start) - 1, _pan(sound, place)))
    length = max((start + sound.shape[1] for start, sound in sounds), default=1)
    track = np.zeros((2, length))
    for start, sound in sounds:
        track[:, start : start + sound.shape[1]] += sound
    return track


def _pan(sound: Sound, pan: float) -> Sound:
    """Place a mono sound, or balance a stereo one, with constant power."""
    angle = (pan + 1) * np.pi / 4
    gains = np.sqrt(2) * np.array([[np.cos(angle)], [np.sin(angle)]])
    result: Sound = gains * sound
    return result


@dataclass
class Mix:
    """The mixing desk.

    Attributes
    ----------
    seconds
        Length of the recording.
    room : shape (2, n)
        Impulse response of the room that tracks are sent to.
    """

    seconds: float
    room: Sound
    _dry: Sound = field(init=False)
    _sent: Sound = field(init=False)

    def __post_init__(self) -> None:
        self._dry = np.zeros((2, n_samples(self.seconds)))
        self._sent = np.zeros_like(self._dry)

    def add(self, track: Sound, *, gain_db: float = 0.0, room: float = 0.0, start: float = 0.0) -> None:
        """Add a track at `start` s, with a share of it sent to the room."""
        first = round(start * n_samples(1))
        piece = track[:, : max(0, self._dry.shape[1] - first)] * 10 ** (gain_db / 20)
        self._dry[:, first : first + piece.shape[1]] += piece
        self._sent[:, first : first + piece.shape[1]] += room * piece

    def mixdown(self) -> Sound:
        """Return dry tracks and room together."""
        wet = convolve(self._sent, self.room)[:, : self._dry.shape[1]]
        result: Sound = self._dry + wet
        return result


def master(
    sound: Sound,
    *,
    level_db: float = -17.0,
    fade_in: float = 0.005,
    fade_out: float = 0.5,
    ratio: float = 1.5,
) -> Sound:
    """Finish a recording: no rumble, gentle compression, one loudness, faded ends, peaks below −1.5 dBFS."""
    clean = _trim(high_pass(sound, 25, order=2))
    for _ in range(2):  # limiting costs a little loudness: turn up once more
        clean = clean * 10 ** ((level_db - _level_db(clean)) / 20)
        clean = limit(compress(clean, threshold_db=level_db + 1, ratio=ratio))
    count = clean.shape[1]
    rise = np.clip(np.arange(count) / n_samples(fade_in), 0, 1)
    fall = np.clip((count - 1 - np.arange(count)) / n_samples(fade_out), 0, 1)
    result: Sound = clean * np.sin(np.pi / 2 * rise) * np.sin(np.pi / 2 * fall)
    return result


def _trim(sound: Sound) -> Sound:
    """Cut what has faded to 45 dB below the loudest moment off the end."""
    loudness = np.abs(sound).max(axis=0)
    return sound[:, : np.flatnonzero(loudness > loudness.max() * 10 ** (-45 / 20))[-1] + 1]


def _level_db(sound: Sound) -> float:
    """Return the RMS level of the louder half, as a simple measure of how loud a piece is."""
    blocks = np.mean(sound**2, axis=0)[: sound.shape[1] // 4410 * 4410].reshape(-1, 4410).mean(axis=1)
    return float(10 * np.log10(np.sort(blocks)[len(blocks) // 2 :].mean() + 1e-12))

"""The key of a song, from its chords: under which of 24 keys are they most likely?

Every second of a chord counts with the logarithm of how often a triad stands on its degree of the key, in
either mode. One key is given for the whole; a song that modulates has the key it is in the longest.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from taggram.chords.result import ChordSegment, Key, Mode
from taggram.chords.vocabulary import VOCABULARIES

_LEAST = 1e-3  # share of a degree: one strange chord must not decide
_MODES: tuple[Mode, ...] = ("major", "minor")


def estimate_key(chords: Iterable[ChordSegment], profiles: Mapping[Mode, Sequence[float]]) -> Key | None:
    """Return the most likely key; None if no chord is major or minor.

    Parameters
    ----------
    chords
        In any order.
    profiles
        Mode → share of major triads on each of 12 degrees, then of minor ones.
    """
    seconds = np.zeros(24)
    for chord in chords:
        triad = None if chord.is_nothing else VOCABULARIES["majmin"].reduce(chord.quality)
        if triad is not None:
            seconds[chord.root + (12 if triad == "min" else 0)] += chord.duration
    if not seconds.any():
        return None
    heard = seconds.reshape(2, 12)
    likelihood = {
        (tonic, mode): float((np.roll(heard, -tonic, axis=1) * _log_profile(profiles[mode])).sum())
        for mode in _MODES
        for tonic in range(12)
    }
    (tonic, mode), second, *_ = sorted(likelihood, key=lambda key: -likelihood[key])
    lead = (likelihood[tonic, mode] - likelihood[second]) / float(seconds.sum())
    return Key(tonic, mode, lead)


def _log_profile(shares: Sequence[float]) -> np.ndarray:
    logarithms: np.ndarray = np.log(np.maximum(np.array(shares).reshape(2, 12), _LEAST))
    return logarithms

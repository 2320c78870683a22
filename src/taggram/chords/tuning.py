"""Tuning: how far the notes of a recording lie from those of A = 440 Hz.

Peaks of the spectrum are placed between bins by a parabola through their logarithm; what remains of a
peak's pitch above the nearest semitone is an angle, and the tuning is the mean angle, each peak weighted by
its magnitude. Where the angles point everywhere (drums, speech), nothing is known, and the answer is 0.

Conventions: frames are float32 (n_frames, n_bins) as `ConstantQStream` gives them; cents in [−50, 50).
"""

import numpy as np
from numpy.typing import NDArray

from taggram.modelfile.specification import ConstantQ

_LEAST_AGREEMENT = 0.15  # length of the mean angle, 0 to 1
_FLOOR = 1e-3  # of the loudest bin
_LOWEST, _HIGHEST = 80.0, 2000.0  # Hz: below, filters are too long; above, partials are out of tune


def estimate_tuning(frames: NDArray[np.float32], spec: ConstantQ) -> float:
    """Return the tuning in cents, or 0 if there is none to be heard."""
    frequencies = spec.fmin * 2.0 ** (np.arange(spec.n_bins) / spec.bins_per_octave)
    inside = np.flatnonzero((frequencies >= _LOWEST) & (frequencies <= _HIGHEST))
    if not len(frames) or len(inside) < 3 or not frames.max() > 0:
        return 0.0
    part = frames[:, inside]
    left, middle, right = part[:, :-2], part[:, 1:-1], part[:, 2:]
    is_peak = (middle > left) & (middle >= right) & (middle > _FLOOR * part.max())
    if not is_peak.any():
        return 0.0
    heights = middle[is_peak].astype(np.float64)
    tiny = 1e-9
    a, b, c = (np.log(side[is_peak].astype(np.float64) + tiny) for side in (left, middle, right))
    offsets = 0.5 * (a - c) / np.minimum(a - 2 * b + c, -tiny)
    bins = np.nonzero(is_peak)[1] + inside[0] + 1 + np.clip(offsets, -0.5, 0.5)
    semitones = bins * 12 / spec.bins_per_octave
    mean = (heights * np.exp(2j * np.pi * semitones)).sum() / heights.sum()
    if abs(mean) < _LEAST_AGREEMENT:
        return 0.0
    cents = float(np.angle(mean) / (2 * np.pi) * 100)
    return -50.0 if cents >= 50 else cents

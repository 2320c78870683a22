"""Every feature agrees with librosa, an independent implementation in float64.

Ours works in float32: a relative rounding of about 1e-6 of the largest value of a spectrum, which a
logarithm of a weak bin or a quotient enlarges. Tolerances are relative to the largest value of the
feature, ten times what is measured, unless said otherwise.
"""

from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
import pytest
import torch

from taggram.errors import ShapeError
from taggram.lab.features import FEATURES
from taggram.lab.features.cqt import C1

Array = np.ndarray[Any, np.dtype[Any]]
feature = librosa.feature

SAMPLE_RATE = 22_050


def waveform() -> Array:
    """Four seconds: a gliding tone, a steady chord, noise that comes and goes."""
    rng = np.random.default_rng(5)
    times = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    glide = 0.3 * np.sin(2 * np.pi * (300 * times + 200 * times**2))
    chord = 0.1 * sum(np.sin(2 * np.pi * frequency * times) for frequency in (65.4, 196.0, 329.6))
    noise = 0.1 * rng.standard_normal(len(times)) * (1 + np.sin(2 * np.pi * times)) / 2
    sound: Array = glide + chord + noise + 1e-3 * rng.standard_normal(len(times))
    return sound.astype(np.float32)


def spectrum() -> Array:
    """The magnitude spectrum of librosa, in float64, framed as ours."""
    magnitude: Array = np.abs(librosa.stft(waveform().astype(np.float64), pad_mode="reflect"))
    return magnitude


def mel() -> Array:
    power: Array = feature.melspectrogram(S=spectrum() ** 2, sr=SAMPLE_RATE)
    return power


def decibels() -> Array:
    level: Array = librosa.power_to_db(mel(), top_db=None)
    return level


def mfcc() -> Array:
    coefficients = feature.mfcc(S=decibels(), n_mfcc=20)
    deltas = [feature.delta(coefficients, order=order, mode="nearest") for order in (1, 2)]
    return np.concatenate([coefficients, *deltas])


REFERENCES: dict[str, tuple[Callable[[], Any], float]] = {
    "chroma": (lambda: feature.chroma_stft(S=spectrum() ** 2, sr=SAMPLE_RATE, tuning=0.0), 1e-5),
    "log_mel": (lambda: np.log1p(10_000 * mel()), 1e-5),
    "mfcc": (mfcc, 1e-5),
    "rms": (lambda: feature.rms(y=waveform()), 1e-5),
    "spectral_bandwidth": (lambda: feature.spectral_bandwidth(S=spectrum(), sr=SAMPLE_RATE), 1e-5),
    "spectral_centroid": (lambda: feature.spectral_centroid(S=spectrum(), sr=SAMPLE_RATE), 1e-5),
    # The valley is one bin of a few: the weakest, with the largest relative rounding.
    "spectral_contrast": (lambda: feature.spectral_contrast(S=spectrum(), sr=SAMPLE_RATE), 1e-3),
    "spectral_flatness": (lambda: feature.spectral_flatness(S=spectrum()), 1e-5),
    "spectral_flux": (lambda: librosa.onset.onset_strength(S=decibels(), center=False)[None], 1e-5),
    "spectral_rolloff": (lambda: feature.spectral_rolloff(S=spectrum(), sr=SAMPLE_RATE), 1e-6),
    "waveform": (lambda: waveform()[None], 0.0),
    "zero_crossing_rate": (lambda: feature.zero_crossing_rate(waveform()), 1e-6),
    # librosa resamples octave by octave; its filters change a bin by up to 0.4 % of the largest, and by
    # 1.2 % in the first and last frames. Ours is the inner product of the definition, see below.
    "cqt": (lambda: np.abs(librosa.cqt(waveform().astype(np.float64), sr=SAMPLE_RATE, sparsity=0)), 2e-2),
}


def compute(name: str, sound: Array, **options: Any) -> Array:
    with torch.no_grad():
        found: Array = FEATURES.get(name)(sample_rate=SAMPLE_RATE, **options)(torch.from_numpy(sound)[None])[
            0
        ].numpy()
    return found


def test_every_feature_has_a_reference() -> None:
    assert set(REFERENCES) == set(FEATURES.names())


@pytest.mark.parametrize("name", FEATURES.names())
def test_agrees_with_librosa(name: str) -> None:
    reference, tolerance = REFERENCES[name]
    expected = reference()
    found = compute(name, waveform())
    assert found.shape == expected.shape
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max(), rtol=0)


@pytest.mark.parametrize(
    ("logarithm", "expected"),
    [
        ("decibel", lambda power: 10 * np.log10(np.maximum(power, 1e-10))),
        ("ln", lambda power: np.log(power + 1e-5)),
    ],
)
def test_the_other_logarithms(logarithm: str, expected: Callable[[Array], Array]) -> None:
    found = compute("log_mel", waveform(), logarithm=logarithm)
    np.testing.assert_allclose(found, expected(mel()), atol=1e-3)


@pytest.mark.parametrize("n_deltas", [0, 1])
def test_mfcc_without_deltas_are_the_first_rows(n_deltas: int) -> None:
    found = compute("mfcc", waveform(), n_deltas=n_deltas)
    np.testing.assert_allclose(found, compute("mfcc", waveform())[: 20 * (n_deltas + 1)], atol=1e-5)


def test_cqt_equals_its_definition() -> None:
    """The sum over a windowed tone, written out for single bins and frames, in float64."""
    sound, found = waveform(), compute("cqt", waveform())
    quality = 1 / ((2 ** (2 / 12) - 1) / (2 ** (2 / 12) + 1))
    for bin_, frame in ((0, 80), (40, 60), (83, 100)):
        frequency = C1 * 2 ** (bin_ / 12)
        length = quality * SAMPLE_RATE / frequency
        times = np.arange(-int(length / 2), int(length / 2) + 1)
        window = 0.5 + 0.5 * np.cos(2 * np.pi * times / length)
        tone = np.exp(2j * np.pi * frequency * times / SAMPLE_RATE)
        piece = sound[512 * frame + times].astype(np.float64)
        expected = np.sqrt(length) * np.abs((piece * window * tone).sum()) / window.sum()
        assert found[bin_, frame] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("bin_", [3, 30, 66])
def test_cqt_and_chroma_peak_at_the_note(bin_: int) -> None:
    times = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    note = (0.5 * np.sin(2 * np.pi * C1 * 2 ** (bin_ / 12) * times)).astype(np.float32)
    cqt = compute("cqt", note)
    middle = cqt.shape[1] // 2
    assert int(cqt[:, middle].argmax()) == bin_
    if bin_ > 24:  # below, neighbouring notes share a bin of the spectrum
        assert int(compute("chroma", note)[:, middle].argmax()) == bin_ % 12


def test_a_range_beyond_half_the_sample_rate_is_refused() -> None:
    with pytest.raises(ShapeError, match="take fewer octaves"):
        compute("cqt", waveform(), n_octaves=9)
    with pytest.raises(ShapeError, match="take fewer octaves"):
        compute("spectral_contrast", waveform(), n_octaves=8)

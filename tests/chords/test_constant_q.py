"""The spectrum of a stream."""

import numpy as np
import pytest

from taggram.chords.constant_q import ConstantQStream, compute_constant_q
from taggram.chords.tuning import estimate_tuning
from taggram.modelfile.specification import ConstantQ

RATE = 11_025
SPEC = ConstantQ(fmin=32.7031956625748, n_octaves=7, bins_per_octave=24, hop_length=1024)


def tone(frequency: float, seconds: float = 3.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def spectrum(waveform: np.ndarray, *, tuning_cents: float = 0.0) -> np.ndarray:
    return np.concatenate(list(compute_constant_q([waveform], SPEC, RATE, tuning_cents=tuning_cents)))


@pytest.mark.parametrize("n_bin", [0, 24, 67, 120, 167])
def test_a_tone_peaks_in_its_bin(n_bin: int) -> None:
    frames = spectrum(tone(SPEC.fmin * 2 ** (n_bin / 24)))
    assert int(frames[len(frames) // 2].argmax()) == n_bin


def test_blocks_do_not_matter() -> None:
    waveform = np.random.default_rng(0).standard_normal(70_001).astype(np.float32)
    whole = spectrum(waveform)
    for cuts in ([1], [5000, 5001, 20_000], list(range(0, 70_000, 777))):
        parts = np.split(waveform, cuts)
        frames = np.concatenate(list(compute_constant_q(parts, SPEC, RATE)))
        # Other sums in the matrix product, in single precision.
        np.testing.assert_allclose(frames, whole, atol=2e-5)


@pytest.mark.parametrize("n_samples", [1, 1023, 1024, 1025, 30_000])
def test_there_are_as_many_frames_as_promised(n_samples: int) -> None:
    assert spectrum(np.zeros(n_samples, np.float32)).shape == (1 + n_samples // 1024, 168)


def test_frame_times_do_not_drift_over_ten_minutes() -> None:
    """Clicks on the centres of frames are loudest in these very frames, ten minutes later as well."""
    stream = ConstantQStream(SPEC, RATE)
    n_blocks, block_length = 66, 102_400  # 613 s in blocks of 100 hops
    found = []
    for number in range(n_blocks):
        block = np.zeros(block_length, np.float32)
        if number % 13 == 5:
            block[50 * 1024] = 1.0
        found.append(stream.add(block))
    frames = np.concatenate([*found, stream.flush()])
    highest = frames[:, -24:].sum(axis=1)  # the shortest filters are the sharpest in time
    clicks = [number * 100 + 50 for number in range(n_blocks) if number % 13 == 5]
    assert clicks[-1] * 1024 / RATE > 500
    for click in clicks:
        assert int(highest[click - 20 : click + 21].argmax()) == 20
    # Off the centre by a quarter of a hop, the frame is still the nearest one.
    assert len(frames) == 1 + n_blocks * 100


@pytest.mark.parametrize("cents", [-45.0, -20.0, 0.0, 8.0, 33.0])
def test_tuning_of_chords_is_found_and_followed(cents: float) -> None:
    factor = 2 ** (cents / 1200)
    chord = sum(tone(f * factor, 4.0) for f in (220.0, 261.626, 329.628, 440.0))
    assert isinstance(chord, np.ndarray)
    assert estimate_tuning(spectrum(chord), SPEC) == pytest.approx(cents, abs=2.5)
    on_it = spectrum(chord, tuning_cents=cents)
    assert estimate_tuning(on_it, SPEC) == pytest.approx(0, abs=2.5)


def test_noise_and_silence_have_no_tuning() -> None:
    noise = np.random.default_rng(0).standard_normal(20 * RATE).astype(np.float32)
    assert estimate_tuning(spectrum(noise), SPEC) == 0.0
    assert estimate_tuning(spectrum(np.zeros(RATE, np.float32)), SPEC) == 0.0
    assert estimate_tuning(np.empty((0, 168), np.float32), SPEC) == 0.0

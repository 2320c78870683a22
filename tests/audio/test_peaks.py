"""Waveforms for drawing: the extremes of the sound, however it is cut into blocks, in flat memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taggram.audio.peaks import COARSEST, N_PARTS, PeakMeter, pack_peaks, unpack_peaks
from taggram.errors import ShapeError

RATE = 1000


def measure(waveform: np.ndarray, cuts: list[int]) -> PeakMeter:
    meter = PeakMeter(RATE)
    for block in np.split(waveform, sorted(cuts)):
        meter.add(block)
    return meter


@given(st.integers(0, 30_000), st.lists(st.integers(0, 30_000), max_size=5))
def test_blocks_do_not_matter(n_samples: int, cuts: list[int]) -> None:
    waveform = np.random.default_rng(n_samples).uniform(-1, 1, n_samples).astype(np.float32)
    one, other = measure(waveform, []).result(), measure(waveform, cuts).result()
    assert one.duration == other.duration == n_samples / RATE
    np.testing.assert_array_equal(one.parts, other.parts)


@pytest.mark.parametrize("seconds", [0.5, 600.0, 3000.0])
def test_a_peak_is_seen_where_it_is(seconds: float) -> None:
    n_samples = int(seconds * RATE)
    for place in (0, n_samples // 3, n_samples - 1):
        waveform = np.zeros(n_samples, np.float32)
        waveform[place] = -1.0
        peaks = measure(waveform, [n_samples // 2]).result()
        assert len(peaks.parts) <= max(2 * N_PARTS, 2 * seconds / COARSEST)
        assert seconds / len(peaks.parts) <= max(COARSEST, 64 / RATE)
        assert peaks.parts[:, 0].min() == -127
        for n in (10, 1000):
            drawn = peaks.reduce(n)
            assert len(drawn) <= n
            found = int(drawn[:, 0].argmin()) / len(drawn)
            assert found == pytest.approx(place / n_samples, abs=0.15)


def test_the_softest_sound_shows_and_the_loudest_fits() -> None:
    peaks = measure(np.array([0.0001, 5.0, -0.0001, -5.0] * 100, np.float32), []).result()
    assert peaks.parts.max() == 127
    assert peaks.parts.min() == -127
    soft = measure(np.full(100, 0.0001, np.float32), []).result()
    assert soft.parts[:, 1].tolist() == [1, 1]


def test_no_sound_has_no_waveform() -> None:
    peaks = PeakMeter(RATE).result()
    assert (peaks.duration, peaks.parts.shape, peaks.reduce(10).shape) == (0.0, (0, 2), (0, 2))
    with pytest.raises(ShapeError, match="at least one part"):
        peaks.reduce(0)


def test_a_waveform_can_be_kept() -> None:
    peaks = measure(np.linspace(-1, 1, 5000, dtype=np.float32), [100]).result()
    kept = unpack_peaks(pack_peaks(peaks))
    assert kept.duration == peaks.duration
    np.testing.assert_array_equal(kept.parts, peaks.parts)


def test_a_moment_of_a_long_sound_is_as_fine_as_its_parts() -> None:
    meter = PeakMeter(RATE * 16)
    second = np.zeros(RATE * 16, np.float32)
    for number in range(1800):
        second[:] = 0.0
        if number == 900:
            second[RATE * 8] = 1.0
        meter.add(second)
    peaks = meter.result()
    assert len(peaks.parts) <= 2 * 1800 / COARSEST
    moment, begin = peaks.cut(900.0, 901.0)
    assert begin == pytest.approx(900.0, abs=COARSEST)
    assert moment.duration == pytest.approx(1.0, abs=2 * COARSEST)
    loudest = begin + moment.duration * int(moment.parts[:, 1].argmax()) / len(moment.parts)
    assert loudest == pytest.approx(900.5, abs=2 * COARSEST)

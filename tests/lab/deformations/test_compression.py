"""Dynamic range compression agrees with sox, and does what a compressor does."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from taggram.errors import UnknownNameError
from taggram.lab.deformations.dynamic_range_compression import (
    PRESETS,
    DynamicRangeCompression,
    Preset,
    compress,
    compute_gain_db,
)

SAMPLE_RATE = 16_000

# The presets of the published study, in the words of sox.
SOX = {
    "radio": "0.01,1 -90,-90,-70,-70,-60,-20,0,0 -5",
    "film_standard": "0.1,0.3 -90,-90,-70,-64,-43,-37,-31,-31,-21,-21,0,-20 0 0 0.1",
    "film_light": "0.1,0.3 -90,-90,-70,-64,-53,-47,-41,-41,-21,-21,0,-20 0 0 0.1",
    "music_standard": "0.1,0.3 -90,-90,-70,-58,-55,-43,-31,-31,-21,-21,0,-20 0 0 0.1",
    "music_light": "0.1,0.3 -90,-90,-70,-58,-65,-53,-41,-41,-21,-21,0,-11 0 0 0.1",
    "speech": "0.1,0.3 -90,-90,-70,-55,-50,-35,-31,-31,-21,-21,0,-20 0 0 0.1",
}


def swells(rng: np.random.Generator) -> np.ndarray:
    """Noise whose level goes from 0 to −80 dB and back, with silence in between."""
    times = np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE
    level_db = -40 + 40 * np.cos(2 * np.pi * times / 1.7)
    sound = rng.uniform(-1, 1, len(times)) * 10 ** (level_db / 20)
    sound[SAMPLE_RATE : SAMPLE_RATE + 9000] = 0
    return sound.astype(np.float32)


@pytest.mark.skipif(shutil.which("sox") is None, reason="the program sox, the reference, is not installed")
@pytest.mark.parametrize("preset", sorted(SOX))
def test_agrees_with_sox(rng: np.random.Generator, tmp_path: Path, preset: str) -> None:
    waveform = swells(rng)
    source, target = tmp_path / "in.wav", tmp_path / "out.wav"
    soundfile.write(source, waveform, SAMPLE_RATE, subtype="FLOAT")
    subprocess.run(
        f"sox -D {source} -e floating-point -b 32 {target} compand {SOX[preset]}".split(),
        check=True,
        capture_output=True,
    )
    expected, _ = soundfile.read(target, dtype="float32")
    found = DynamicRangeCompression().apply(waveform, SAMPLE_RATE, {"preset": preset})
    assert np.abs(found - waveform).max() > 0.1
    # sox rounds the corners of the curve over 0.01 dB, which is 0.1 % of a sample at most.
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_every_published_preset_is_there() -> None:
    assert set(SOX) == set(PRESETS)


@pytest.mark.parametrize("preset", ["music_standard", "speech", "radio"])
def test_loud_and_soft_come_closer(rng: np.random.Generator, preset: str) -> None:
    waveform = rng.uniform(-1, 1, 10 * SAMPLE_RATE).astype(np.float32)
    waveform[: 5 * SAMPLE_RATE] *= np.float32(0.01)  # 40 dB below what follows
    compressed = DynamicRangeCompression().apply(waveform, SAMPLE_RATE, {"preset": preset})
    soft, loud = (compressed[second * SAMPLE_RATE :][:SAMPLE_RATE].std() for second in (3, 8))
    assert 0 < 20 * np.log10(loud / soft) < 25


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_curve_goes_through_its_points(preset: str) -> None:
    for level, output in PRESETS[preset].curve:
        gain = compute_gain_db(np.array([level]), PRESETS[preset])
        assert gain[0] == pytest.approx(output - level + PRESETS[preset].gain_db)


def test_a_steady_tone_gets_the_gain_of_its_level() -> None:
    # A square wave: its detector level is its amplitude.
    square = np.where(np.arange(12 * SAMPLE_RATE) // 20 % 2, 0.001, -0.001).astype(np.float32)  # −60 dB
    compressed = compress(square, SAMPLE_RATE, PRESETS["radio"])
    settled = np.abs(compressed[-1000:]).mean()
    assert 20 * np.log10(settled) == pytest.approx(-20 - 5, abs=0.5)


def test_an_unknown_preset_is_an_error(rng: np.random.Generator) -> None:
    with pytest.raises(UnknownNameError, match="unknown preset 'music': did you mean 'music_light'"):
        DynamicRangeCompression().fix("music", rng)


def test_an_attack_slower_than_the_decay_is_refused() -> None:
    with pytest.raises(ValueError, match="slower than its decay"):
        compress(np.zeros(9, np.float32), SAMPLE_RATE, Preset(1.0, 0.1, ((0.0, 0.0),)))

"""Mixing and resampling, apart from files."""

from collections.abc import Iterable

import av
import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from taggram.audio.container import Limits
from taggram.audio.resample import BLOCK_DURATION, Block, Mixer, Resampler

RATES = st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000, 96_000])

SAMPLE_TYPES = {
    "flt": ("f4", 1.0, 0),
    "dbl": ("f8", 1.0, 0),
    "s16": ("i2", 2.0**15, 0),
    "s32": ("i4", 2.0**31, 0),
    "u8": ("u1", 2.0**7, 128),
}


def make_frame(samples: NDArray[np.float32], sample_rate: int, kind: str = "fltp") -> av.AudioFrame:
    """Pack (n_channels, n_samples) in [−1, 1) into a frame of any sample format."""
    name = kind.removesuffix("p")
    dtype, scale, zero = SAMPLE_TYPES[name]
    scaled = (np.round(samples.astype(np.float64) * scale) if scale > 1 else samples) + zero
    array = scaled.astype(dtype)
    array = array if kind != name else array.T.reshape(1, -1)
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(samples)]
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(array), format=kind, layout=layout)
    frame.sample_rate = sample_rate
    return frame


def mix(frames: Iterable[av.AudioFrame]) -> tuple[Mixer, list[tuple[int, Block]]]:
    mixer, blocks = Mixer(Limits()), []
    with np.errstate(all="ignore"):
        for frame in frames:
            if not mixer.add(frame):
                rate, block = mixer.take()
                blocks.append((rate, block.copy()))
                assert mixer.add(frame)
        blocks.append(mixer.take())
    assert mixer.is_empty
    return mixer, blocks


@pytest.mark.parametrize("n_channels", [1, 2, 6])
@pytest.mark.parametrize("kind", ["flt", "fltp", "dbl", "dblp", "s16", "s16p", "s32", "s32p", "u8", "u8p"])
def test_every_sample_format_gives_the_same_mean(
    rng: np.random.Generator, kind: str, n_channels: int
) -> None:
    grid = 2.0**-7 if kind.startswith("u8") else 2.0**-15
    samples = (np.floor(rng.uniform(-1, 1, (n_channels, 1_000)) / grid) * grid).astype(np.float32)
    mixer, [(sample_rate, block)] = mix([make_frame(samples, 44_100, kind)])
    assert sample_rate == 44_100
    assert (mixer.n_samples, mixer.n_nonfinite, mixer.n_refused) == (1_000, 0, 0)
    np.testing.assert_allclose(block, samples.mean(axis=0), rtol=0, atol=2e-7)
    assert mixer.peak == pytest.approx(np.abs(samples.mean(axis=0)).max(), abs=2e-7)


def test_blocks_are_bounded_and_keep_the_order(rng: np.random.Generator) -> None:
    samples = rng.uniform(-0.5, 0.5, (2, 100_000)).astype(np.float32)
    frames = [make_frame(samples[:, i : i + 1_152], 8_000) for i in range(0, 100_000, 1_152)]
    _, blocks = mix(frames)
    assert max(len(block) for _, block in blocks) <= BLOCK_DURATION * 8_000
    np.testing.assert_allclose(np.concatenate([b for _, b in blocks]), samples.mean(axis=0), atol=1e-7)


def test_a_frame_longer_than_a_block_passes() -> None:
    _, [(_, block)] = mix([make_frame(np.ones((1, 50_000), np.float32), 8_000)])
    assert len(block) == 50_000


def test_a_new_shape_begins_a_new_block(rng: np.random.Generator) -> None:
    one = rng.uniform(-0.5, 0.5, (2, 700)).astype(np.float32)
    two = rng.uniform(-0.5, 0.5, (6, 300)).astype(np.float32)
    _, blocks = mix([make_frame(one, 44_100), make_frame(two, 44_100, "s16p"), make_frame(one, 32_000)])
    assert [(rate, len(block)) for rate, block in blocks] == [(44_100, 700), (44_100, 300), (32_000, 700)]
    np.testing.assert_allclose(blocks[1][1], two.mean(axis=0), rtol=0, atol=2**-15)


def test_impossible_frames_are_left_out() -> None:
    good = make_frame(np.full((2, 100), 0.5, np.float32), 44_100)
    bad = make_frame(np.full((2, 100), 0.25, np.float32), 1)
    mixer, [(_, block)] = mix([good, bad, good])
    assert (mixer.n_refused, len(block)) == (1, 200)
    assert (block == 0.5).all()


def test_what_is_no_number_becomes_zero() -> None:
    samples = np.full((2, 10), 0.5, np.float32)
    samples[0, :5] = [np.nan, np.inf, -np.inf, 3e38, 2.5e10]
    samples[1, 3] = 3e38  # the sum overflows
    mixer, [(_, block)] = mix([make_frame(samples, 44_100)])
    assert (mixer.n_nonfinite, mixer.peak) == (5, 0.5)
    np.testing.assert_array_equal(block, [0] * 5 + [0.5] * 5)


@settings(max_examples=40)
@given(native=RATES, target=RATES, cuts=st.lists(st.integers(1, 9_999), max_size=6))
def test_blocks_leave_no_seam(native: int, target: int, cuts: list[int]) -> None:
    """However the sound is cut, the result is that of the whole: to float32 rounding."""
    sound = np.random.default_rng(len(cuts)).uniform(-0.5, 0.5, 10_000).astype(np.float32)
    resampler = Resampler(target)
    blocks = [b for part in np.split(sound, sorted(set(cuts))) for b in resampler.add(native, part)]
    result = np.concatenate([*blocks, *resampler.flush()])
    expected = soxr.resample(sound, native, target, "HQ")
    assert len(result) == len(expected)
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-6)


def test_a_change_of_rate_keeps_both_sounds(rng: np.random.Generator) -> None:
    one, two = (rng.uniform(-0.5, 0.5, n).astype(np.float32) for n in (44_100, 24_000))
    resampler = Resampler(16_000)
    blocks = [*resampler.add(44_100, one), *resampler.add(24_000, two), *resampler.flush()]
    expected = np.concatenate(
        [soxr.resample(one, 44_100, 16_000, "HQ"), soxr.resample(two, 24_000, 16_000, "HQ")]
    )
    np.testing.assert_allclose(np.concatenate(blocks), expected, rtol=0, atol=2e-6)


def test_frequencies_beyond_the_new_rate_do_not_fold_back() -> None:
    """A tone of 10 kHz at 44.1 kHz lies above what 16 kHz can hold: under −120 dB of it may remain."""
    tone = np.sin(2 * np.pi * 10_000 * np.arange(88_200) / 44_100).astype(np.float32)
    resampler = Resampler(16_000)
    result = np.concatenate([*resampler.add(44_100, tone), *resampler.flush()])
    assert np.abs(result[2_000:-2_000]).max() < 1e-6

"""The chunking rule, as properties of any sound and any way of cutting it into blocks."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taggram.audio.chunk import NEGLIGIBLE, Chunker, cut_chunks
from taggram.audio.resample import Block
from taggram.errors import ShapeError

LENGTHS = st.integers(1, 300)


def counting(n_samples: int) -> Block:
    """A sound in which every sample says where it is."""
    return np.arange(n_samples, dtype=np.float32)


def run(blocks: list[Block], chunk_length: int, hop_length: int) -> list[tuple[int, list[float]]]:
    chunker = Chunker(chunk_length, hop_length)
    chunks = [chunk for block in blocks for chunk in chunker.add(block)]
    chunks += chunker.flush()
    assert chunker.n_samples == sum(map(len, blocks))
    return [(start, chunk.tolist()) for start, chunk in chunks]


def starts(n_samples: int, chunk_length: int, hop_length: int) -> list[int]:
    return [start for start, _ in cut_chunks(counting(n_samples), chunk_length, hop_length)]


@given(n_samples=st.integers(0, 1_000), chunk_length=LENGTHS, hop_length=LENGTHS, data=st.data())
def test_blocks_do_not_matter(
    n_samples: int, chunk_length: int, hop_length: int, data: st.DataObject
) -> None:
    sound = counting(n_samples)
    cuts = data.draw(st.lists(st.integers(0, n_samples), max_size=8).map(sorted))
    assert run(np.split(sound, cuts), chunk_length, hop_length) == run([sound], chunk_length, hop_length)


@given(n_samples=st.integers(1, 1_000), chunk_length=LENGTHS, hop_length=LENGTHS)
def test_chunks_are_what_stands_at_their_start(n_samples: int, chunk_length: int, hop_length: int) -> None:
    sound = counting(n_samples)
    chunks = list(cut_chunks(sound, chunk_length, hop_length))
    assert all(len(chunk) == chunk_length and chunk.dtype == np.float32 for _, chunk in chunks)
    found = [start for start, _ in chunks]
    assert found == sorted(set(found))
    if n_samples < chunk_length:
        assert found == [0]
        np.testing.assert_array_equal(chunks[0][1], np.arange(chunk_length) % n_samples)
        return
    for start, chunk in chunks:
        np.testing.assert_array_equal(chunk, sound[start : start + chunk_length])
    full = list(range(0, n_samples - chunk_length + 1, hop_length))
    assert found in (full, [*full, n_samples - chunk_length])


@given(n_samples=st.integers(1, 1_000), chunk_length=LENGTHS, hop_length=LENGTHS)
def test_every_sample_is_heard(n_samples: int, chunk_length: int, hop_length: int) -> None:
    """Up to a negligible rest, and unless the hop leaves gaps by its own wish."""
    hop_length = min(hop_length, chunk_length)
    heard = np.zeros(n_samples, bool)
    for start in starts(n_samples, chunk_length, hop_length):
        heard[start : start + chunk_length] = True
    n_missed = int((~heard).sum())
    assert n_missed < NEGLIGIBLE * chunk_length or n_missed == 0
    assert heard[: n_samples - n_missed].all()


@pytest.mark.parametrize(
    ("n_samples", "expected"),
    [
        (0, []),
        (1, [0]),
        (999, [0]),
        (1_000, [0]),
        (1_009, [0]),  # less than 1 % behind the chunk
        (1_010, [0, 10]),
        (1_500, [0, 500]),
        (1_505, [0, 500]),
        (2_000, [0, 500, 1_000]),
        (2_300, [0, 500, 1_000, 1_300]),
    ],
)
def test_starts_by_example(n_samples: int, expected: list[int]) -> None:
    assert starts(n_samples, 1_000, 500) == expected


def test_a_hop_beyond_the_chunk_leaves_gaps() -> None:
    assert starts(1_000, 100, 400) == [0, 400, 800, 900]


def test_short_sound_is_repeated() -> None:
    [(start, chunk)] = cut_chunks(np.array([1, 2, 3], np.float32), 8, 4)
    assert (start, chunk.tolist()) == (0, [1, 2, 3, 1, 2, 3, 1, 2])


def test_chunks_are_copies() -> None:
    """What is done to a chunk does not reach the next one."""
    chunker = Chunker(4, 2)
    result = []
    for block in (counting(6), counting(6)):
        for _, chunk in chunker.add(block):
            result.append(chunk.copy())
            chunk[:] = -1
    assert not any((chunk == -1).any() for chunk in result)


def test_memory_is_flat() -> None:
    chunker = Chunker(3_000, 1_500)
    block = np.zeros(24_000, np.float32)

    def feed(n_blocks: int) -> int:
        tracemalloc.start()
        for _ in range(n_blocks):
            for _ in chunker.add(block):
                pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    assert feed(400) < 1.5 * feed(4) < 2_000_000


def test_wrong_input() -> None:
    with pytest.raises(ValueError, match="must be at least 1 sample, got 0 and 5"):
        Chunker(0, 5)
    with pytest.raises(ValueError, match="must be at least 1 sample, got 5 and 0"):
        Chunker(5, 0)
    with pytest.raises(ShapeError, match=r"must have shape \(n_samples,\), got \(2, 8\); mix it to mono"):
        list(Chunker(5, 5).add(np.zeros((2, 8), np.float32)))

"""A delta gives back every byte, and is small where the files have much in common."""

import io
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from taggram.library.file_tags.delta import Delta, Run, compute_delta, pack, restore, unpack

MEBIBYTE = 1 << 20


def delta_of(before: bytes, after: bytes) -> Delta:
    return compute_delta(io.BytesIO(before), io.BytesIO(after))


def give_back(delta: Delta, after: bytes) -> bytes:
    return b"".join(restore(delta, io.BytesIO(after)))


def n_own_bytes(delta: Delta) -> int:
    return sum(len(piece) for piece in delta if isinstance(piece, bytes))


@given(pieces=st.lists(st.binary(max_size=200), max_size=8), data=st.data())
def test_any_file_comes_back(pieces: list[bytes], data: st.DataObject) -> None:
    kept = data.draw(st.permutations(pieces))[: data.draw(st.integers(0, 8))]
    before, after = b"".join(pieces), b"".join(kept)
    delta = unpack(json.loads(json.dumps(pack(delta_of(before, after)))))
    assert give_back(delta, after) == before


def test_a_file_is_itself(rng: np.random.Generator) -> None:
    data = rng.bytes(3 * MEBIBYTE)
    assert delta_of(data, data) == (Run(0, len(data)),)
    assert delta_of(b"", data) == ()
    assert delta_of(data[:100], b"") == (data[:100],)


def test_what_moved_is_not_stored(rng: np.random.Generator) -> None:
    """As where tags grow in front of a picture, padding shrinks, and the sound moves."""
    picture, sound = rng.bytes(300_000), rng.bytes(5 * MEBIBYTE)
    before = b"head" + b"old genre" + picture + bytes(5000) + sound + b"tail" * 10
    after = b"head" + b"a much longer genre" + picture + bytes(2000) + sound + b"new!" * 10
    delta = delta_of(before, after)
    assert give_back(delta, after) == before
    assert n_own_bytes(delta) < 200


def test_numbers_on_every_page_are_all_that_is_stored(rng: np.random.Generator) -> None:
    """As where an Ogg file gets one more page in front, and all others their new number and checksum."""
    pages = [rng.bytes(4000) for _ in range(200)]

    def numbered(first: int) -> bytes:
        return b"".join(
            b"OggS" + bytes(10) + (first + i).to_bytes(4, "little") + rng.bytes(4) + page
            for i, page in enumerate(pages)
        )

    before, after = b"vorbis" + numbered(2), b"vorbis" + rng.bytes(4096) + numbered(3)
    delta = delta_of(before, after)
    assert give_back(delta, after) == before
    assert n_own_bytes(delta) < 200 * 12


def test_nothing_in_common_is_stored_whole(rng: np.random.Generator) -> None:
    before, after = rng.bytes(200_000), rng.bytes(200_000)
    delta = delta_of(before, after)
    assert n_own_bytes(delta) == len(before)
    assert give_back(delta, after) == before

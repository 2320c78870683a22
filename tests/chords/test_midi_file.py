"""Standard MIDI files."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taggram.chords.midi_file import TICKS_PER_SECOND, Note, read_midi, write_midi

notes_of_one_pitch_each = st.lists(
    st.tuples(
        st.integers(0, 50_000),
        st.integers(1, 5000),
        st.integers(0, 127),
        st.integers(1, 127),
        st.integers(0, 15),
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda note: (note[2], note[4]),
)


@settings(max_examples=40)
@given(notes_of_one_pitch_each)
def test_what_is_written_is_read(drawn: list[tuple[int, int, int, int, int]]) -> None:
    notes = [
        Note(start / TICKS_PER_SECOND, (start + length) / TICKS_PER_SECOND, pitch, velocity, channel)
        for start, length, pitch, velocity, channel in drawn
    ]
    (track,) = read_midi(write_midi(notes, programs={0: 5}, texts=[(0.5, "Bbm7")], name="chords"))
    assert track.name == "chords"
    np.testing.assert_allclose(np.array(sorted(track.notes)), np.array(sorted(notes)), atol=1e-9)


def test_repeated_notes_do_not_swallow_each_other() -> None:
    notes = [Note(0.0, 0.5, 60), Note(0.5, 1.0, 60)]
    (track,) = read_midi(write_midi(notes))
    np.testing.assert_allclose(np.array(track.notes), np.array(notes))


def test_tempo_changes_and_running_status() -> None:
    """A quarter at 120, then one at 60 beats a minute; the second note's status is left out."""
    events = (
        b"\x00\xff\x51\x03\x07\xa1\x20"  # 500 000 µs per beat
        b"\x00\x90\x3c\x40"
        b"\x60\x3c\x00"  # 96 ticks later, running status, velocity 0: the note ends
        b"\x00\xff\x51\x03\x0f\x42\x40"  # 1 000 000 µs per beat
        b"\x00\x90\x40\x40"
        b"\x60\x80\x40\x00"
        b"\x00\xff\x2f\x00"
    )
    data = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, 96) + struct.pack(">4sI", b"MTrk", len(events)) + events
    (track,) = read_midi(data)
    assert [(note.start, note.end) for note in track.notes] == [(0.0, 0.5), (0.5, 1.5)]


@pytest.mark.parametrize("data", [b"", b"RIFF" + bytes(20), write_midi([Note(0, 1, 60)])[:-3]])
def test_what_is_no_midi_file_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="MIDI file"):
        read_midi(data)

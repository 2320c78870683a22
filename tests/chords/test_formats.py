"""Every form of the output says the same."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from taggram.chords.formats import FORMATS, write_jams, write_json, write_lab, write_midi_chords, write_table
from taggram.chords.harte import QUALITIES, parse_chord
from taggram.chords.midi_file import read_midi
from taggram.chords.result import ChordResult, ChordSegment, Key
from taggram.lab.datasets._chords import read_segments

CHORDS = (
    ChordSegment(0.0, 1.5, -1, "", 0, 0.9),
    ChordSegment(1.5, 4.0, 10, "maj", 4, 0.8),
    ChordSegment(4.0, 5.25, 7, "min7", 0, 0.3),
    ChordSegment(5.25, 61.0, 5, "hdim7", 0, 0.7),
)
SONG = ChordResult(
    CHORDS, 61.0, Key(10, "major", 0.4), -12.0, "full", "chords", path="so\udce4ng.mp3", message="cut off."
)


def test_lab_files_are_read_by_the_readers_of_datasets(tmp_path: Path) -> None:
    path = tmp_path / "song.lab"
    path.write_bytes(write_lab(SONG))
    segments = read_segments(path)
    assert [(s.start, s.end, s.label) for s in segments] == [
        (0.0, 1.5, "N"),
        (1.5, 4.0, "Bb:maj/3"),
        (4.0, 5.25, "G:min7"),
        (5.25, 61.0, "F:hdim7"),
    ]


def test_json_holds_everything() -> None:
    document = json.loads(write_json(SONG))
    assert document["schema"] == "taggram-chords/1"
    assert document["path"] == SONG.path
    assert document["key"]["name"] == "Bb major"
    assert document["tuning_cents"] == -12.0
    assert [chord["name"] for chord in document["chords"]] == ["N.C.", "Bb/D", "Gm7", "Fm7b5"]
    assert [chord["confidence"] for chord in document["chords"]] == [0.9, 0.8, 0.3, 0.7]
    for chord, said in zip(CHORDS, document["chords"], strict=True):
        assert (said["start"], said["end"]) == (chord.start, chord.end)
        assert parse_chord(said["label"]) is not None


def test_jams_follows_the_schema() -> None:
    document = json.loads(write_jams(SONG))
    chords, key = document["annotations"]
    assert (chords["namespace"], key["namespace"]) == ("chord", "key_mode")
    assert [said["value"] for said in chords["data"]] == ["N", "Bb:maj/3", "G:min7", "F:hdim7"]
    assert [said["time"] + said["duration"] for said in chords["data"]] == [1.5, 4.0, 5.25, 61.0]
    assert key["data"][0]["value"] == "Bb:major"
    assert document["file_metadata"]["jams_version"] == "0.3.4"


def test_midi_plays_the_chords() -> None:
    (track,) = read_midi(write_midi_chords(SONG))
    for chord in CHORDS:
        sounding = [n for n in track.notes if n.start <= chord.start + 0.5 < n.end]
        if chord.is_nothing:
            assert not sounding
            continue
        upper = {n.pitch % 12 for n in sounding if n.channel == 0}
        assert upper == {(chord.root + interval) % 12 for interval in QUALITIES[chord.quality]}
        (bass,) = (n for n in sounding if n.channel == 1)
        assert bass.pitch % 12 == (chord.root + chord.bass) % 12
        assert bass.pitch < min(n.pitch for n in sounding if n.channel == 0)


def test_the_table_is_for_people() -> None:
    text = write_table(SONG).decode()
    assert "1:01" in text
    assert "in Bb major" in text
    assert "A = 437.0 Hz (-12 cents)" in text
    assert "cut off." in text
    assert "0:01.5 Bb/D" in text
    assert "Gm7?" in text
    assert "Bb/D?" not in text
    assert "N.C." in text


@pytest.mark.parametrize("form", FORMATS)
def test_no_chord_at_all_can_be_written(form: str) -> None:
    silence = ChordResult((ChordSegment(0, 2, -1, "", 0, 1.0),), 2.0, None, 0.0, "majmin", "chords")
    assert FORMATS[form](silence)


def test_times_of_a_chart_never_show_sixty_seconds() -> None:
    rng = np.random.default_rng(0)
    starts = np.sort(np.append(rng.uniform(0, 7300, 300), [59.96, 119.99, 3599.97]))
    chords = tuple(ChordSegment(float(a), float(b), 0, "maj", 0, 1.0) for a, b in pairwise(starts))
    text = write_table(ChordResult(chords, 7300.0, None, 0.0, "majmin", "chords")).decode()
    assert ":60" not in text
    assert "1:00:00.0" in text

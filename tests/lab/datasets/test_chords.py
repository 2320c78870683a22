"""Chord labels and their reduction to 25 classes."""

from pathlib import Path

import pytest

from taggram.lab.datasets._chords import MAJOR_MINOR, labels_in, read_segments, reduce_chord


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("N", "N"),
        ("X", None),
        ("C", "C:maj"),
        ("C/3", "C:maj"),
        ("Cb", "B:maj"),
        ("B#:min", "C:min"),
        ("Gbb", "F:maj"),
        ("F#:min7/b3", "F#:min"),
        ("Bb:maj7(9)", "A#:maj"),
        ("D:7(#9)", "D:maj"),
        ("E:minmaj7", "E:min"),
        ("A:sus4(b7)", None),
        ("A:sus4", None),
        ("A:dim7", None),
        ("A:aug", None),
        ("A:5", None),
        ("Bb:maj(*3)", None),
        ("Ab:min(*b3,*5)", None),
        ("C:(1,5)", None),
    ],
)
def test_reduction(label: str, expected: str | None) -> None:
    assert reduce_chord(label) == expected


@pytest.mark.parametrize("label", ["", "H:maj", "C:", "C:major", "c:maj", "C:maj/", "C maj", "N:maj"])
def test_what_is_no_label_is_an_error(label: str) -> None:
    with pytest.raises(ValueError, match="is no chord label"):
        reduce_chord(label)


def test_transposition_moves_the_class_with_the_root() -> None:
    roots = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
    for quality in ("maj", "min"):
        classes = [reduce_chord(f"{root}:{quality}") for root in roots]
        assert classes == [f"{name}" for name in MAJOR_MINOR if name.endswith(quality)]


def test_segments_are_read_and_errors_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.lab"
    path.write_text("0 1.5 C:maj\n\n1.5\t2 A:min7\n", encoding="utf-8")
    segments = read_segments(path)
    assert [(s.start, s.end, s.label) for s in segments] == [(0.0, 1.5, "C:maj"), (1.5, 2.0, "A:min7")]
    assert labels_in(segments) == ("C:maj", "A:min")
    for text, message in (
        ("0 1 C\n1 2", "line 2"),
        ("0 x C", "line 1"),
        ("2 1 C", "ends before it starts"),
        ("0 1 Q", "'Q' is no chord label"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            read_segments(path)


def test_shared_annotations_are_all_understood(shared: Path) -> None:
    """McGill Billboard uses the whole syntax; our reader must know every label in it."""
    files = sorted((shared / "music" / "billboard").glob("*.lab"))
    if not files:
        pytest.skip("the Billboard annotations are not on this machine")
    labels = {line.split()[2] for path in files for line in path.read_text().splitlines() if line.strip()}
    assert len(labels) > 500
    assert {reduce_chord(label) for label in labels} == {*MAJOR_MINOR, None}

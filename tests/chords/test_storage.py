"""What is kept of a sound's chords is what was heard."""

from dataclasses import replace

from taggram.chords.formats import FORMATS
from taggram.chords.result import ChordResult
from taggram.chords.storage import Charts, pack_charts, unpack_charts
from taggram.chords.vocabulary import VOCABULARIES
from tests.chords.test_formats import SONG


def charts() -> Charts:
    names = tuple(VOCABULARIES)
    return {name: replace(SONG, vocabulary=name, message=f"in {name}") for name in names}


def test_every_form_says_the_same_of_what_was_kept() -> None:
    kept = unpack_charts(pack_charts(charts()))
    assert list(kept) == list(VOCABULARIES)
    for name, chart in charts().items():
        assert kept[name].path is None, "where a file lies is nobody's business"
        restored = replace(kept[name], path=chart.path)
        for write in FORMATS.values():
            assert write(restored) == write(chart)


def test_a_sound_without_key_and_chords() -> None:
    nothing = replace(SONG, chords=(), key=None, path=None)
    assert unpack_charts(pack_charts({"full": nothing})) == {"full": nothing}


def test_two_hours_are_small() -> None:
    chords = tuple(
        replace(chord, start=2.0 * n, end=2.0 * n + 2, confidence=0.5 + n % 40 / 100, root=n * 7 % 12)
        for n, chord in enumerate(SONG.chords * 900)
    )
    long: dict[str, ChordResult] = {"full": replace(SONG, chords=chords, path=None)}
    assert len(pack_charts(long)) < 100_000  # type: ignore[arg-type]

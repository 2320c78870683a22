"""The taggram picture: the right pixels in the right order, for any input."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from taggram.errors import ShapeError
from taggram.modelfile.specification import Category, Tag
from taggram.tags.colours import CATEGORY_HUES, THEMES
from taggram.tags.picture import (
    ChordSpan,
    average_over_columns,
    choose_tags,
    draw_taggram,
    format_time,
    list_ticks,
    write_taggram_picture,
)


def make_tags(**names: list[str]) -> list[Tag]:
    return [Tag(name=name, category=category) for category, group in names.items() for name in group]  # type: ignore[arg-type]


def draw(taggram: Any, tags: list[Tag] | None = None, **options: Any) -> Image.Image:
    taggram = np.asarray(taggram, float)
    tags = tags or make_tags(genre=[f"tag {index}" for index in range(taggram.shape[1])])
    settings: dict[str, Any] = {
        "chunk_times": 3.0 * np.arange(len(taggram)),
        "chunk_duration": 3.0,
        "duration": 3.0 * len(taggram),
        "title": "A song",
    }
    settings |= options
    return draw_taggram(taggram, settings.pop("chunk_times"), tags, **settings)


def read_row(
    image: Image.Image, theme: Any = "light", category: Category = "genre", *, top: float = 1.0
) -> np.ndarray:
    """Read the scores back from the one row of a picture: (n_columns,), by the theme's score map."""
    colours = THEMES[theme].score_map(CATEGORY_HUES[category]).astype(int)
    pixels = np.asarray(image.convert("RGB")).astype(int)
    row = pixels[round((92 + 30 + 10.5) * image.width / 960)]
    error = np.abs(row[:, None] - colours).sum(axis=2)
    inside = np.flatnonzero(error.min(axis=1) == 0)
    inside = inside[(inside > image.width // 8) & (inside < image.width * 0.83)]
    scores: np.ndarray = top * (error.argmin(axis=1)[inside.min() : inside.max() + 1] / 255) ** 1.5
    return scores


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("category", ["genre", "voice"])
def test_pixels_show_the_scores(theme: str, category: Category) -> None:
    taggram = np.array([0.0, 0.1, 0.9, 0.9, 0.3, 0.6])[:, None]
    tags = [Tag(name="the tag", category=category)]
    scores = read_row(draw(taggram, tags, theme=theme), theme, category)
    assert len(scores) > 1000
    middles = ((np.arange(6) + 0.5) / 6 * len(scores)).astype(int)
    # Half a step of the 256 colours is at most 0.003 of a score; a few columns of the rounded ends are not
    # found, and a column is worth up to 0.004 here.
    np.testing.assert_allclose(scores[middles], taggram[:, 0], atol=0.02)
    np.testing.assert_allclose(scores[(middles[1] + middles[2]) // 2], 0.5, atol=0.02)


@pytest.mark.parametrize(("strongest", "top"), [(0.09, 0.1), (0.11, 0.2), (0.5, 0.5), (0.51, 1.0)])
def test_colours_end_at_the_first_round_score_that_is_not_exceeded(strongest: float, top: float) -> None:
    taggram = np.array([[strongest], [strongest], [strongest / 3], [strongest / 3]])
    scores = read_row(draw(taggram), top=top)
    assert scores[len(scores) // 4] == pytest.approx(strongest, rel=0.02)
    assert scores[-len(scores) // 6] == pytest.approx(strongest / 3, rel=0.04)


def test_the_page_shows_through_gaps() -> None:
    image = draw([[0.5], [0.5]], chunk_times=np.array([0.0, 8.0]), duration=11.0)
    pixels = np.asarray(image)[round((92 + 30 + 10.5) * 2)]
    is_page = (pixels == THEMES["light"].page).all(axis=1)
    heat = np.flatnonzero((pixels == THEMES["light"].score_map(CATEGORY_HUES["genre"])[255]).all(axis=1))
    left, right = heat.min(), heat.max()
    assert is_page[left + int((right - left) * 0.35) : left + int((right - left) * 0.65)].mean() > 0.95
    assert not is_page[left : left + int((right - left) * 0.25)].any()


@pytest.mark.parametrize(("width", "n_tags"), [(1920, 3), (960, 10), (480, 1)])
def test_size(width: int, n_tags: int) -> None:
    image = draw(np.full((4, n_tags), 0.5), width=width)
    assert image.mode == "RGB"
    assert image.width == width
    taller = draw(np.full((4, n_tags + 1), 0.5), width=width)
    assert taller.height - image.height == round(21 * width / 960) + round(2 * width / 960)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_page_colour(theme: Any) -> None:
    image = draw([[0.5]], theme=theme)
    assert image.getpixel((0, 0)) == image.getpixel((image.width - 1, image.height - 1)) == THEMES[theme].page


def test_same_input_same_picture() -> None:
    taggram = np.random.default_rng(0).random((20, 5))
    assert draw(taggram).tobytes() == draw(taggram).tobytes()
    assert draw(taggram).tobytes() != draw(taggram[::-1]).tobytes()


def test_the_category_is_not_repeated_in_the_name() -> None:
    long, short = (draw([[0.5]], make_tags(genre=[name])) for name in ("genre---rock", "rock"))
    assert long.tobytes() == short.tobytes()
    assert draw([[0.5]], make_tags(genre=["pop"])).tobytes() != short.tobytes()


def test_clip_scores_draw_the_bars() -> None:
    bar = np.array(THEMES["light"].category_colour("genre"))

    def bar_length(score: float) -> int:
        pixels = np.asarray(draw([[0.9]], clip_scores=np.array([score])))
        row = pixels[round((92 + 30 + 10.5) * 2), round(1920 * 0.84) :]
        return int((row == bar).all(axis=1).sum())

    lengths = [bar_length(score) for score in (0.2, 0.4, 0.8)]
    assert lengths[1] / lengths[0] == pytest.approx(2, rel=0.1)
    assert lengths[2] / lengths[0] == pytest.approx(4, rel=0.1)


def test_order_is_by_category_then_by_falling_score() -> None:
    tags = make_tags(other=["slow"], instrument=["drums", "piano"], genre=["folk", "rock"])
    scores = np.array([[0.9, 0.2, 0.3, 0.1, 0.4]])
    chosen = choose_tags(scores, scores[0], tags, max_tags=12)
    assert [tags[index].name for index in chosen] == ["rock", "folk", "piano", "drums", "slow"]


def test_a_tag_that_is_clear_once_goes_before_one_that_is_always_faint() -> None:
    taggram = np.full((10, 2), 0.09)
    taggram[:, 1] = 0.0
    taggram[4, 1] = 0.9
    assert choose_tags(taggram, taggram.mean(axis=0), make_tags(mood=["faint", "once"]), max_tags=1) == [1]


def test_one_category_cannot_take_every_row() -> None:
    tags = make_tags(genre=[f"genre {index}" for index in range(20)], mood=["sad"], voice=["choir"])
    scores = np.r_[np.linspace(0.9, 0.5, 20), 0.1, 0.2]
    chosen = choose_tags(scores[None], scores, tags, max_tags=5)
    assert [tags[index].name for index in chosen] == ["genre 0", "genre 1", "genre 2", "sad", "choir"]
    assert len(choose_tags(scores[None], scores, tags, max_tags=12)) == 12


@pytest.mark.parametrize("n_columns", [1, 7, 100, 1300])
def test_columns_keep_the_integral_over_time(n_columns: int) -> None:
    rng = np.random.default_rng(1)
    taggram, times = rng.random((500, 3)), np.arange(500) * 0.5
    columns = average_over_columns(taggram, times, chunk_duration=3.0, duration=252.5, n_columns=n_columns)
    assert columns.shape == (n_columns, 3)
    # Independent: the mean of a million samples of the same lines.
    instants = (np.arange(1_000_000) + 0.5) * 252.5 / 1_000_000
    sampled = [np.interp(instants, times + 1.5, scores).mean() for scores in taggram.T]
    np.testing.assert_allclose(columns.mean(axis=0), sampled, atol=1e-6)


def test_columns_of_ten_hours() -> None:
    times = np.arange(0, 36_000, 0.5)
    taggram = (times >= 18_000).astype(float)[:, None]
    columns = average_over_columns(taggram, times, chunk_duration=3.0, duration=36_000, n_columns=1000)
    assert columns[:499].max() == 0
    assert columns[502:].min() == pytest.approx(1)


@pytest.mark.parametrize("duration", [0.4, 1, 5, 31, 254, 3599, 3600, 36_000, 400_000])
def test_ticks_are_round_even_and_few(duration: float) -> None:
    ticks = list_ticks(duration, at_most=10)
    assert 1 <= len(ticks) <= 11
    assert ticks[0] == 0
    assert ticks[-1] <= duration + 0.001
    assert len({round(b - a, 6) for a, b in pairwise(ticks)}) <= 1
    assert all(tick == int(tick) for tick in ticks)
    assert len(ticks) >= 4 or duration < 5


def test_times() -> None:
    assert [format_time(t) for t in (0, 5.4, 59.6, 600, 3599.9, 36_000)] == [
        *("0:00", "0:05", "1:00", "10:00", "1:00:00", "10:00:00")
    ]


@pytest.mark.parametrize("duration", [1.0, 5.0, 254.0, 3600.0, 36_000.0])
@pytest.mark.parametrize("n_chunks", [1, 2, 3000])
def test_any_length(duration: float, n_chunks: int) -> None:
    times = np.arange(n_chunks) * duration / n_chunks
    image = draw(np.full((n_chunks, 2), 0.3), chunk_times=times, duration=duration, width=600)
    assert image.width == 600


def test_odd_names() -> None:
    names = ["🎵", "x" * 500, "東京の夜", "a\nb", " ", "مرحبا"]
    image = draw(
        np.full((2, len(names)), 0.5), make_tags(mood=names), title="\udcff" * 300 + "🎸", model="é" * 300
    )
    assert image.width == 1920


@pytest.mark.parametrize(
    ("taggram", "options", "message"),
    [
        ([[np.nan]], {}, "finite scores"),
        ([[1.5]], {}, "sigmoid"),
        ([[-3.0]], {}, "sigmoid"),
        (np.zeros((0, 1)), {}, "at least 1 chunk"),
        ([[0.1], [0.1]], {"chunk_times": np.array([0.0])}, "chunk_times must be"),
        ([[0.1], [0.1]], {"chunk_times": np.array([3.0, 3.0])}, "increasing"),
        ([[0.1]], {"chunk_times": np.array([np.inf])}, "finite"),
        ([[0.1]], {"clip_scores": np.array([0.1, 0.2])}, "one per tag"),
        ([[0.1]], {"clip_scores": np.array([np.nan])}, "clip_scores must be finite"),
    ],
)
def test_wrong_arrays_are_refused(taggram: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        draw(taggram, make_tags(genre=["rock"]), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": 0.0}, "positive seconds"),
        ({"duration": float("nan")}, "positive seconds"),
        ({"chunk_duration": -1.0}, "positive seconds"),
        ({"theme": "sepia"}, "theme must be one of light, dark"),
        ({"max_tags": 0}, "max_tags"),
        ({"width": 100}, "width"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw([[0.5]], **options)


def test_written_picture_is_the_picture(tmp_path: Path) -> None:
    picture = draw([[0.5, 0.2]])
    path = tmp_path / "a song 🎵.png"
    write_taggram_picture(picture, path)
    with Image.open(path) as read:
        assert read.format == "PNG"
        assert read.tobytes() == picture.tobytes()
    (tmp_path / "other").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
    assert len(list(tmp_path.iterdir())) == 2


def test_failed_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "song.png"
    path.write_bytes(b"the old one")

    def fail(self: Image.Image, stream: Any, **_: Any) -> None:
        stream.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        write_taggram_picture(draw([[0.5]]), path)
    assert path.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_the_chord_lane_shows_each_chord_in_the_colour_of_its_root() -> None:
    chords = [
        ChordSpan(0.0, 6.0, "C", 0),
        ChordSpan(6.0, 9.0, "Am", 9, is_minor=True),
        ChordSpan(9.0, 12.0, "N.C.", -1),
        ChordSpan(12.0, 18.0, "C", 0),
    ]
    plain = draw(np.full((6, 1), 0.5))
    picture = draw(np.full((6, 1), 0.5), chords=chords)
    rows_above = 92 + 30 + 21
    assert picture.height - plain.height == pytest.approx((30 + 21 + 2) * 2, abs=2)
    assert np.array_equal(np.asarray(picture)[: rows_above * 2], np.asarray(plain)[: rows_above * 2])
    lane = np.asarray(picture)[round((rows_above + 2 + 30 + 3) * 2)].astype(int)
    left = (36 + 90 + 16) * 2
    right = picture.width - (36 + 124) * 2
    seen = [tuple(lane[round(left + (right - left) * t / 18.0)]) for t in (2.5, 7.5, 10.5, 16.5)]
    assert seen[0] == seen[3]
    assert seen[2] == THEMES["light"].page
    assert len(set(seen)) == 3


def test_chords_beyond_the_sound_and_very_short_ones_do_no_harm() -> None:
    chords = [ChordSpan(t / 100, (t + 1) / 100, "Bbm7b5/Db", t % 12) for t in range(2500)]
    assert (
        draw(np.full((6, 1), 0.5), chords=chords).size == draw(np.full((6, 1), 0.5), chords=chords[:1]).size
    )

"""Text on the picture: any character, shortened to fit."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from taggram.tags import lettering as lettering_module
from taggram.tags.lettering import Lettering


def write(text: str, *, spacing: float = 0.0) -> np.ndarray:
    image = Image.new("RGB", (600, 60), (255, 255, 255))
    Lettering(ImageDraw.Draw(image), 24, spacing).write(text, (10, 40), fill=(0, 0, 0))
    return np.asarray(image)


@pytest.mark.parametrize(
    "text",
    ["", "плохая", "東京", "🎵🎸", "a\nb\tc", "\udcff.mp3", "مرحبا", "\u200d\ufe0f", "\x00", "\U0010ffff"],
)
@pytest.mark.parametrize("spacing", [0.0, 2.0])
def test_any_text_can_be_written(text: str, spacing: float) -> None:
    assert write(text, spacing=spacing).shape == (60, 600, 3)


def test_ink_lies_where_width_says() -> None:
    ruler = Lettering(ImageDraw.Draw(Image.new("RGB", (1, 1))), 24)
    inked = np.flatnonzero((write("Taggram") < 128).any(axis=(0, 2)))
    assert abs(inked[0] - 10) <= 3
    assert abs(inked[-1] - 10 - ruler.width("Taggram")) <= 3


def test_alignment_moves_the_ink() -> None:
    image = Image.new("L", (400, 40), 0).convert("RGB")
    Lettering(ImageDraw.Draw(image), 20).write("right", (390, 30), fill=(255, 255, 255), align="right")
    inked = np.flatnonzero(np.asarray(image).any(axis=(0, 2)))
    assert 385 <= inked[-1] <= 391
    assert inked[0] > 300


def test_accents_are_drawn_as_letters_without_them_where_no_font_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lettering_module, "_installed_fonts", tuple)
    lettering_module._glyphs.cache_clear()
    try:
        np.testing.assert_array_equal(write("Étude"), write("Etude"))
        assert (write("Etude") != write("tude")).any()
    finally:
        lettering_module._glyphs.cache_clear()


def test_composed_and_decomposed_accents_look_the_same() -> None:
    np.testing.assert_array_equal(write("caf\u00e9"), write("cafe\u0301"))


def test_shortened_text_fits_and_is_as_long_as_possible() -> None:
    ruler = Lettering(ImageDraw.Draw(Image.new("RGB", (1, 1))), 20)
    text = "a rather long title of a recording"
    for room in (40.0, 100.0, 200.0):
        short = ruler.shorten(text, room)
        kept = short.removesuffix("…")
        assert short.endswith("…")
        assert ruler.width(short) <= room
        assert ruler.width(text[: len(kept) + 2] + "…") > room
    assert ruler.shorten(text, 1000.0) == text

"""The colours of the picture: even steps of lightness, and the same strength in every category."""

import numpy as np
import pytest

from taggram.modelfile.specification import CATEGORIES
from taggram.tags.colours import CATEGORY_HUES, THEMES, Theme, oklch_to_srgb


def oklab_lightness(srgb: np.ndarray) -> np.ndarray:
    """Return OKLab lightness by Ottosson's forward equations; the module has the inverse."""
    encoded = srgb / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    to_lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    lightness: np.ndarray = np.cbrt(linear @ to_lms.T) @ [0.2104542553, 0.7936177850, -0.0040720468]
    return lightness


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
@pytest.mark.parametrize("category", CATEGORIES)
def test_lightness_of_a_score_map_is_linear(theme: Theme, category: str) -> None:
    lightness = oklab_lightness(theme.score_map(CATEGORY_HUES[category]))  # type: ignore[index]
    first, last = theme.map_lightness
    # 0.01 is one or two steps of an 8-bit channel in the dark.
    np.testing.assert_allclose(lightness, np.linspace(first, last, 256), atol=0.01)


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_categories_differ_in_hue(theme: Theme) -> None:
    colours = {theme.category_colour(category) for category in CATEGORIES}
    assert len(colours) == len(CATEGORIES)
    maps = {theme.score_map(CATEGORY_HUES[category]).tobytes() for category in CATEGORIES}
    assert len(maps) == len(CATEGORIES)


def test_grey_map_has_no_hue() -> None:
    colours = THEMES["dark"].score_map(None).astype(int)
    assert np.ptp(colours, axis=1).max() <= 1


def test_known_colours() -> None:
    # Ottosson's own figures for the corners of sRGB.
    np.testing.assert_array_equal(oklch_to_srgb(1.0, 0.0, 0.0), [255, 255, 255])
    np.testing.assert_allclose(oklch_to_srgb(0.62796, 0.25768, 29.234), [255, 0, 0], atol=1)


def test_chroma_beyond_the_screen_is_reduced_and_not_cut() -> None:
    vivid = oklch_to_srgb(0.5, 2.0, 262)
    assert oklab_lightness(vivid) == pytest.approx(0.5, abs=0.01)

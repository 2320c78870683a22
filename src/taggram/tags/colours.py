"""Colours of the taggram picture, for a light and a dark page.

Every colour is made in OKLab (Björn Ottosson, "A perceptual color space for image processing", 2020),
where equal steps of lightness look equal. A score map runs from the page's colour for 0 to the
strongest contrast for 1 with lightness linear in the mapped value; all maps tried the same lightness and
differ only in hue, so that equal scores of two categories look equally strong.

Conventions: lightness in [0, 1], chroma from 0 (grey) to about 0.3, hue in degrees; colours come out
as sRGB bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from taggram.modelfile.specification import Category

ThemeName = Literal["light", "dark"]
Colour = tuple[int, int, int]

CATEGORY_HUES: Mapping[Category, float] = {
    "genre": 262,
    "mood": 340,
    "instrument": 158,
    "voice": 48,
    "decade": 95,
    "other": 215,
}

_OKLAB_TO_LMS = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
_LMS_TO_LINEAR_SRGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@dataclass(frozen=True)
class Theme:
    """One page: what lies behind, what is written on it, and how a score is coloured.

    Attributes
    ----------
    page, panel, ink, muted, line
        Background, empty track of a score bar, text, secondary text, thin rules.
    heading
        Lightness and chroma of a category's colour.
    map_lightness
        Lightness of the scores 0 and 1.
    map_chroma
        Chroma of the mapped values 0, 1/3, 2/3 and 1: weak scores stay close to the page.
    """

    page: Colour
    panel: Colour
    ink: Colour
    muted: Colour
    line: Colour
    heading: tuple[float, float]
    map_lightness: tuple[float, float]
    map_chroma: tuple[float, float, float, float]

    def category_colour(self, category: Category) -> Colour:
        """Return the colour of a category's heading and bars."""
        lightness, chroma = self.heading
        red, green, blue = oklch_to_srgb(lightness, chroma, CATEGORY_HUES[category])
        return int(red), int(green), int(blue)

    def chord_colour(self, root: int, *, is_minor: bool) -> Colour:
        """Return the colour of a chord, on which ink can be read: along the circle of fifths, minor stronger.

        `root` is a pitch class from C.
        """
        first, last = self.map_lightness
        lightness = first + (last - first) * (0.38 if is_minor else 0.22)
        red, green, blue = oklch_to_srgb(lightness, 0.09, 30.0 * (root * 7 % 12))
        return int(red), int(green), int(blue)

    def score_map(self, hue: float | None, n_colours: int = 256) -> np.ndarray:
        """Return the colours of evenly spaced values from 0 to 1, in greys if there is no hue.

        Returns
        -------
        shape (n_colours, 3), uint8
        """
        value = np.linspace(0, 1, n_colours)
        first, last = self.map_lightness
        lightness = first + (last - first) * value
        if hue is None:
            return oklch_to_srgb(lightness, 0.0, 0.0)
        # One cubic through the four points: a bend in chroma would show as a line across the picture.
        chroma = np.polyval(np.polyfit(np.arange(4) / 3, self.map_chroma, 3), value)
        return oklch_to_srgb(lightness, np.maximum(chroma, 0.0), hue)


def oklch_to_srgb(
    lightness: np.ndarray | float, chroma: np.ndarray | float, hue: np.ndarray | float
) -> np.ndarray:
    """Convert OKLab colours in polar form to sRGB bytes, with less chroma where the screen has no more.

    Returns
    -------
    shape (…, 3), uint8
    """
    lightness, chroma, hue = np.broadcast_arrays(
        np.asarray(lightness, float), np.asarray(chroma, float), np.radians(hue)
    )
    least, most = np.zeros(chroma.shape), chroma.copy()
    tried = chroma
    for _ in range(20):  # bisection; a full step is tried first
        linear = _oklab_to_linear_srgb(lightness, tried * np.cos(hue), tried * np.sin(hue))
        fits = ((linear >= -1e-4) & (linear <= 1 + 1e-4)).all(axis=-1)
        least, most = np.where(fits, tried, least), np.where(fits, most, tried)
        tried = (least + most) / 2
    linear = _oklab_to_linear_srgb(lightness, least * np.cos(hue), least * np.sin(hue))
    linear = np.clip(linear, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    srgb: np.ndarray = np.round(encoded * 255).astype(np.uint8)
    return srgb


def _oklab_to_linear_srgb(lightness: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    cone_response = (np.stack([lightness, a, b], axis=-1) @ _OKLAB_TO_LMS.T) ** 3
    result: np.ndarray = cone_response @ _LMS_TO_LINEAR_SRGB.T
    return result


THEMES: Mapping[ThemeName, Theme] = {
    "light": Theme(
        page=(255, 255, 255),
        panel=(237, 239, 244),
        ink=(28, 32, 44),
        muted=(110, 117, 134),
        line=(216, 220, 228),
        heading=(0.55, 0.17),
        map_lightness=(0.97, 0.33),
        map_chroma=(0.008, 0.075, 0.15, 0.12),
    ),
    "dark": Theme(
        page=(13, 16, 23),
        panel=(32, 37, 49),
        ink=(232, 235, 242),
        muted=(140, 148, 167),
        line=(48, 54, 68),
        heading=(0.78, 0.13),
        map_lightness=(0.215, 0.95),
        map_chroma=(0.02, 0.09, 0.145, 0.06),
    ),
}

"""Write any Unicode text on a picture with the fonts at hand, and never fail over a character.

Pillow brings one scalable font with little more than ASCII in it. A character that it lacks is taken
from the first well-known system font that has it; failing that it loses its accents ("é" → "e"); and
if it is still unknown the font's own box for a missing character is drawn. So a picture whose text is
plain is the same on every machine, and another one is as good as the machine's fonts.

Conventions: positions and widths in pixels; a position is the left or right end of the base line.
"""

import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Literal

from PIL import ImageDraw, ImageFont

# Searched in this order in the system's font folders; broad coverage first, then scripts, then symbols.
_SYSTEM_FONTS = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "segoeui.ttf", "Arial Unicode.ttf", "Arial.ttf"),
    *("NotoSansCJK-Regular.ttc", "msyh.ttc", "YuGothM.ttc", "malgun.ttf", "Hiragino Sans GB.ttc"),
    *("AppleSDGothicNeo.ttc", "Symbola.ttf", "seguisym.ttf", "Apple Symbols.ttf"),
)
_ELLIPSIS = "…"  # the built-in font has it


@dataclass(frozen=True)
class Lettering:
    """One size of text on one drawing.

    Attributes
    ----------
    draw
        Where to write.
    size
        Height of the letters in pixels, as fonts count it.
    spacing
        Pixels added between letters; for short headings.
    weight
        Pixels by which strokes are thickened: the built-in font has one weight only.
    """

    draw: ImageDraw.ImageDraw
    size: float
    spacing: float = 0.0
    weight: float = 0.0

    def write(
        self,
        text: str,
        position: tuple[float, float],
        *,
        fill: tuple[int, int, int],
        align: Literal["left", "centre", "right"] = "left",
    ) -> None:
        """Write one line; `position` is where its left end, centre or right end meets the base line."""
        left, base_line = position
        left -= self.width(text) * {"left": 0.0, "centre": 0.5, "right": 1.0}[align]
        for font, piece in self._pieces(text):
            self.draw.text(
                (left, base_line), piece, fill=fill, font=font, anchor="ls", stroke_width=self.weight
            )
            left += font.getlength(piece) + self.spacing

    def width(self, text: str) -> float:
        """Return the width of one line of text."""
        widths = [font.getlength(piece) + self.spacing for font, piece in self._pieces(text)]
        return sum(widths) - self.spacing if widths else 0.0

    def shorten(self, text: str, max_width: float) -> str:
        """Return `text`, cut and ended with "…" if it is wider than `max_width`."""
        if self.width(text) <= max_width:
            return text
        fits, too_long = 0, len(text)
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if self.width(text[:middle].rstrip() + _ELLIPSIS) <= max_width:
                fits = middle
            else:
                too_long = middle
        return text[:fits].rstrip() + _ELLIPSIS

    def _pieces(self, text: str) -> list[tuple[ImageFont.FreeTypeFont, str]]:
        """Split `text` into runs of one font each, or into single letters if they are spaced."""
        characters = unicodedata.normalize("NFC", text)  # some file systems store "e" and its accent apart
        glyphs = [glyph for character in characters for glyph in _glyphs(character)]
        if self.spacing:
            return [(_font(name, self.size), character) for name, character in glyphs]
        runs = groupby(glyphs, key=lambda glyph: glyph[0])
        return [(_font(name, self.size), "".join(character for _, character in run)) for name, run in runs]


@cache
def _glyphs(character: str) -> tuple[tuple[str, str], ...]:
    """Return (font name, character) pairs to draw for one character; "" is the built-in font."""
    kind = unicodedata.category(character)
    if kind == "Cf" or "\ufe00" <= character <= "\ufe0f":  # joiners, directions, variants: invisible
        return ()
    if character.isspace():
        return (("", " "),)
    if kind in ("Cc", "Cs"):  # control characters, and the undecodable bytes of a file name
        return (("", "?"),)
    for name in ("", *_installed_fonts()):
        if _has_glyph(name, character):
            return ((name, character),)
    plain = [part for part in unicodedata.normalize("NFKD", character) if _has_glyph("", part)]
    return tuple(("", part) for part in plain or [character])


@cache
def _has_glyph(name: str, character: str) -> bool:
    font = _font(name, 20.0)
    missing, mask = font.getmask("\uffff"), font.getmask(character)  # U+FFFF is in no font
    return (mask.size, bytes(mask)) != (missing.size, bytes(missing))


@cache
def _installed_fonts() -> tuple[str, ...]:
    found = []
    for name in _SYSTEM_FONTS:
        with suppress(OSError):  # this machine does not have that font
            _font(name, 20.0)
            found.append(name)
    return tuple(found)


@cache
def _font(name: str, size: float) -> ImageFont.FreeTypeFont:
    if name:
        return ImageFont.truetype(name, size)
    built_in = ImageFont.load_default(size)
    assert isinstance(built_in, ImageFont.FreeTypeFont)  # given a size, it is the scalable one
    return built_in

"""The taggram as a picture: which tags are heard when, and how clearly.

One row is one tag, grouped by category and sorted by clip score, the strongest first; time runs to
the right. Shown are the tags with the largest root mean square over time – a tag that is heard
once but clearly counts – and of one category at most a third of all rows while others have any to show.

A pixel column shows the mean score of its stretch of time, with scores linear between the centres of
chunks; where no chunk lies, the page shows through. Colour follows (score / top)^(2/3), where `top` is the
first of 0.1, 0.2, 0.5 and 1 that no score in the picture exceeds; the legend shows it, and the bars of the
clip scores end there, too. Taggers differ much in how high they score: on one fixed linear scale most of
their pictures would be empty.

Conventions: taggram (n_chunks, n_tags) in [0, 1]; times and durations in seconds; `Box` and all
lengths in pixels of the finished picture.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from taggram.errors import ShapeError
from taggram.modelfile.specification import CATEGORIES, Category, Tag
from taggram.tags.colours import CATEGORY_HUES, THEMES, Colour, Theme, ThemeName
from taggram.tags.lettering import Lettering

_TICK_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
_TOPS = (0.1, 0.2, 0.5, 1.0)
_EXPONENT = 2 / 3
_LEGEND_SHARES = (0.0, 0.1, 0.4, 1.0)  # of the top


class Box(NamedTuple):
    """A rectangle, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Number of pixel columns."""
        return self.right - self.left


class ChordSpan(NamedTuple):
    """One chord of the chord lane.

    Attributes
    ----------
    start, end
        Seconds.
    name
        What is written, if there is room.
    root
        Pitch class from C, which gives the colour; −1 for no chord, which is left blank.
    is_minor
        Whether it is drawn darker (on a light page).
    """

    start: float
    end: float
    name: str
    root: int
    is_minor: bool = False


@dataclass(frozen=True)
class _Row:
    tag: Tag
    clip_score: float
    scores: np.ndarray  # (n_columns,), NaN where no chunk lies


@dataclass(frozen=True)
class _Layout:
    """Lengths that everything on the page shares; `unit` is one unit of the design, 1/960 of the width."""

    width: int
    label_width: float

    @property
    def unit(self) -> float:
        return self.width / 960

    def px(self, length: float) -> int:
        return round(length * self.unit)

    @property
    def margin(self) -> int:
        return self.px(36)

    @property
    def heat_left(self) -> int:
        return self.margin + round(self.label_width) + self.px(16)

    @property
    def heat_right(self) -> int:
        return self.width - self.margin - self.px(124)

    @property
    def header_height(self) -> int:
        return self.px(92)

    @property
    def heading_height(self) -> int:
        return self.px(30)

    @property
    def row_height(self) -> int:
        return self.px(21)

    @property
    def row_gap(self) -> int:
        return self.px(2)

    @property
    def footer_height(self) -> int:
        return self.px(76)


def draw_taggram(
    taggram: np.ndarray,
    chunk_times: np.ndarray,
    tags: Sequence[Tag],
    *,
    chunk_duration: float,
    duration: float,
    title: str,
    model: str = "",
    clip_scores: np.ndarray | None = None,
    chords: Sequence[ChordSpan] = (),
    theme: ThemeName = "light",
    max_tags: int = 24,
    width: int = 1920,
) -> Image.Image:
    """Draw a taggram.

    Parameters
    ----------
    taggram : shape (n_chunks, n_tags), in [0, 1]
        Scores of at least one chunk.
    chunk_times : shape (n_chunks,), strictly increasing
        Start of each chunk; chunks may overlap or leave gaps.
    tags
        The columns of `taggram`.
    chunk_duration, duration
        Length of one chunk, and of the sound.
    title, model
        Name of the song, and of the model that heard it.
    clip_scores : shape (n_tags,), in [0, 1]
        Scores of the whole, at the right end of each row; by default the mean over chunks.
    chords
        What the chord lane below the tags shows; there is none without chords.
    theme
        "light" or "dark".
    max_tags
        Largest number of rows.
    width
        Of the picture; letters and rows grow with it, and the height follows from the number of rows.

    Returns
    -------
    RGB image

    Raises
    ------
    ShapeError
        If the arrays do not fit each other or hold anything but finite numbers in their range.
    ValueError
        If a duration is not positive, there is no such theme, or nothing could be drawn on the size.
    """
    taggram, chunk_times = _check_taggram(taggram, chunk_times, len(tags))
    clip_scores = _check_clip_scores(taggram.mean(axis=0) if clip_scores is None else clip_scores, len(tags))
    _check_options(chunk_duration, duration, theme, max_tags, width)

    chosen = choose_tags(taggram, clip_scores, tags, max_tags=max_tags)
    layout = _layout(width, [_label(tags[index]) for index in chosen])
    columns = average_over_columns(
        taggram[:, chosen],
        chunk_times,
        chunk_duration=chunk_duration,
        duration=duration,
        n_columns=layout.heat_right - layout.heat_left,
    )
    rows = [
        _Row(tags[index], float(clip_scores[index]), columns[:, place]) for place, index in enumerate(chosen)
    ]
    page = _Page.blank(layout, THEMES[theme], rows, _top(rows), has_chords=bool(chords))
    page.draw_header(title, _subtitle(duration, model, len(chunk_times), chunk_duration))
    page.draw_rows(rows)
    page.draw_chords(chords, duration)
    page.draw_time_axis(duration)
    page.draw_footer(f"the {len(rows)} strongest of {len(tags)} tags" if len(rows) < len(tags) else "")
    return page.image


def write_taggram_picture(picture: Image.Image, path: str | Path) -> None:
    """Write a picture as a PNG file, whole or not at all."""
    path = Path(path)
    part = path.with_name(f".{token_hex(8)}.part")
    try:
        with part.open("xb") as stream:
            picture.save(stream, format="PNG", optimize=True)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def choose_tags(
    taggram: np.ndarray, clip_scores: np.ndarray, tags: Sequence[Tag], *, max_tags: int
) -> list[int]:
    """Choose the tags to show and put them in order.

    Returns
    -------
    Columns of `taggram` in the order of the rows: by category in the order of `CATEGORIES`, within one
    by falling clip score.
    """
    strength = np.sqrt(np.mean(np.square(taggram), axis=0))
    strongest_first: list[int] = np.argsort(-strength, kind="stable").tolist()
    share = -(-max_tags // 3)
    n_seen: Counter[Category] = Counter()
    is_beyond_share: dict[int, bool] = {}
    for index in strongest_first:
        n_seen[tags[index].category] += 1
        is_beyond_share[index] = n_seen[tags[index].category] > share
    chosen = sorted(strongest_first, key=is_beyond_share.__getitem__)[:max_tags]
    return sorted(
        chosen, key=lambda index: (CATEGORIES.index(tags[index].category), -clip_scores[index], index)
    )


def average_over_columns(
    taggram: np.ndarray,
    chunk_times: np.ndarray,
    *,
    chunk_duration: float,
    duration: float,
    n_columns: int,
) -> np.ndarray:
    """Return the mean score of each of `n_columns` equal stretches of [0, duration].

    Scores are linear in time between the centres of neighbouring chunks and constant beyond the first and
    the last one; the mean is the exact integral, however many chunks fall into a column.

    Returns
    -------
    shape (n_columns, n_tags); NaN in columns that no chunk touches
    """
    edges = np.linspace(0, duration, n_columns + 1)
    centres = chunk_times + chunk_duration / 2
    knots = np.union1d(centres, edges)
    scores = np.stack([np.interp(knots, centres, column) for column in taggram.T], axis=1)
    areas = np.diff(knots)[:, None] * (scores[1:] + scores[:-1]) / 2
    integral = np.vstack([np.zeros(taggram.shape[1]), np.cumsum(areas, axis=0)])
    at_edges = integral[np.searchsorted(knots, edges)]
    means = np.diff(at_edges, axis=0) / np.diff(edges)[:, None]
    last_start = np.searchsorted(chunk_times, edges[1:], side="left") - 1
    touched = (last_start >= 0) & (chunk_times[np.maximum(last_start, 0)] + chunk_duration > edges[:-1])
    means[~touched] = np.nan
    return means


def list_ticks(duration: float, *, at_most: int) -> list[float]:
    """Return round times from 0 to `duration`, no more than `at_most` steps apart."""
    steps = [step for step in _TICK_STEPS if duration / step <= at_most]
    step = steps[0] if steps else _TICK_STEPS[-1] * int(np.ceil(duration / _TICK_STEPS[-1] / at_most))
    return [float(tick) for tick in np.arange(0, duration + step * 1e-6, step)]


def format_time(seconds: float) -> str:
    """Return "m:ss", or "h:mm:ss" from one hour on.

    >>> format_time(75), format_time(3 * 3600 + 61)
    ('1:15', '3:01:01')
    """
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{whole:02d}" if hours else f"{minutes}:{whole:02d}"


@dataclass(frozen=True)
class _Page:
    layout: _Layout
    theme: Theme
    top: float  # score of the strongest colour and the longest bar
    image: Image.Image
    draw: ImageDraw.ImageDraw

    @classmethod
    def blank(
        cls, layout: _Layout, theme: Theme, rows: Sequence[_Row], top: float, *, has_chords: bool = False
    ) -> "_Page":
        n_groups = len({row.tag.category for row in rows})
        n_rows = len(rows)
        if has_chords:
            n_groups, n_rows = n_groups + 1, n_rows + 1
        height = (
            layout.header_height
            + n_groups * layout.heading_height
            + n_rows * (layout.row_height + layout.row_gap)
            + layout.footer_height
        )
        image = Image.new("RGB", (layout.width, height), theme.page)
        return cls(layout, theme, top, image, ImageDraw.Draw(image))

    def lettering(self, size: float, *, spacing: float = 0.0, weight: float = 0.0) -> Lettering:
        unit = self.layout.unit
        return Lettering(self.draw, size * unit, spacing * unit, weight * unit)

    def draw_header(self, title: str, subtitle: str) -> None:
        px, left, right = self.layout.px, self.layout.margin, self.layout.width - self.layout.margin
        legend = Box(right - px(190), px(38), right, px(48))
        self._draw_legend(legend)
        room = legend.left - left - px(24)
        for text, size, base_line, colour in (
            (title, 25.0, px(56), self.theme.ink),
            (subtitle, 12.5, px(78), self.theme.muted),
        ):
            lettering = self.lettering(size, weight=0.25 if size > 20 else 0.0)
            lettering.write(lettering.shorten(text, room), (left, base_line), fill=colour)

    def _draw_legend(self, box: Box) -> None:
        colours = self.theme.score_map(None)
        self._paste_rounded(colours[np.linspace(0, 255, box.width).astype(int)][None], box, radius=3)
        lettering = self.lettering(10.5)
        for share in _LEGEND_SHARES:
            place = box.left + share**_EXPONENT * (box.width - 1)
            lettering.write(
                f"{share * self.top:g}",
                (place, box.bottom + self.layout.px(14)),
                fill=self.theme.muted,
                align="left" if share == 0 else "right" if share == 1 else "centre",
            )
        caption = "score, to the power 2/3"
        lettering.write(
            caption, (box.right, box.top - self.layout.px(7)), fill=self.theme.muted, align="right"
        )

    def draw_rows(self, rows: Iterable[_Row]) -> None:
        top = self.layout.header_height
        caption = (self.layout.width - self.layout.margin, top + self.layout.px(21))
        self.lettering(10.5).write("clip score", caption, fill=self.theme.muted, align="right")
        for category, group in groupby(rows, key=lambda row: row.tag.category):
            self._draw_heading(category, top)
            top += self.layout.heading_height
            for row in group:
                self._draw_row(row, top)
                top += self.layout.row_height + self.layout.row_gap

    def draw_chords(self, chords: Sequence[ChordSpan], duration: float) -> None:
        """Draw the chord lane above the time axis, its colours along the circle of fifths."""
        if not chords:
            return
        layout, px = self.layout, self.layout.px
        bottom = self.image.height - layout.footer_height - layout.row_gap
        top = bottom - layout.row_height
        self._write_heading("chords", top - layout.heading_height, self.theme.muted)
        width = layout.heat_right - layout.heat_left
        edges = [round(np.clip(chord.start / duration, 0, 1) * width) for chord in chords]
        ends = [round(np.clip(chord.end / duration, 0, 1) * width) for chord in chords]
        strip = np.empty((1, width, 3), np.uint8)
        strip[:] = self.theme.page
        for chord, left, right in zip(chords, edges, ends, strict=True):
            if chord.root >= 0:
                # A thin line of the page parts equal neighbours.
                colour = self.theme.chord_colour(chord.root, is_minor=chord.is_minor)
                strip[:, left : max(left + 1, right - px(1))] = colour
        self._paste_rounded(strip, Box(layout.heat_left, top, layout.heat_right, bottom), radius=3)
        lettering = self.lettering(11)
        for chord, left, right in zip(chords, edges, ends, strict=True):
            if chord.root >= 0 and lettering.width(chord.name) + px(4) <= right - left:
                place = layout.heat_left + (left + right) / 2
                lettering.write(chord.name, (place, bottom - px(6)), fill=self.theme.ink, align="centre")

    def _draw_heading(self, category: Category, top: int) -> None:
        self._write_heading(category, top, self.theme.category_colour(category))

    def _write_heading(self, name: str, top: int, colour: Colour) -> None:
        base_line = top + self.layout.heading_height - self.layout.px(9)
        heading = self.lettering(11, spacing=1.4, weight=0.3)
        heading.write(name.upper(), (self.layout.margin, base_line), fill=colour)

    def _draw_row(self, row: _Row, top: int) -> None:
        layout, px, theme = self.layout, self.layout.px, self.theme
        bottom = top + layout.row_height
        base_line = bottom - px(6)
        label = self.lettering(13)
        name = label.shorten(_label(row.tag), layout.label_width)
        label.write(name, (layout.margin, base_line), fill=theme.ink)

        colours = theme.score_map(CATEGORY_HUES[row.tag.category])
        shade = np.nan_to_num(np.clip(row.scores / self.top, 0, 1) ** _EXPONENT)
        strip = colours[np.round(shade * 255).astype(int)]
        strip[np.isnan(row.scores)] = theme.page
        self._paste_rounded(strip[None], Box(layout.heat_left, top, layout.heat_right, bottom), radius=3)

        colour = theme.category_colour(row.tag.category)
        bar = Box(
            layout.heat_right + px(16), top + px(7), layout.width - layout.margin - px(38), bottom - px(7)
        )
        self._draw_bar(bar, row.clip_score / self.top, colour)
        label.write(
            f"{row.clip_score:.2f}", (layout.width - layout.margin, base_line), fill=theme.ink, align="right"
        )

    def _draw_bar(self, box: Box, share: float, colour: Colour) -> None:
        strip = np.empty((1, box.width, 3), np.uint8)
        strip[:] = self.theme.panel
        strip[:, : round(share * box.width)] = colour
        self._paste_rounded(strip, box, radius=3.5)

    def _paste_rounded(self, pixels: np.ndarray, box: Box, *, radius: float) -> None:
        """Stretch `pixels`, (n_rows, box.width, 3), over the box and cut its corners round."""
        size = (box.width, box.bottom - box.top)
        fine = 4  # the mask is drawn larger, because Pillow's own shapes have ragged edges
        mask = Image.new("L", (size[0] * fine, size[1] * fine), 0)
        corners = (0, 0, size[0] * fine - 1, size[1] * fine - 1)
        ImageDraw.Draw(mask).rounded_rectangle(corners, radius * self.layout.unit * fine, fill=255)
        picture = Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
        self.image.paste(picture, box[:2], mask.resize(size, Image.Resampling.BOX))

    def draw_time_axis(self, duration: float) -> None:
        layout, px = self.layout, self.layout.px
        top, bottom = layout.header_height + layout.heading_height, self.image.height - layout.footer_height
        width = layout.heat_right - layout.heat_left
        lettering = self.lettering(11.5)
        label_width = lettering.width(format_time(duration)) + px(30)
        for tick in list_ticks(duration, at_most=max(1, int(width / label_width))):
            place = layout.heat_left + tick / duration * (width - 1)
            self._draw_grid_line(round(place), top, bottom + px(6))
            lettering.write(
                format_time(tick), (place, bottom + px(22)), fill=self.theme.muted, align="centre"
            )

    def draw_footer(self, note: str) -> None:
        base_line = self.image.height - self.layout.px(26)
        right = self.layout.width - self.layout.margin
        lettering = self.lettering(10.5)
        lettering.write("Taggram", (self.layout.margin, base_line), fill=self.theme.muted)
        lettering.write(note, (right, base_line), fill=self.theme.muted, align="right")

    def _draw_grid_line(self, left: int, top: int, bottom: int) -> None:
        box = (left, top, left + max(1, self.layout.px(0.5)), bottom)
        line = Image.new("RGB", (box[2] - box[0], box[3] - box[1]), self.theme.muted)
        self.image.paste(Image.blend(self.image.crop(box), line, 0.22), box)


def _top(rows: Iterable[_Row]) -> float:
    """Return the round score at which colours and bars end."""
    largest = max(max(row.clip_score, float(np.nanmax(row.scores, initial=0.0))) for row in rows)
    return next((top for top in _TOPS if largest <= top), 1.0)


def _label(tag: Tag) -> str:
    """Return the name without what its heading says: MTG-Jamendo's "genre---rock" is rock."""
    return tag.label.rpartition("---")[2] or tag.label


def _layout(width: int, names: Iterable[str]) -> _Layout:
    unit = width / 960
    label = Lettering(ImageDraw.Draw(Image.new("RGB", (1, 1))), 13 * unit)
    longest = max(label.width(name) for name in names)
    return _Layout(width, label_width=min(max(longest, 90 * unit), 190 * unit))


def _subtitle(duration: float, model: str, n_chunks: int, chunk_duration: float) -> str:
    chunks = f"{n_chunks} chunk{'s' if n_chunks > 1 else ''} of {chunk_duration:.3g} s"
    return "  ·  ".join(part for part in (format_time(duration), model, chunks) if part)


def _check_taggram(
    taggram: np.ndarray, chunk_times: np.ndarray, n_tags: int
) -> tuple[np.ndarray, np.ndarray]:
    taggram, chunk_times = np.asarray(taggram, float), np.asarray(chunk_times, float)
    if taggram.ndim != 2 or taggram.shape[0] < 1 or taggram.shape[1] != n_tags or n_tags < 1:
        raise ShapeError(f"taggram must be (at least 1 chunk, {n_tags} tags), got shape {taggram.shape}")
    if chunk_times.shape != (len(taggram),):
        raise ShapeError(f"chunk_times must be ({len(taggram)},) like the taggram, got {chunk_times.shape}")
    if not np.isfinite(chunk_times).all() or (np.diff(chunk_times) <= 0).any():
        raise ShapeError("chunk_times must be finite and strictly increasing, in seconds")
    return _check_scores("taggram", taggram), chunk_times


def _check_clip_scores(clip_scores: np.ndarray, n_tags: int) -> np.ndarray:
    clip_scores = np.asarray(clip_scores, float)
    if clip_scores.shape != (n_tags,):
        raise ShapeError(f"clip_scores must be ({n_tags},), one per tag, got shape {clip_scores.shape}")
    return _check_scores("clip_scores", clip_scores)


def _check_scores(name: str, scores: np.ndarray) -> np.ndarray:
    tolerance = 1e-5  # of a sigmoid in single precision
    if not ((scores >= -tolerance) & (scores <= 1 + tolerance)).all():
        raise ShapeError(
            f"{name} must be finite scores in [0, 1], got values from {scores.min():g} to {scores.max():g}; "
            "logits must pass through the sigmoid first"
        )
    clipped: np.ndarray = np.clip(scores, 0, 1)
    return clipped


def _check_options(chunk_duration: float, duration: float, theme: str, max_tags: int, width: int) -> None:
    if not (np.isfinite(duration) and duration > 0 and np.isfinite(chunk_duration) and chunk_duration > 0):
        raise ValueError(
            f"duration and chunk_duration must be positive seconds, got {duration} and {chunk_duration}"
        )
    if theme not in THEMES:
        raise ValueError(f"theme must be one of {', '.join(THEMES)}, got {theme!r}")
    if max_tags < 1 or width < 480:
        raise ValueError(f"max_tags must be at least 1 and width at least 480, got {max_tags} and {width}")

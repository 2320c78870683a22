"""Plots of evaluations and comparisons, each for a light and a dark page.

A plot is a function of data and of a `Page`, which holds the colours (those of the taggram picture, so that
a category looks the same everywhere). `render` draws it once for each page, as SVG or PNG. Nothing global is
touched: no pyplot, no lasting settings; the same data gives the same bytes.

Conventions: sizes in inches; tags are coloured by category; a thin line over a bar or point is its interval,
a short grey stroke is the level of chance.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine

from taggram.lab.evaluation.figures import Figures, PerTag, title_of
from taggram.lab.evaluation.protocol import Evaluation
from taggram.lab.metrics import bootstrap, ranking
from taggram.lab.metrics._tag_metric import Floats
from taggram.lab.metrics.calibration import reliability
from taggram.modelfile.specification import CATEGORIES, Category
from taggram.tags.colours import THEMES, ThemeName
from taggram.tags.vocabularies import category_of

Format = Literal["svg", "png"]
_HUE_OF_SCORES = 262.0
_MAX_MATRIX_TAGS = 60
_FLIERS = 3


@dataclass(frozen=True)
class Page:
    """Colours of one page, as matplotlib takes them."""

    theme: ThemeName

    @property
    def background(self) -> str:
        """Behind everything."""
        return _hex(THEMES[self.theme].page)

    @property
    def panel(self) -> str:
        """Behind bars."""
        return _hex(THEMES[self.theme].panel)

    @property
    def ink(self) -> str:
        """Text."""
        return _hex(THEMES[self.theme].ink)

    @property
    def muted(self) -> str:
        """Secondary text, marks of chance."""
        return _hex(THEMES[self.theme].muted)

    @property
    def line(self) -> str:
        """Rules."""
        return _hex(THEMES[self.theme].line)

    def category(self, category: Category) -> str:
        """Return the colour of a category."""
        return _hex(THEMES[self.theme].category_colour(category))

    def series(self, index: int) -> str:
        """Return the colour of one of several models."""
        return self.category(CATEGORIES[index % len(CATEGORIES)])

    @property
    def scores(self) -> LinearSegmentedColormap:
        """Colours from 0, the page, to 1, the strongest contrast."""
        colours = THEMES[self.theme].score_map(_HUE_OF_SCORES) / 255
        return LinearSegmentedColormap.from_list("scores", [tuple(colour) for colour in colours])


def render(draw: Callable[[Page], Canvas], theme: ThemeName, *, format_: Format = "svg") -> bytes:
    """Draw a plot for one page and return the picture."""
    page = Page(theme)
    buffer = io.BytesIO()
    with _settings(page):
        canvas = draw(page)
        metadata: dict[str, Any] = {"Date": None} if format_ == "svg" else {"Software": None}
        canvas.savefig(buffer, format=format_, dpi=150, metadata=metadata)
    return buffer.getvalue()


@contextmanager
def _settings(page: Page) -> Iterator[None]:
    settings: dict[str, Any] = {
        "figure.facecolor": page.background,
        "axes.facecolor": page.background,
        "savefig.facecolor": page.background,
        "text.color": page.ink,
        "axes.labelcolor": page.muted,
        "axes.titlecolor": page.ink,
        "axes.edgecolor": page.line,
        "xtick.color": page.muted,
        "ytick.color": page.muted,
        "grid.color": page.line,
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "legend.frameon": False,
        "svg.hashsalt": "taggram",
    }
    with mpl.rc_context(cast(Any, settings)):
        yield


def draw_per_tag(evaluation: Evaluation, figures: Figures, page: Page) -> Canvas:
    """Draw bars of every tag: areas, recall and accuracy; or recall, precision and F1 of every class."""
    names = _per_tag_names(figures)
    order = _by_category(evaluation.tags, figures.per_tag[names[0]].metric.values)
    height = 1.0 + 0.21 * len(order)
    canvas = Canvas(figsize=(2.2 + 2.3 * len(names), height), layout=ConstrainedLayoutEngine(wspace=0.06))
    axes = canvas.subplots(1, len(names), sharey=True, squeeze=False)[0]
    prevalence = evaluation.y_true.mean(axis=0)
    for axis, name in zip(axes, names, strict=True):
        _draw_bars(axis, evaluation.tags, figures.per_tag[name], order, page, base=_base_of(name))
        axis.set_title(
            title_of(name) if len(title_of(name)) < 24 else title_of(name).replace(" at ", "\nat ")
        )
        if name == "pr_auc":
            rows = np.arange(len(order))
            axis.scatter(prevalence[order], rows, marker="|", s=30, lw=1.6, color=page.background, zorder=4)
    axes[0].set_yticks(
        np.arange(len(order)), [label_of(evaluation.tags[tag]) for tag in order], color=page.ink
    )
    axes[0].set_ylim(len(order) - 0.4, -0.6)
    _legend_of_categories(canvas, [evaluation.tags[tag] for tag in order], page)
    return canvas


def _per_tag_names(figures: Figures) -> list[str]:
    if figures.confusion is not None:
        return ["recall", "precision", "f1"]
    ending = "_at_chosen" if figures.thresholds else ""
    return ["roc_auc", "pr_auc", f"recall{ending}", f"accuracy{ending}"]


def _base_of(name: str) -> float:
    """Return where the bars begin: areas under ROC curves at chance."""
    return 0.5 if name == "roc_auc" else 0.0


def _draw_bars(
    axis: Axes, tags: Sequence[str], values: PerTag, order: Sequence[int], page: Page, *, base: float
) -> None:
    lowest = base
    for row, tag in enumerate(order):
        value, interval = values.metric.at(tag), values.interval(tag)
        if value is None:
            axis.text(base, row, " undefined", va="center", fontsize=7, color=page.muted, style="italic")
            continue
        colour = page.category(category_of(tags[tag]))
        axis.barh(row, value - base, left=base, height=0.62, color=colour, alpha=0.85, linewidth=0)
        lowest = min(lowest, value)
        if interval is not None:
            axis.plot([interval.low, interval.high], [row, row], color=page.ink, lw=0.9, alpha=0.75)
            lowest = min(lowest, interval.low)
        end = value if interval is None else max(value, interval.high)
        axis.annotate(
            f"{value:.2f}",
            (end, row),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=page.muted,
            annotation_clip=False,
        )
    axis.set_xlim(max(0.0, lowest - 0.02) if lowest < base else base, 1.0)
    axis.grid(axis="x", lw=0.6)
    axis.set_axisbelow(True)
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.set_xticks([tick for tick in (0, 0.25, 0.5, 0.75, 1) if tick >= axis.get_xlim()[0]])
    axis.xaxis.set_major_formatter("{x:g}")


def draw_curves(evaluation: Evaluation, figures: Figures, page: Page) -> Canvas:
    """Draw ROC and precision–recall curves: every tag thin, the pooled pairs bold, extremes by name."""
    # Wide enough for two square panels, each with a legend of the longest labels beside it.
    canvas = Canvas(figsize=(14.4, 4.9), layout="constrained")
    left, right = canvas.subplots(1, 2)
    _draw_curve_panel(left, evaluation, figures.per_tag["roc_auc"].metric.values, ranking.roc_curve, page)
    left.plot([0, 1], [0, 1], color=page.muted, lw=0.8, ls=(0, (2, 3)))
    left.set(xlabel="False positive rate", ylabel="True positive rate", title="ROC curves")
    _draw_curve_panel(right, evaluation, figures.per_tag["pr_auc"].metric.values, ranking.pr_curve, page)
    right.set(xlabel="Recall", ylabel="Precision", title="Precision and recall")
    return canvas


def _draw_curve_panel(
    axis: Axes,
    evaluation: Evaluation,
    values: Floats,
    curve_of: Callable[[Any, Any], ranking.Curve | None],
    page: Page,
) -> None:
    defined = np.flatnonzero(~np.isnan(values))
    ranked = defined[np.argsort(-values[defined], kind="stable")]
    named = [*ranked[:_FLIERS], *ranked[_FLIERS:][-_FLIERS:]]
    for tag in defined:
        curve = curve_of(evaluation.y_true[:, tag], evaluation.y_score[:, tag])
        assert curve is not None  # its area is defined
        colour, is_named = page.category(category_of(evaluation.tags[tag])), tag in named
        label = f"{label_of(evaluation.tags[tag])}  {values[tag]:.2f}" if is_named else None
        style = "--" if is_named and tag in ranked[_FLIERS:] else "-"
        width, alpha = (1.5, 1.0) if is_named else (0.5, 0.3)
        axis.plot(*curve, color=colour, label=label, ls=style, lw=width, alpha=alpha)
    pooled = curve_of(evaluation.y_true.ravel(), evaluation.y_score.ravel())
    if pooled is not None:
        axis.plot(*pooled, color=page.ink, lw=2.2, label="all pairs pooled")
    axis.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    axis.grid(lw=0.6)
    _legend_by_rank(axis, [f"{label_of(evaluation.tags[tag])}  {values[tag]:.2f}" for tag in ranked])


def _legend_by_rank(axis: Axes, ranked: Sequence[str]) -> None:
    """Write the legend with the labels in the order of `ranked`, any other one first."""
    handles, labels = axis.get_legend_handles_labels()
    rank = {label: number for number, label in enumerate(ranked)}
    pairs = sorted(zip(labels, handles, strict=True), key=lambda pair: rank.get(pair[0], -1))
    axis.legend(
        handles=[handle for _, handle in pairs], fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5)
    )


def draw_reliability(evaluation: Evaluation, page: Page) -> Canvas:
    """Draw how often a tag is there against the score it was given, above the number of pairs."""
    found = reliability(evaluation.y_true, evaluation.y_score)
    filled = found.counts > 0
    canvas = Canvas(figsize=(5.2, 5.8), layout="constrained")
    upper, lower = canvas.subplots(2, 1, sharex=True, height_ratios=[3.6, 1])
    colour = page.category("genre")
    upper.plot([0, 1], [0, 1], color=page.muted, lw=0.8, ls=(0, (2, 3)))
    x, y = found.mean_score[filled], found.share_true[filled]
    upper.fill_between(x, x, y, color=colour, alpha=0.15, lw=0)
    margin = 1.96 * np.sqrt(np.maximum(y * (1 - y), 1e-12) / found.counts[filled])
    upper.vlines(x, np.maximum(0, y - margin), np.minimum(1, y + margin), color=colour, lw=1, alpha=0.6)
    upper.plot(x, y, color=colour, lw=1.8, marker="o", ms=5, mec=page.background)
    upper.set(ylim=(0, 1), xlim=(0, 1), ylabel="Share that has the tag", title="Reliability")
    upper.text(
        0.03,
        0.93,
        f"ECE {found.expected_calibration_error:.3f}",
        transform=upper.transAxes,
        fontsize=11,
        color=page.ink,
    )
    upper.text(
        0.97,
        0.04,
        "below the line:\npromises too much",
        transform=upper.transAxes,
        ha="right",
        fontsize=7.5,
        color=page.muted,
    )
    width = np.diff(found.edges)
    lower.bar(
        found.edges[:-1], found.counts, width * 0.9, align="edge", color=colour, alpha=0.85, linewidth=0
    )
    lower.set(yscale="log", xlabel="Score", ylabel="Pairs")
    lower.set_ylim(bottom=0.8)
    for axis in (upper, lower):
        axis.grid(lw=0.6)
        axis.set_axisbelow(True)
    return canvas


def draw_confusion(evaluation: Evaluation, figures: Figures, page: Page) -> Canvas:
    """Draw the confusion matrix; for a multi-label task, what is heard on average in clips with each tag."""
    if figures.confusion is not None:
        return _draw_class_confusion(evaluation.tags, figures.confusion, page)
    return _draw_tag_confusion(evaluation, page)


def _draw_class_confusion(classes: Sequence[str], confusion: Floats, page: Page) -> Canvas:
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    size = 2.2 + 0.52 * len(classes)
    canvas = Canvas(figsize=(size + 0.6, size), layout="constrained")
    axis = canvas.subplots()
    _draw_matrix(axis, share, classes, page, vmax=1.0)
    axis.tick_params(labelcolor=page.ink)
    for row, column in np.ndindex(*confusion.shape):
        if confusion[row, column]:
            colour = page.background if share[row, column] > 0.5 else page.ink
            text = f"{share[row, column]:.0%}\n{confusion[row, column]:.0f}"
            axis.text(
                column, row, text, ha="center", va="center", fontsize=7.5, color=colour, linespacing=1.1
            )
    axis.set(xlabel="Answered", ylabel="True", title="Confusion")
    axis.xaxis.set_label_position("bottom")
    return canvas


def _draw_tag_confusion(evaluation: Evaluation, page: Page) -> Canvas:
    n_clips = evaluation.y_true.sum(axis=0)
    commonest = np.argsort(-n_clips, kind="stable")[:_MAX_MATRIX_TAGS]
    kept = [
        tag
        for tag in _by_category(evaluation.tags, n_clips.astype(float))
        if tag in commonest and n_clips[tag]
    ]
    with_tag = evaluation.y_true[:, kept].astype(float)
    mean_scores = with_tag.T @ evaluation.y_score[:, kept] / n_clips[kept][:, None]
    names = [evaluation.tags[tag] for tag in kept]
    size = max(4.2, 2.4 + 0.19 * len(kept))
    canvas = Canvas(figsize=(size + 0.9, size), layout="constrained")
    axis = canvas.subplots()
    image = _draw_matrix(axis, mean_scores, names, page, vmax=max(float(mean_scores.max()), 1e-6))
    for labels in (axis.get_xticklabels(), axis.get_yticklabels()):
        for label, name in zip(labels, names, strict=True):
            label.set_color(page.category(category_of(name)))
    bar = canvas.colorbar(image, ax=axis, shrink=0.5, aspect=30, pad=0.01)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7)
    axis.set_title("Mean score of each tag (column)\nin clips that have a tag (row)")
    return canvas


def _draw_matrix(axis: Axes, values: Floats, names: Sequence[str], page: Page, *, vmax: float) -> AxesImage:
    image = axis.imshow(values, cmap=page.scores, vmin=0, vmax=vmax, interpolation="nearest")
    labels, size = [label_of(name) for name in names], 7.5 if len(names) > 20 else 8.5
    axis.set_xticks(range(len(names)), labels, rotation=90, fontsize=size)
    axis.set_yticks(range(len(names)), labels, fontsize=size)
    axis.spines[:].set_visible(False)
    return image


def draw_intervals(
    rows: Mapping[str, Sequence[tuple[str, float, bootstrap.Interval | None]]], page: Page
) -> Canvas:
    """Draw figures of several models side by side: one panel per figure, one point per model.

    Parameters
    ----------
    rows
        Title of the panel → (model, value, interval) in the order of drawing.
    """
    n_models = max(len(models) for models in rows.values())
    canvas = Canvas(figsize=(2.0 + 2.6 * len(rows), 0.9 + 0.34 * n_models), layout="constrained")
    axes = canvas.subplots(1, len(rows), sharey=True, squeeze=False)[0]
    for axis, (title, models) in zip(axes, rows.items(), strict=True):
        for row, (_, value, interval) in enumerate(models):
            colour = page.series(row)
            if interval is not None:
                axis.plot(
                    [interval.low, interval.high],
                    [row, row],
                    color=colour,
                    lw=3,
                    alpha=0.4,
                    solid_capstyle="round",
                )
            axis.plot(value, row, "o", color=colour, ms=7, mec=page.background)
            axis.annotate(
                f"{value:.3f}",
                (value, row),
                (0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=7.5,
                color=page.ink,
            )
        axis.set_title(title)
        axis.margins(x=0.12)
        axis.grid(axis="x", lw=0.6)
        axis.spines[["left", "bottom"]].set_visible(False)
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
    names = [name for name, _, _ in next(iter(rows.values()))]
    axes[0].set_yticks(range(n_models), names, color=page.ink)
    axes[0].set_ylim(n_models - 0.5, -0.75)
    return canvas


def draw_differences(
    tags: Sequence[str],
    differences: Sequence[bootstrap.Difference | None],
    names: tuple[str, str],
    page: Page,
) -> Canvas:
    """Draw by how much one model is better than another on every tag, with intervals.

    Parameters
    ----------
    names
        (a, b): points to the right are tags on which b is better.
    """
    defined = [(tag, found) for tag, found in zip(tags, differences, strict=True) if found is not None]
    defined.sort(key=lambda pair: -pair[1].value)
    canvas = Canvas(figsize=(6.4, 1.1 + 0.2 * len(defined)), layout="constrained")
    axis = canvas.subplots()
    for row, (tag, found) in enumerate(defined):
        colour = page.category(category_of(tag))
        alpha = 1.0 if found.is_clear else 0.35
        axis.plot(
            [found.interval.low, found.interval.high], [row, row], color=colour, lw=1.6, alpha=0.6 * alpha
        )
        axis.plot(found.value, row, "o", color=colour, ms=5, alpha=alpha, mec="none")
    widest = max((max(-found.interval.low, found.interval.high) for _, found in defined), default=0.0)
    axis.set_xlim(-1.05 * widest - 1e-9, 1.05 * widest + 1e-9)
    axis.axvline(0, color=page.muted, lw=0.9)
    axis.set_yticks(range(len(defined)), [label_of(tag) for tag, _ in defined], fontsize=8, color=page.ink)
    axis.set_ylim(len(defined) - 0.4, -0.6)
    axis.grid(axis="x", lw=0.6)
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.set_title(f"← {names[0]} better        {names[1]} better →", loc="center", fontsize=9)
    return canvas


def _by_category(tags: Sequence[str], values: Floats) -> list[int]:
    """Order tags by category, and within one from the highest value down, undefined ones last."""

    def key(tag: int) -> tuple[int, bool, float]:
        is_undefined = bool(np.isnan(values[tag]))
        return CATEGORIES.index(category_of(tags[tag])), is_undefined, 0.0 if is_undefined else -values[tag]

    return sorted(range(len(tags)), key=key)


def _legend_of_categories(canvas: Canvas, tags: Sequence[str], page: Page) -> None:
    present = [category for category in CATEGORIES if category in {category_of(tag) for tag in tags}]
    handles = [mpl.patches.Patch(color=page.category(category), label=category) for category in present]
    canvas.legend(
        handles=handles, loc="outside lower center", ncols=len(present), fontsize=8, handlelength=0.9
    )


def label_of(tag: str) -> str:
    """Return a tag as it stands beside a bar: without the prefix of MTG-Jamendo, not too long."""
    plain = tag.rpartition("---")[2]
    # matplotlib takes text between dollar signs for a formula.
    return (plain if len(plain) <= 24 else plain[:23] + "…").replace("$", r"\$")


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)

"""The page and the picture of the students that were tried, from what was measured."""

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from taggram.lab.evaluation.plots import Page
from taggram.lab.models.lean_cnn import LeanShape
from taggram.lab.training.frontier import CANDIDATES, SHIPPED, Candidate, Point, frontier, knee
from taggram.lab.training.integers import Form, Integers
from taggram.lab.training.movement import Movement

CHUNK_SECONDS = 3
BUDGET_GFLOP = 12.0
FAMILIES = ("mixed blocks", "separable", "dense", "1-D")


def family_of(shape: LeanShape) -> str:
    """Return which kind of network a shape is, one of `FAMILIES`."""
    if shape.dimensions == 1:
        return "1-D"
    return "mixed blocks" if shape.blocks == "mixed" else shape.blocks


def for_cost(points: Iterable[Point]) -> list[Point]:
    """Return the points that differ in size and shape only."""
    return [point for point in points if CANDIDATES[point.name].is_plain]


def frontier_of(points: Iterable[Point]) -> list[Point]:
    """Return the frontier of sizes and shapes; another seed of a shape is no shape of its own."""
    return frontier(point for point in for_cost(points) if CANDIDATES[point.name].seed == Candidate.seed)


def draw_frontier(points: Sequence[Point], page: Page) -> Canvas:
    """Draw Spearman correlation against operations and against measured time, with frontier and knee."""
    points = for_cost(points)
    canvas = Canvas(figsize=(10.4, 4.6), layout="constrained")
    left, right = canvas.subplots(1, 2, sharey=True)
    best = frontier_of(points)
    left.plot([p.gflop for p in best], [p.spearman for p in best], color=page.muted, lw=1.2, zorder=1)
    left.axvline(BUDGET_GFLOP, color=page.muted, lw=0.8, ls=(0, (2, 3)))
    middle = (min(p.spearman for p in points) + max(p.spearman for p in points)) / 2
    _write_label(left, "budget", (BUDGET_GFLOP, middle), page.muted)
    _draw_points(left, points, [p.gflop for p in points], page, ticks=(0.5, 1, 2, 5, 10, 20))
    _draw_points(right, points, [1000 * p.cpu_seconds for p in points], page, ticks=(20, 50, 100, 200))
    found = knee(best)
    left.plot(found.gflop, found.spearman, "o", ms=13, mfc="none", mec=page.ink, mew=1.2)
    left.set(
        xlabel="GFLOP for a 4-minute song",
        ylabel="Mean Spearman with the teachers, validation",
        title="Operations; the ring is the knee",
    )
    right.set(xlabel="CPU milliseconds for a 4-minute song, one core", title="Measured time")
    canvas.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(FAMILIES) + 1)
    return canvas


def _draw_points(
    axis: Axes, points: Sequence[Point], costs: Sequence[float], page: Page, *, ticks: Sequence[float]
) -> None:
    for index, family in enumerate(FAMILIES):
        axis.plot([], [], "o", color=page.series(index), label=family)
    axis.plot([], [], "o", mfc="none", color=page.series(0), label="another seed")
    for cost, point in zip(costs, points, strict=True):
        candidate = CANDIDATES[point.name]
        colour = page.series(FAMILIES.index(family_of(candidate.shape)))
        is_first = candidate.seed == Candidate.seed
        axis.plot(cost, point.spearman, "o", ms=6.5, mfc=colour if is_first else "none", mec=colour, zorder=2)
        if is_first:
            _write_label(axis, point.name, (cost, point.spearman), page.ink)
    axis.set_xscale("log")
    axis.set_xticks([tick for tick in ticks if min(costs) / 1.5 < tick < max(costs) * 1.5])
    axis.minorticks_off()
    axis.xaxis.set_major_formatter("{x:g}")
    axis.grid(lw=0.6)
    axis.margins(x=0.18, y=0.1)


def _write_label(axis: Axes, text: str, place: tuple[float, float], colour: str) -> None:
    # What differs least from the shipped shape lies beside it: its name goes to the other side.
    to_the_left = text == "attention"
    axis.annotate(
        text,
        place,
        (-6 if to_the_left else 6, -10),
        textcoords="offset points",
        ha="right" if to_the_left else "left",
        fontsize=7.5,
        color=colour,
    )


def write_page(
    points: Sequence[Point], integers: Integers, movement: Sequence[Movement], picture: str
) -> str:
    """Return the page of results in Markdown.

    Parameters
    ----------
    points
        All candidates'.
    integers, movement
        Of the model that ships.
    picture
        Path of the picture from the page, without `_light.svg` or `_dark.svg`.
    """
    compared = for_cost(points)
    best = frontier_of(points)
    sections = [
        "# Students of other sizes",
        _INTRODUCTION.format(n_steps=points[0].n_steps, hours=sum(p.training_hours for p in points)),
        _PICTURE.format(picture=picture),
        _cost_table(compared, best),
        _COST_NOTE.format(knee=knee(best).name, noise=_noise(points)),
        "## Heard or taught otherwise",
        _OTHERWISE,
        _level_table([p for p in points if p.name == SHIPPED or not CANDIDATES[p.name].is_plain]),
        "## 8-bit integers",
        _INTEGERS,
        _integer_table(integers.forms),
        f"Clip scores of both forms correlate by {integers.spearman:.4f} (Spearman, mean over tags); the "
        f"largest difference of one is {integers.largest_difference:.3f}. Of the tags that either form gives "
        f"at the thresholds, {integers.changed_tags:.1%} are not given by the other.",
        "## Where in a song",
        _MOVEMENT,
        _movement_table(movement),
    ]
    return "\n\n".join(sections) + "\n"


def _cost_table(points: Iterable[Point], best: Sequence[Point]) -> str:
    rows = [
        "| Student | GFLOP | CPU ms | parameters | file, MB | Spearman | top-decile ROC-AUC | within songs "
        "| training, core-minutes |",
        "|---" * 9 + "|",
    ]
    for point in sorted(points, key=lambda point: point.gflop):
        name = f"**{point.name}**" if point in best else point.name
        rows.append(
            f"| {name} | {point.gflop:.1f} | {1000 * point.cpu_seconds:.0f} | {point.n_parameters:,} | "
            f"{point.n_bytes / 1e6:.1f} | {point.spearman:.3f} | {point.top_decile_auc:.3f} | "
            f"{point.within_song:.3f} | {60 * point.training_hours:.1f} |"
        )
    return "\n".join(rows)


def _noise(points: Sequence[Point]) -> float:
    """Return the difference that another seed makes to the shipped shape."""
    shipped = [
        p.spearman for p in points if CANDIDATES[p.name].shape == LeanShape() and p in for_cost(points)
    ]
    return max(shipped) - min(shipped)


def _level_table(points: Sequence[Point]) -> str:
    levels = list(points[0].spearman_by_level)
    header = " | ".join(
        "as it is" if level == "0" else f"{level.removeprefix('-')} dB softer" for level in levels
    )
    rows = [f"| Student | {header} | within songs |", "|---" * (len(levels) + 2) + "|"]
    for point in points:
        figures = " | ".join(f"{value:.3f}" for value in point.spearman_by_level.values())
        rows.append(f"| {point.name} | {figures} | {point.within_song:.3f} |")
    return "\n".join(rows)


def _integer_table(forms: Sequence[Form]) -> str:
    rows = [
        "| Numbers | file, MB | network, CPU ms | with spectrogram, CPU ms | Spearman with the teachers "
        "| top-decile ROC-AUC | within songs |",
        "|---" * 7 + "|",
    ]
    rows += [
        f"| {form.name} | {form.n_bytes / 1e6:.2f} | {1000 * form.network_seconds:.0f} | "
        f"{1000 * form.cpu_seconds:.0f} | {form.spearman:.4f} | {form.top_decile_auc:.4f} | "
        f"{form.within_song:.4f} |"
        for form in forms
    ]
    return "\n".join(rows)


def _movement_table(movement: Iterable[Movement]) -> str:
    rows = [
        "| Split | scale | student with all teachers | student with those that hear 3 s "
        "| the same, tags of two or more | one of them with another "
        "| what they have in common with their mean |",
        "|---" * 7 + "|",
    ]
    rows += [
        f"| {m.split} | {m.scale * CHUNK_SECONDS} s | {m.with_ensemble:.3f} | {m.with_chunk_teachers:.3f} | "
        f"{m.with_chunk_teachers_there:.3f} | {m.between_teachers:.3f} | {m.ceiling:.3f} |"
        for m in movement
    ]
    return "\n".join(rows)


_INTRODUCTION = """\
How good would the default model be if it were smaller, larger, or built otherwise? Every student below \
was distilled from the same teachers' scores in the same way for {n_steps:,} steps (the shipped model \
had more, see its card), so figures compare the students with each other and not with the card. All are \
of the validation split; test was not looked at. The runs took {hours:.1f} hours of one core together. \
Written by `scripts/search_students.py`."""
_PICTURE = """\
```{{image}} {picture}_light.svg
:alt: Mean Spearman correlation with the teachers against GFLOP and CPU time of every student
:class: only-light
```
```{{image}} {picture}_dark.svg
:alt: Mean Spearman correlation with the teachers against GFLOP and CPU time of every student
:class: only-dark
```"""
_COST_NOTE = """\
Bold: no other student is both cheaper and better. GFLOP as on the model card, for a 4-minute song; CPU \
time of the exported file on one core with the spectrogram, without decoding. "Shipped" has 96 log-mel \
bands every 256 samples, dense strided convolutions, separable residual blocks, and mean and maximum \
over time; the others differ from it in what their name says. "Separable" has depthwise convolutions on \
the large maps, too, "dense" has none anywhere, "1-D" convolves over time only, "attention" weights the \
frames of its mean.

The knee of the frontier (farthest above the line between its ends, cost as a logarithm) is **{knee}**. \
Another seed changes the shipped shape's Spearman correlation by {noise:.3f}; smaller differences say \
nothing. Its CPU time is that of the shipped shape, too: what the table shows beside it is how far times on \
this machine can be trusted.

Longer or shorter chunks were not tried. The teachers' scores are those of 3 s, so that a shorter chunk \
has no honest target, and a longer one costs the same per song: it only averages earlier."""
_OTHERWISE = """\
The shipped shape with other teaching. The clips of validation are made softer, and scores are compared with \
the teachers' scores of the clips as they are. What ships hears every chunk relative to its own level; \
"absolute level" does not; "quietened" makes half of its clips of every step softer by up to 45 dB; \
"movement weight 1" counts differences within a clip by 1 instead of 0.3 in the loss. None costs anything \
in use."""
_INTEGERS = """\
The shipped model as `taggram models export --int8` makes it, with ranges set on clips of the training \
split, on validation. Processor time of a 4-minute song on one core."""
_MOVEMENT = """\
Correlation of the shipped model's scores with its teachers' within songs, mean over tags, at the scale \
of one chunk, of two and of four. Only the teachers that hear 3 s move within a song at all, one to \
three of them for most tags, and they agree little. The last column says how far a listener who knew \
exactly what they have in common would correlate with their mean, if the rest is each one's own \
(reliability after Spearman and Brown)."""

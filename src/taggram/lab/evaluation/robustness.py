"""Robustness: how a model's figures change when the sound is deformed, by kind and strength.

Every condition is one evaluation of the same clips under `taggram.lab.evaluation.protocol`: the whole
waveform of a clip is deformed before it is cut into chunks. All conditions are scored on the same
resamples of the clips as the undeformed sound, so a difference from it is a paired one.

What a deformation draws for a clip (the noise, say) depends on the seed and the clip alone, not on the
order of clips. A clip that cannot be heard any more when it is deformed, such as one whose gain makes it
silent, is left out of that condition, and counted.

    DIR/robustness.json   the document in the schema `taggram-robustness/1` (docs/deformations.md)
    DIR/report.html, .md  plots of figures against strength, and a table
    DIR/runs/NAME/        every condition as a run of `taggram evaluate`, for `taggram compare`
"""

import json
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from taggram.errors import EvaluationError
from taggram.lab.datasets import Dataset, Split
from taggram.lab.deformations import DEFORMATIONS, Deformation, Strength
from taggram.lab.evaluation.figures import Figure, Figures, compute_figures, title_of
from taggram.lab.evaluation.mapping import ExplicitMapping
from taggram.lab.evaluation.plots import Page
from taggram.lab.evaluation.protocol import ClipTagger, Deform, Evaluation, Watch, evaluate
from taggram.lab.evaluation.report import Plot, Table, interval, make_plot, number, write_report
from taggram.lab.evaluation.run import make_document, write_run
from taggram.lab.metrics import bootstrap

SCHEMA = "taggram-robustness/1"
DOCUMENT_NAME = "robustness.json"
CLEAN = "clean"
MAIN_FIGURES: Mapping[str, tuple[str, ...]] = {
    "multi_label": ("roc_auc", "pr_auc"),
    "multi_class": ("accuracy", "recall"),
}
_N_COLUMNS = 3

Selection = Mapping[str, Sequence[Strength]]
"""Deformation → strengths, in the order of the study."""
WatchCondition = Callable[[str], Watch]
"""Name of a condition → who watches its results, for a progress bar."""


@dataclass(frozen=True, eq=False)
class Condition:
    """One deformation at one strength, and what the model made of it.

    Attributes
    ----------
    deformation, strength
        Names the condition; "" and None for the undeformed sound.
    evaluation, figures
        Of the clips that could be heard both ways.
    n_lost
        Clips that could be heard undeformed, but not so.
    """

    deformation: str
    strength: Strength | None
    evaluation: Evaluation
    figures: Figures
    n_lost: int = 0

    @property
    def name(self) -> str:
        """Name of the condition, such as "pitch_shift-1"; "clean" for the undeformed sound."""
        return name_condition(self.deformation, self.strength) if self.strength is not None else CLEAN

    def figure(self, name: str) -> Figure:
        """Return one of the figures."""
        return self.figures.overall[name]


@dataclass(frozen=True, eq=False)
class Study:
    """A robustness study of one model on one split.

    Attributes
    ----------
    clean
        The undeformed sound.
    conditions
        In the order of the selection.
    seed, n_replicates
        Of what deformations draw and of the resampling.
    """

    clean: Condition
    conditions: tuple[Condition, ...]
    seed: int
    n_replicates: int

    @property
    def main_figures(self) -> tuple[str, ...]:
        """Names of the figures that are plotted and tabulated."""
        return MAIN_FIGURES[self.clean.evaluation.task]

    def difference(self, condition: Condition, name: str) -> bootstrap.Difference | None:
        """Return what a deformation adds to a figure (mostly less than nothing), paired by clips."""
        before, after = self.clean.figure(name), condition.figure(name)
        if before.value is None or after.value is None:
            return None
        return bootstrap.paired_difference(before.replicates, after.replicates, after.value - before.value)


def list_selection(*, only_published: bool = False) -> dict[str, tuple[Strength, ...]]:
    """Return what is studied by default: all deformations at all their strengths, or the published ones."""
    kinds = {name: DEFORMATIONS.get(name) for name in DEFORMATIONS.names()}
    strengths = {name: kind.published if only_published else kind.strengths for name, kind in kinds.items()}
    return {name: found for name, found in strengths.items() if found}


def parse_selection(text: str) -> tuple[str, tuple[Strength, ...]]:
    """Read a deformation with its strengths, or with those it has by default.

    Raises
    ------
    UnknownNameError
        If there is no such deformation.
    EvaluationError
        If it is for augmentation only, or a strength is of the wrong kind.

    Examples
    --------
    >>> parse_selection("pitch_shift=-1,1")
    ('pitch_shift', (-1.0, 1.0))
    """
    name, has_strengths, list_ = text.partition("=")
    kind = DEFORMATIONS.get(name)
    if not kind.strengths:
        raise EvaluationError(f"{name} is for augmentation only: a model cannot be studied under it")
    if not has_strengths:
        return name, kind.strengths
    if isinstance(kind.strengths[0], str):
        return name, tuple(list_.split(","))
    try:
        strengths = tuple(float(part) for part in list_.split(","))
    except ValueError as error:
        raise EvaluationError(f"{text}: strengths of {name} are numbers ({kind.unit})") from error
    if not all(map(math.isfinite, strengths)):
        raise EvaluationError(f"{text}: strengths of {name} are finite numbers ({kind.unit})")
    return name, strengths


def name_condition(deformation: str, strength: Strength) -> str:
    """Return the name of a condition, fit for a file.

    Examples
    --------
    >>> name_condition("time_stretch", 2**0.5)
    'time_stretch-1.414'
    >>> name_condition("low_sample_rate", 11_025.0)
    'low_sample_rate-11025'
    """
    return f"{deformation}-{_write_strength(strength)}"


def make_deform(deformation: Deformation, strength: Strength, seed: int) -> Deform:
    """Return the function that deforms a clip; what is drawn follows from the seed and the clip."""
    deformation.fix(strength, np.random.default_rng(seed))  # a strength that does not exist fails here

    def deform(waveform: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
        rng = np.random.default_rng([seed, zlib.crc32(waveform.tobytes())])
        return deformation.apply(waveform, sample_rate, deformation.fix(strength, rng))

    return deform


def study_robustness(
    model: ClipTagger,
    dataset: Dataset,
    root: Path,
    split: Split = "test",
    *,
    selection: Selection | None = None,
    seed: int = 0,
    n_replicates: int = bootstrap.N_REPLICATES,
    tag_mapping: ExplicitMapping | None = None,
    chunk_hop: float | None = None,
    watch: WatchCondition = lambda name: lambda results, total: results,
) -> Study:
    """Evaluate a model undeformed and under every condition.

    Parameters
    ----------
    model, dataset, root, split, tag_mapping, chunk_hop
        As for `evaluate`.
    selection
        What to study; None is `list_selection()`.
    seed, n_replicates
        Of what deformations draw and of the resampling; resamples behind the intervals.
    watch
        For a progress bar.

    Raises
    ------
    EvaluationError, DatasetError, UnknownNameError
        As `evaluate`; or if a deformation or strength does not exist.
    """
    selection = list_selection() if selection is None else selection
    deforms = [
        (name, strength, make_deform(DEFORMATIONS.get(name)(), strength, seed))
        for name, strengths in selection.items()
        for strength in strengths
    ]

    def hear(name: str, deform: Deform | None) -> Evaluation:
        return evaluate(
            model,
            dataset,
            root,
            split,
            chunk_hop=chunk_hop,
            tag_mapping=tag_mapping,
            deform=deform,
            deformation="" if deform is None else name,
            watch=watch(name),
        )

    heard = hear(CLEAN, None)
    rng = np.random.default_rng(seed)
    weights = bootstrap.draw_weights(len(heard.ids), rng, n_replicates=n_replicates)
    clean = Condition("", None, heard, compute_figures(heard, weights))
    conditions = []
    for name, strength, deform in deforms:
        deformed = _restrict(hear(name_condition(name, strength), deform), heard)
        rows = np.isin(heard.ids, deformed.ids)
        figures = compute_figures(deformed, weights[:, rows])
        conditions.append(Condition(name, strength, deformed, figures, int((~rows).sum())))
    return Study(clean, tuple(conditions), seed, n_replicates)


def write_study(directory: Path, study: Study) -> None:
    """Write document, report and runs into `directory`, which is made if need be."""
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(make_study_document(study), allow_nan=False, indent=1)
    (directory / DOCUMENT_NAME).write_text(text + "\n", encoding="utf-8")
    write_report(directory, *study_report(study))
    for condition in (study.clean, *study.conditions):
        document = make_document(
            condition.evaluation, condition.figures, seed=study.seed, n_replicates=study.n_replicates
        )
        write_run(directory / "runs" / condition.name, condition.evaluation, document)


def make_study_document(study: Study) -> dict[str, Any]:
    """Return the study as a document in the schema `taggram-robustness/1` (docs/deformations.md)."""
    evaluation = study.clean.evaluation
    return {
        "schema": SCHEMA,
        "model": evaluation.model.name,
        "weights_sha256": evaluation.model.weights_sha256,
        "dataset": evaluation.dataset,
        "split": evaluation.split,
        "split_fingerprint": evaluation.split_fingerprint,
        "scored_fingerprint": evaluation.scored_fingerprint,
        "n_clips": len(evaluation.ids),
        "n_tags": len(evaluation.tags),
        "seed": study.seed,
        "bootstrap": {"n_replicates": study.n_replicates, "level": bootstrap.LEVEL, "unit": "clip"},
        "clean": _figures_document(study, study.clean),
        "conditions": [
            {
                "deformation": condition.deformation,
                "title": DEFORMATIONS.get(condition.deformation).title,
                "unit": DEFORMATIONS.get(condition.deformation).unit,
                "identity": DEFORMATIONS.get(condition.deformation).identity,
                "strength": condition.strength,
                "is_published": condition.strength in DEFORMATIONS.get(condition.deformation).published,
                "n_clips": len(condition.evaluation.ids),
                "n_lost": condition.n_lost,
                "figures": _figures_document(study, condition),
            }
            for condition in study.conditions
        ],
        "versions": dict(evaluation.versions),
    }


def study_report(study: Study) -> tuple[str, list[str], list[Plot | Table]]:
    """Return title, lead and parts of the report, for `taggram.lab.evaluation.report.write_report`."""
    evaluation = study.clean.evaluation
    lead = [
        f"{len(evaluation.ids)} clips of {evaluation.dataset}, {evaluation.split}, and "
        f"{len(evaluation.tags)} tags; every clip is deformed as a whole before it is cut into chunks.",
        "Differences are from the undeformed sound, on the same resamples of the clips; intervals are 95 %.",
    ]
    parts: list[Plot | Table] = [_make_plot(study, name) for name in study.main_figures]
    return f"Robustness of {evaluation.model.name}", lead, [*parts, _table(study)]


def draw_study(study: Study, name: str, page: Page) -> Canvas:
    """Draw one figure against strength: one panel per deformation, the undeformed sound as a line."""
    groups = {
        kind: [condition for condition in study.conditions if condition.deformation == kind]
        for kind in dict.fromkeys(condition.deformation for condition in study.conditions)
    }
    n_rows = max(1, math.ceil(len(groups) / _N_COLUMNS))
    canvas = Canvas(figsize=(10, 2.5 * n_rows), layout="constrained")
    axes = canvas.subplots(n_rows, _N_COLUMNS, sharey=True, squeeze=False).ravel()
    for axis, (kind, conditions) in zip(axes, groups.items(), strict=False):
        _draw_panel(axis, study, kind, conditions, name, page)
    for axis in axes[len(groups) :]:
        axis.set_visible(False)
    return canvas


def _draw_panel(
    axis: Axes, study: Study, kind: str, conditions: Sequence[Condition], name: str, page: Page
) -> None:
    clean, deformation = study.clean.figure(name), DEFORMATIONS.get(kind)
    colour = page.series(0)
    if clean.value is not None and clean.interval is not None:
        axis.axhspan(clean.interval.low, clean.interval.high, color=page.muted, alpha=0.12, lw=0)
        axis.axhline(clean.value, color=page.muted, lw=1)
    points = _points(study, conditions)
    drawn = [(place, point.figure(name)) for place, (_, point) in enumerate(points)]
    defined = [(place, figure.value) for place, figure in drawn if figure.value is not None]
    if deformation.unit:  # strengths that are names stand in no order: no line leads from one to the next
        axis.plot(*zip(*defined, strict=True), color=colour, lw=1.2)
    for (place, figure), (strength, point) in zip(drawn, points, strict=True):
        if figure.value is None:
            continue
        edge = page.muted if point is study.clean else colour
        if figure.interval is not None and point is not study.clean:
            axis.plot(
                [place, place], [figure.interval.low, figure.interval.high], color=edge, lw=3, alpha=0.4
            )
        face = edge if strength in deformation.published else page.background
        axis.plot(place, figure.value, "o", ms=6, mfc=face, mec=edge, mew=1.5, zorder=3)
    labels = [_write_strength(strength).replace("_", "\n") for strength, _ in points]
    axis.set_xticks(range(len(points)), labels, fontsize=8)
    axis.set_xlim(-0.5, len(points) - 0.5)
    axis.set_title(f"{deformation.title}{f', {deformation.unit}' if deformation.unit else ''}")
    axis.grid(axis="y", lw=0.6)
    axis.spines[["left", "bottom"]].set_visible(False)


def _points(study: Study, conditions: Sequence[Condition]) -> list[tuple[Strength | None, Condition]]:
    """Return strengths and conditions in order, the undeformed sound where nothing would be changed."""
    points = [(condition.strength, condition) for condition in conditions]
    identity = DEFORMATIONS.get(conditions[0].deformation).identity
    if isinstance(identity, float):
        points = [point for point in points if point[0] != identity]
        points.append((identity, study.clean))
        points.sort(key=lambda point: float(point[0]) if point[0] is not None else 0.0)
    return points


def _make_plot(study: Study, name: str) -> Plot:
    return make_plot(
        name,
        f"{title_of(name)} against strength",
        "Grey is the undeformed sound, with its interval; full points are the published strengths.",
        lambda page: draw_study(study, name, page),
    )


def _table(study: Study) -> Table:
    header = ["Condition", "Clips"]
    for name in study.main_figures:
        header += [title_of(name), "95 % interval", "difference", "95 % interval"]
    rows = [_row(study, condition) for condition in (study.clean, *study.conditions)]
    note = "Strengths of the published study are marked †."
    if any(condition.n_lost for condition in study.conditions):
        note += " Where there are fewer clips, the others could not be heard any more."
    return Table("All conditions", header, rows, note)


def _row(study: Study, condition: Condition) -> list[str]:
    cells = [_title(condition), str(len(condition.evaluation.ids))]
    for name in study.main_figures:
        figure = condition.figure(name)
        cells += [number(figure.value), interval(_ends(figure.interval))]
        found = None if condition is study.clean else study.difference(condition, name)
        cells += ["–", "–"] if found is None else [f"{found.value:+.4f}", interval(_ends(found.interval))]
    return cells


def _title(condition: Condition) -> str:
    if condition.strength is None:
        return "Undeformed"
    kind = DEFORMATIONS.get(condition.deformation)
    mark = " †" if condition.strength in kind.published else ""
    return f"{kind.title} {_write_strength(condition.strength)} {kind.unit}".rstrip() + mark


def _figures_document(study: Study, condition: Condition) -> dict[str, Any]:
    document = {}
    for name in study.main_figures:
        figure = condition.figure(name)
        found = None if condition is study.clean else study.difference(condition, name)
        document[name] = {
            "value": figure.value,
            "interval": _ends(figure.interval),
            "difference": None if found is None else found.value,
            "difference_interval": None if found is None else _ends(found.interval),
            "p_value": None if found is None else found.p_value,
        }
    return document


def _ends(found: bootstrap.Interval | None) -> list[float] | None:
    return None if found is None else [found.low, found.high]


def _write_strength(strength: Strength | None) -> str:
    """Write a strength with at most three decimals, or by its name."""
    return f"{round(strength, 3):g}" if isinstance(strength, float | int) else str(strength)


def _restrict(deformed: Evaluation, clean: Evaluation) -> Evaluation:
    """Leave out the clips that could not be heard undeformed: there is nothing to compare them with."""
    rows = np.isin(deformed.ids, clean.ids)
    ids = tuple(id_ for id_, is_kept in _pairs(deformed.ids, rows) if is_kept)
    return replace(deformed, ids=ids, y_true=deformed.y_true[rows], y_score=deformed.y_score[rows])


def _pairs(ids: Sequence[str], rows: NDArray[np.bool_]) -> Iterator[tuple[str, bool]]:
    yield from zip(ids, rows.tolist(), strict=True)

"""Several models side by side, on the same clips and tags.

A column is one split of one dataset; its models are compared on the **same** resamples of the clips. Two
runs stand in one column only if they scored the same clips and the same tags (equal `scored_fingerprint`)
and agree on what is true; otherwise `make_columns` refuses and says what differs. `restrict_to_common`
makes such runs comparable by leaving out what they do not share.

Differences are taken from a baseline, the first run. A difference is called clear if its 95 % interval
leaves out 0. Of many tags some are clear by chance, one in twenty: the counts are for reading, not for
proving. Means over different tags (precision, where one model is silent on some) have no difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas

from taggram.errors import EvaluationError
from taggram.lab.evaluation import plots
from taggram.lab.evaluation.cost import Cost
from taggram.lab.evaluation.figures import Figures, Thresholds, compute_figures, title_of
from taggram.lab.evaluation.protocol import Evaluation, fingerprint
from taggram.lab.evaluation.report import Plot, Table, interval, make_plot, number
from taggram.lab.evaluation.run import read_cost, read_run, read_thresholds
from taggram.lab.metrics import bootstrap

SCHEMA = "taggram-comparison/1"
_N_NAMED = 5
_MAIN_FIGURES = {
    "multi_label": ("roc_auc", "pr_auc", "ranking_ap", "f1_at_chosen"),
    "multi_class": ("recall", "accuracy", "f1"),
}
_PER_TAG_FIGURE = {"multi_label": "roc_auc", "multi_class": "recall"}


@dataclass(frozen=True)
class Run:
    """One run to compare: a label that is unique in its column, the evaluation, its thresholds, the cost."""

    label: str
    evaluation: Evaluation
    thresholds: Thresholds | None = None
    cost: Cost | None = None


@dataclass(frozen=True)
class Column:
    """Runs on the same clips and tags, the baseline first.

    Attributes
    ----------
    title
        Dataset and split.
    runs
        What is compared.
    figures
        Label → figures, from the same resamples.
    """

    title: str
    runs: tuple[Run, ...]
    figures: Mapping[str, Figures] = field(repr=False)

    @property
    def baseline(self) -> str:
        """Label of the run that the others are compared with."""
        return self.runs[0].label

    @property
    def evaluation(self) -> Evaluation:
        """Evaluation of the baseline; clips, tags and truth are those of all."""
        return self.runs[0].evaluation

    def shared_figures(self) -> list[str]:
        """Return the names of the figures that every run has, in the order of the baseline."""
        return [
            name
            for name in self.figures[self.baseline].overall
            if all(name in figures.overall for figures in self.figures.values())
        ]


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Read runs; equal model names on the same split are told apart by their folders.

    Raises
    ------
    EvaluationError
        If a run cannot be read, or a folder is given twice.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise EvaluationError("a run is given twice: give different folders")
    evaluations = [read_run(path) for path in paths]
    names = [(e.model.name, e.dataset, e.split) for e in evaluations]
    labels = [
        name[0] if names.count(name) == 1 else f"{name[0]} ({_folder(path)})"
        for name, path in zip(names, paths, strict=True)
    ]
    return [
        Run(label, evaluation, read_thresholds(path), read_cost(path))
        for label, evaluation, path in zip(labels, evaluations, paths, strict=True)
    ]


def make_columns(
    runs: Sequence[Run], *, seed: int = 0, n_replicates: int = bootstrap.N_REPLICATES, common: bool = False
) -> list[Column]:
    """Put runs into columns, and compute their figures on shared resamples.

    Parameters
    ----------
    runs
        The first one of each split is its baseline.
    seed, n_replicates
        Of the bootstrap.
    common
        Leave out what the runs of a column do not share, instead of refusing.

    Raises
    ------
    EvaluationError
        If runs on one split scored different clips or tags, or differ on what is true.
    """
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.evaluation.dataset, run.evaluation.split), []).append(run)
    columns = []
    for (dataset, split), members in groups.items():
        if common:
            members = restrict_to_common(members)
        title = f"{dataset}, {split}"
        for run in members[1:]:
            _require_same(members[0], run, title)
        weights = bootstrap.draw_weights(
            len(members[0].evaluation.ids), np.random.default_rng(seed), n_replicates=n_replicates
        )
        figures = {
            run.label: compute_figures(run.evaluation, weights, thresholds=run.thresholds) for run in members
        }
        columns.append(Column(title, tuple(members), figures))
    return columns


def restrict_to_common(runs: Sequence[Run]) -> list[Run]:
    """Return the runs on the clips and tags that all of them have, in the order of the first.

    Raises
    ------
    EvaluationError
        If they have no clip or no tag in common, or the task is multi-class and classes would be lost.
    """
    shared_ids = set.intersection(*(set(run.evaluation.ids) for run in runs))
    shared_tags = set.intersection(*(set(run.evaluation.tags) for run in runs))
    ids = tuple(clip for clip in runs[0].evaluation.ids if clip in shared_ids)
    tags = tuple(tag for tag in runs[0].evaluation.tags if tag in shared_tags)
    if not ids or not tags:
        raise EvaluationError(
            f"{', '.join(run.label for run in runs)} have no {'tag' if ids else 'clip'} in common"
        )
    return [replace(run, evaluation=_restrict(run.evaluation, ids, tags)) for run in runs]


def difference(column: Column, name: str, label: str) -> bootstrap.Difference | None:
    """Return by how much a figure of one run is above that of the baseline.

    None if one of them is undefined, or if the two are means over different tags.
    """
    a, b = (column.figures[which].overall[name] for which in (column.baseline, label))
    if a.value is None or b.value is None or a.undefined != b.undefined:
        return None
    return bootstrap.paired_difference(a.replicates, b.replicates, b.value - a.value)


def tag_differences(column: Column, label: str) -> list[bootstrap.Difference | None]:
    """Return the difference from the baseline on every tag, in ROC-AUC or recall."""
    name = _PER_TAG_FIGURE[column.evaluation.task]
    a, b = (column.figures[which].per_tag[name] for which in (column.baseline, label))
    found: list[bootstrap.Difference | None] = []
    for tag in range(len(column.evaluation.tags)):
        before, after = a.metric.at(tag), b.metric.at(tag)
        found.append(
            None
            if before is None or after is None
            else bootstrap.paired_difference(a.replicates[:, tag], b.replicates[:, tag], after - before)
        )
    return found


def count_wins(column: Column) -> dict[str, int]:
    """Return on how many tags each run is the best one; tags on which several are count for none."""
    name = _PER_TAG_FIGURE[column.evaluation.task]
    values = np.stack([column.figures[run.label].per_tag[name].metric.values for run in column.runs])
    values = values[:, ~np.isnan(values).any(axis=0)]
    is_best = values == values.max(axis=0) if values.size else np.zeros(values.shape, bool)
    alone = is_best.sum(axis=0) == 1
    return {run.label: int(best[alone].sum()) for run, best in zip(column.runs, is_best, strict=True)}


def make_comparison_document(columns: Sequence[Column], *, seed: int, n_replicates: int) -> dict[str, Any]:
    """Return the comparison as a document in the schema `taggram-comparison/1` (docs/evaluation.md)."""
    return {
        "schema": SCHEMA,
        "bootstrap": {"seed": seed, "n_replicates": n_replicates, "level": bootstrap.LEVEL, "unit": "clip"},
        "columns": [_column_document(column) for column in columns],
    }


def comparison_report(columns: Sequence[Column]) -> tuple[str, list[str], list[Plot | Table]]:
    """Return title, lead and parts of the report, for `taggram.lab.evaluation.report.write_report`."""
    lead = [
        "Every column is one split, with the same clips, tags and resamples for all models. A difference is "
        "from the first model of its column; it is clear if its 95 % interval leaves out 0.",
        *(f"{column.title}: {_size(column.evaluation)}." for column in columns),
    ]
    parts: list[Plot | Table] = []
    for number_, column in enumerate(columns):
        parts += _parts(column, number_)
    return "Comparison of models", lead, parts


def _parts(column: Column, number_: int) -> list[Plot | Table]:
    names = [name for name in _MAIN_FIGURES[column.evaluation.task] if name in column.shared_figures()]

    def draw(page: plots.Page) -> Canvas:
        return plots.draw_intervals({title_of(name): _points(column, name) for name in names}, page)

    parts: list[Plot | Table] = [
        make_plot(f"figures-{number_}", column.title, "Points are values, lines 95 % intervals.", draw),
        _figures_table(column),
    ]
    if len(column.runs) > 1:
        parts.append(_wins_table(column))
    if any(run.cost for run in column.runs):
        parts.append(_cost_table(column))
    for index, run in enumerate(column.runs[1:]):
        parts.append(_tag_plot(column, run.label, f"tags-{number_}-{index}"))
    return parts


def _tag_plot(column: Column, label: str, name: str) -> Plot:
    found = tag_differences(column, label)
    tags, names = column.evaluation.tags, (column.baseline, label)
    figure = title_of(_PER_TAG_FIGURE[column.evaluation.task])
    return make_plot(
        name,
        f"{label} against {column.baseline}, tag by tag",
        f"Difference in {figure}; lines are 95 % intervals of the paired bootstrap, faint if they hold 0.",
        lambda page: plots.draw_differences(tags, found, names, page),
    )


def _points(column: Column, name: str) -> list[tuple[str, float, bootstrap.Interval | None]]:
    figures = [(run.label, column.figures[run.label].overall[name]) for run in column.runs]
    return [(label, f.value, f.interval) for label, f in figures if f.value is not None]


def _figures_table(column: Column) -> Table:
    header = ["Figure", *(run.label for run in column.runs)]
    rows = []
    for name in column.shared_figures():
        cells = [_cell(column, name, run.label) for run in column.runs]
        rows.append([title_of(name), *cells])
    note = "In brackets the interval, then the difference from the first model with its interval and p-value."
    return Table(f"{column.title}: figures", header, rows, note)


def _cell(column: Column, name: str, label: str) -> str:
    figure = column.figures[label].overall[name]
    if figure.value is None:
        return "–"
    text = number(figure.value)
    if figure.interval is not None:
        text += f" [{interval((figure.interval.low, figure.interval.high))}]"
    found = difference(column, name, label) if label != column.baseline else None
    if found is None:
        return text
    ends = f"{found.interval.low:+.4f} … {found.interval.high:+.4f}"
    return (
        f"{text}; {found.value:+.4f} [{ends}], p = {found.p_value:.3f}{' (clear)' if found.is_clear else ''}"
    )


def _wins_table(column: Column) -> Table:
    wins, rows = count_wins(column), []
    for run in column.runs:
        found = [d for d in tag_differences(column, run.label) if d is not None]
        above, below = sum(d.value > 0 for d in found), sum(d.value < 0 for d in found)
        clear_above = sum(d.value > 0 and d.is_clear for d in found)
        clear_below = sum(d.value < 0 and d.is_clear for d in found)
        is_baseline = run.label == column.baseline
        cells = (
            ["–", "–"]
            if is_baseline
            else [f"{above} ({clear_above} clear)", f"{below} ({clear_below} clear)"]
        )
        rows.append([run.label, str(wins[run.label]), *cells])
    figure = title_of(_PER_TAG_FIGURE[column.evaluation.task])
    header = [
        "Model",
        "Best of all on",
        f"Better than {column.baseline} on",
        f"Worse than {column.baseline} on",
    ]
    note = f"Number of tags, by {figure}. Without any real difference about one tag in twenty would be clear."
    return Table(f"{column.title}: wins", header, rows, note)


def _cost_table(column: Column) -> Table:
    header = [
        "Model",
        "Parameters",
        "File, MB",
        "GFLOP a chunk",
        "a 4-minute song",
        "× real time",
        "Processor",
    ]
    rows = [[run.label, *(["–"] * 6 if run.cost is None else _cost_cells(run.cost))] for run in column.runs]
    note = (
        "A multiplication and an addition count as two; spectrograms outside of the graph are not counted. "
        "Speed is that of spectrogram and network on one thread, without decoding, measured when evaluated."
    )
    return Table(f"{column.title}: cost", header, rows, note)


def _cost_cells(cost: Cost) -> list[str]:
    return [
        f"{cost.n_parameters:,}",
        f"{cost.n_bytes / 1e6:.1f}",
        f"{cost.gflop_per_chunk:.3g}",
        f"{cost.gflop_per_song:.3g}",
        f"{cost.speed.times_real_time:.3g}",
        cost.speed.processor,
    ]


def _column_document(column: Column) -> dict[str, Any]:
    evaluation = column.evaluation
    wins = count_wins(column)
    return {
        "dataset": evaluation.dataset,
        "split": evaluation.split,
        "scored_fingerprint": evaluation.scored_fingerprint,
        "n_clips": len(evaluation.ids),
        "n_tags": len(evaluation.tags),
        "baseline": column.baseline,
        "models": [
            {
                "label": run.label,
                "name": run.evaluation.model.name,
                "weights_sha256": run.evaluation.model.weights_sha256,
                "n_wins": wins[run.label],
                "cost": None if run.cost is None else run.cost.to_json(),
                "figures": {
                    name: _figure_document(column, name, run.label) for name in column.shared_figures()
                },
                "tags": dict(
                    zip(evaluation.tags, map(_plain, tag_differences(column, run.label)), strict=True)
                ),
            }
            for run in column.runs
        ],
    }


def _figure_document(column: Column, name: str, label: str) -> dict[str, Any]:
    figure = column.figures[label].overall[name]
    ends = figure.interval
    return {
        "value": figure.value,
        "interval": None if ends is None else [ends.low, ends.high],
        "difference": None if label == column.baseline else _plain(difference(column, name, label)),
    }


def _plain(found: bootstrap.Difference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    ends = [found.interval.low, found.interval.high]
    return {"value": found.value, "interval": ends, "p_value": found.p_value}


def _restrict(evaluation: Evaluation, ids: tuple[str, ...], tags: tuple[str, ...]) -> Evaluation:
    if evaluation.task == "multi_class" and len(tags) < len(evaluation.tags):
        raise EvaluationError(
            f"{evaluation.dataset} is multi-class: classes cannot be left out, but {evaluation.model.name} "
            "and the others do not have the same ones"
        )
    rows = [evaluation.ids.index(clip) for clip in ids]
    columns = [evaluation.tags.index(tag) for tag in tags]
    cells = np.ix_(rows, columns)
    return replace(
        evaluation, ids=ids, tags=tags, y_true=evaluation.y_true[cells], y_score=evaluation.y_score[cells]
    )


def _require_same(baseline: Run, run: Run, title: str) -> None:
    a, b = baseline.evaluation, run.evaluation
    reasons = [
        *_only("clip", baseline.label, set(a.ids) - set(b.ids)),
        *_only("clip", run.label, set(b.ids) - set(a.ids)),
        *_only("tag", baseline.label, set(a.tags) - set(b.tags)),
        *_only("tag", run.label, set(b.tags) - set(a.tags)),
    ]
    if not reasons and a.tags != b.tags:
        reasons = ["the tags are the same, but in another order"]
    if reasons:
        raise EvaluationError(
            f"{title}: {baseline.label} and {run.label} were not scored on the same thing (fingerprints "
            f"{fingerprint(a.ids, a.tags)[:12]}… and {fingerprint(b.ids, b.tags)[:12]}…), so their figures "
            f"cannot stand in one column: {'; '.join(reasons)}. Evaluate again on the same split, or "
            "compare on what they share (--common)"
        )
    differing = np.flatnonzero((a.y_true != b.y_true).any(axis=1))
    if len(differing):
        raise EvaluationError(
            f"{title}: {baseline.label} and {run.label} differ on what is true for {len(differing)} clips, "
            f"such as {a.ids[differing[0]]}: the labels were changed in between; evaluate both again"
        )


def _only(kind: str, label: str, names: set[str]) -> list[str]:
    if not names:
        return []
    listed = sorted(names)
    more = f" and {len(listed) - _N_NAMED} more" if len(listed) > _N_NAMED else ""
    plural = "s" if len(listed) > 1 else ""
    return [f"only {label} has {len(listed)} {kind}{plural} ({', '.join(listed[:_N_NAMED])}{more})"]


def _size(evaluation: Evaluation) -> str:
    kind = "classes" if evaluation.task == "multi_class" else "tags"
    return f"{len(evaluation.ids)} clips, {len(evaluation.tags)} {kind}"


def _folder(path: Path) -> str:
    return (path if path.is_dir() else path.parent).resolve().name

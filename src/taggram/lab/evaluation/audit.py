"""Look over a published table of results for what cannot be true, and for what is hard to believe.

    impossible   breaks a theorem (`taggram.lab.metrics.bounds`) or says two things at once, if the figures
                 are what they are called: means over the same tags, clips and scores
    suspicious   possible, but a mistake is the likelier explanation

Rules
-----
range           a figure outside [0, 1], or MCC outside [−1, 1]                              impossible
contradiction   one figure stated twice with different values                                impossible
mcc-ap          MCC above M(AP), or F1 above it                                              impossible
mcc-roc-auc     MCC above √(ROC-AUC)                                                         impossible
f1-mean         macro F1 above the mean of macro precision and macro recall                  impossible
mcc-prevalence  MCC above what AP and ROC-AUC allow for tags of the given prevalence         suspicious
chance          ROC-AUC below 0.5, MCC below 0, AP below the given prevalence                suspicious
ap-roc-auc      AP below what ROC-AUC allows for tags of the given prevalence                suspicious
ap-pr-auc       AP and PR-AUC further apart than two estimates of one area can be            suspicious
identical       a model has the same figure, to the last digit, on several datasets          suspicious
copied          two models share several figures on one dataset, or                          suspicious
sources         two sources differ by more than 0.02 on the same model and dataset           suspicious

Rules on prevalence know only the mean over tags, which is why they do not say impossible. The value that a
rule compares is the most favourable one that rounds to what is printed; where both AP and PR-AUC are given,
the larger one counts.

MCC of all (clip, tag) pairs pooled into one is no mean over tags: it is bound by the pooled AP in the same
way, not by the mean AP. A table that calls such a figure MCC beside macro AP is wrong in its words.

`ap-pr-auc`: PR-AUC is average precision or the trapezoidal area under the same points. The k-th of n hits,
with F clips without the tag above it, adds (P_k − P_{k−1})/2n = F/2n(k+F)(k+F−1) to their difference. Over
all F that is at most 1/2n(4k−3) for k > 1, and 1/4n for k = 1; together at most (ln n + 3)/8n. How many clips
the tags have the table does not say; 100 for each is assumed unless said.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

from taggram.errors import UnknownNameError
from taggram.lab.evaluation.audit_table import Entry, plain_name
from taggram.lab.metrics.bounds import (
    greatest_mcc,
    greatest_mcc_from_ap,
    greatest_mcc_from_roc_auc,
    least_ap_from_roc_auc,
)

Severity = Literal["impossible", "suspicious"]

SOURCES_DIFFER = 0.02
_LEAST_SHARED = 2


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or looks wrong.

    Attributes
    ----------
    severity, rule
        See the module.
    where
        Source, dataset and model, as far as they are known.
    lines
        Of the file.
    message
        What, beside what would be possible.
    """

    severity: Severity
    rule: str
    where: str
    lines: tuple[int, ...]
    message: str


@dataclass(frozen=True)
class Assumptions:
    """What the table does not say.

    Attributes
    ----------
    prevalence
        Dataset → mean share of clips that have a tag.
    n_positives
        Least number of clips of a tag.
    """

    prevalence: Mapping[str, float] = field(default_factory=dict)
    n_positives: int = 100


Row = Mapping[str, Entry]
"""Metric → figure, of one model on one dataset in one source."""


def audit(entries: Sequence[Entry], assumptions: Assumptions = Assumptions()) -> list[Finding]:
    """Return what is impossible, then what is suspicious, each in the order of the table.

    Raises
    ------
    UnknownNameError
        If a prevalence is given for a dataset that the table lacks.
    """
    datasets = {entry.dataset for entry in entries}
    for dataset in assumptions.prevalence:
        if dataset not in datasets:
            raise UnknownNameError("dataset of the table", dataset, datasets)
    findings = [*_out_of_range(entries), *_contradictions(entries)]
    for row in _rows(entries).values():
        findings += _check_row(row, assumptions)
    findings += [*_identical_across_datasets(entries), *_copied(entries), *_sources_differ(entries)]
    return sorted(findings, key=lambda finding: (finding.severity, finding.lines))


def _check_row(row: Row, assumptions: Assumptions) -> Iterator[Finding]:
    """Check the figures of one model on one dataset against each other."""
    areas = [row[name] for name in ("pr_auc", "ap") if name in row]
    ap = max(areas, key=lambda entry: entry.high, default=None)
    roc_auc, mcc, f1 = row.get("roc_auc"), row.get("mcc"), row.get("f1")
    for entry in (mcc, f1):
        if ap is not None and entry is not None and entry.low > (bound := greatest_mcc_from_ap(ap.high)):
            yield _finding(
                "impossible",
                "mcc-ap",
                [entry, ap],
                f"{_title(entry)} {entry.value:g} with {_title(ap)} {ap.value:g}: at most {bound:.4f} at any "
                "threshold and prevalence",
            )
    if roc_auc is not None and mcc is not None:
        bound = greatest_mcc_from_roc_auc(roc_auc.high)
        if mcc.low > bound:
            message = f"MCC {mcc.value:g} with ROC-AUC {roc_auc.value:g}: at most {bound:.4f}"
            yield _finding("impossible", "mcc-roc-auc", [mcc, roc_auc], message)
    yield from _check_f1_mean(row)
    yield from _check_chance(row)
    yield from _check_two_areas(row, assumptions.n_positives)
    prevalence = assumptions.prevalence.get(next(iter(row.values())).dataset)
    if prevalence is not None:
        yield from _check_prevalence(row, ap, prevalence)


def _check_f1_mean(row: Row) -> Iterator[Finding]:
    """F1 of each tag is at most the mean of its precision and recall, so the means are, too."""
    if not {"f1", "precision", "recall"} <= row.keys():
        return
    f1, precision, recall = row["f1"], row["precision"], row["recall"]
    bound = (precision.high + recall.high) / 2
    if f1.low > bound:
        message = (
            f"F1 {f1.value:g} above the mean of precision {precision.value:g} and recall {recall.value:g}"
        )
        yield _finding("impossible", "f1-mean", [f1, precision, recall], message)


def _check_chance(row: Row) -> Iterator[Finding]:
    for name, level in (("roc_auc", 0.5), ("mcc", 0.0)):
        if name in row and row[name].value >= -1 and row[name].high < level:
            entry = row[name]
            message = f"{_title(entry)} {entry.value:g} is below chance, {level:g}: labels or scores swapped?"
            yield _finding("suspicious", "chance", [entry], message)


def _check_two_areas(row: Row, n_positives: int) -> Iterator[Finding]:
    if not {"ap", "pr_auc"} <= row.keys():
        return
    ap, pr_auc = row["ap"], row["pr_auc"]
    allowed = (math.log(n_positives) + 3) / (8 * n_positives) + (ap.unit + pr_auc.unit) / 2
    apart = abs(ap.value - pr_auc.value)
    if apart > allowed:
        yield _finding(
            "suspicious",
            "ap-pr-auc",
            [ap, pr_auc],
            f"AP {ap.value:g} and PR-AUC {pr_auc.value:g} are {apart:.4f} apart, two estimates of one area "
            f"at most {allowed:.4f} (tags of {n_positives} clips or more): one is something else",
        )


def _check_prevalence(row: Row, ap: Entry | None, prevalence: float) -> Iterator[Finding]:
    roc_auc, mcc = row.get("roc_auc"), row.get("mcc")
    if mcc is not None and (ap is not None or roc_auc is not None):
        bound = greatest_mcc(
            prevalence, ap=ap.high if ap else None, roc_auc=roc_auc.high if roc_auc else None
        )
        # The grid that the bound is found on is good for two digits.
        if mcc.low > bound + 0.01:
            others = [entry for entry in (ap, roc_auc) if entry is not None]
            given = " and ".join(f"{_title(entry)} {entry.value:g}" for entry in others)
            message = f"MCC {mcc.value:g} with {given}: at most {bound:.3f} at a prevalence of {prevalence:g}"
            yield _finding("suspicious", "mcc-prevalence", [mcc, *others], message)
    if ap is None:
        return
    if ap.high < prevalence:
        message = f"{_title(ap)} {ap.value:g} is below chance, the prevalence {prevalence:g}"
        yield _finding("suspicious", "chance", [ap], message)
    if roc_auc is not None and ap.high < (bound := least_ap_from_roc_auc(roc_auc.low, prevalence)):
        message = (
            f"{_title(ap)} {ap.value:g} with ROC-AUC {roc_auc.value:g}: at least {bound:.4f} at a "
            f"prevalence of {prevalence:g}"
        )
        yield _finding("suspicious", "ap-roc-auc", [ap, roc_auc], message)


def _out_of_range(entries: Iterable[Entry]) -> Iterator[Finding]:
    for entry in entries:
        lowest = -1.0 if entry.metric == "mcc" else 0.0
        if not lowest <= entry.value <= 1:
            hint = "; is the table in per cent?" if 1 < entry.value <= 100 else ""
            message = f"{_title(entry)} {entry.value:g} lies outside [{lowest:g}, 1]{hint}"
            yield _finding("impossible", "range", [entry], message)


def _contradictions(entries: Iterable[Entry]) -> Iterator[Finding]:
    same = _group(entries, lambda e: (e.source, e.dataset, e.model, e.metric))
    for group in same.values():
        if max(e.low for e in group) > min(e.high for e in group):
            values = " and ".join(f"{entry.value:g}" for entry in group)
            yield _finding("impossible", "contradiction", group, f"{_title(group[0])} is stated as {values}")


def _identical_across_datasets(entries: Sequence[Entry]) -> Iterator[Finding]:
    by_figure = _group(entries, lambda e: (e.source, e.model, e.metric, e.value))
    for (source, _, metric, value), group in by_figure.items():
        datasets = sorted({entry.dataset for entry in group})
        if len(datasets) < 2:
            continue
        others = [e.value for e in entries if (e.source, e.metric) == (source, metric)]
        spread = max(others) - min(others)
        chance = min(1.0, max(e.unit for e in group) / spread) ** (len(datasets) - 1) if spread else 1.0
        message = f"{_title(group[0])} {value:g} on {', '.join(datasets)} alike"
        if chance < 1:
            message += f": about 1 in {1 / chance:,.0f} by chance, given how figures spread in this table"
        yield _finding("suspicious", "identical", group, message, with_dataset=False)


def _copied(entries: Sequence[Entry]) -> Iterator[Finding]:
    for (_, dataset), group in _group(entries, lambda e: (e.source, e.dataset)).items():
        rows = list(_rows(group).values())
        for a, b in combinations(rows, 2):
            shared = [name for name in a if name in b and a[name].value == b[name].value]
            if len(shared) < _LEAST_SHARED:
                continue
            models = (next(iter(a.values())).model, next(iter(b.values())).model)
            figures = ", ".join(f"{_title(a[name])} {a[name].value:g}" for name in shared)
            message = f"{models[0]} and {models[1]} share {figures} on {dataset or 'this dataset'}"
            yield _finding(
                "suspicious", "copied", [a[name] for name in shared] + [b[name] for name in shared], message
            )


def _sources_differ(entries: Iterable[Entry]) -> Iterator[Finding]:
    same = _group(entries, lambda e: (plain_name(e.dataset), plain_name(e.model), e.metric))
    for group in same.values():
        for a, b in combinations(group, 2):
            if a.source != b.source and round(abs(a.value - b.value), 9) > SOURCES_DIFFER:
                message = (
                    f"{_title(a)} is {a.value:g} in {a.source} and {b.value:g} in {b.source}: another split, "
                    "protocol or training, or a mistake"
                )
                yield Finding("suspicious", "sources", f"{a.dataset} · {a.model}", (a.line, b.line), message)


def _finding(
    severity: Severity, rule: str, entries: Sequence[Entry], message: str, *, with_dataset: bool = True
) -> Finding:
    first = entries[0]
    parts = (first.source, first.dataset if with_dataset else "", first.model)
    lines = tuple(sorted({entry.line for entry in entries}))
    return Finding(severity, rule, " · ".join(part for part in parts if part), lines, message)


def _group(
    entries: Iterable[Entry], key: Callable[[Entry], tuple[str | float, ...]]
) -> dict[tuple[str | float, ...], list[Entry]]:
    groups: dict[tuple[str | float, ...], list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[key(entry)].append(entry)
    return groups


def _rows(entries: Iterable[Entry]) -> dict[tuple[str, str, str], Row]:
    rows: dict[tuple[str, str, str], dict[str, Entry]] = defaultdict(dict)
    for entry in entries:
        rows[entry.source, entry.dataset, entry.model].setdefault(entry.metric, entry)
    return dict(rows)


def _title(entry: Entry) -> str:
    titles = {"roc_auc": "ROC-AUC", "pr_auc": "PR-AUC", "ap": "AP", "mcc": "MCC", "f1": "F1"}
    return titles.get(entry.metric, entry.metric)

"""Where plans come from: what the library has on record, or what a tagger hears now."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from taggram.inference.result import TagResult, TagScore
from taggram.library.file_tags.plan import Heard
from taggram.library.store import Library
from taggram.library.tag_scores import TagScores
from taggram.library.tracks import Analysis, ModelRow
from taggram.modelfile.specification import Specification


def heard_in_library(library: Library, model: ModelRow, below: Iterable[Path] = ()) -> Iterator[Heard]:
    """Yield what `model` heard in the files of a library, one at a time, with the tags that the user taught.

    Parameters
    ----------
    library, model
        Whose analyses.
    below
        Only these files, and those in these directories; nothing is the whole library. Files in which
        the model heard nothing are left out.
    """
    tag_scores = TagScores(library, model)
    name = _model_name(model.specification)
    for place in tuple(below) or (None,):
        for file in library.files(below=place):
            analysis = library.analysis(file.recording_id, model) if file.recording_id is not None else None
            if analysis and analysis.outcome.has_tags:
                tags = _all_tags(analysis, model.specification, tag_scores)
                yield Heard(file.path, tags, name, analysis.created_at, tag_scores.thresholds)


def heard_now(results: Iterable[TagResult], specification: Specification) -> Iterator[Heard]:
    """Yield what a tagger says, for the results that have tags and come from files."""
    thresholds = {tag.name: tag.threshold for tag in specification.tags if tag.threshold is not None}
    for result in results:
        if result.path is not None and result.outcome.has_tags:
            path = Path(result.path).absolute()
            tags = () if result.is_unsure else result.tags
            yield Heard(path, tags, _model_name(specification), time.time(), thresholds)


def _all_tags(
    analysis: Analysis, specification: Specification, tag_scores: TagScores
) -> tuple[TagScore, ...]:
    """Return the scores of all tags; none if the sound is no music, or the model is not sure."""
    least = specification.least_evidence
    if least is not None and float(analysis.scores.sum()) < least:
        return ()
    tags = {
        tag.name: TagScore(tag.name, tag.category, score, tag.display_name)
        for tag, score in zip(specification.tags, analysis.scores.tolist(), strict=True)
    }
    for tag, category in tag_scores.categories.items():
        if tag_scores.is_taught(tag):
            score = tag_scores.of(tag, analysis.scores[np.newaxis], analysis.embedding[np.newaxis])
            tags[tag] = TagScore(tag, category, float(score[0]))
    return tuple(tags.values())


def _model_name(specification: Specification) -> str:
    """Return the model as it stands in a file: its name, and enough of its weights' hash to know it by."""
    return f"{specification.name} {specification.weights_sha256[:8]}".strip()

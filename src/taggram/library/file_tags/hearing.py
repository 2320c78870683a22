"""Where plans come from: what the library has on record, or what a tagger hears now."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from taggram.inference.result import TagResult, TagScore
from taggram.library.file_tags.plan import Heard
from taggram.library.store import Library
from taggram.library.tracks import ModelRow
from taggram.modelfile.specification import Specification


def heard_in_library(library: Library, model: ModelRow, below: Iterable[Path] = ()) -> Iterator[Heard]:
    """Yield what `model` heard in the files of a library, one at a time.

    Parameters
    ----------
    library, model
        Whose analyses.
    below
        Only these files, and those in these directories; nothing is the whole library. Files in which
        the model heard nothing are left out.
    """
    specification = model.specification
    thresholds = _thresholds(specification)
    for place in tuple(below) or (None,):
        for file in library.files(below=place):
            analysis = file.recording_id and library.analysis(file.recording_id, model)
            if analysis and analysis.outcome.has_tags:
                scores = zip(specification.tags, analysis.scores.tolist(), strict=True)
                tags = tuple(TagScore(tag.name, tag.category, score) for tag, score in scores)
                yield Heard(file.path, tags, _model_name(specification), analysis.created_at, thresholds)


def heard_now(results: Iterable[TagResult], specification: Specification) -> Iterator[Heard]:
    """Yield what a tagger says, for the results that have tags and come from files."""
    thresholds = _thresholds(specification)
    for result in results:
        if result.path is not None and result.outcome.has_tags:
            path = Path(result.path).absolute()
            yield Heard(path, result.tags, _model_name(specification), time.time(), thresholds)


def _model_name(specification: Specification) -> str:
    """Return the model as it stands in a file: its name, and enough of its weights' hash to know it by."""
    return f"{specification.name} {specification.weights_sha256[:8]}".strip()


def _thresholds(specification: Specification) -> dict[str, float]:
    return {tag.name: tag.threshold for tag in specification.tags if tag.threshold is not None}

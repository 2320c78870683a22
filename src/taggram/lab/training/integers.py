"""The shipped model in 8-bit integers: what it keeps of the quality, and what it gains.

The ranges are set on clips of the training split, everything is judged on validation.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taggram.inference.session import Session
from taggram.lab.quantise import quantise
from taggram.lab.training.agreement import spearman_per_tag
from taggram.lab.training.default_model import DefaultModelTraining, clip_means
from taggram.lab.training.frontier import Quality, judge_quality, make_song, measure_seconds, score_clips
from taggram.modelfile.reader import ModelFile, load_model_file


@dataclass(frozen=True, kw_only=True)
class Form(Quality):
    """One form of the model: its agreement with the ensemble on validation, and its cost.

    Attributes
    ----------
    name
        Type of number.
    n_bytes
        Of the file.
    network_seconds, cpu_seconds
        Processor seconds for a song, one core: without the spectrogram, and with it.
    """

    name: str
    n_bytes: int
    network_seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Integers:
    """Both forms, and how the second follows the first.

    Attributes
    ----------
    forms
        float32, then int8.
    spearman
        Rank correlation of both forms' clip scores, mean over tags.
    largest_difference
        Of any clip score.
    changed_tags
        Share of the tags given by either form at the thresholds that only one of them gives.
    """

    forms: tuple[Form, Form]
    spearman: float
    largest_difference: float
    changed_tags: float


def judge_integers(training: DefaultModelTraining, path: Path) -> Integers:
    """Quantise a model file and compare both forms."""
    floats = load_model_file(path)
    small, _ = quantise(floats, [clip.path for clip in training.clips if clip.split == "train"])
    clips = training.held_out("validation")
    reference = [clip.reference for clip in clips]
    scores = [score_clips(Session(model_file), clips) for model_file in (floats, small)]
    song = make_song(clips)
    one, other = map(clip_means, scores)
    thresholds = np.array([tag.threshold for tag in floats.specification.tags], np.float32)
    given = one >= thresholds, other >= thresholds
    return Integers(
        (
            _measure("float32", floats, judge_quality(reference, scores[0]), song),
            _measure("int8", small, judge_quality(reference, scores[1]), song),
        ),
        float(np.nanmean(spearman_per_tag(one, other))),
        float(np.abs(one - other).max()),
        float((given[0] ^ given[1]).sum() / max(1, (given[0] | given[1]).sum())),
    )


def _measure(name: str, model_file: ModelFile, quality: Quality, song: NDArray[np.float32]) -> Form:
    session = Session(model_file)
    return Form(
        **asdict(quality),
        name=name,
        n_bytes=len(model_file.data),
        network_seconds=measure_seconds(session.run_features, session.compute_features(song)),
        cpu_seconds=measure_seconds(session.run, song),
    )

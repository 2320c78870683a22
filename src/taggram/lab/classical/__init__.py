"""Classical models: features × summary over time × classifier, fitted by scikit-learn.

    waveform → features (n_features, n_frames) → summary (n_values,) → standardised → classifier → logits

What is fitted becomes a small torch module, stage by stage, so a classical model is a `TaggingModel` like
any other: it goes through the same door, and is evaluated by the same protocol.

A module `summaries/<name>.py` offers a summary under `SUMMARY`, a module `classifiers/<name>.py` a
classifier under `CLASSIFIER`; third parties use entry points in the groups of the same names.
"""

from collections.abc import Callable

from taggram.lab.classical.classifiers._base import Classifier
from taggram.lab.classical.summaries._base import Summary
from taggram.registry import Registry

SUMMARIES: Registry[Callable[..., Summary]] = Registry(
    "summary", "taggram.lab.classical.summaries", "SUMMARY"
)
CLASSIFIERS: Registry[Callable[..., Classifier]] = Registry(
    "classifier", "taggram.lab.classical.classifiers", "CLASSIFIER"
)

__all__ = ["CLASSIFIERS", "SUMMARIES", "Classifier", "Summary"]

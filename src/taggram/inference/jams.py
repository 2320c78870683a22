"""The frame of a JAMS document: what is the same whatever was annotated.

References
----------
Humphrey et al., "JAMS: a JSON annotated music specification", ISMIR 2014; JAMS schema 0.3.4.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from taggram import __version__


def make_annotation(
    namespace: str, data: Sequence[Mapping[str, Any]], *, annotator: Mapping[str, str], duration: float
) -> dict[str, Any]:
    """Return one annotation of a whole sound.

    Parameters
    ----------
    namespace
        Of JAMS, such as `tag_open`.
    data
        Observations: time, duration, value, confidence.
    annotator
        The model.
    duration
        Of the sound, in seconds.
    """
    return {
        "namespace": namespace,
        "data": list(data),
        "annotation_metadata": {
            "annotator": dict(annotator),
            "annotation_tools": f"taggram {__version__}",
            "data_source": "program",
            "corpus": "",
            "curator": {"name": "", "email": ""},
            "annotation_rules": "",
            "validation": "",
            "version": "",
        },
        "sandbox": {},
        "time": 0.0,
        "duration": duration,
    }


def make_document(
    annotations: Sequence[Mapping[str, Any]], *, duration: float, sandbox: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a document about one sound; `sandbox` is what JAMS has no place for."""
    return {
        "annotations": list(annotations),
        "file_metadata": {
            "title": "",
            "artist": "",
            "release": "",
            "duration": duration,
            "identifiers": {},
            "jams_version": "0.3.4",
        },
        "sandbox": {"taggram": dict(sandbox)},
    }

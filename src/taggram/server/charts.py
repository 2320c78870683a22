"""Chords over HTTP: heard in a worker, kept in every vocabulary, and arranged when somebody reads them.

Those of an upload are heard with its tags, because its sound does not stay. Those of a track are heard when
they are first asked for, by a job, and kept by the hash of the sound and of the model.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fastapi import Response

from taggram.chords.chart import arrange, chord_name, list_chord_names
from taggram.chords.formats import FORMATS
from taggram.chords.result import ChordResult, ChordSegment, Key
from taggram.chords.vocabulary import VocabularyName
from taggram.server.answers import as_answer, as_download, as_json
from taggram.server.jobs import JobQueue
from taggram.server.model_list import ModelList
from taggram.server.parameters import CHORD_FILES, Chart
from taggram.server.problems import ProblemError
from taggram.server.schemas import Chord, ChordKey, Chords
from taggram.server.shelf import Shelf
from taggram.server.sounds import find_sound, resolve_below
from taggram.server.store import Store


class Charts:
    """Gives chords, and has them heard."""

    def __init__(self, store: Store, shelf: Shelf, jobs: JobQueue, models: ModelList) -> None:
        self._store = store
        self._shelf = shelf
        self._jobs = jobs
        self._models = models

    def of_analysis(self, analysis_id: str, wish: Chart) -> Response:
        """Return the chords of an upload.

        Raises
        ------
        ProblemError
            404 if there is no such analysis, or no chords were heard.
        """
        name, charts = self._store.chords_of_analysis(analysis_id)
        return _answer(charts, name, wish)

    def of_track(self, track_id: int, wish: Chart) -> Response:
        """Return the chords of a track, or the job that listens for them.

        Raises
        ------
        ProblemError
            404 if there is no such track, or no chords were heard; 403 if its file lies outside the library's
            directories, 429 if no job may wait.
        """
        model = self._models.chords().weights_sha256
        with self._shelf.library() as library:
            file, audio_hash = find_sound(library, track_id)
            charts = self._store.chords(audio_hash, model)
            if charts is None:
                resolve_below(file.path, library.roots())
        if charts is None:
            name, key = file.path.name.encode("utf-8", "replace").decode(), f"{audio_hash.hex()}:{model}"
            job = self._jobs.submit("chords", f"Chords of {name}", {"track": track_id}, key=key)
            return as_answer(job)
        return _answer(charts, file.path.name, wish)


def _answer(charts: Mapping[VocabularyName, ChordResult] | None, name: str, wish: Chart) -> Response:
    said = name.encode("utf-8", "replace").decode()
    if charts is None:
        raise ProblemError(
            404, "no_chords", f"there are no chords of {said}",
            "upload it again; they need at least a second of sound",
        )  # fmt: skip
    heard = charts[wish.vocabulary]
    if all(chord.is_nothing for chord in heard.chords):
        raise ProblemError(
            404, "no_chords", f"no chords are heard in {said}",
            "take music in which notes sound together, not speech or drums alone",
        )  # fmt: skip
    chart = arrange(heard, semitones=wish.transpose, capo=wish.capo, is_simple=wish.simplify)
    if wish.format is None:
        return as_json(_describe(chart, wish, heard.key))
    ending, media_type = CHORD_FILES[wish.format]
    data = FORMATS[wish.format](replace(chart, path=name))
    return as_download(data, media_type, f"{Path(name).stem}{ending}")


def _describe(chart: ChordResult, wish: Chart, heard_key: Key | None) -> Chords:
    return Chords(
        duration=chart.duration,
        model=chart.model,
        vocabulary=chart.vocabulary,
        transpose=wish.transpose,
        capo=wish.capo,
        simplify=wish.simplify,
        key=_describe_key(chart.key),
        heard_key=_describe_key(heard_key),
        tuning_cents=round(chart.tuning_cents, 1),
        confidence=round(chart.confidence, 4),
        message=chart.message,
        names=list_chord_names(chart),
        chords=[_describe_chord(chord, chart) for chord in chart.chords],
    )


def _describe_key(key: Key | None) -> ChordKey | None:
    if key is None:
        return None
    return ChordKey(name=key.name, tonic=key.tonic, mode=key.mode, lead=round(key.lead, 4))


def _describe_chord(chord: ChordSegment, chart: ChordResult) -> Chord:
    return Chord(
        start=chord.start,
        end=chord.end,
        name=chord_name(chord, chart.spelling),
        label=chord.label(chart.spelling),
        root=chord.root,
        quality=chord.quality,
        is_minor=chord.is_minor,
        confidence=chord.confidence,
        is_doubtful=chord.is_doubtful,
    )

"""Write what a model heard in a library to a file for other programs.

    csv       one line per tag of a file, the columns of `taggram tag --format csv`
    parquet   one row per file: path, outcome, audio hash, file tags, embedding, and a column
              `score:NAME` for every tag of the vocabulary
    jams      one JAMS document per file and line

Files are read in pages, so that memory does not grow with the library. A file appears under its name
when it is complete.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from taggram.errors import MissingExtraError
from taggram.inference.report import CSV_HEADER, Selection, csv_rows, file_entry, jams_document, to_json
from taggram.inference.result import Outcome, TagResult, TagScore
from taggram.library.store import PAGE, Library
from taggram.library.tracks import FileRow, ModelRow, unpack_vectors
from taggram.modelfile.specification import Specification

_FIELD_COLUMNS = ("title", "artist", "album", "genre", "mood", "year")


class Heard(NamedTuple):
    """One file, with what a model heard in it: NaN where it heard nothing."""

    file: FileRow
    audio_hash: bytes | None
    scores: NDArray[np.float32]
    embedding: NDArray[np.float32]


def export_library(library: Library, model: ModelRow, path: Path, *, form: str, selection: Selection) -> int:
    """Write all files that were looked at and are there; return how many those are.

    Parameters
    ----------
    library, model
        What was heard, and by whom.
    path
        File to write.
    form
        A key of `FORMS`.
    selection
        Which tags of a file are written; Parquet holds all of them.

    Raises
    ------
    MissingExtraError
        If the form is "parquet" and pyarrow is not installed.
    """
    n_files = 0
    with _complete_or_not(path) as part, FORMS[form](part, model.specification, selection) as writer:
        for page in read_heard(library, model):
            writer.write(page)
            n_files += len(page)
    return n_files


def read_heard(library: Library, model: ModelRow) -> Iterator[list[Heard]]:
    """Yield the files that are there and have an outcome, with what `model` heard, in pages."""
    files = (file for file in library.files() if file.outcome is not None)
    while page := list(islice(files, PAGE)):
        yield _heard(library, model, page)


def _heard(library: Library, model: ModelRow, files: list[FileRow]) -> list[Heard]:
    ids = sorted({file.recording_id for file in files if file.recording_id is not None})
    rows = library.rows(
        "SELECT recording.id, audio_hash, scores, embedding FROM recording LEFT JOIN analysis "
        "ON recording_id = recording.id AND model_id = ? "
        f"WHERE recording.id IN ({', '.join('?' * len(ids))})",
        (model.id, *ids),
    )
    found = {row[0]: row[1:] for row in rows}
    spec = model.specification

    def heard(file: FileRow) -> Heard:
        audio_hash, scores, embedding = found.get(file.recording_id, (None, None, None))
        return Heard(file, audio_hash, _vector(scores, spec.n_tags), _vector(embedding, spec.embedding_dim))

    return [heard(file) for file in files]


def _vector(data: bytes | None, length: int) -> NDArray[np.float32]:
    if data is None:
        return np.full(length, np.nan, np.float32)
    return unpack_vectors([data], length).astype(np.float32).reshape(length)


def as_result(heard: Heard, specification: Specification) -> TagResult:
    """Return what is stored of a file as the tagger would have said it, without the taggram."""
    file, scores = heard.file, heard.scores
    has_tags = not np.isnan(scores).any()
    order = np.argsort(-scores, kind="stable") if has_tags else np.empty(0, int)
    ranked = [(specification.tags[i], float(scores[i])) for i in order]
    least = specification.least_evidence
    return TagResult(
        outcome=file.outcome or Outcome.UNREADABLE,
        duration=file.duration or 0.0,
        tags=tuple(TagScore(tag.name, tag.category, score, tag.display_name) for tag, score in ranked),
        clip_scores=scores,
        taggram=np.empty((0, specification.n_tags), np.float32),
        chunk_times=np.empty(0),
        embedding=heard.embedding,
        path=str(file.path),
        message=file.message,
        is_unsure=has_tags and least is not None and float(scores.sum()) < least,
    )


class _Writer(ABC):
    """Writes pages of files to `path`."""

    def __init__(self, path: Path, specification: Specification, selection: Selection) -> None:
        self._path = path
        self._specification = specification
        self._selection = selection

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def write(self, page: Sequence[Heard]) -> None:
        """Write one page."""

    @abstractmethod
    def __exit__(
        self,
        type_: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class _TextWriter(_Writer):
    header = ""

    def __enter__(self) -> Self:
        self._stream: IO[str] = self._path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        self._stream.write(self.header)
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.close()

    def write(self, page: Sequence[Heard]) -> None:
        for heard in page:
            result = as_result(heard, self._specification)
            self._stream.write(self.text(heard, result, self._selection.of(result, self._specification)))

    @abstractmethod
    def text(self, heard: Heard, result: TagResult, tags: tuple[TagScore, ...]) -> str:
        """Return what is written for one file."""


class _Csv(_TextWriter):
    header = ",".join(CSV_HEADER) + "\n"

    def text(self, heard: Heard, result: TagResult, tags: tuple[TagScore, ...]) -> str:
        del heard
        return csv_rows(file_entry(result, tags))


class _Jams(_TextWriter):
    def text(self, heard: Heard, result: TagResult, tags: tuple[TagScore, ...]) -> str:
        document = jams_document(result, tags, self._specification)
        fields = heard.file.fields
        for key, name in (("title", "title"), ("artist", "artist"), ("release", "album")):
            document["file_metadata"][key] = "; ".join(fields.get(name, ()))
        return to_json(document) + "\n"


class _Parquet(_Writer):
    def __enter__(self) -> Self:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            raise MissingExtraError("exporting Parquet", "parquet") from error
        self._arrow: Any = pyarrow
        self._schema = self._make_schema()
        self._writer: Any = parquet.ParquetWriter(self._path, self._schema, compression="zstd")
        return self

    def _make_schema(self) -> Any:
        arrow = self._arrow
        columns = [
            ("path", arrow.string()),
            ("outcome", arrow.string()),
            ("message", arrow.string()),
            ("duration", arrow.float64()),
            ("audio_hash", arrow.string()),
            *((name, arrow.list_(arrow.string())) for name in _FIELD_COLUMNS),
            ("embedding", arrow.list_(arrow.float32(), self._specification.embedding_dim)),
            *((f"score:{tag.name}", arrow.float32()) for tag in self._specification.tags),
        ]
        metadata = {"model": self._specification.name, "weights_sha256": self._specification.weights_sha256}
        return arrow.schema(columns, metadata=metadata)

    def write(self, page: Sequence[Heard]) -> None:
        arrow = self._arrow
        files = [heard.file for heard in page]
        scores = np.stack([heard.scores for heard in page])
        embeddings = np.stack([heard.embedding for heard in page])
        is_heard = ~np.isnan(scores[:, 0])
        columns = [
            [_text(str(file.path)) for file in files],
            [file.outcome.value if file.outcome else None for file in files],
            [file.message for file in files],
            [file.duration for file in files],
            [heard.audio_hash.hex() if heard.audio_hash else None for heard in page],
            *([list(map(_text, file.fields.get(name, ()))) for file in files] for name in _FIELD_COLUMNS),
            [row if heard else None for row, heard in zip(embeddings, is_heard.tolist(), strict=True)],
            *(arrow.array(column, mask=~is_heard) for column in scores.T),
        ]
        arrays = [
            arrow.array(column, kind) if isinstance(column, list) else column
            for column, kind in zip(columns, self._schema.types, strict=True)
        ]
        self._writer.write_table(arrow.Table.from_arrays(arrays, schema=self._schema))

    def __exit__(
        self,
        type_: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.close()


FORMS: dict[str, Callable[[Path, Specification, Selection], _Writer]] = {
    "csv": _Csv,
    "parquet": _Parquet,
    "jams": _Jams,
}
"""Name of a form → what writes it."""


def _text(text: str) -> str:
    r"""Return a text that is valid UTF-8: bytes that are none become `\\xNN`."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@contextmanager
def _complete_or_not(path: Path) -> Iterator[Path]:
    """Give a place to write to, which takes the name `path` when all is written."""
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)

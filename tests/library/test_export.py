"""Exports hold every file that was looked at, as other programs read them."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from taggram import Outcome, Tagger
from taggram.errors import MissingExtraError
from taggram.inference.report import Selection
from taggram.library import Library, ModelRow, export, store
from taggram.library.export import as_result, export_library, read_heard
from taggram.library.inventory import take_inventory
from taggram.library.paths import pack_path
from taggram.library.scan import Scan

ALL = Selection(top_k=None, threshold=0.0)


@pytest.fixture
def model(library: Library, tagger: Tagger, songs: Path, monkeypatch: pytest.MonkeyPatch) -> ModelRow:
    """The model of a library of the songs, some of which have file tags, and one that waits."""
    for module in (store, export):
        monkeypatch.setattr(module, "PAGE", 2)
    take_inventory(library, [songs])
    scan = Scan(library, tagger)
    scan.run()
    fields = '{"title":["Low"],"artist":["A","B\\udce9"],"album":["Bands"],"genre":["x"]}'
    path = pack_path(songs / "low.wav")
    library.connection.execute("UPDATE file SET fields = ? WHERE path = ?", (fields, path))
    (songs / "waiting.mp3").touch()
    take_inventory(library, [songs])
    return scan.model


def test_csv_has_a_line_per_tag(library: Library, model: ModelRow, tmp_path: Path, songs: Path) -> None:
    path = tmp_path / "out.csv"
    assert export_library(library, model, path, form="csv", selection=ALL) == 5
    lines = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    by_file = {Path(line["path"]).name: [ln for ln in lines if ln["path"] == line["path"]] for line in lines}
    assert {name: len(found) for name, found in by_file.items()} == {
        "low.wav": 3,
        "low again.wav": 3,
        "high 🎵.wav": 3,
        "short.wav": 1,
        "broken.mp3": 1,
    }
    assert by_file["low.wav"][0]["tag"] == "low"
    assert by_file["low again.wav"][0]["score"] == by_file["low.wav"][0]["score"]
    assert by_file["high 🎵.wav"][0]["tag"] == "high"
    assert "is in no sound format" in by_file["broken.mp3"][0]["message"]
    export_library(library, model, path, form="csv", selection=Selection(top_k=1))
    assert len(path.read_text().splitlines()) == 6


def test_jams_has_a_document_per_line(library: Library, model: ModelRow, tmp_path: Path) -> None:
    path = tmp_path / "out.jams"
    export_library(library, model, path, form="jams", selection=ALL)
    documents = [json.loads(line) for line in path.read_text().splitlines()]
    found = {Path(d["sandbox"]["taggram"]["path"]).name: d for d in documents}
    assert len(found) == 5
    metadata = found["low.wav"]["file_metadata"]
    assert (metadata["title"], metadata["artist"], metadata["release"]) == ("Low", "A; B\udce9", "Bands")
    assert metadata["duration"] == pytest.approx(2.0)
    assert found["low.wav"]["annotations"][0]["data"][0]["value"] == "low"
    assert found["broken.mp3"]["annotations"][0]["data"] == []


def test_parquet_has_a_row_per_file_and_a_column_per_tag(
    library: Library, model: ModelRow, tmp_path: Path, songs: Path
) -> None:
    path = tmp_path / "out.parquet"
    assert export_library(library, model, path, form="parquet", selection=ALL) == 5
    table = pyarrow.parquet.read_table(path)
    assert table.schema.metadata[b"model"] == b"tiny"
    rows = {Path(row["path"]).name: row for row in table.to_pylist()}
    assert len(rows) == 5
    file = library.file(songs / "low.wav")
    assert file is not None
    assert file.recording_id is not None
    analysis = library.analysis(file.recording_id, model)
    assert analysis is not None
    row = rows["low.wav"]
    np.testing.assert_array_equal(
        [row[f"score:{tag.name}"] for tag in model.specification.tags], analysis.scores
    )
    np.testing.assert_array_equal(row["embedding"], analysis.embedding)
    assert row["artist"] == ["A", "B\\xe9"]
    assert row["audio_hash"] == rows["low again.wav"]["audio_hash"] != rows["high 🎵.wav"]["audio_hash"]
    assert (rows["broken.mp3"]["outcome"], rows["broken.mp3"]["embedding"]) == ("not_audio", None)
    assert rows["short.wav"]["score:low"] is None
    assert "0.50 s of sound" in rows["short.wav"]["message"]


def test_another_model_heard_nothing(library: Library, model: ModelRow, tmp_path: Path) -> None:
    specification = model.specification.model_copy(update={"weights_sha256": "e" * 64})
    other = library.add_model(specification)
    path = tmp_path / "out.csv"
    export_library(library, other, path, form="csv", selection=ALL)
    assert {line["tag"] for line in csv.DictReader(path.read_text().splitlines())} == {""}


def test_where_the_model_is_not_sure_the_export_says_so(
    library: Library, model: ModelRow, tmp_path: Path
) -> None:
    page = next(read_heard(library, model))
    heard = next(heard for heard in page if heard.file.outcome is Outcome.TAGGED)
    evidence = float(heard.scores.sum())
    for least, is_unsure in [(None, False), (evidence - 0.1, False), (evidence + 0.1, True)]:
        specification = model.specification.model_copy(update={"least_evidence": least})
        result = as_result(heard, specification)
        assert result.is_unsure is is_unsure
        assert len(result.tags) == 3


def test_an_export_is_complete_or_not_there(
    library: Library, model: ModelRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out" / "x.csv"
    path.parent.mkdir()
    path.write_text("before")

    def fail(*arguments: object) -> object:
        raise RuntimeError("half-way")

    monkeypatch.setattr(export, "csv_rows", fail)
    with pytest.raises(RuntimeError, match="half-way"):
        export_library(library, model, path, form="csv", selection=ALL)
    assert path.read_text() == "before"
    assert list(path.parent.iterdir()) == [path]


def test_the_extra_is_named(
    library: Library, model: ModelRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"taggram\[parquet\]"):
        export_library(library, model, tmp_path / "x.parquet", form="parquet", selection=ALL)
    assert not list(tmp_path.glob("x.parquet*"))

"""The index: exact and graph agree, and the graph is kept, brought up to date, or made anew."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from taggram.library import Library, nearest
from taggram.library.nearest import ExactIndex, GraphIndex, open_index
from tests.library.collection import Collection

pytest.importorskip("usearch", reason="the optional part `search` is not installed")


@pytest.fixture
def collection(library: Library, rng: np.random.Generator, tmp_path: Path) -> Collection:
    collection = Collection(library, rng, tmp_path / "music")
    collection.fill(100)
    return collection


@pytest.fixture
def _graphs(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Use graphs for small libraries, too."""
    monkeypatch.setattr(nearest, "EXACT_SIZE", 10)
    caplog.set_level(logging.INFO, "taggram.library.nearest")


def graph_files(collection: Collection) -> tuple[Path, Path]:
    folder = collection.library.path.with_name("library.db.similar")
    return folder / "graph-1.usearch", folder / "graph-1.json"


def ids_in(collection: Collection) -> set[int]:
    """The recordings that the graph holds; all but a few that no path leads to are found."""
    space, index = open_index(collection.library, collection.model)
    assert isinstance(index, GraphIndex)
    found = index.search(np.ones(space.n_dimensions, np.float32), 1000)
    held = set(index.recording_ids().tolist())
    assert set(found.recording_ids.tolist()) <= held
    assert len(found.recording_ids) >= 0.97 * len(held) == 0.97 * len(index)
    return held


def test_a_small_library_needs_no_file(collection: Collection) -> None:
    _, index = open_index(collection.library, collection.model)
    assert isinstance(index, ExactIndex)
    assert not graph_files(collection)[0].exists()


def test_without_usearch_search_is_exact(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "EXACT_SIZE", 10)
    monkeypatch.setattr(nearest, "_has_usearch", lambda: False)
    assert isinstance(open_index(collection.library, collection.model)[1], ExactIndex)


def test_exact_search_is_a_sorted_list(rng: np.random.Generator) -> None:
    vectors = rng.normal(size=(50, 8)).astype(np.float32)
    ids = np.arange(100, 150)
    query = rng.normal(size=8).astype(np.float32)
    order = np.argsort(-(vectors @ query))
    index = ExactIndex(ids, vectors)
    for n in (1, 7, 50, 80):
        found = index.search(query, n)
        np.testing.assert_array_equal(found.recording_ids, ids[order][:n])
        np.testing.assert_allclose(found.similarities, (vectors @ query)[order][:n], rtol=1e-5)
    assert len(ExactIndex(ids[:0], vectors[:0]).search(query, 5).recording_ids) == 0


@pytest.mark.usefixtures("_graphs")
def test_the_graph_finds_what_exact_search_finds(
    collection: Collection, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    space, graph = open_index(collection.library, collection.model)
    monkeypatch.setattr(nearest, "EXACT_SIZE", 1000)
    _, exact = open_index(collection.library, collection.model)
    assert isinstance(graph, GraphIndex)
    for _ in range(20):
        query = rng.normal(size=space.n_dimensions).astype(np.float32)
        expected, found = exact.search(query, 10), graph.search(query, 10)
        assert len(set(expected.recording_ids) & set(found.recording_ids)) >= 9
        np.testing.assert_allclose(found.similarities, expected.similarities, atol=0.02)


@pytest.mark.usefixtures("_graphs")
def test_the_graph_is_kept(collection: Collection, caplog: pytest.LogCaptureFixture) -> None:
    whole = set(collection.styles)
    assert ids_in(collection) == whole
    assert "there is none yet" in caplog.text
    before = [path.stat().st_mtime_ns for path in graph_files(collection)]
    caplog.clear()
    assert ids_in(collection) == whole
    assert caplog.text == ""
    assert [path.stat().st_mtime_ns for path in graph_files(collection)] == before
    assert not list(graph_files(collection)[0].parent.glob("*.part"))


@pytest.mark.usefixtures("_graphs")
def test_the_graph_follows_the_library(collection: Collection, caplog: pytest.LogCaptureFixture) -> None:
    open_index(collection.library, collection.model)
    caplog.clear()
    gone = collection.of_style(0)[:5]
    with collection.library.transaction() as connection:
        connection.execute(f"DELETE FROM analysis WHERE recording_id IN ({','.join(map(str, gone))})")
    new, heard = collection.add(1)
    again = collection.of_style(2)[0]
    collection.library.store_analysis(again, collection.model, heard)
    assert ids_in(collection) == set(collection.styles) - set(gone)
    assert caplog.text == "", "it was brought up to date, not made anew"
    space, index = open_index(collection.library, collection.model)
    vector = space.vectors(heard.embedding[None], heard.clip_scores[None])[0]
    assert set(index.search(vector, 2).recording_ids.tolist()) == {new, again}


@pytest.mark.usefixtures("_graphs")
def test_after_many_changes_it_is_made_anew(collection: Collection, caplog: pytest.LogCaptureFixture) -> None:
    open_index(collection.library, collection.model)
    caplog.clear()
    collection.fill(60)
    assert ids_in(collection) == set(collection.styles)
    assert "much has changed" in caplog.text


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.usefixtures("_graphs")
@pytest.mark.parametrize("which", [0, 1], ids=["graph", "description"])
@pytest.mark.parametrize(
    "damage", [_cut, _flip, lambda data: b"", None], ids=["cut", "flipped", "empty", "gone"]
)
def test_a_damaged_or_missing_file_is_made_again(
    collection: Collection, caplog: pytest.LogCaptureFixture, which: int, damage: object
) -> None:
    whole = ids_in(collection)
    path = graph_files(collection)[which]
    if callable(damage):
        path.write_bytes(damage(path.read_bytes()))
    else:
        path.unlink()
    caplog.clear()
    assert ids_in(collection) == whole
    if which == 0 or damage is not _flip:  # one flipped digit of an average is an average all the same
        assert "making the index of similar sounds" in caplog.text
    caplog.clear()
    assert ids_in(collection) == whole
    assert caplog.text == ""


@pytest.mark.usefixtures("_graphs")
@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"weights_sha256": "0" * 64},
        {"mean": [0.0]},
        {"mean": "x"},
        {"version": "other", "made_at": "never"},
        {"version": "other", "made_at": 1e12},
    ],
    ids=["format", "model", "length", "text", "age", "future"],
)
def test_a_foreign_description_is_not_believed(
    collection: Collection, caplog: pytest.LogCaptureFixture, change: dict[str, object]
) -> None:
    whole = ids_in(collection)
    path = graph_files(collection)[1]
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    caplog.clear()
    extra, _ = collection.add(0)
    assert ids_in(collection) == {*whole, extra}
    assert "making the index of similar sounds" in caplog.text


@pytest.mark.usefixtures("_graphs")
def test_a_folder_that_cannot_be_written_to(collection: Collection, caplog: pytest.LogCaptureFixture) -> None:
    graph_files(collection)[0].parent.write_text("in the way")
    assert ids_in(collection) == set(collection.styles)
    assert "cannot be kept" in caplog.text

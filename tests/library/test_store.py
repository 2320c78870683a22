"""Files, models and analyses: stored, streamed, joined, forgotten."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from taggram import Outcome, TagResult
from taggram.errors import LibraryError, UnknownNameError
from taggram.library import Library, ModelRow, store
from taggram.library.store import Seen
from taggram.library.tracks import Identity
from taggram.modelfile.specification import Specification
from tests.conftest import tiny_specification


def specification(weights: str = "a", name: str = "tiny") -> Specification:
    return tiny_specification().model_copy(update={"weights_sha256": weights * 64, "name": name})


def identity(number: int) -> Identity:
    return Identity(bytes([number]) * 32, 9.0, "mp3", "mp3", 44100, 2)


def result(seed: int, outcome: Outcome = Outcome.TAGGED) -> TagResult:
    rng = np.random.default_rng(seed)
    taggram = rng.random((4, 3), np.float32)
    times = np.array([0, 1, 2, 2.5])
    return TagResult(outcome, 3.5, (), taggram.mean(axis=0), taggram, times, rng.random(3, np.float32))


def silent() -> TagResult:
    nothing = np.full(3, np.nan, np.float32)
    empty = np.empty((0, 3), np.float32)
    return TagResult(Outcome.SILENT, 3.5, (), nothing, empty, np.empty(0), nothing, message="not a sound")


def add_file(library: Library, path: str, recording: int | None = None, **fields: tuple[str, ...]) -> int:
    """Put a file into a library as a walk and an examination do; return its id."""
    with library.transaction() as connection:
        cursor = connection.execute(
            "INSERT INTO file (path, size, mtime_ns) VALUES (?, 1, 2)", (os.fsencode(path),)
        )
    file_id = cursor.lastrowid
    assert file_id is not None
    if recording is not None:
        library.store_identity(file_id, Seen(Path(path), 1, 2), identity(recording), fields)
        library.store_outcome(file_id, Outcome.TAGGED, "")
    return file_id


@pytest.fixture
def model(library: Library) -> ModelRow:
    return library.add_model(specification())


def test_a_file_comes_back(library: Library) -> None:
    file_id = add_file(library, "/m/a.mp3", 1, genre=("jazz", "blues"), artist=("Ø",))
    file = library.file(Path("/m/a.mp3"))
    assert file is not None
    assert file == library.file_by_id(file_id)
    assert (file.path, file.size, file.mtime_ns) == (Path("/m/a.mp3"), 1, 2)
    assert (file.outcome, file.message, file.is_missing) == (Outcome.TAGGED, "", False)
    assert file.duration == 9.0
    assert file.fields == {"genre": ("jazz", "blues"), "artist": ("Ø",)}
    assert file.scanned_at is not None
    assert library.file(Path("/m/b.mp3")) is None
    assert library.file_by_id(99) is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not take such a name")
def test_any_path_comes_back(library: Library) -> None:
    names = [os.fsdecode(b"caf\xe9.mp3"), "🎵 and space.mp3", "new\nline.mp3", "'quoted\".mp3", "%_*?.mp3"]
    for name in names:
        add_file(library, f"/m/{name}", 1)
    assert [file.path.name for file in library.files()] == names
    assert all(library.file(Path("/m", name)) for name in names)


def test_a_message_may_hold_any_text(library: Library) -> None:
    file_id = add_file(library, "/a", 1)
    library.store_outcome(file_id, Outcome.CORRUPT, "caf\udce9: broken")
    file = library.file_by_id(file_id)
    assert file is not None
    assert file.message == r"caf\udce9: broken"


def test_files_are_streamed_in_pages(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PAGE", 3)
    for number in range(10):
        add_file(library, f"/m/{number}.mp3", number % 4)
    files = library.files()
    assert next(files).path.name == "0.mp3"
    add_file(library, "/m/later.mp3", 1)  # writing while reading is fine
    assert [file.path.stem for file in files] == [*"123456789", "later"]


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        ("/m", ["/m/a", "/m/a/x", "/m/a-b", "/m/a0", "/m/a/y z"]),
        ("/m/a", ["/m/a", "/m/a/x", "/m/a/y z"]),
        ("/m/a/", ["/m/a", "/m/a/x", "/m/a/y z"]),
        ("/m/../m/a/x", ["/m/a/x"]),
        ("/", ["/m/a", "/m/a/x", "/m/a-b", "/m/a0", "/m/a/y z", "/n"]),
        ("/o", []),
    ],
)
def test_files_below(library: Library, below: str, expected: list[str]) -> None:
    for path in ["/m/a", "/m/a/x", "/m/a-b", "/m/a0", "/m/a/y z", "/n"]:
        add_file(library, path, 1)
    assert [str(file.path) for file in library.files(below=Path(below))] == expected


def test_files_by_outcome(library: Library) -> None:
    good, bad, waiting, missing = (add_file(library, f"/{name}", 1) for name in "abcd")
    library.store_outcome(bad, Outcome.CORRUPT, "broken")
    library.connection.execute("UPDATE file SET outcome = NULL WHERE id = ?", (waiting,))
    library.connection.execute("UPDATE file SET is_missing = 1 WHERE id = ?", (missing,))
    assert [file.id for file in library.files()] == [good, bad, waiting]
    assert [file.id for file in library.files(include_missing=True)] == [good, bad, waiting, missing]
    assert [file.id for file in library.files(outcomes=[Outcome.CORRUPT])] == [bad]
    assert [file.id for file in library.files(outcomes=[])] == []
    assert [file.outcome for file in library.files()] == [Outcome.TAGGED, Outcome.CORRUPT, None]


def test_files_of_recordings_and_duplicates(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PAGE", 2)
    ids = [add_file(library, f"/{number}", number % 3) for number in range(6)]
    files = [library.file_by_id(file_id) for file_id in ids]
    recordings = [file.recording_id for file in files if file]
    found = library.files_of([r for r in recordings[:3] if r] + [99])
    assert {key: [f.id for f in value] for key, value in found.items()} == {
        recordings[n]: [ids[n], ids[n + 3]] for n in range(3)
    }
    library.connection.execute("UPDATE file SET is_missing = 1 WHERE id = ?", (ids[0],))
    groups = list(library.duplicates())
    assert [[file.id for file in group] for group in groups] == [[ids[1], ids[4]], [ids[2], ids[5]]]


def test_an_analysis_comes_back(library: Library, model: ModelRow) -> None:
    add_file(library, "/a", 1)
    said = result(0)
    library.store_analysis(1, model, said)
    analysis = library.analysis(1, model)
    assert analysis is not None
    assert (analysis.outcome, analysis.message, analysis.duration) == (Outcome.TAGGED, "", 3.5)
    np.testing.assert_allclose(analysis.scores, said.clip_scores, atol=5e-4)
    np.testing.assert_allclose(analysis.embedding, said.embedding, atol=5e-4)
    np.testing.assert_allclose(analysis.taggram, said.taggram, atol=9e-3)
    np.testing.assert_array_equal(analysis.chunk_times, said.chunk_times)
    assert library.analysis(2, model) is None


def test_an_analysis_without_tags_says_why(library: Library, model: ModelRow) -> None:
    add_file(library, "/a", 1)
    library.store_analysis(1, model, result(0))
    library.store_analysis(1, model, silent())
    analysis = library.analysis(1, model)
    assert analysis is not None
    assert (analysis.outcome, analysis.message) == (Outcome.SILENT, "not a sound")
    assert np.isnan(analysis.scores).all()
    assert np.isnan(analysis.embedding).all()
    assert analysis.taggram.shape == (0, 3)
    assert len(library.scores(model)[0]) == 0
    assert library.rows("SELECT count(*) FROM taggram") == [(0,)]


def test_scores_and_embeddings_of_all(library: Library, model: ModelRow) -> None:
    other = library.add_model(specification("b"))
    said = {}
    for number in range(1, 8):
        add_file(library, f"/{number}", number)
        if number != 4:
            said[number] = result(number)
            library.store_analysis(number, model, said[number])
    library.store_analysis(4, model, silent())
    library.store_analysis(4, other, result(4))
    ids, scores = library.scores(model)
    assert ids.tolist() == [1, 2, 3, 5, 6, 7]
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, [said[i].clip_scores for i in ids.tolist()], atol=5e-4)
    ids, embeddings = library.embeddings(model)
    assert ids.tolist() == [1, 2, 3, 5, 6, 7]
    assert embeddings.dtype == np.float16
    np.testing.assert_allclose(embeddings, [said[i].embedding for i in ids.tolist()], atol=5e-4)
    assert library.scores(other)[0].tolist() == [4]
    batches = list(library.score_batches(model, size=4))
    assert [batch_ids.tolist() for batch_ids, _ in batches] == [[1, 2, 3, 5], [6, 7]]
    np.testing.assert_array_equal(np.concatenate([batch for _, batch in batches]), scores)


def test_the_version_changes_with_the_analyses(library: Library, model: ModelRow) -> None:
    other = library.add_model(specification("b"))
    add_file(library, "/a", 1)
    versions = [library.version(model)]
    for change in (
        lambda: library.store_analysis(1, model, result(0)),
        lambda: library.store_analysis(1, model, result(1)),
        lambda: library.remove(Path("/a")),
    ):
        change()
        versions.append(library.version(model))
    assert len(set(versions)) == 4
    assert library.version(other) == library.version(other) != library.version(model)


def test_two_libraries_have_different_versions(tmp_path: Path) -> None:
    versions = set()
    for name in "ab":
        with Library.open(tmp_path / name) as library:
            versions.add(library.version(library.add_model(specification())))
    assert len(versions) == 2


def test_the_default_model_listened_last(library: Library) -> None:
    with pytest.raises(LibraryError, match="no model has listened to this library yet"):
        library.default_model()
    one, other = library.add_model(specification()), library.add_model(specification("b", "second"))
    add_file(library, "/a", 1)
    library.store_analysis(1, other, result(0))
    library.store_analysis(1, one, result(0))
    assert library.default_model() == one
    library.store_analysis(1, other, result(0))
    assert library.default_model() == other
    assert library.default_model("tiny") == one
    assert [model.name for model in library.models()] == ["second", "tiny"]
    assert library.add_model(specification()) == one
    assert one.specification == specification()
    with pytest.raises(UnknownNameError, match="unknown model of this library 'tin': did you mean 'tiny'"):
        library.default_model("tin")


def test_roots_inside_others_need_no_note(library: Library) -> None:
    for path in ["/m/a", "/m/b", "/m/a/x", "/m/ab"]:
        library.add_root(Path(path))
    assert [str(path) for path in library.roots()] == ["/m/a", "/m/ab", "/m/b"]
    library.add_root(Path("/m"))
    library.add_root(Path("/m"))
    assert library.roots() == (Path("/m"),)


def test_removing_takes_what_belongs_to_it(library: Library, model: ModelRow) -> None:
    library.add_root(Path("/m/a"))
    for path, recording in [("/m/a/1", 1), ("/m/a/2", 2), ("/m/b/1", 1)]:
        add_file(library, path, recording)
    for recording_id in (1, 2):
        library.store_analysis(recording_id, model, result(recording_id))
    assert library.remove(Path("/m/a")) == 2
    assert library.roots() == ()
    assert [str(file.path) for file in library.files()] == ["/m/b/1"]
    assert library.scores(model)[0].tolist() == [1]  # another file still holds it
    assert library.remove(Path("/m/b/1")) == 1
    assert library.remove(Path("/m/b/1")) == 0
    for table in ("file", "recording", "analysis", "taggram"):
        assert library.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_model_is_removed_with_what_it_heard(library: Library, model: ModelRow) -> None:
    other = library.add_model(specification("b", "other"))
    add_file(library, "/a", 1)
    for one in (model, other):
        library.store_analysis(1, one, result(0))
    library.remove_model(other)
    assert library.models() == (model,)
    assert library.analysis(1, model) is not None
    assert library.rows("SELECT count(*) FROM analysis") == library.rows("SELECT count(*) FROM taggram")
    assert library.rows("SELECT count(*) FROM taggram") == [(1,)]
    assert library.check_integrity() == ()


def test_missing_files_are_forgotten_on_request_or_when_found(library: Library) -> None:
    moved, gone, kept = (add_file(library, f"/{n}", n) for n in (1, 2, 3))
    add_file(library, "/elsewhere", 1)
    library.connection.execute("UPDATE file SET is_missing = 1 WHERE id IN (?, ?)", (moved, gone))
    assert library.forget_moved() == 1
    assert [str(file.path) for file in library.files(include_missing=True)] == ["/2", "/3", "/elsewhere"]
    assert library.remove_missing() == 1
    assert [str(file.path) for file in library.files(include_missing=True)] == ["/3", "/elsewhere"]
    assert library.file_by_id(kept) is not None


def test_a_snapshot_does_not_see_what_is_written_meanwhile(library: Library) -> None:
    add_file(library, "/1", 1)
    with Library.open(library.path) as other:
        with library.snapshot():
            assert len(list(library.files())) == 1
            add_file(other, "/2", 1)
            assert len(list(library.files())) == 1
        assert len(list(library.files())) == 2

"""Scans: every file ends in an outcome, nothing is analysed twice, and all can be stopped."""

import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from taggram import Outcome, Tagger
from taggram.errors import LibraryError
from taggram.library import Library, store
from taggram.library.file_tags.containers import TagFile
from taggram.library.inventory import take_inventory
from taggram.library.listening import load_tagger
from taggram.library.scan import Ended, Scan, ScanSummary, retry_failures
from taggram.library.status import compute_status
from taggram.modelfile.container import seal
from tests.conftest import tiny_graph, tiny_specification
from tests.inference.test_tagger import write_wav

Tone = Callable[..., np.ndarray]


def run(
    library: Library, tagger: Tagger, music: Path, *, workers: int = 2, **options: object
) -> tuple[ScanSummary, list[Ended]]:
    """Walk and scan; return the summary and how each file ended."""
    take_inventory(library, [music])
    endings: list[Ended] = []
    summary = Scan(library, tagger).run(workers=workers, on_file=endings.append, **options)  # type: ignore[arg-type]
    assert library.check_integrity() == ()
    return summary, endings


def outcomes(library: Library) -> dict[str, Outcome | None]:
    return {file.path.name: file.outcome for file in library.files()}


@pytest.fixture
def other_tagger(tmp_path: Path) -> Iterator[Tagger]:
    """A model of another name, and so of other weights as far as the library knows."""
    specification = tiny_specification().model_copy(update={"name": "other"})
    path = tmp_path / "other.onnx"
    graph = tiny_graph(specification)
    path.write_bytes(seal(graph.replace(b"tiny", b"TINY"), specification))
    with Tagger.load(path, n_threads=1) as tagger:
        yield tagger


def test_every_file_ends_in_an_outcome(library: Library, tagger: Tagger, songs: Path) -> None:
    summary, endings = run(library, tagger, songs)
    assert outcomes(library) == {
        "low.wav": Outcome.TAGGED,
        "low again.wav": Outcome.TAGGED,
        "high 🎵.wav": Outcome.TAGGED,
        "short.wav": Outcome.TOO_SHORT,
        "broken.mp3": Outcome.NOT_AUDIO,
    }
    assert summary.counts == Counter(outcomes(library).values())
    assert (summary.n_waiting, summary.n_known) == (0, 1)
    assert summary.heard == pytest.approx(2.0 + 2.5 + 0.5)
    assert not summary.is_clean
    assert {ended.path for ended in endings} == {file.path for file in library.files()}
    reasons = {file.path.name: file.message for file in library.files()}
    assert "is in no sound format" in reasons["broken.mp3"]
    assert "0.50 s of sound" in reasons["short.wav"]
    status = compute_status(library)
    assert sum(status.counts.values()) == status.n_files == 5
    assert status.n_recordings == 3


def test_what_is_stored_is_what_the_tagger_says(library: Library, tagger: Tagger, songs: Path) -> None:
    run(library, tagger, songs)
    model = library.default_model()
    assert model.specification == tagger.specification
    for name in ("low.wav", "high 🎵.wav"):
        file = library.file(songs / name)
        assert file is not None
        assert file.recording_id is not None
        stored, said = library.analysis(file.recording_id, model), tagger.tag(songs / name)
        assert stored is not None
        assert file.duration == stored.duration == pytest.approx(said.duration)
        np.testing.assert_allclose(stored.scores, said.clip_scores, atol=5e-4)
        np.testing.assert_allclose(stored.embedding, said.embedding, rtol=1e-3)
        np.testing.assert_allclose(stored.taggram, said.taggram, atol=8e-3)
        np.testing.assert_allclose(stored.chunk_times, said.chunk_times)


def test_a_second_scan_has_nothing_to_do(library: Library, tagger: Tagger, songs: Path) -> None:
    run(library, tagger, songs)
    version = library.version(library.default_model())
    summary, endings = run(library, tagger, songs)
    assert (summary.counts.total(), endings) == (0, [])
    assert library.version(library.default_model()) == version


def test_moved_and_retagged_files_are_not_analysed_again(
    library: Library, tagger: Tagger, songs: Path, rng: np.random.Generator
) -> None:
    noise = songs / "noise.wav"
    write_wav(noise, rng.normal(0, 0.1, 16_000))
    run(library, tagger, songs)
    model = library.default_model()
    version = library.version(model)
    shutil.move(songs / "low.wav", songs / "deep" / "moved.wav")
    file = TagFile.open(noise)
    file.set("genre", ("Noise", "Industrial"))
    file.save()
    summary, endings = run(library, tagger, songs)
    assert {ended.path.name: ended.is_known for ended in endings} == {"moved.wav": True, "noise.wav": True}
    assert (summary.n_known, summary.heard) == (2, 0)
    assert library.version(model) == version
    found = library.file(noise)
    assert found is not None
    assert found.fields["genre"] == ("Noise", "Industrial")
    assert library.forget_moved() == 1
    assert "low.wav" not in outcomes(library)
    assert outcomes(library)["moved.wav"] is Outcome.TAGGED


def test_changed_sound_is_analysed_again(library: Library, tagger: Tagger, songs: Path, tone: Tone) -> None:
    run(library, tagger, songs)
    old = library.file(songs / "high 🎵.wav")
    write_wav(songs / "high 🎵.wav", tone(300, 3.0))
    summary, _ = run(library, tagger, songs)
    assert summary.heard == pytest.approx(3.0)
    new = library.file(songs / "high 🎵.wav")
    assert old is not None
    assert new is not None
    assert new.recording_id != old.recording_id
    library.forget_moved()
    assert old.recording_id not in library.scores(library.default_model())[0]


def test_duplicates_are_heard_once(library: Library, tagger: Tagger, songs: Path) -> None:
    for number in range(12):
        shutil.copy(songs / "low.wav", songs / f"copy {number:02}.wav")
    summary, _ = run(library, tagger, songs, workers=4)
    assert summary.n_known == 13
    assert summary.heard == pytest.approx(2.0 + 2.5 + 0.5)
    assert len(library.scores(library.default_model())[0]) == 2
    (group,) = library.duplicates()
    assert len(group) == 14


def test_several_models_live_side_by_side(
    library: Library, tagger: Tagger, other_tagger: Tagger, songs: Path, tone: Tone
) -> None:
    run(library, tagger, songs)
    one = library.default_model()
    version = library.version(one)
    summary, _ = run(library, other_tagger, songs)
    other = library.default_model()
    assert (one.name, other.name) == ("tiny", "other")
    # What is no sound is so for every model; what is too short has been heard by one only.
    assert summary.counts == {Outcome.TAGGED: 3, Outcome.TOO_SHORT: 1}
    assert library.version(one) == version
    assert library.scores(one)[0].tolist() == library.scores(other)[0].tolist()
    write_wav(songs / "new.wav", tone(1000, 2.0))
    summary, _ = run(library, other_tagger, songs)
    assert summary.counts == {Outcome.TAGGED: 1}
    assert Scan(library, tagger).n_files == 1  # the new one, which the first model has not heard
    analyses = compute_status(library).analyses
    assert [(model.name, n) for model, n in analyses] == [("other", 4), ("tiny", 3)]


def test_only_a_part_is_scanned_if_asked(library: Library, tagger: Tagger, songs: Path) -> None:
    take_inventory(library, [songs])
    scan = Scan(library, tagger, below=[songs / "deep", songs / "broken.mp3"])
    assert scan.n_files == 3
    assert scan.run().counts.total() == 3
    waiting = {file.path.name for file in library.files() if file.outcome is None}
    assert waiting == {"low.wav", "high 🎵.wav"}
    assert Scan(library, tagger).run().n_known == 1


def test_a_scan_can_be_stopped_and_goes_on(
    library: Library, tagger: Tagger, tmp_path: Path, tone: Tone
) -> None:
    music = tmp_path / "many"
    music.mkdir()
    for number in range(40):
        write_wav(music / f"{number}.wav", tone(200 + 50 * number, 1.5))
    n_done = 0

    def stop() -> bool:
        return n_done >= 5

    def count(ended: Ended) -> None:
        nonlocal n_done
        n_done += 1

    take_inventory(library, [music])
    summary = Scan(library, tagger).run(workers=2, stop=stop, on_file=count)
    assert 5 <= summary.counts.total() < 40
    assert summary.n_waiting == 40 - summary.counts.total() > 0
    assert sum(file.outcome is None for file in library.files()) == summary.n_waiting
    rest, _ = run(library, tagger, music)
    assert rest.counts == {Outcome.TAGGED: summary.n_waiting}
    assert len(library.scores(library.default_model())[0]) == 40


def test_failures_are_looked_at_again_only_on_request(
    library: Library, tagger: Tagger, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(library, tagger, songs)
    assert Scan(library, tagger).n_files == 0
    retry_failures(library, [songs / "deep"])
    assert Scan(library, tagger).n_files == 1
    retry_failures(library)
    summary, endings = run(library, tagger, songs)
    assert {ended.path.name for ended in endings} == {"short.wav", "broken.mp3"}
    assert summary.counts == {Outcome.TOO_SHORT: 1, Outcome.NOT_AUDIO: 1}


def test_a_file_that_could_not_be_read_is_tried_again(
    library: Library, tagger: Tagger, songs: Path, tone: Tone
) -> None:
    link = songs / "link.wav"
    link.symlink_to(songs / "later.wav")
    run(library, tagger, songs)
    assert outcomes(library)["link.wav"] is Outcome.UNREADABLE
    write_wav(songs.parent / "target.wav", tone(1000, 2.0))
    link.unlink()
    link.symlink_to(songs.parent / "target.wav")
    run(library, tagger, songs)
    assert outcomes(library)["link.wav"] is Outcome.TAGGED


def test_a_file_that_vanishes_in_between_is_unreadable(
    library: Library, tagger: Tagger, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_inventory(library, [songs])
    scan = Scan(library, tagger)
    heard = tagger.tag_many

    def tag_many(paths: Iterator[Path], **options: object) -> object:
        def vanishing() -> Iterator[Path]:
            for path in paths:
                if path.name == "high 🎵.wav":
                    path.unlink()
                yield path

        return heard(vanishing(), **options)  # type: ignore[arg-type]

    monkeypatch.setattr(tagger, "tag_many", tag_many)
    summary = scan.run()
    assert summary.counts[Outcome.UNREADABLE] == 1
    assert summary.counts.total() == 5
    assert outcomes(library)["high 🎵.wav"] is Outcome.UNREADABLE
    assert len(library.scores(library.default_model())[0]) == 1
    assert library.check_integrity() == ()


def test_a_file_may_be_taken_out_while_it_is_heard(
    library: Library, tagger: Tagger, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_inventory(library, [songs])
    scan = Scan(library, tagger)
    heard = tagger.tag_many

    def tag_many(paths: Iterator[Path], **options: object) -> Iterator[object]:
        for result in heard(paths, **options):  # type: ignore[arg-type]
            with Library.open(library.path) as other:
                other.remove(songs / "high 🎵.wav")
            yield result

    monkeypatch.setattr(tagger, "tag_many", tag_many)
    scan.run()
    assert library.file(songs / "high 🎵.wav") is None
    assert outcomes(library)["low.wav"] is Outcome.TAGGED
    assert library.check_integrity() == ()
    library.forget_moved()
    assert len(library.scores(library.default_model())[0]) == 1


def test_two_scans_at_once_do_no_harm(library: Library, tiny_model: Path, songs: Path, tone: Tone) -> None:
    for number in range(10):
        write_wav(songs / f"{number}.wav", tone(200 + 100 * number, 1.5))
    take_inventory(library, [songs])

    def scan() -> int:
        with Library.open(library.path) as own, Tagger.load(tiny_model, n_threads=1) as tagger:
            return Scan(own, tagger).run(workers=1).counts.total()

    with ThreadPoolExecutor(2) as pool:
        counts = [future.result() for future in [pool.submit(scan), pool.submit(scan)]]
    assert sum(counts) >= 15
    assert library.check_integrity() == ()
    assert compute_status(library).counts["tagged"] == 13
    assert len(library.scores(library.default_model())[0]) == 12


def test_a_full_disk_is_said_to_be_one(
    library: Library, tagger: Tagger, tmp_path: Path, rng: np.random.Generator
) -> None:
    music = tmp_path / "many"
    music.mkdir()
    for number in range(100):
        write_wav(music / f"{number}.wav", rng.normal(0, 0.1, 8000))
    take_inventory(library, [music])
    ((n_pages,),) = library.rows("PRAGMA page_count")
    library.connection.execute(f"PRAGMA max_page_count = {n_pages + 1}")
    with pytest.raises(LibraryError, match="full; free some space and go on"):
        Scan(library, tagger).run()
    assert library.check_integrity() == ()
    n_done = sum(file.outcome is not None for file in library.files())
    assert 0 < n_done < 100
    library.connection.execute("PRAGMA max_page_count = 100000")
    assert Scan(library, tagger).run().counts == {Outcome.TAGGED: 100 - n_done}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not take such a name")
def test_names_that_are_no_text(library: Library, tagger: Tagger, songs: Path) -> None:
    odd = songs / "caf\udce9\n.wav"
    shutil.copy(songs / "low.wav", odd)
    (songs / "br\udcff.mp3").write_bytes(b"nothing")
    run(library, tagger, songs)
    file = library.file(odd)
    assert file is not None
    assert file.outcome is Outcome.TAGGED
    broken = library.file(songs / "br\udcff.mp3")
    assert broken is not None
    assert r"br\xff.mp3" in broken.message


def test_pages_of_the_queue_are_all_read(
    library: Library, tagger: Tagger, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taggram.library.scan._PAGE", 2)
    monkeypatch.setattr(store, "PAGE", 2)
    assert run(library, tagger, songs)[0].counts.total() == 5


def test_a_library_stays_with_its_model(
    library: Library, tiny_model: Path, songs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with load_tagger(library, tiny_model) as tagger:
        run(library, tagger, songs)
    with pytest.raises(LibraryError, match="the model 'tiny' has listened so far, but cannot be loaded"):
        load_tagger(library)
    models = tmp_path / "cache" / "models"
    models.mkdir(parents=True)
    shutil.copy(tiny_model, models)
    monkeypatch.setenv("TAGGRAM_CACHE", str(tmp_path / "cache"))
    with load_tagger(library) as tagger:
        assert tagger.specification.name == "tiny"
    with load_tagger(library, "default") as tagger:
        assert tagger.specification.name == "default"

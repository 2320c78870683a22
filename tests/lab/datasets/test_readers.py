"""What is particular to one dataset: its rules of splitting, selecting and finding files."""

import pickle
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from taggram.errors import DatasetError, MissingExtraError
from taggram.lab.datasets import list_datasets, load_dataset
from taggram.lab.datasets._reading import derive_split
from taggram.lab.datasets.folder import read_metadata
from taggram.lab.datasets.msd import CALS_50, read_pickle
from taggram.tags.vocabularies import MAGNATAGATUNE_50, MTG_JAMENDO_50
from tests.lab.datasets.copies import make_copy, write_rows, write_sound, write_tagged

Make = Callable[[str], Path]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make a small copy of a dataset."""
    return lambda name: make_copy(name, tmp_path / "copy", monkeypatch)


# MagnaTagATune


def test_magnatagatune_splits_by_folder_and_cleans(make: Make) -> None:
    root = make("magnatagatune")
    cleaned = load_dataset("magnatagatune").annotations(root)
    assert cleaned.vocabulary == MAGNATAGATUNE_50
    assert {split: [t.id for t in tracks] for split, tracks in cleaned.tracks.items()} == {
        "train": ["1"],
        "validation": ["2"],
        "test": ["3"],
    }
    assert cleaned.tracks["train"][0].artist == "artist 1"
    full = load_dataset("magnatagatune:top50-full").annotations(root)
    assert [(track.id, track.labels) for track in full.tracks["test"]] == [
        ("3", ("techno", "no vocal")),
        ("4", ()),
    ]
    assert len(cleaned.unused) == len(full.unused) + 1 == 4, "the files that are empty are never used"


def test_magnatagatune_all_and_merged(make: Make) -> None:
    root = make("magnatagatune")
    tracks = {track.id: track.labels for track in load_dataset("magnatagatune:all-full").annotations(root)}
    assert tracks["1"] == ("guitar", "girl")
    assert tracks["4"] == ("clasical",)
    merged = load_dataset("magnatagatune:merged50-full").annotations(root)
    assert {track.id: set(track.labels) for track in merged} == {
        "1": {"guitar", "female vocals"},
        "2": {"classical"},
        "3": {"techno", "no vocals"},
        "4": {"classical"},
    }
    # Counted over all clips, the three empty files included: piano three times, classical twice.
    assert merged.vocabulary[:2] == ("piano", "classical")


# Million Song Dataset


def test_msd_reads_labels_by_index(make: Make) -> None:
    root = make("msd:top50")
    train, validation, test = load_dataset("msd").annotations(root)
    assert (train.labels, validation.labels, test.labels) == (("rock",), ("pop",), ("alternative",))
    assert train.artist == "artist 0"
    assert train.path == root / "audio" / "0" / "0" / "0.clip.mp3"
    (root / "unique_tracks.txt").unlink()
    assert next(iter(load_dataset("msd").annotations(root))).artist is None


def test_msd_artist_clean_finds_previews_by_letters(make: Make) -> None:
    root = make("msd:artist-clean")
    train, *_ = load_dataset("msd:artist-clean").annotations(root)
    assert train.path == root / "audio" / "A" / "A" / "A" / "TRAAAAA128F0000001.wav"
    assert train.labels == (CALS_50[7],) == ("jazz",)
    assert len(set(CALS_50)) == 50


def test_a_vector_of_the_wrong_length_is_an_error(make: Make) -> None:
    root = make("msd:artist-clean")
    np.save(root / "splits" / "test_binaries.npy", np.ones((1, 49)))
    with pytest.raises(DatasetError, match="has 49 tags, expected are 50"):
        load_dataset("msd:artist-clean").annotations(root)


def test_pickles_of_python_2_are_read(tmp_path: Path) -> None:
    """Written by hand as Python 2 writes it: text is bytes, and an array is rebuilt by NumPy."""
    path = tmp_path / "vectors.cP"
    path.write_bytes(
        b"(dp1\nS'TRAAA'\np2\ncnumpy.core.multiarray\n_reconstruct\np3\n(cnumpy\nndarray\np4\n(I0\ntp5\nS'b'\n"
        b"p6\ntp7\nRp8\n(I1\n(I3\ntp9\ncnumpy\ndtype\np10\n(S'u1'\nI0\nI1\ntp11\nRp12\n(I3\nS'|'\nNNNI-1\nI-1\n"
        b"I0\ntp13\nbI00\nS'\\x00\\x01\\xff'\np14\ntp15\nbs."
    )
    content = read_pickle(path)
    assert list(content) == ["TRAAA"]
    np.testing.assert_array_equal(content["TRAAA"], np.array([0, 1, 255], np.uint8))


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'echo harm > harm'\ntR.",
        b"c__builtin__\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"c_codecs\nencode\n(Vx\nVidna\ntR.",
        pickle.dumps(Path("x")),
        b"",
        b"no pickle",
    ],
)
def test_pickles_cannot_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.cP").write_bytes(content)
    with pytest.raises(DatasetError, match="is not the pickled list that was published"):
        read_pickle(tmp_path / "list.cP")
    assert not (tmp_path / "harm").exists()


# MTG-Jamendo, GTZAN, FMA


def test_jamendo_order_is_that_of_the_published_models() -> None:
    assert tuple(sorted(MTG_JAMENDO_50)) == MTG_JAMENDO_50
    names = [dataset.name for dataset in list_datasets() if dataset.name.startswith("mtg_jamendo:")]
    assert len(names) == 25


def test_jamendo_takes_either_edition(make: Make) -> None:
    annotations = load_dataset("mtg_jamendo:all-split3").annotations(make("mtg_jamendo"))
    assert [track.path.name for track in annotations] == ["0.mp3", "1.low.mp3", "2.mp3"]
    assert annotations.vocabulary == ("genre---rock", "instrument---piano", "mood/theme---happy")
    assert annotations.tracks["validation"][0].labels == ("genre---rock", "mood/theme---happy")


@pytest.mark.filterwarnings("ignore::taggram.lab.datasets.ArtistLeakageWarning")
def test_gtzan_random_split_is_balanced_and_always_the_same(make: Make) -> None:
    root = make("gtzan")
    annotations = load_dataset("gtzan:random", allow_artist_leakage=True).annotations(root)
    for split, count in (("train", 70), ("validation", 10), ("test", 20)):
        genres = Counter(track.labels[0] for track in annotations.tracks[split])  # type: ignore[index]
        assert set(genres.values()) == {count}
        assert len(genres) == 10
    # As first published: another draw would make its figures incomparable.
    assert annotations.fingerprint("test").startswith("932c2a0b")
    shutil.move(root / "genres", root / "genres_original")
    assert load_dataset("gtzan").tracks(root, "train")[0].path.is_file()


def test_gtzan_names_a_line_that_is_no_excerpt(make: Make) -> None:
    root = make("gtzan")
    (root / "test_filtered.txt").write_text("polka/polka.00001.wav\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"'polka\.00001' is no excerpt of GTZAN"):
        load_dataset("gtzan").annotations(root)


def test_fma_medium_contains_small(make: Make) -> None:
    root = make("fma:medium")
    small, medium = (load_dataset(f"fma:{name}").annotations(root) for name in ("small", "medium"))
    assert {track.id for track in small} == {"000002", "000005", "000141"}
    assert {track.id for track in medium} - {track.id for track in small} == {"000148"}
    assert small.vocabulary == ("Folk", "Hip-Hop", "Rock")
    assert medium.tracks["train"][0].path == root / "fma_medium" / "000" / "000002.mp3"


# Chords


def test_pop909_falls_back_to_the_score(make: Make) -> None:
    root = make("pop909")
    (root / "001" / "001.wav").unlink()
    track = load_dataset("pop909").tracks(root, "train")[0]
    assert track.path == root / "001" / "001.mid"
    assert track.segments[1].label == "F#:min7/b3"
    (root / "009" / "chord_midi.txt").unlink()
    assert load_dataset("pop909").validate(root).missing == ("009/chord_midi.txt",)


def test_an_empty_folder_of_chords_is_an_error(tmp_path: Path) -> None:
    for name in ("pop909", "rwc_popular"):
        with pytest.raises(DatasetError, match="lacks"):
            load_dataset(name).annotations(tmp_path)


# Folders


def test_folder_names_split_by_rule_where_nothing_is_said(tmp_path: Path) -> None:
    for number in range(40):
        write_sound(tmp_path / "rock" / f"{number}.wav", n_samples=8)
    write_sound(tmp_path / "test" / "jazz" / "x.wav", n_samples=8)
    write_sound(tmp_path / "loose.wav", n_samples=8)
    write_sound(tmp_path / "rock" / ".hidden.wav", n_samples=8)
    annotations = load_dataset("folder").annotations(tmp_path)
    assert annotations.vocabulary == ("jazz", "rock")
    splits = {track.id: split for split, tracks in annotations.tracks.items() for track in tracks}
    assert splits.pop("test/jazz/x.wav") == "test"
    assert splits == {name: derive_split(name) for name in (f"rock/{number}.wav" for number in range(40))}
    assert annotations.unused == {tmp_path / "loose.wav"}


def test_folder_tags_come_from_the_files(tmp_path: Path) -> None:
    write_tagged(tmp_path / "a.flac", {"GENRE": "Jazz; Hard Bop/Swing,jazz", "ARTIST": "A"})
    write_tagged(tmp_path / "b.flac", {"ARTIST": "A"})
    (tmp_path / "c.mp3").write_bytes(b"no sound")
    annotations = load_dataset("folder:tags").annotations(tmp_path)
    (track,) = annotations
    assert track.labels == annotations.vocabulary == ("hard bop", "jazz", "swing")
    assert track.artist == "A"
    assert annotations.unused == {tmp_path / "b.flac", tmp_path / "c.mp3"}
    assert read_metadata(tmp_path / "c.mp3") == {}


def test_manifest_may_be_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="the optional part parquet is not installed")
    from pyarrow import parquet

    columns = {"path": ["a.wav", "b.wav"], "labels": [["x", "y"], None], "split": ["val", "testing"]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "manifest.parquet")
    annotations = load_dataset("folder:manifest").annotations(tmp_path)
    assert annotations.tracks["validation"][0].labels == ("x", "y")
    assert annotations.tracks["test"][0].labels == ()


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "manifest.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'taggram\[parquet\]'"):
        load_dataset("folder:manifest").annotations(tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("/etc/a.wav", "x", "train"), "leads out of the folder"),
        (("../a.wav", "x", "train"), "leads out of the folder"),
        (("a.wav", "x", "tests"), "'tests' is no split; accepted are"),
    ],
)
def test_a_wrong_row_of_a_manifest_is_named(tmp_path: Path, row: tuple[str, ...], message: str) -> None:
    write_rows(tmp_path / "manifest.csv", [("path", "labels", "split"), row])
    with pytest.raises(DatasetError, match=message):
        load_dataset("folder:manifest").annotations(tmp_path)


def test_a_manifest_without_its_columns_or_with_a_row_twice_is_an_error(tmp_path: Path) -> None:
    write_rows(tmp_path / "manifest.csv", [("file", "labels"), ("a.wav", "x")])
    with pytest.raises(DatasetError, match="KeyError: 'path'"):
        load_dataset("folder:manifest").annotations(tmp_path)
    write_rows(tmp_path / "manifest.csv", [("path", "labels"), ("a.wav", "x"), ("a.wav", "y")])
    with pytest.raises(DatasetError, match="'a' stands for two tracks"):
        load_dataset("folder:manifest").annotations(tmp_path)


def test_derived_splits_are_about_80_10_10_and_never_change() -> None:
    counts = Counter(derive_split(f"artist {number}") for number in range(5000))
    assert 3850 < counts["train"] < 4150
    assert 400 < counts["validation"] < 600
    assert 400 < counts["test"] < 600
    # As first published: a change would move songs between the splits of every folder.
    assert [derive_split(name) for name in ("Miles Davis", "Björk", "Can")] == [
        "train",
        "validation",
        "train",
    ]


# The real sets beside the project


@pytest.mark.parametrize(
    "name", ["four_q:quadrant", "four_q:genres", "four_q:moods", "emotify", "emotify:emotions"]
)
def test_shared_sets_are_complete(shared: Path, name: str) -> None:
    dataset = load_dataset(name)
    root = shared / "music" / dataset.name.partition(":")[0].replace("four_q", "4q")
    if not root.is_dir():
        pytest.skip(f"{root.name} is not on this machine")
    found = dataset.validate(root, check_sound=False)
    assert found.is_complete, found
    artists = [{track.artist for track in dataset.tracks(root, split)} for split in dataset.splits]
    assert sum(map(len, artists)) == len(set().union(*artists)), "the splits are disjoint by artist"


def test_shared_pop909_names_the_songs_that_are_not_there(shared: Path) -> None:
    root = shared / "music" / "pop909"
    if not root.is_dir():
        pytest.skip("pop909 is not on this machine")
    found = load_dataset("pop909").validate(root)
    assert found.counts == {"train": 640, "validation": 80, "test": 80}
    assert found.missing == ()
    assert found.differences[0] == "train has 640 tracks, published are 727"

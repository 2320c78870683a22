"""What holds for every registered dataset and variant, on a small copy in its original layout."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taggram.errors import DatasetError
from taggram.lab.datasets import (
    DATASETS,
    Annotations,
    ArtistLeakageWarning,
    Dataset,
    label_matrix,
    list_datasets,
    load_dataset,
)
from taggram.lab.datasets._base import checksum_of
from taggram.lab.datasets._chords import MAJOR_MINOR, reduce_chord
from tests.lab.datasets.copies import FAMILIES, make_copy

NAMES = [dataset.name for dataset in list_datasets()]
WITH_LABELS = [d.name for d in list_datasets() if any(not file.is_archive for file in d.files)]
WITH_CHECKSUM = [d.name for d in list_datasets() if any(file.checksum for file in d.files)]
LEAKING = [d.name for d in list_datasets() if d.leaks_artists]
pytestmark = pytest.mark.filterwarnings("ignore::taggram.lab.datasets.ArtistLeakageWarning")


def dataset_called(name: str) -> Dataset:
    return load_dataset(name, allow_artist_leakage=True)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Every registered name."""
    return str(request.param)


@pytest.fixture
def copy(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small copy of the dataset."""
    return make_copy(name, tmp_path / "copy", monkeypatch)


def test_every_family_has_a_fixture() -> None:
    assert LEAKING == ["gtzan:random"]
    assert sorted(FAMILIES) == DATASETS.names()
    assert len(set(NAMES)) == len(NAMES)


def test_the_page_of_datasets_names_every_family_and_its_variants() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "datasets.md").read_text(encoding="utf-8")
    for family in DATASETS.names():
        # Four columns; the table of layouts below it has three.
        rows = [
            line for line in page.splitlines() if line.startswith(f"| `{family}` |") and line.count("|") == 5
        ]
        (row,) = rows
        variants = [dataset.name.partition(":")[2] for dataset in DATASETS.get(family)]
        for variant in variants:
            assert not variant or "-split" in variant or f"`{variant}`" in row


def test_description_is_complete(name: str) -> None:
    dataset = dataset_called(name)
    assert dataset.name == name
    for text in (dataset.title, dataset.description, dataset.citation, dataset.licence, dataset.source):
        assert text.strip() == text != ""
    assert "Layout of the root" in dataset.documentation or name.startswith(("folder:", "synthetic"))
    assert len(dataset.documentation) > 300
    assert all(count > 0 for count in dataset.n_tracks.values())
    assert set(dataset.n_tracks) in ({*dataset.splits}, set())
    first, *_ = DATASETS.get(name.partition(":")[0])
    assert not first.leaks_artists, "the default variant must not leak artists knowingly"


def test_tracks_have_labels_of_the_vocabulary(name: str, copy: Path) -> None:
    dataset = dataset_called(name)
    annotations = dataset.annotations(copy)
    vocabulary = annotations.vocabulary
    assert vocabulary
    assert len(set(vocabulary)) == len(vocabulary)
    assert vocabulary == dataset.vocabulary(copy)
    ids = [track.id for track in annotations]
    assert len(set(ids)) == len(ids)
    for split in dataset.splits:
        tracks = dataset.tracks(copy, split)
        assert tracks
        assert [track.id for track in tracks] == sorted(track.id for track in tracks)
        assert label_matrix(tracks, vocabulary).sum() == sum(len(track.labels) for track in tracks)
        for track in tracks:
            assert track.path.is_file()
            assert list(track.labels) == [tag for tag in vocabulary if tag in track.labels]
            if dataset.task == "multi_class":
                assert len(track.labels) == 1
            if dataset.task == "chords":
                assert vocabulary == MAJOR_MINOR
                assert {reduce_chord(segment.label) for segment in track.segments} - {None} == {*track.labels}
    with pytest.raises(DatasetError, match="has no split 'tset'"):
        dataset.tracks(copy, "tset")  # type: ignore[arg-type]


def test_fingerprint_does_not_depend_on_the_place(name: str, copy: Path, tmp_path: Path) -> None:
    dataset = dataset_called(name)
    shutil.copytree(copy, tmp_path / "elsewhere")
    prints = [dataset.fingerprint(copy, split) for split in dataset.splits]
    assert prints == [dataset.fingerprint(tmp_path / "elsewhere", split) for split in dataset.splits]
    assert len(set(prints)) == len(prints)


def test_fingerprint_depends_on_ids_and_vocabulary(name: str, copy: Path) -> None:
    annotations = dataset_called(name).annotations(copy)
    track, *others = annotations.tracks["train"]
    prints = {
        Annotations(vocabulary, {"train": tracks}).fingerprint("train")
        for vocabulary in (annotations.vocabulary, annotations.vocabulary[::-1], annotations.vocabulary[1:])
        for tracks in ((track, *others), tuple(others), (replace(track, id=track.id + "x"), *others))
    }
    # A vocabulary of one name is its own reverse.
    assert len(prints) == 9 if len(annotations.vocabulary) > 1 else 6
    reordered = Annotations(annotations.vocabulary, {"train": (*others, track)})
    assert reordered.fingerprint("train") == annotations.fingerprint("train")


def test_a_whole_copy_differs_in_its_counts_only(name: str, copy: Path) -> None:
    dataset = dataset_called(name)
    found = dataset.validate(copy)
    assert (found.missing, dict(found.damaged), found.extra) == ((), {}, ())
    for split, published in dataset.n_tracks.items():
        named = f"{split} has {found.counts[split]} tracks, published are {published}" in found.differences
        assert named == (found.counts[split] != published)
    together, expected = sum(found.counts.values()), dataset.n_tracks_together
    named = f"the splits have {together} tracks together, published are {expected}" in found.differences
    assert named == (expected not in (None, together))
    n_tags = len(dataset.vocabulary(copy))
    assert (len(found.differences) > 0 or not dataset.n_tracks) or n_tags == dataset.n_tags
    assert any("vocabulary" in text for text in found.differences) == (dataset.n_tags not in (None, n_tags))
    assert found.is_complete == (not found.differences)


# What a file without readable tags would have been, nobody knows.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "folder:tags"])
def test_validate_names_missing_damaged_and_extra_sound(name: str, copy: Path) -> None:
    dataset = dataset_called(name)
    tracks = list(dataset.annotations(copy))
    names = [track.path.relative_to(copy).as_posix() for track in tracks]
    is_listed = not name.startswith("folder:names")  # there, the files are the list
    if is_listed:
        tracks[0].path.unlink()
    tracks[1].path.write_bytes(b"no sound at all")
    (copy / "stray.wav").write_bytes(b"")
    found = dataset.validate(copy)
    # POP909 falls back to its MIDI file where the rendered sound is missing.
    assert found.missing == ((names[0],) if is_listed and name != "pop909" else ())
    assert dict(found.damaged) == {names[1]: "not_audio"}
    assert found.extra == (() if name == "folder:names" else ("stray.wav",))
    assert not found.is_complete
    assert not dataset.validate(copy, check_sound=False).damaged


@pytest.mark.parametrize("name", WITH_LABELS)
def test_validate_and_reading_name_a_missing_file_of_labels(name: str, copy: Path) -> None:
    dataset = dataset_called(name)
    required = [file for file in dataset.files if not file.is_archive]
    (copy / required[0].path).unlink()
    assert dataset.validate(copy).missing[0] == required[0].path
    with pytest.raises(DatasetError, match=f"lacks .*{required[0].path}.*; get it from ") as caught:
        dataset.annotations(copy)
    assert dataset.source in str(caught.value)


@pytest.mark.parametrize("name", WITH_LABELS)
def test_a_file_of_labels_of_another_kind_is_an_error(name: str, copy: Path) -> None:
    dataset = dataset_called(name)
    required = [file for file in dataset.files if not file.is_archive]
    (copy / required[0].path).write_bytes(b"\x80\xff\n\xfe\x00" * 9)
    with pytest.raises(DatasetError):
        dataset.annotations(copy)
    found = dataset.validate(copy)
    assert found.damaged
    assert not found.is_complete


@pytest.mark.parametrize("name", WITH_CHECKSUM)
def test_a_wrong_checksum_is_damage(name: str, copy: Path) -> None:
    dataset = dataset_called(name)
    archives = [file for file in dataset.files if file.checksum]
    (copy / archives[0].path).write_bytes(b"cut off")
    damaged = dataset.validate(copy).damaged
    assert list(damaged) == [archives[0].path]
    assert f"published is {archives[0].checksum}" in damaged[archives[0].path]


@pytest.mark.parametrize(
    ("name", "list_", "algorithm"),
    [
        ("fma:small", "fma_small/checksums", "sha1"),
        ("mtg_jamendo:top50", "data/download/raw_30s_audio_sha256_tracks.txt", "sha256"),
        (
            "mtg_jamendo:moodtheme",
            "data/download/autotagging_moodtheme_audio-low_sha256_tracks.txt",
            "sha256",
        ),
    ],
)
def test_lists_of_checksums_in_the_copy_are_used(name: str, list_: str, algorithm: Any, copy: Path) -> None:
    dataset = dataset_called(name)
    first, second, third = [track.path for track in dataset.annotations(copy)]
    first.write_bytes(b"published like this")
    folder = first.parents[1]
    values = {path: checksum_of(path, algorithm) for path in (first, second)}
    lines = [f"{value}  {path.relative_to(folder).as_posix()}" for path, value in values.items()]
    (copy / list_).parent.mkdir(parents=True, exist_ok=True)
    (copy / list_).write_text("\n".join([*lines, "", "not a line of the list"]), encoding="utf-8")
    assert not dataset.validate(copy).damaged, "what is as published is not damaged, even if it is no sound"
    second.write_bytes(second.read_bytes() + b"0")
    third.write_bytes(b"in no list")
    damaged = dataset.validate(copy).damaged
    assert damaged[second.relative_to(copy).as_posix()].endswith(f"published is {values[second]}")
    assert damaged[third.relative_to(copy).as_posix()] == "not_audio"
    assert len(damaged) == 2
    assert not dataset.validate(copy, check_sound=False).damaged


def test_a_missing_folder_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        dataset_called(name).annotations(tmp_path / "nowhere")


@pytest.mark.parametrize("name", LEAKING)
def test_what_leaks_artists_warns_and_must_be_asked_for(name: str, copy: Path) -> None:
    dataset = dataset_called(name)
    with pytest.warns(ArtistLeakageWarning, match="on both sides"):
        dataset.annotations(copy)
    with pytest.raises(DatasetError, match="--allow-artist-leakage"):
        load_dataset(name)

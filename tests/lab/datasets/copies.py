"""Small copies of every dataset in its original layout, made of our own sound when a test asks for one.

Each builder makes at least one track for every split of every variant of its family; sound is a short
tone, under whatever name the layout asks for: content decides what a file is.
"""

import csv
import json
import pickle
import wave
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from taggram.lab.datasets import four_q, msd, synthetic
from taggram.lab.datasets._reading import derive_split
from taggram.lab.datasets.gtzan import GENRES
from taggram.lab.datasets.magnatagatune import EMPTY_FILES
from taggram.tags.vocabularies import MAGNATAGATUNE_50

Builder = Callable[[Path, pytest.MonkeyPatch], None]
SPLIT_NAMES = ("train", "validation", "test")


def write_sound(
    path: Path, *, n_samples: int = 800, frequency: float = 440.0, sample_rate: int = 16_000
) -> None:
    """Write a tone as 16-bit WAV, under any name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 0.5 * np.sin(2 * np.pi * frequency * np.arange(n_samples) / sample_rate)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.rint(tone * 32767).astype("<i2").tobytes())


def write_rows(path: Path, rows: Iterable[Sequence[object]], delimiter: str = ",") -> None:
    """Write a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


def magnatagatune(root: Path, _: pytest.MonkeyPatch) -> None:
    """Three tagged clips, one without any top-50 tag, and the three that are empty as distributed."""
    names = (*MAGNATAGATUNE_50, "clasical", "girl", "no singer")
    clips: list[tuple[str, set[str]]] = [
        ("0/a-1.mp3", {"guitar", "girl"}),
        ("c/b-1.mp3", {"classical", "quick"}),
        ("f/c-1.mp3", {"techno", "no vocal"}),
        ("e/d-1.mp3", {"clasical"}),
        *((path, {"piano"}) for path in sorted(EMPTY_FILES)),
    ]
    annotations: list[list[object]] = [["clip_id", *names, "mp3_path"]]
    info = [["clip_id", "track_number", "title", "artist", "mp3_path"]]
    for number, (path, tags) in enumerate(clips, start=1):
        annotations.append([number, *(int(name in tags) for name in names), path])
        info.append([str(number), "1", "title", f"artist {number}", path])
        write_sound(root / path, n_samples=800 if path not in EMPTY_FILES else 0)
    write_rows(root / "annotations_final.csv", annotations, "\t")
    write_rows(root / "clip_info_final.csv", info, "\t")


def million_songs(root: Path, patch: pytest.MonkeyPatch) -> None:
    """Three songs in the lists of both splits; the list of training songs is one song long."""
    patch.setattr(msd, "N_TRAIN", 1)
    ids = ["TRAAAAA128F0000001", "TRAAAAB128F0000002", "TRAAAAC128F0000003"]
    vectors = {id_: np.eye(50, dtype=np.int64)[[number]] for number, id_ in enumerate(ids)}
    id_7d = {id_: str(number) for number, id_ in enumerate(ids)}
    path_of = {number: f"{number}/{number}/{number}.clip.mp3" for number in id_7d.values()}
    content = (ids[:2], ids[2:], vectors, id_7d, path_of)
    names = ("filtered_list_train.cP", "filtered_list_test.cP", "msd_id_to_tag_vector.cP")
    root.mkdir(parents=True, exist_ok=True)
    for name, value in zip((*names, "MSD_id_to_7D_id.pkl", "7D_id_to_path.pkl"), content, strict=True):
        (root / name).write_bytes(pickle.dumps(value, protocol=0))
    (root / "splits").mkdir()
    for number, name in enumerate(("train", "valid", "test")):
        np.save(root / "splits" / f"{name}_ids.npy", np.array(ids[number : number + 1]))
        np.save(root / "splits" / f"{name}_binaries.npy", np.eye(50)[[number + 7]])
    rows = [f"{id_}<SEP>SO{number}<SEP>artist {number}<SEP>title" for number, id_ in enumerate(ids)]
    (root / "unique_tracks.txt").write_text("\n".join(rows), encoding="utf-8")


def conventional_sound(root: Path) -> None:
    """Write the previews of the conventional split."""
    for number in range(3):
        write_sound(root / "audio" / str(number) / str(number) / f"{number}.clip.mp3")


def artist_clean_sound(root: Path) -> None:
    """Write the previews of CALS."""
    for name in ("TRAAAAA128F0000001", "TRAAAAB128F0000002", "TRAAAAC128F0000003"):
        write_sound(root / "audio" / "A" / "A" / "A" / f"{name}.wav")


def mtg_jamendo(root: Path, _: pytest.MonkeyPatch) -> None:
    """One song per split, in every list of all five splits; one is of the low-quality edition."""
    header = ["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"]
    tags = ["mood/theme---happy", "genre---rock", "instrument---piano"]
    for number in range(5):
        for subset in ("", "_top50tags", "_genre", "_instrument", "_moodtheme"):
            for place, split in enumerate(SPLIT_NAMES):
                row = [f"track_000000{place}", f"artist_{place}", "album_1", f"0{place}/{place}.mp3", 215.1]
                path = root / f"data/splits/split-{number}/autotagging{subset}-{split}.tsv"
                write_rows(path, [header, [*row, *tags[: place + 1]]], "\t")
    write_sound(root / "audio/00/0.mp3")
    write_sound(root / "audio/01/1.low.mp3")
    write_sound(root / "audio/02/2.mp3")


def gtzan(root: Path, _: pytest.MonkeyPatch) -> None:
    """All thousand excerpts, a few samples each, and filtered lists of one excerpt each."""
    write_sound(first := root / "genres" / "blues" / "blues.00000.wav", n_samples=80)
    for genre in GENRES:
        (root / "genres" / genre).mkdir(exist_ok=True)
        for number in range(100):
            (root / "genres" / genre / f"{genre}.{number:05}.wav").write_bytes(first.read_bytes())
    for name, excerpt in (("train", "blues.00029"), ("valid", "rock.00001"), ("test", "jazz.00099")):
        genre = excerpt.partition(".")[0]
        (root / f"{name}_filtered.txt").write_text(f"{genre}/{excerpt}.wav\n", encoding="utf-8")


def fma(root: Path, _: pytest.MonkeyPatch) -> None:
    """Three tracks of small, which are also in medium, one of medium only, and one of large."""
    rows = [
        ["", "artist", "set", "set", "track", "track"],
        ["", "id", "split", "subset", "genre_top", "title"],
        ["track_id", "", "", "", "", ""],
        ["2", "1", "training", "small", "Hip-Hop", "with a\nline break"],
        ["5", "1", "validation", "small", "Folk", "x" * 200_000],
        ["141", "6", "test", "small", "Rock", "c"],
        ["148", "7", "training", "medium", "Jazz", "d"],
        ["151", "8", "training", "large", "", "e"],
    ]
    write_rows(root / "fma_metadata" / "tracks.csv", rows)
    for subset, ids in (("small", (2, 5, 141)), ("medium", (2, 5, 141, 148))):
        for id_ in ids:
            write_sound(root / f"fma_{subset}" / f"{id_:06}"[:3] / f"{id_:06}.mp3")


def rwc_popular(root: Path, _: pytest.MonkeyPatch) -> None:
    """Three pieces; the sound of one is called after the piece, of the others after disc and track."""
    folder = root / "annotations" / "AIST.RWC-MDB-P-2001.CHORD" / "RWC_Pop_Chords"
    folder.mkdir(parents=True)
    for name in ("N001-M01-T01", "N004-M01-T04", "N020-M02-T04"):
        text = "0.000\t0.104\tN\n0.104\t1.858\tAb:min\n1.858\t2.000\tBb:maj(*3)\n"
        (folder / f"{name}.lab").write_text(text, encoding="utf-8")
    write_sound(root / "audio" / "rwc-p-m01" / "1.wav")
    write_sound(root / "audio" / "RM-P004.flac")
    write_sound(root / "audio" / "rwc-p-m02" / "4.wav")


def pop909(root: Path, _: pytest.MonkeyPatch) -> None:
    """Three songs, rendered."""
    for name in ("001", "008", "009"):
        write_sound(root / name / f"{name}.wav")
        (root / name / f"{name}.mid").write_bytes(b"MThd")
        (root / name / "chord_midi.txt").write_text("0.0\t0.5\tN\n0.5\t2.0\tF#:min7/b3\n", encoding="utf-8")


CHORDS = "0.000 0.104 N\n0.104 1.858 Ab:min\n1.858 2.000 Bb:maj(*3)\n"


def isophonics(root: Path, _: pytest.MonkeyPatch) -> None:
    """Three songs of three albums."""
    folder = root / "The Beatles Annotations" / "chordlab"
    for split in SPLIT_NAMES:
        album = next(f"Album {n}" for n in range(1000) if derive_split(f"The Beatles/Album {n}") == split)
        path = folder / "The Beatles" / album / "01_-_Song.lab"
        path.parent.mkdir(parents=True)
        path.write_text(CHORDS, encoding="utf-8")
        write_sound(root / "audio" / "The Beatles" / album / "01_-_Song.wav")


def billboard(root: Path, _: pytest.MonkeyPatch) -> None:
    """Three songs and the one that runs backwards."""
    rows = [
        ["id", "chart_date", "target_rank", "actual_rank", "title", "artist", "peak_rank", "weeks_on_chart"]
    ]
    for number, split in enumerate((*SPLIT_NAMES, "train"), start=971):
        rows.append([str(number), "1961-07-03", "1", "1", "Song", artist_of_split(split), "1", "1"])
        text = CHORDS if number != 974 else "2.0 1.0 C:maj\n"
        path = root / "McGill-Billboard" / f"{number:04}" / "full.lab"
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        if number != 974:
            write_sound(root / "audio" / f"{number:04}.wav")
    write_rows(root / "billboard-2.0-index.csv", rows)


def guitarset(root: Path, _: pytest.MonkeyPatch) -> None:
    """Three excerpts by three players; what was played is not what was asked for."""
    for player in ("00", "04", "05"):
        name = f"{player}_BN1-129-Eb_comp"
        sheets = [
            {
                "namespace": "chord",
                "data": [{"time": 0.0, "duration": 0.05, "value": label, "confidence": None}],
            }
            for label in ("D#:maj", "G:7")
        ]
        path = root / "annotation" / f"{name}.jams"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"annotations": [{"namespace": "tempo"}, *sheets]}), encoding="utf-8")
        write_sound(root / "audio_mono-mic" / f"{name}_mic.wav")


def quadrants(root: Path, patch: pytest.MonkeyPatch) -> None:
    """Three excerpts; one is enough for a name to be in the vocabulary."""
    patch.setattr(four_q, "_LEAST", {"": 1})
    rows = [["path", "id", "artist", "title", "split", "quadrant", "genres", "moods"]]
    for place, split in enumerate(SPLIT_NAMES):
        path = f"audio/MT{place}.mp3"
        write_sound(root / path)
        names = ["Jazz; Pop/Rock", f"Calm; Mood {place}"]
        rows.append([path, f"MT{place}", f"artist {place}", "title", split, f"Q{place + 1}", *names])
    write_rows(root / "manifest.csv", rows)


def emotify(root: Path, _: pytest.MonkeyPatch) -> None:
    """Three songs."""
    emotions = "amazement,solemnity,tenderness,nostalgia,calmness,power,joyful_activation,tension,sadness"
    rows = [["path", "track_id", "artist", "split", "genre", *emotions.split(",")]]
    for place, split in enumerate(SPLIT_NAMES):
        path = f"audio/{place}.opus"
        write_sound(root / path)
        shares = ["0.25" if column == place else "0.2499" for column in range(9)]
        rows.append([path, str(place), f"artist {place}", split, "rock", *shares])
    write_rows(root / "manifest.csv", rows)


def artist_of_split(split: str) -> str:
    """Return a name that falls into a split."""
    return next(name for number in range(1000) if derive_split(name := f"artist {number}") == split)


def write_tagged(path: Path, metadata: Mapping[str, str]) -> None:
    """Write a tone as FLAC with metadata in the file."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="flac", options={}) as container:
        container.metadata.update(metadata)
        stream = container.add_stream("flac", rate=16_000, layout="mono")
        tone = (8000 * np.sin(np.arange(1600) * 0.17)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
        frame.sample_rate = 16_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


def folder(root: Path, _: pytest.MonkeyPatch) -> None:
    """Three files, under names of splits and classes, with metadata, and listed in a manifest."""
    rows = [["path", "labels", "split", "artist"]]
    for split, genre in zip(SPLIT_NAMES, ("Jazz; Swing", "Rock", "Jazz"), strict=True):
        path = f"{split}/{genre[:4].lower()}/song.flac"
        artist = artist_of_split(split)
        write_tagged(root / path, {"GENRE": genre, "ARTIST": artist})
        rows.append([path, genre, split, artist])
    write_rows(root / "manifest.csv", rows)


def synthetic_set(root: Path, _: pytest.MonkeyPatch) -> None:
    """Five clips."""
    synthetic.render(root, n_clips=5)


FAMILIES: Mapping[str, Builder] = {
    "billboard": billboard,
    "emotify": emotify,
    "fma": fma,
    "folder": folder,
    "four_q": quadrants,
    "gtzan": gtzan,
    "guitarset": guitarset,
    "isophonics": isophonics,
    "magnatagatune": magnatagatune,
    "msd": million_songs,
    "mtg_jamendo": mtg_jamendo,
    "pop909": pop909,
    "rwc_popular": rwc_popular,
    "synthetic": synthetic_set,
}


def make_copy(name: str, root: Path, patch: pytest.MonkeyPatch) -> Path:
    """Make a copy of the dataset or variant called `name`, with the sound of that variant only."""
    FAMILIES[name.partition(":")[0]](root, patch)
    if name == "msd:top50":
        conventional_sound(root)
    elif name == "msd:artist-clean":
        artist_clean_sound(root)
    elif name.startswith("fma:"):
        other = root / ("fma_medium" if name == "fma:small" else "fma_small")
        for path in other.rglob("*.mp3"):
            path.unlink()
    return root

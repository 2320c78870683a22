"""The plugin in a real beets: import, query, command and options."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from taggram.library.file_tags.containers import TagFile, read_fields
from tests.library.file_tags.sounds import write_sound

pytest.importorskip("beets", reason="beets is not installed")

Beet = Callable[..., str]


@pytest.fixture
def config(tmp_path: Path, tiny_model: Path) -> Callable[..., Path]:
    """Write a configuration of beets with these options of the plugin."""

    def write(**options: object) -> Path:
        options = {"model": tiny_model, "min_weight": 5, **options}
        path = tmp_path / "config.yaml"
        lines = "".join(f"  {name}: {value}\n" for name, value in options.items())
        path.write_text(
            f"directory: {tmp_path / 'sorted'}\nlibrary: {tmp_path / 'beets.db'}\nplugins: taggram\n"
            f"import: {{copy: yes, write: yes, autotag: no}}\nthreaded: no\n"
            f"taggram:\n{lines}"
        )
        return path

    return write


@pytest.fixture
def beet(config: Callable[..., Path]) -> Beet:
    """Run beets as a user does; options of the plugin are named arguments."""

    def run(*arguments: object, **options: object) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "beets", "-c", config(**options), *map(str, arguments)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    return run


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    """An album of two noisy songs, without genre; the tiny model hears all three of its bands."""
    folder = tmp_path / "incoming"
    folder.mkdir()
    for seed, name in enumerate(("mp3", "flac")):
        path = write_sound(folder, name, duration=2.0, seed=seed)
        file = TagFile.open(path)
        for field, value in {
            "title": name,
            "artist": "Anna",
            "album": "Noise",
            "albumartist": "Anna",
        }.items():
            file.set(field, (value,))
        file.save()
    return folder


def sorted_files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder.parent / "sorted").rglob("*") if path.is_file())


def test_importing_fills_genres_and_moods(beet: Beet, incoming: Path) -> None:
    beet("import", "-q", incoming)
    assert beet("ls", "-f", "$title: $genres / $moods") == "flac: Middle / High\nmp3: Middle / High\n"
    assert beet("ls", "-a", "-f", "$genres") == "Middle\n"
    beet("write")
    for path in sorted_files(incoming):
        fields = read_fields(path)
        assert (fields["genre"], fields["mood"]) == (("Middle",), ("High",))
        assert fields["taggram_model"][0].startswith("tiny ")
        assert "middle=" in fields["taggram_scores"][0]
        assert fields["taggram_time"][0].endswith("Z")
    for path in incoming.iterdir():
        assert "genre" not in read_fields(path)


def test_scores_can_be_searched(beet: Beet, incoming: Path) -> None:
    beet("import", "-q", incoming)
    score = float(beet("ls", "-f", "$taggram_middle", "title:mp3"))
    assert 0.05 < score <= 1
    assert beet("ls", f"taggram_middle:{score - 0.001}..{score + 0.001}", "title:mp3") != ""
    assert beet("ls", f"taggram_middle:{score + 0.001}..", "title:mp3") == ""
    assert beet("ls", "genres:Middle", "moods:High") == beet("ls")


def test_what_is_there_stays_unless_forced(beet: Beet, incoming: Path) -> None:
    for path in incoming.iterdir():
        file = TagFile.open(path)
        file.set("genre", ("Jazz",))
        file.save()
    beet("import", "-q", incoming)
    assert set(beet("ls", "-f", "$genres / $moods").splitlines()) == {"Jazz / High"}
    beet("taggram", "-f", "-k")
    assert set(beet("ls", "-f", "$genres").splitlines()) == {"Jazz; Middle"}
    assert read_fields(sorted_files(incoming)[0])["genre"] == ("Jazz", "Middle")
    before = beet("ls", "-f", "$genres")
    said = beet("taggram", "-f", "-p")
    assert "- Jazz" in said
    assert beet("ls", "-f", "$genres") == before
    beet("taggram", "-f", "-A", "title:mp3")
    assert beet("ls", "-f", "$title $genres") == "flac Jazz; Middle\nmp3 Middle\n"


def test_the_command_listens_once(beet: Beet, incoming: Path) -> None:
    beet("import", "-q", incoming, auto="no")
    assert beet("ls", "-f", "$genres|$moods") == "|\n|\n"
    assert "Middle" in beet("taggram")
    assert set(beet("ls", "-f", "$genres").splitlines()) == {"Middle"}
    beet("modify", "-y", "genres=")
    assert "Middle" not in beet("taggram")


def test_options_are_those_of_lastgenre(beet: Beet, incoming: Path, tmp_path: Path) -> None:
    (tmp_path / "genres.txt").write_text("# mine\ncentral\n")
    (tmp_path / "tree.yaml").write_text("- central:\n    - middle\n")
    words = {"whitelist": tmp_path / "genres.txt", "canonical": tmp_path / "tree.yaml"}
    beet("import", "-q", incoming, **words, title_case="no", source="album", moods="no")
    assert beet("ls", "-f", "$genres|$moods") == "central|\ncentral|\n"
    beet("taggram", "-f", min_weight=90, fallback="Unknown")
    assert beet("ls", "-f", "$genres") == "central\ncentral\n"
    beet("modify", "-y", "genres=")
    beet("taggram", "-f", min_weight=90, fallback="Unknown")
    assert beet("ls", "-f", "$genres") == "Unknown\nUnknown\n"


def test_the_model_has_its_own_thresholds(beet: Beet, incoming: Path) -> None:
    beet("import", "-q", incoming, min_weight="")  # the noise reaches neither 0.5 nor 0.2
    assert beet("ls", "-f", "$genres|$moods") == "|\n|\n"
    assert float(beet("ls", "-f", "$taggram_middle", "title:mp3")) < 0.5


def test_a_taxonomy_of_taggram(beet: Beet, incoming: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "taxonomy: taggram-taxonomy/1\naliases: {middle: Mid Tempo}\n"
        "fields: {genre: {min_score: 0}, grouping: {from: [instrument], min_score: 0}}\n"
    )
    beet("import", "-q", incoming, taxonomy=path)
    assert set(beet("ls", "-f", "$genres|$grouping").splitlines()) == {"Mid Tempo|Low"}


def test_mistakes_are_said(config: Callable[..., Path], incoming: Path, tmp_path: Path) -> None:
    def fail(**options: object) -> str:
        command = [sys.executable, "-m", "beets", "-c", str(config(**options)), "import", "-q", str(incoming)]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "none.txt: cannot be read" in fail(whitelist=tmp_path / "none.txt")
    assert "no model" in fail(model="no-such-model")


def test_names_of_fields() -> None:
    from beetsplug.taggram import _mean, field_of
    from taggram.inference.result import TagScore

    assert field_of("r&b") == "taggram_r_b"
    assert field_of("Hip-Hop") == "taggram_hip_hop"
    songs = [
        [TagScore("a", "genre", 0.2), TagScore("b", "genre", 0.4)],
        [TagScore("b", "genre", 0.8), TagScore("a", "genre", 0.0)],
    ]
    np.testing.assert_allclose([tag.score for tag in _mean(songs)], [0.1, 0.6])

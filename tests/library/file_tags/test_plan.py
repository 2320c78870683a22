"""A plan says what would change; a person can read and edit it."""

import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taggram.errors import FileTagError, PlanError
from taggram.inference.result import TagScore
from taggram.library.file_tags.containers import TagFile, read_fields
from taggram.library.file_tags.plan import Change, Heard, Mode, Policy, plan_file, read_plan, write_plan
from taggram.library.taxonomy import Rule, Taxonomy, default_taxonomy
from tests.library.file_tags.sounds import write_sound

TAGS = (
    TagScore("deep house", "genre", 0.8),
    TagScore("jazz", "genre", 0.4),
    TagScore("dark", "mood", 0.5),
    TagScore("piano", "instrument", 0.9),
    TagScore("folk", "genre", 0.05),
)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_sound(tmp_path, "flac")


def heard(path: Path) -> Heard:
    return Heard(path, TAGS, "default 8ff0e957", 1_700_000_000.9)


def plan(path: Path, mode: Mode = "fill", **options: object) -> dict[str, tuple[str, ...]]:
    taxonomy = options.pop("taxonomy", default_taxonomy())
    assert isinstance(taxonomy, Taxonomy)
    policy = Policy(mode, **{"own": "none", **options})  # type: ignore[arg-type]
    return {change.field: change.after for change in plan_file(heard(path), taxonomy, policy)}


def give(path: Path, **fields: tuple[str, ...]) -> None:
    file = TagFile.open(path)
    for name, values in fields.items():
        file.set(name, values)
    file.save()


def test_only_what_is_empty_is_filled(song: Path) -> None:
    assert plan(song) == {"genre": ("Deep House", "Jazz"), "mood": ("Dark",)}
    give(song, genre=("Techno",))
    assert plan(song) == {"mood": ("Dark",)}
    give(song, mood=("Happy",))
    assert plan(song, own="changed") == {}


def test_add_replace_and_whitelist(song: Path) -> None:
    give(song, genre=("deep-house", "Seen live"))
    assert plan(song, "add", fields=frozenset({"genre"})) == {"genre": ("deep-house", "Seen live", "Jazz")}
    assert plan(song, "replace") == {"genre": ("Deep House", "Jazz"), "mood": ("Dark",)}
    listed = Taxonomy(
        (Rule("genre", frozenset({"genre"}), whitelist={"deephouse": "Deep House", "folk": "Folk"}),)
    )
    assert plan(song, "add", taxonomy=listed, only_whitelist=True) == {"genre": ("deep-house",)}
    give(song, genre=("Seen live",))
    assert plan(song, "add", taxonomy=listed, only_whitelist=True) == {"genre": ("Deep House",)}


def test_adding_goes_up_to_the_count(song: Path) -> None:
    give(song, genre=("A", "B"))
    assert plan(song, "add")["genre"] == ("A", "B", "Deep House")
    give(song, genre=("A", "B", "C", "D"))
    assert "genre" not in plan(song, "add")


def test_nothing_heard_erases_nothing(song: Path) -> None:
    give(song, genre=("Techno",))
    nothing = Taxonomy((Rule("genre", frozenset({"genre"}), min_score=0.9),))
    assert plan(song, "replace", taxonomy=nothing) == {}


def test_own_fields_say_where_the_others_come_from(song: Path) -> None:
    changes = plan_file(heard(song), default_taxonomy(), Policy())
    assert [change.field for change in changes] == [
        "genre",
        "mood",
        "taggram_scores",
        "taggram_model",
        "taggram_time",
    ]
    assert {change.field: change.after for change in changes[2:]} == {
        "taggram_scores": ("deep house=0.80; dark=0.50; jazz=0.40",),
        "taggram_model": ("default 8ff0e957",),
        "taggram_time": ("2023-11-14T22:13:20Z",),
    }
    assert changes[0].why == "heard Deep House 0.80, Jazz 0.40; was empty"
    give(song, genre=("A",), mood=("B",))
    assert set(plan(song, own="all")) == {"taggram_scores", "taggram_model", "taggram_time"}


def test_a_file_without_tags_to_write(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("nothing")
    with pytest.raises(FileTagError, match="its container has no tags"):
        plan(path)


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
VALUES = st.lists(TEXTS, unique=True, max_size=3).map(tuple)


@given(
    st.lists(
        st.builds(Change, TEXTS.map(Path), st.sampled_from(["genre", "my words"]), VALUES, VALUES, TEXTS)
    )
)
def test_a_plan_survives_its_file(tmp_path_factory: pytest.TempPathFactory, changes: list[Change]) -> None:
    path = tmp_path_factory.mktemp("plans") / "plan.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        assert write_plan(changes, stream) == len(changes)
    assert list(read_plan(path)) == changes


def test_people_can_read_it_and_any_path_survives(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(b"/music/caf\xe9.mp3"))
    stream = io.StringIO()
    write_plan(
        [Change(Path("/m/Größe 🎵.mp3"), "genre", (), ("電子",)), Change(odd, "genre", (), ("A",))], stream
    )
    first, second, third = stream.getvalue().splitlines()
    assert json.loads(first)["plan"] == "taggram-plan/1"
    assert "Größe 🎵.mp3" in second
    assert "電子" in second
    assert json.loads(third)["file"] == str(odd)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", r"plan\.jsonl, line 2: is no JSON"),
        ("[1]", "a change has the keys after, before, field, file, why"),
        ('{"file": "a", "field": "genre", "before": [], "after": [], "wyh": ""}', "a change has the keys"),
        ('{"file": 3, "field": "genre", "before": [], "after": []}', "file and why are texts"),
        ('{"file": "a", "field": "genre", "before": [], "after": "Rock"}', "after is a list of texts"),
        (
            '{"file": "a", "field": "genre", "before": [""], "after": []}',
            "before is a list of texts that are not",
        ),
        ('{"file": "a", "field": "genre", "before": [], "after": ["a\\u0000b"]}', "after holds a zero byte"),
        ('{"file": "a", "field": "genre", "before": [], "after": ["A", "A"]}', "after names a value twice"),
        ('{"file": "a", "field": "bpm", "before": [], "after": ["1"]}', "the field 'bpm' is only read"),
        ('{"file": "a", "field": "G=", "before": [], "after": ["1"]}', "is no name for a field"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "plan.jsonl"
    path.write_text(f'{{"plan": "taggram-plan/1"}}\n{line}\n')
    with pytest.raises(PlanError, match=said):
        list(read_plan(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "is empty"), ('{"plan": "taggram-plan/9"}\n', "a plan begins with"), ("\xff", "a plan")],
)
def test_what_is_no_plan(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "plan.jsonl"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(PlanError, match=said):
        list(read_plan(path))
    with pytest.raises(PlanError, match="No such file"):
        list(read_plan(tmp_path / "missing.jsonl"))


def test_reading_the_plan_of_a_file_does_not_touch_it(song: Path) -> None:
    data = song.read_bytes()
    plan(song)
    assert (song.read_bytes(), read_fields(song)) == (data, {})

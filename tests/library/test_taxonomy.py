"""A taxonomy turns the model's words into the user's."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taggram.errors import PlanError
from taggram.inference.result import TagScore
from taggram.library.taxonomy import (
    Rule,
    Taxonomy,
    default_taxonomy,
    flatten_tree,
    load_taxonomy,
    make_rule,
    normal_form,
    read_tree,
    read_whitelist,
)


def tags(category: str = "genre", **scores: float) -> list[TagScore]:
    return [TagScore(name.replace("_", " "), category, score) for name, score in scores.items()]  # type: ignore[arg-type]


def load(tmp_path: Path, text: str) -> Taxonomy:
    path = tmp_path / "mine.yaml"
    path.write_text(f"taxonomy: taggram-taxonomy/1\n{text}", encoding="utf-8")
    return load_taxonomy(path)


def values(taxonomy: Taxonomy, found: list[TagScore], field: str = "genre") -> list[str]:
    return [proposal.value for proposal in taxonomy.propose(found)[field]]


def test_without_a_file_strong_genres_and_moods_go_to_their_fields() -> None:
    found = [
        *tags(deep_house=0.5, jazz=0.3, rock=0.25, blues=0.21, folk=0.1),
        *tags("mood", dark=0.4),
        *tags("instrument", piano=0.9),
    ]
    assert values(default_taxonomy(), found) == ["Deep House", "Jazz", "Rock"]
    assert values(default_taxonomy(), found, "mood") == ["Dark"]
    assert default_taxonomy().fields == ("genre", "mood")


def test_thresholds_of_the_model_count_where_the_rule_has_none() -> None:
    rule = Rule("genre", frozenset({"genre"}))
    found = tags(jazz=0.3, rock=0.1)
    assert [p.value for p in rule.propose(found, {"jazz": 0.4, "rock": 0.05})] == ["Rock"]
    strict = Rule("genre", frozenset({"genre"}), min_score=0.2)
    assert [p.value for p in strict.propose(found, {"jazz": 0.4, "rock": 0.05})] == ["Jazz"]


def test_everything_at_once(tmp_path: Path) -> None:
    (tmp_path / "genres.txt").write_text("# mine\nElectronica\nhip hop\njazz\nROCK\n\nfusion\n")
    taxonomy = load(
        tmp_path,
        """
aliases: {trip hop: Bristol Sound, hiphop: Hip-Hop}
fields:
  genre:
    min_score: 0.1
    count: 4
    whitelist: genres.txt
    tree:
      - electronica:
          - techno: [acid techno]
          - trip hop
      - rock
    parents: {jazz rock: [jazz, rock]}
  grouping:
    from: [voice, piano]
    title_case: false
    whitelist: [female vocals, piano]
""",
    )
    assert values(taxonomy, tags(acid_techno=0.9)) == ["Electronica"]
    assert values(taxonomy, tags(jazz_rock=0.9)) == ["Jazz", "ROCK"]
    assert values(taxonomy, tags(polka=0.9)) == []
    assert values(taxonomy, [TagScore("Hip-Hop", "genre", 0.5)]) == ["Hip Hop"]
    proposals = taxonomy.propose(tags(acid_techno=0.5, techno=0.8, fusion=0.3, rock=0.05))["genre"]
    assert [(p.value, p.score, len(p.sources)) for p in proposals] == [
        ("Electronica", 0.8, 2),
        ("Fusion", 0.3, 1),
    ]
    assert proposals[0].why == "Electronica 0.80 (as techno)"
    assert proposals[1].why == "Fusion 0.30"
    found = [*tags("voice", female_vocals=0.4, choir=0.9), *tags("instrument", piano=0.3, guitar=0.9)]
    assert values(taxonomy, found, "grouping") == ["female vocals", "piano"]


def test_aliases_name_what_is_not_in_a_list(tmp_path: Path) -> None:
    taxonomy = load(tmp_path, "aliases: {trip hop: Bristol Sound, bristol: Bristol Sound}")
    assert values(taxonomy, tags(trip_hop=0.5, bristol=0.4)) == ["Bristol Sound"]


def test_ancestors_and_preference_for_the_specific(tmp_path: Path) -> None:
    tree = "tree: [{electronic: [{house: [deep house]}, ambient]}]"
    found = tags(electronic=0.9, deep_house=0.5, ambient=0.3)
    above = load(tmp_path, f"fields: {{genre: {{ancestors: true, count: 9, {tree}}}}}")
    assert values(above, tags(deep_house=0.5)) == ["Deep House", "House", "Electronic"]
    specific = load(tmp_path, f"fields: {{genre: {{prefer_specific: true, {tree}}}}}")
    assert values(specific, found) == ["Deep House", "Ambient"]


def test_a_tree_that_runs_in_circles_ends(tmp_path: Path) -> None:
    taxonomy = load(
        tmp_path,
        "fields: {genre: {ancestors: true, parents: {a: [b], b: [a, c]}, whitelist: [c]}}",
    )
    assert values(taxonomy, tags(a=0.9)) == ["C"]
    assert values(taxonomy, tags(d=0.9)) == []


def test_trees_may_join() -> None:
    tree = flatten_tree([{"jazz": ["fusion", {"soul jazz": None}]}, {"rock": ["fusion"]}])
    assert tree == {"jazz": (), "fusion": ("jazz", "rock"), "soul jazz": ("jazz",), "rock": ()}


def test_files_of_lastgenre_are_read() -> None:
    beetsplug = pytest.importorskip("beetsplug", reason="beets is not installed")
    folder = next(path for place in beetsplug.__path__ if (path := Path(place, "lastgenre")).is_dir())
    whitelist = read_whitelist(folder / "genres.txt")
    assert len(whitelist) > 1000
    assert not any(line.startswith("#") for line in whitelist)
    tree = read_tree(folder / "genres-tree.yaml")
    assert tree["deep house"] == ("house",)
    assert tree["house"] == ("electronic",)
    assert tree["electronic"] == ()
    assert max(len(above) for above in tree.values()) > 1
    rule = Rule(
        "genre",
        frozenset({"genre"}),
        whitelist={normal_form(word): word for word in ("House", "Rock")},
        parents={normal_form(name): tuple(map(normal_form, above)) for name, above in tree.items()},
    )
    assert rule.resolve("Deep House") == ("House",)
    assert rule.resolve("jazz") == ()


@pytest.mark.parametrize(
    ("word", "same"),
    [("Hip Hop", "hip-hop"), ("R&B", "r and b"), ("Drum'n'Bass", "drum & bass"), ("Électro", "ÉLECTRO")],
)
def test_spellings_of_one_word(word: str, same: str) -> None:
    assert normal_form(word) == normal_form(same)
    assert normal_form(word) != normal_form("house")


@given(st.text(min_size=1))
def test_a_normal_form_is_its_own(text: str) -> None:
    assert normal_form(text)
    assert normal_form(normal_form(text)) == normal_form(text)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"))), st.sampled_from("abcdef"))
def test_whatever_is_proposed_is_in_the_whitelist(edges: list[tuple[str, str]], tag: str) -> None:
    parents: dict[str, tuple[str, ...]] = {}
    for name, above in edges:
        parents[name] = (*parents.get(name, ()), above)
    rule = Rule(
        "genre", frozenset({"genre"}), ancestors=True, whitelist={"a": "a", "b": "b"}, parents=parents
    )
    assert {p.value.lower() for p in rule.propose([TagScore(tag, "genre", 1.0)])} <= {"a", "b"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("taxonomy: other/1", "begins with the line"),
        ("- a\n- b", "begins with the line"),
        ("taxonomy: [", "is no valid YAML"),
        ("taxonomy: taggram-taxonomy/1\ngenres: 3", "unknown genres; known are aliases, fields"),
        (
            "taxonomy: taggram-taxonomy/1\nfields: {genre: {cuont: 3}}",
            "field genre: unknown cuont; known are",
        ),
        ("taxonomy: taggram-taxonomy/1\nfields: {genre: {count: many}}", "field genre, count: got 'many'"),
        ("taxonomy: taggram-taxonomy/1\nfields: {genre: {count: true}}", "field genre, count: got True"),
        ("taxonomy: taggram-taxonomy/1\nfields: {genre: {min_score: 2}}", r"min_score lies in \[0, 1\]"),
        ("taxonomy: taggram-taxonomy/1\nfields: {my field: {}}", "`from` names categories"),
        ("taxonomy: taggram-taxonomy/1\nfields: {bpm: {from: [mood]}}", "the field 'bpm' is only read"),
        (
            "taxonomy: taggram-taxonomy/1\nfields: {genre: {whitelist: none.txt}}",
            r"none\.txt: cannot be read",
        ),
        ("taxonomy: taggram-taxonomy/1\nfields: {genre: {parents: {a: b}}}", "parents of a: is a list"),
        ("taxonomy: taggram-taxonomy/1\naliases: {a: }", "is a mapping of words to words"),
    ],
)
def test_errors_name_the_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(PlanError, match=said):
        load_taxonomy(path)


def test_people_read_labels_and_taxonomies_know_both_names() -> None:
    found = [TagScore("rnb", "genre", 0.5, "R&B"), TagScore("hiphop", "genre", 0.4, "Hip-Hop")]
    assert values(default_taxonomy(), found) == ["R&B", "Hip-Hop"]
    renamed = Taxonomy((make_rule("genre", ["genre"], aliases={"rnb": "Soul", "hip hop": "Rap"}),))
    assert values(renamed, found) == ["Soul", "Rap"]


def test_the_strongest_is_the_farthest_above_its_threshold() -> None:
    found = tags(pop=0.5, sitar_music=0.2)
    proposals = default_taxonomy().propose(found, {"pop": 0.4, "sitar music": 0.05})["genre"]
    assert [proposal.value for proposal in proposals] == ["Sitar Music", "Pop"]

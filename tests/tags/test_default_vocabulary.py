"""Every source tag is said under a name that people understand, or left out for a stated reason."""

import pytest

from taggram.tags.default_vocabulary import (
    DENIED,
    DROPPED,
    SAME_USE,
    default_vocabulary,
    describe_default,
    display_name,
    is_denial,
    spoken_tag,
)
from taggram.tags.vocabularies import (
    MAGNATAGATUNE_50,
    MSD_50,
    MTG_JAMENDO_50,
    merge_vocabularies,
)

SOURCES = (MAGNATAGATUNE_50, MSD_50, MTG_JAMENDO_50)
SHIPPED = default_vocabulary(SOURCES)


def test_every_source_tag_stands_for_one_tag_or_is_left_out() -> None:
    said = [source for sources in SHIPPED.values() for source in sources]
    left_out = {source for vocabulary in SOURCES for source in vocabulary} - set(said)
    assert len(said) == len(set(said))
    assert left_out == {"beautiful", "catchy", "weird", "instrument---computer"}
    assert len(SHIPPED) == 90


@pytest.mark.parametrize("decision", [DROPPED, DENIED, SAME_USE])
def test_decisions_are_about_tags_that_there_are(decision: dict[str, str]) -> None:
    assert decision.keys() <= merge_vocabularies(SOURCES).keys()


def test_negative_tags_are_the_low_end_of_their_positive_one() -> None:
    denials = {"no vocals", "no vocal", "no voice", "instrumental"}
    assert {source for source in SHIPPED["vocals"] if is_denial(source)} == denials
    assert not any(
        is_denial(source) for tag, sources in SHIPPED.items() if tag != "vocals" for source in sources
    )
    assert {spoken_tag(source) for source in denials} == {"vocals"}


def test_every_tag_has_a_category_and_a_name_of_its_own() -> None:
    tags = describe_default(SHIPPED)
    assert len({tag.label.casefold() for tag in tags}) == len(tags)
    assert all(tag.label[0].isupper() or tag.label[0].isdigit() for tag in tags)
    assert not any("---" in tag.label or "_" in tag.label for tag in tags)
    by_category = {tag.name: tag.category for tag in tags}
    # Nothing falls to "other" because it was forgotten.
    others = {name for name, category in by_category.items() if category == "other"}
    assert others == {"acoustic", "beat", "fast", "loud", "quiet", "slow", "soft", "solo"}
    assert by_category["soundtrack"] == "genre"
    assert by_category["vocals"] == "voice"
    assert by_category["oldies"] == "decade"


@pytest.mark.parametrize(("tag", "name"), [("00s", "2000s"), ("hip-hop", "Hip-hop"), ("sexy", "Sensual")])
def test_display_names(tag: str, name: str) -> None:
    assert display_name(tag) == name

"""Teach: a tag from examples, what it is worth, what to label next, and forgetting it."""

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.web.conftest import OpenPage, Site, wait_until
from tests.web.test_shell import needs_axe, serious_findings

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.usefixtures("browser")
QUIET = ("Adagio 1", "Adagio 2", "Nocturne 1", "Nocturne 2", "Tide 1", "Tide 2")
LOUD = ("Overdrive 1", "Overdrive 2", "Warehouse 1", "Warehouse 2", "Arcade 1", "Arcade 2")


def add_examples(page: "Page", side: str, titles: tuple[str, ...]) -> None:
    field = page.get_by_role("combobox", name=f"Add a track: {side}")
    for title in titles:
        field.fill(title)
        page.get_by_role("option", name=title).first.wait_for()
        field.press("Enter")


def teach(page: "Page", site: Site, name: str, accepted: tuple[str, ...], rejected: tuple[str, ...]) -> None:
    page.goto(f"{site.url}/#/teach?new=1")
    page.get_by_label("Name", exact=True).fill(name)
    add_examples(page, "it is this", accepted)
    add_examples(page, "it is not", rejected)
    page.get_by_role("button", name="Teach", exact=True).click()
    page.get_by_role("main").get_by_role("heading", name=name).wait_for()


def forget(page: "Page", site: Site) -> None:
    """Remove the tag that is shown."""
    before = len(site.get("own-tags"))
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Forget it").click()
    wait_until(page, lambda: len(site.get("own-tags")) == before - 1)


@pytest.fixture
def page(open_page: OpenPage, music_site: Site) -> "Page":
    return open_page(f"{music_site.url}/#/teach")


def test_a_tag_is_taught_answered_found_and_forgotten(page: "Page", music_site: Site) -> None:
    teach(page, music_site, "for reading", QUIET, LOUD)
    resource = f"own-tags/{quote('for reading')}"
    quality = music_site.get(resource)["quality"]
    card = page.get_by_role("region", name="Quality")
    assert f"{round(100 * quality['roc_auc'])} of 100 times" in card.inner_text()
    low, high = quality["interval"]
    assert f"({round(100 * low)} to {round(100 * high)} with 90 % confidence)" in card.inner_text()
    assert card.locator(".warning").all_inner_texts() == quality["warnings"]

    asked = [item["track"]["title"] for item in music_site.get(f"{resource}/suggestions")]
    question = page.get_by_role("region", name="What to label next")
    assert asked[0] in question.inner_text()
    page.keyboard.press("a")
    wait_until(page, lambda: music_site.get(resource)["n_accepted"] == len(QUIET) + 1)
    wait_until(page, lambda: asked[1] in question.inner_text())
    page.keyboard.press("r")
    wait_until(page, lambda: music_site.get(resource)["n_rejected"] == len(LOUD) + 1)
    examples = {
        example["track"]["title"]: example["is_accepted"] for example in music_site.get(resource)["examples"]
    }
    assert examples[asked[0]] is True
    assert examples[asked[1]] is False

    page.get_by_role("button", name=f"Forget the example {asked[0]}").click()
    wait_until(page, lambda: music_site.get(resource)["n_accepted"] == len(QUIET))
    strongest = music_site.get(f"{resource}/tracks?limit=3")["items"]
    listed = page.get_by_role("region", name="Strongest in your library").locator("a.title")
    wait_until(page, lambda: listed.all_inner_texts()[:3] == [track["title"] for track in strongest])

    page.get_by_role("link", name="Tracks with it").click()
    page.get_by_text(" found").wait_for()
    found = page.locator("[role=row] .title").all_inner_texts()
    wanted = music_site.get(f"tracks?query={quote(chr(34) + 'for reading' + chr(34))}&limit=500")
    assert found == [track["title"] for track in wanted["items"]]

    page.goto(f"{music_site.url}/#/teach/{quote('for reading')}")
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Keep it").click()
    assert len(music_site.get("own-tags")) == 1
    forget(page, music_site)
    page.get_by_role("heading", name="A new tag").wait_for()


def test_too_few_examples_are_told_and_promise_nothing(page: "Page", music_site: Site) -> None:
    teach(page, music_site, "thin", QUIET[:2], LOUD[:1])
    tag = music_site.get("own-tags/thin")
    assert tag["missing"]
    assert tag["missing"] in page.get_by_role("region", name="Quality").inner_text()
    assert page.get_by_role("region", name="What to label next").count() == 0
    assert "needs more examples" in page.get_by_role("navigation", name="Your tags").inner_text()
    forget(page, music_site)


def test_the_servers_warnings_are_shown_word_for_word(page: "Page", music_site: Site) -> None:
    teach(page, music_site, "by one artist", (*QUIET[:2], "Adagio 3"), LOUD[:3])
    warnings = music_site.get(f"own-tags/{quote('by one artist')}")["quality"]["warnings"]
    assert warnings
    shown = page.get_by_role("region", name="Quality").locator(".warning")
    assert shown.all_inner_texts() == warnings
    assert "do not rely on it yet" in page.get_by_role("navigation", name="Your tags").inner_text()
    forget(page, music_site)


def test_a_track_is_accepted_where_it_is_heard(page: "Page", music_site: Site) -> None:
    teach(page, music_site, "for rain", QUIET, LOUD)
    track = music_site.get(f"tracks?query={quote('title = ' + chr(34) + 'Hearth 1' + chr(34))}")["items"][0]
    page.goto(f"{music_site.url}/#/library/{track['id']}")
    button = page.get_by_role("button", name="It is for rain", exact=True)
    button.click()
    page.get_by_role("button", name="It is for rain", pressed=True).wait_for()
    assert music_site.get(f"tracks/{track['id']}")["own_tags"] == [{"name": "for rain", "is_accepted": True}]
    button.click()
    wait_until(page, lambda: music_site.get(f"tracks/{track['id']}")["own_tags"] == [])
    page.goto(f"{music_site.url}/#/teach/{quote('for rain')}")
    forget(page, music_site)


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_a_taught_tag(
    open_page: OpenPage, music_site: Site, scheme: str
) -> None:
    page = open_page(f"{music_site.url}/#/teach", color_scheme=scheme, reduced_motion="reduce")
    page.get_by_role("main").get_by_role("heading").first.wait_for()
    teach(page, music_site, f"for {scheme}", QUIET, LOUD)
    page.wait_for_timeout(800)
    assert serious_findings(page) == []

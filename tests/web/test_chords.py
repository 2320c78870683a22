"""The chord lane and what belongs to it: names at every zoom, playing along, another key, files to keep."""

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from taggram.chords.midi_file import read_midi
from tests.web.conftest import CLIPS, OpenPage, Site, make_tone, wait_until, write_wav
from tests.web.test_listen import clock, listen
from tests.web.test_shell import PHONE, needs_axe, serious_findings

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.usefixtures("browser")


@pytest.fixture
def page(open_page: OpenPage, site: Site) -> "Page":
    return open_page(site.url)


def lane(page: "Page") -> "Locator":
    return page.locator("[data-chords]")


def panel(page: "Page") -> "Locator":
    return page.get_by_role("region", name="Chords")


def open_panel(page: "Page") -> "Locator":
    page.get_by_role("button", name="Chords", exact=True).click()
    panel(page).wait_for()
    return panel(page)


def show_chords(page: "Page", site: Site, path: Path) -> list[dict[str, Any]]:
    """Give a song to the page, wait for its chord lane, and return its chords as the server has them."""
    analysis_id = listen(page, path)
    lane(page).locator(".name").first.wait_for()
    chords: list[dict[str, Any]] = site.get(f"analyses/{analysis_id}/chords")["chords"]
    return chords


def written(chord: dict[str, Any]) -> str:
    return str(chord["name"]) + ("?" if chord["is_doubtful"] else "")


def read_names(page: "Page") -> list[tuple[int, str, float, float]]:
    """Return index, text, left and right edge of the names in the lane."""
    names = (
        lane(page)
        .locator(".name")
        .evaluate_all(
            "all => all.map(e => [Number(e.dataset.chord), e.textContent,"
            " e.getBoundingClientRect().left, e.getBoundingClientRect().right])"
        )
    )
    return [tuple(name) for name in names]


def click_lane(page: "Page", place: float) -> None:
    """Click the lane at a place from 0 to 1."""
    box = lane(page).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + place * box["width"], box["y"] + box["height"] / 2)


def test_names_are_legible_at_every_zoom(page: "Page", site: Site, medley: Path) -> None:
    chords = show_chords(page, site, medley)
    duration = chords[-1]["end"]
    page.get_by_role("slider", name="Timeline").focus()
    numbers: list[int] = []
    for _ in range(4):
        box = lane(page).bounding_box()
        assert box is not None
        start, end = 0.0, duration / 2 ** len(numbers)
        names = read_names(page)
        numbers.append(len(names))
        for index, text, left, right in names:
            assert text == written(chords[index])
            assert box["x"] - 1 <= left < right <= box["x"] + box["width"] + 1
            begins = box["x"] + (chords[index]["start"] - start) / (end - start) * box["width"]
            assert abs(left - begins) < right - left, "a name stands where its chord begins"
        for (_, _, _, right), (_, _, left, _) in pairwise(names):
            assert right <= left, "names do not overlap"
        page.keyboard.press("+")
    visible = [chord for chord in chords if chord["start"] < duration / 8]
    assert numbers[0] > 10
    assert numbers[3] == len(visible), "where there is room every chord is named"


def test_click_in_the_lane_plays_from_there(page: "Page", site: Site, medley: Path) -> None:
    chords = show_chords(page, site, medley)
    duration = chords[-1]["end"]
    click_lane(page, 0.3)
    page.get_by_role("button", name="Pause the song").wait_for()
    begun = clock(page)
    assert begun == pytest.approx(0.3 * duration, abs=1.5)
    wait_until(page, lambda: clock(page) > begun + 0.4)
    page.get_by_role("button", name="Pause the song").click()
    current = next(chord for chord in chords if chord["start"] <= clock(page) < chord["end"])
    assert lane(page).locator(".name.now").inner_text() == written(current)
    page.mouse.move(5, 5)
    click_lane(page, 0.3)
    assert written(current) in page.get_by_role("tooltip").inner_text()
    spoken = page.get_by_role("slider", name="Timeline").get_attribute("aria-valuetext") or ""
    assert f"chord {written(current)}" in spoken


def test_playing_along(page: "Page", site: Site, medley: Path) -> None:
    chords = show_chords(page, site, medley)
    open_panel(page)
    click_lane(page, 0.2)
    now, following = page.get_by_test_id("chord-now"), page.get_by_test_id("chord-next")
    index = next(i for i, chord in enumerate(chords) if chord["end"] > clock(page) + 0.3)
    wait_until(page, lambda: clock(page) > chords[index + 1]["start"] + 0.1)
    page.get_by_role("button", name="Pause the song").click()
    index = next(i for i, chord in enumerate(chords) if chord["end"] > clock(page))
    assert now.locator("strong").inner_text() == written(chords[index])
    assert following.locator("strong").inner_text() == written(chords[index + 1])
    seconds = float(re.findall(r"in (\d+\.\d) s", following.inner_text())[0])
    assert seconds == pytest.approx(chords[index + 1]["start"] - clock(page), abs=0.1)
    colour = now.evaluate("e => getComputedStyle(e).backgroundColor")
    assert colour == page.evaluate(
        "chord => { const e = document.createElement('i'); e.style.background = `var(--chord-${chord.root}-"
        "${chord.is_minor ? 'minor' : 'major'})`; document.body.append(e);"
        " const found = getComputedStyle(e).backgroundColor; e.remove(); return found; }",
        chords[index],
    )


def test_the_chart_plays_and_moves_by_keyboard(page: "Page", site: Site, medley: Path) -> None:
    chords = show_chords(page, site, medley)
    buttons = open_panel(page).get_by_role("list", name="Chart").get_by_role("button")
    assert buttons.count() == len(chords)
    buttons.nth(0).focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Pause the song").wait_for()
    assert clock(page) == pytest.approx(chords[6]["start"], abs=1.5)
    assert buttons.evaluate_all("all => all.filter(e => e.tabIndex === 0).length") == 1
    page.get_by_role("button", name="Pause the song").click()
    page.get_by_role("slider", name="Timeline").focus()
    page.keyboard.press("Home")
    page.keyboard.press(".")
    page.keyboard.press(".")
    assert clock(page) == pytest.approx(chords[2]["start"], abs=0.01)
    page.keyboard.press(",")
    assert clock(page) == pytest.approx(chords[1]["start"], abs=0.01)


def test_another_key_a_capo_and_simpler_chords(page: "Page", site: Site) -> None:
    analysis_id = listen(page, CLIPS / "nocturne.mp3")
    shown = open_panel(page)

    def chart(**wish: Any) -> Any:
        query = "&".join(f"{name}={value}" for name, value in wish.items())
        return site.get(f"analyses/{analysis_id}/chords?{query}")

    def expect(**wish: Any) -> None:
        wanted = chart(**wish)
        texts = [written(chord) for chord in wanted["chords"]]
        names = shown.get_by_role("list", name="Chart").locator("b")
        wait_until(page, lambda: names.all_inner_texts() == texts)
        for index, text, _, _ in read_names(page):
            assert text == texts[index]
        key = shown.locator("dd").first.inner_text()
        assert key.startswith("E minor"), "what sounds stays"
        assert wanted["key"]["name"] == "E minor" or f"written in {wanted['key']['name']}" in key

    expect()
    shown.get_by_role("button", name="Transpose: more").click(click_count=2)
    expect(transpose=2)
    shown.get_by_role("button", name="Capo: more").click()
    expect(transpose=2, capo=1)
    shown.get_by_text("Triads", exact=True).click()
    expect(transpose=2, capo=1, vocabulary="majmin")
    shown.get_by_text("All", exact=True).click()
    shown.get_by_label("Simplify").check()
    expect(transpose=2, capo=1, simplify="true")
    page.reload()
    panel(page).wait_for()
    assert panel(page).get_by_label("Simplify").is_checked(), "what one likes to read is kept"
    assert panel(page).get_by_role("group", name="Capo").inner_text().split()[-1] == "no", "a capo is not"


@pytest.mark.parametrize("name", ["Text", "MIDI", "lab", "JAMS", "JSON"])
def test_chords_to_keep(page: "Page", site: Site, name: str) -> None:
    listen(page, CLIPS / "nocturne.mp3")
    shown = open_panel(page)
    shown.get_by_role("button", name="Transpose: more").click()
    shown.get_by_text("written in F minor").wait_for()
    with page.expect_download() as download:
        shown.get_by_role("link", name=name, exact=True).click()
    data = Path(download.value.path()).read_bytes()
    assert Path(download.value.suggested_filename).stem == "nocturne"
    if name == "MIDI":
        assert read_midi(data)[0].notes
    else:
        assert {"Text": b"in F minor", "lab": b"F:min", "JAMS": b"F:min", "JSON": b"F minor"}[name] in data


def test_doubts_can_be_seen(page: "Page", site: Site, medley: Path) -> None:
    chords = show_chords(page, site, medley)
    assert any(chord["is_doubtful"] for chord in chords)
    shown = open_panel(page)
    assert "the model is not sure" in shown.inner_text()
    buttons = shown.get_by_role("list", name="Chart").get_by_role("button")
    assert sum("not sure" in text for text in buttons.all_text_contents()) == sum(
        chord["is_doubtful"] for chord in chords
    )


def test_a_track_is_listened_to_when_it_is_opened(open_page: OpenPage, music_site: Site) -> None:
    track = next(t for t in music_site.get("tracks?limit=50")["items"] if t["title"] == "Adagio 1")
    page = open_page(f"{music_site.url}/#/library/{track['id']}")
    lane(page).locator(".name").first.wait_for()
    chords = music_site.get(f"tracks/{track['id']}/chords")["chords"]
    assert {text for _, text, _, _ in read_names(page)} <= {written(chord) for chord in chords}
    click_lane(page, 0.5)
    begun = clock(page)
    assert begun == pytest.approx(2.5, abs=1)
    wait_until(page, lambda: clock(page) > begun + 0.3)
    open_panel(page)


def test_where_there_are_no_chords_the_page_says_so(page: "Page", tmp_path: Path) -> None:
    listen(page, write_wav(tmp_path / "click.wav", 0.0 * make_tone(100, 2) + 0.002))
    page.get_by_text("no chords are heard in click.wav").wait_for()
    assert page.get_by_role("button", name="Chords", exact=True).is_disabled()


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_chords(
    open_page: OpenPage, site: Site, medley: Path, scheme: str
) -> None:
    page = open_page(site.url, color_scheme=scheme, reduced_motion="reduce")
    show_chords(page, site, medley)
    open_panel(page)
    click_lane(page, 0.5)
    page.get_by_role("button", name="Pause the song").click()
    assert serious_findings(page) == []


def test_chords_on_a_phone(open_page: OpenPage, site: Site, medley: Path) -> None:
    page = open_page(site.url, **PHONE)
    show_chords(page, site, medley)
    open_panel(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    name = lane(page).locator(".name").last.bounding_box()
    assert name is not None
    page.touchscreen.tap(name["x"] + 3, name["y"] + 8)
    page.get_by_role("button", name="Pause the song").wait_for()
    chart = panel(page).get_by_role("list", name="Chart")
    current = chart.locator("[aria-current]")
    current.wait_for()
    page.wait_for_timeout(100)
    inside, outside = current.bounding_box(), chart.bounding_box()
    assert inside is not None
    assert outside is not None
    assert inside["height"] >= 40, "a finger can hit it"
    assert outside["y"] <= inside["y"], "the chart follows the song"
    assert inside["y"] + inside["height"] <= outside["y"] + outside["height"] + 1
    assert chart.evaluate("list => list.scrollTop") > 0

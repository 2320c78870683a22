"""Listen: drop files, see and hear what is in them."""

import io
import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from taggram.modelfile.specification import Tag
from taggram.tags.picture import choose_tags, format_time
from tests.web.conftest import CLIPS, OpenPage, Site, make_tone, wait_until, write_wav

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.usefixtures("browser")
N_ROWS = 24
ANALYSE_MS = 120_000


def add(page: "Page", *paths: Path) -> None:
    """Give files to the page, as its button does."""
    page.set_input_files("input[type=file]", list(paths))


def listen(page: "Page", path: Path) -> str:
    """Give one file to the page and wait until it is shown; return the id of its analysis."""
    add(page, path)
    page.wait_for_selector(".stage", timeout=ANALYSE_MS)
    return page.url.rsplit("/", 1)[1]


def clock(page: "Page") -> float:
    """Return the playback position, in seconds, as the sliders know it."""
    return float(page.locator("[role=slider][aria-label=Timeline]").get_attribute("aria-valuenow") or "nan")


def decode_scores(document: dict[str, Any]) -> np.ndarray:
    """Return the taggram of an answer of the server, shape (n_chunks, n_tags)."""
    import base64

    levels = np.frombuffer(base64.b64decode(document["scores"]), np.uint8)
    return levels.reshape(-1, len(document["tags"])) / 255


@pytest.fixture
def page(open_page: OpenPage, site: Site) -> "Page":
    return open_page(site.url)


def test_upload_to_taggram(page: "Page", site: Site, medley: Path) -> None:
    # Another test may have sent a song to this server before: the page then greets in other words.
    page.get_by_role("heading", name=re.compile("^Drop a song")).wait_for()
    analysis_id = listen(page, medley)
    analysis = site.get(f"analyses/{analysis_id}")
    document = site.get(f"analyses/{analysis_id}/taggram")

    assert page.locator("h1").inner_text() == "medley"
    shown = {tag["name"] for tag in analysis["tags"] if tag["is_shown"]}
    chips = page.locator(".chips [data-tag]").evaluate_all("all => all.map(chip => chip.dataset.tag)")
    assert set(chips) == shown
    assert len(chips) == len(shown)

    # The same rows in the same order as in the picture of the command line.
    score_of = {tag["name"]: tag["score"] for tag in analysis["tags"]}
    tags = [Tag(name=tag["name"], category=tag["category"]) for tag in document["tags"]]
    chosen = choose_tags(
        decode_scores(document), np.array([score_of[tag.name] for tag in tags]), tags, max_tags=N_ROWS
    )
    rows = page.locator(".rows .label").evaluate_all("all => all.map(row => row.dataset.tag)")
    assert rows == [tags[index].name for index in chosen]
    page.get_by_role("button", name=f"All {len(tags)} tags").click()
    assert page.locator(".rows .label").count() == len(tags)


def test_the_heat_map_shows_the_scores(page: "Page", site: Site, medley: Path) -> None:
    analysis_id = listen(page, medley)
    document = site.get(f"analyses/{analysis_id}/taggram")
    scores = decode_scores(document)
    row = page.locator(".rows li").first
    tag = row.locator(".label").get_attribute("data-tag")
    column = [each["name"] for each in document["tags"]].index(tag)
    centres = np.array(document["chunk_times"]) + document["chunk_duration"] / 2
    box = row.locator(".heat").bounding_box()
    assert box is not None
    for share in (0.1, 0.37, 0.8):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        tip = page.get_by_role("tooltip").inner_text()
        expected = np.interp(share * document["duration"], centres, scores[:, column])
        assert float(re.findall(r"\d\.\d\d", tip)[0]) == pytest.approx(expected, abs=0.02)
        assert format_time(share * document["duration"]) in tip
    # Louder colours for higher scores: brightness falls as the score rises, on the light page.
    brightness = row.locator("canvas").evaluate(
        """canvas => { const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, 1);
           return Array.from({length: canvas.width}, (_, i) => data[4*i] + data[4*i+1] + data[4*i+2]); }"""
    )
    times = (np.arange(len(brightness)) + 0.5) / len(brightness) * document["duration"]
    line = np.interp(times, centres, scores[:, column])
    assert np.corrcoef(brightness, line)[0, 1] < -0.9


def test_click_to_hear(page: "Page", medley: Path, site: Site) -> None:
    duration = site.get(f"analyses/{listen(page, medley)}")["duration"]
    heat = page.locator(".rows .heat").nth(2).bounding_box()
    assert heat is not None
    page.mouse.click(heat["x"] + heat["width"] / 2, heat["y"] + heat["height"] / 2)
    page.get_by_role("button", name="Pause the song").wait_for()
    begun = clock(page)
    assert begun == pytest.approx(duration / 2, abs=2)
    wait_until(page, lambda: clock(page) > begun + 0.5)
    page.get_by_role("button", name="Pause the song").click()
    page.get_by_role("button", name="Play the song").wait_for()


def test_why_this_tag_plays_its_strongest_moments(page: "Page", site: Site, medley: Path) -> None:
    analysis_id = listen(page, medley)
    label = page.locator(".rows .label").first
    tag = label.get_attribute("data-tag")
    label.click()
    moments = site.get(f"analyses/{analysis_id}/evidence?tag={tag}&n=3")["moments"]
    why = page.get_by_role("region", name=f"Why {label.inner_text()}?")
    buttons = why.locator("button.moment")
    buttons.nth(2).wait_for()
    texts = buttons.all_inner_texts()
    assert [text.splitlines()[1] for text in texts] == [
        f"{format_time(moment['start'])}–{format_time(moment['end'])}" for moment in moments
    ]
    first, second = moments[0], moments[1]
    wait_until(page, lambda: first["start"] <= clock(page) < first["end"])
    wait_until(page, lambda: second["start"] <= clock(page) < second["end"])  # follows by itself
    assert page.locator(".rows .lines .moment").count() == len(moments)
    why.get_by_role("button", name="Close").click()
    assert why.count() == 0
    page.get_by_role("button", name="Play the song").wait_for()


def test_zoom(page: "Page", medley: Path) -> None:
    listen(page, medley)
    wave = page.locator(".lane.wave").bounding_box()
    assert wave is not None
    middle = wave["y"] + wave["height"] / 2
    before = page.locator(".ticks .number").all_inner_texts()
    page.mouse.move(wave["x"] + wave["width"] * 0.4, middle)
    page.mouse.down()
    page.mouse.move(wave["x"] + wave["width"] * 0.6, middle, steps=4)
    page.mouse.up()
    whole = page.get_by_role("button", name="Whole song")
    assert whole.is_enabled()
    zoomed = page.locator(".ticks .number").all_inner_texts()
    assert zoomed != before
    assert "0:45" in zoomed or "0:40" in zoomed
    assert page.get_by_role("button", name="Play the song").count() == 1  # a drag is no click
    whole.click()
    assert page.locator(".ticks .number").all_inner_texts() == before
    page.mouse.move(wave["x"] + wave["width"] / 2, middle)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Control")
    wait_until(page, whole.is_enabled)


def test_a_zoomed_waveform_is_asked_for_in_detail(page: "Page", site: Site, medley: Path) -> None:
    whole = site.get(f"analyses/{listen(page, medley)}/peaks?n=8000")
    wave = page.locator(".wave canvas").first
    page.get_by_role("slider", name="Timeline").focus()
    with page.expect_response(lambda answer: "/peaks?" in answer.url and "start=" in answer.url) as found:
        for _ in range(6):
            page.keyboard.press("+")
    asked = {key: float(value) for key, value in re.findall(r"(start|end)=([\d.]+)", found.value.url)}
    detail = found.value.json()
    assert (detail["start"], detail["end"]) == (
        pytest.approx(asked["start"], abs=0.05),
        pytest.approx(asked["end"], abs=0.05),
    )
    seconds = detail["end"] - detail["start"]
    assert len(detail["maximum"]) / seconds > 1.5 * len(whole["maximum"]) / whole["duration"]
    pixels = "canvas => canvas.toDataURL()"
    drawn = wave.evaluate(pixels)
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Whole song").click()
    wait_until(page, lambda: wave.evaluate(pixels) != drawn)


def test_keyboard(page: "Page", medley: Path) -> None:
    listen(page, medley)
    timeline = page.get_by_role("slider", name="Timeline")
    timeline.focus()
    page.keyboard.press("End")
    end = clock(page)
    assert end == pytest.approx(91, abs=2)
    page.keyboard.press("Home")
    assert clock(page) == 0
    page.keyboard.press("ArrowRight")
    assert 0 < clock(page) <= 5
    assert re.search(r"seconds? of 1 minute .*: .+ 0\.\d\d", timeline.get_attribute("aria-valuetext") or "")
    whole = page.get_by_role("button", name="Whole song")
    assert whole.is_disabled()
    page.keyboard.press("+")
    assert whole.is_enabled()
    page.keyboard.press("0")
    assert whole.is_disabled()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Pause the song").wait_for()


@pytest.mark.parametrize("name", ["PNG", "JSON", "JAMS", "CSV"])
def test_export(page: "Page", site: Site, medley: Path, name: str) -> None:
    document = site.get(f"analyses/{listen(page, medley)}/taggram")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name=name).click()
    assert Path(download.value.suggested_filename).stem.startswith("medley")
    data = Path(download.value.path()).read_bytes()
    if name == "PNG":
        assert Image.open(io.BytesIO(data)).width >= 1000
    elif name == "CSV":
        assert len(data.splitlines()) > len(document["chunk_times"])
    else:
        assert json.loads(data)


def test_a_broken_file_among_others(page: "Page", medley: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(medley.read_bytes()[:3] + bytes(range(256)) * 40)
    add(page, broken, CLIPS / "nocturne.mp3")
    failed = page.locator("aside li[data-state=failed]")
    failed.wait_for(timeout=ANALYSE_MS)
    assert "broken" in failed.inner_text()
    assert str(tmp_path) not in failed.inner_text()
    page.locator("aside a", has_text="nocturne").first.click()
    page.wait_for_selector(".stage")


def test_twenty_files_at_once(open_page: OpenPage, make_site: Callable[..., Site], tmp_path: Path) -> None:
    site = make_site("--model", "tiny", "--max-queue", "5")  # the page has to wait for its turn
    page = open_page(site.url)
    paths = [write_wav(tmp_path / f"tone {n}.wav", make_tone(150 * n + 100, 3)) for n in range(20)]
    add(page, *paths)
    wait_until(page, lambda: page.locator("aside a").count() == len(paths), ANALYSE_MS / 1000)
    assert set(page.locator("aside a").all_inner_texts()) == {path.stem for path in paths}
    assert len(site.get("jobs?state=done&limit=100")["items"]) == 20


def test_two_hours(open_page: OpenPage, make_site: Callable[..., Site], tmp_path: Path) -> None:
    site = make_site("--model", "tiny")
    page = open_page(site.url)
    hours = np.concatenate([make_tone(300, 3600), make_tone(2000, 3600)]).astype(np.float32)
    listen(page, write_wav(tmp_path / "two hours.wav", hours))
    assert page.locator(".ticks .number").last.inner_text() in ("2:00:00", "1:55:00", "1:50:00", "1:45:00")
    heat = page.locator("[data-tag=middle] + .heat").bounding_box()
    assert heat is not None
    page.mouse.move(heat["x"] + heat["width"] * 0.25, heat["y"] + 5)
    before = float(re.findall(r"\d\.\d\d", page.get_by_role("tooltip").inner_text())[0])
    page.mouse.move(heat["x"] + heat["width"] * 0.75, heat["y"] + 5)
    behind = float(re.findall(r"\d\.\d\d", page.get_by_role("tooltip").inner_text())[0])
    assert behind > before
    page.mouse.down()
    page.mouse.up()
    page.get_by_role("button", name="Pause the song").wait_for()
    begun = clock(page)
    wait_until(page, lambda: clock(page) > begun + 0.3)
    assert clock(page) == pytest.approx(5405, abs=15)


def test_restart_in_the_middle(open_page: OpenPage, make_site: Callable[..., Site], medley: Path) -> None:
    site = make_site()
    page = open_page(site.url)
    add(page, medley)
    page.wait_for_selector(
        "aside li[data-state=analysing], aside li[data-state=decoding]", timeout=ANALYSE_MS
    )
    assert site.process is not None
    site.process.send_signal(signal.SIGKILL)
    site.process.wait()
    page.get_by_role("status").get_by_text("does not answer").wait_for()
    site.start()
    page.wait_for_selector(".stage", timeout=ANALYSE_MS)
    assert page.get_by_text("does not answer").count() == 0
    assert page.locator("h1").inner_text() == "medley"


def test_a_file_sent_while_nobody_answers(
    open_page: OpenPage, make_site: Callable[..., Site], tmp_path: Path
) -> None:
    site = make_site("--model", "tiny")
    page = open_page(site.url)
    page.get_by_role("heading", name="Drop a song.").wait_for()
    site.stop()
    page.get_by_text("does not answer").first.wait_for()
    add(page, write_wav(tmp_path / "late.wav", make_tone(440, 3)))
    page.locator("aside li", has_text="late").wait_for()
    site.start()
    page.wait_for_selector(".stage", timeout=ANALYSE_MS)


def test_after_a_reload(page: "Page", medley: Path) -> None:
    listen(page, medley)
    page.reload()
    page.wait_for_selector(".stage")
    page.get_by_role("button", name="Play the song").click()
    page.get_by_text("The sound is not here any more").wait_for()
    missing = page.get_by_title("The sound is not here")
    missing.wait_for()
    add(page, medley)  # known at once, and to be heard again
    missing.wait_for(state="detached")
    page.get_by_role("button", name="Play the song").click()
    page.get_by_role("button", name="Pause the song").wait_for()


def test_a_sound_that_is_kept(open_page: OpenPage, make_site: Callable[..., Site], medley: Path) -> None:
    page = open_page(make_site().url)
    page.get_by_label("Keep the sound on the server").check()
    listen(page, medley)
    page.reload()
    page.wait_for_selector(".stage")
    page.get_by_role("button", name="Play the song").click()
    page.get_by_role("button", name="Pause the song").wait_for()
    wait_until(page, lambda: clock(page) > 0.3)


def test_the_same_sound_is_heard_once(page: "Page", site: Site, medley: Path) -> None:
    first = listen(page, medley)
    n_jobs = len(site.get("jobs?kind=analysis&limit=500")["items"])
    page.goto(f"{site.url}/#/listen")
    assert listen(page, medley) == first
    assert len(site.get("jobs?kind=analysis&limit=500")["items"]) == n_jobs


def test_remove_an_analysis(open_page: OpenPage, make_site: Callable[..., Site], tmp_path: Path) -> None:
    site = make_site("--model", "tiny")
    page = open_page(site.url)
    listen(page, write_wav(tmp_path / "gone.wav", make_tone(440, 3)))
    page.get_by_role("button", name="Remove this analysis").click()
    page.get_by_role("heading", name="Drop a song.").wait_for()


def test_what_sounds_like_it_in_the_library(open_page: OpenPage, music_site: Site) -> None:
    page = open_page(music_site.url)
    analysis_id = listen(page, CLIPS / "tide.opus")
    found = music_site.get(f"analyses/{analysis_id}/similar?n=6&per_artist=1")
    similar = page.get_by_role("region", name="Sounds like it in your library")
    entries = similar.locator("li")
    entries.nth(len(found) - 1).wait_for()
    assert entries.locator("a").all_inner_texts() == [each["track"]["title"] for each in found]
    assert found[0]["track"]["title"].startswith("Tide")
    entries.first.get_by_role("button", name="where it is most alike").click()
    player = page.get_by_role("region", name="Player")
    assert found[0]["track"]["title"] in player.inner_text()
    position = player.get_by_role("slider")
    begun = float(position.input_value())
    wait_until(page, lambda: float(position.input_value()) > begun + 0.3)


def test_an_analysis_that_is_gone(open_page: OpenPage, site: Site) -> None:
    page = open_page(f"{site.url}/#/listen/{'0' * 32}")
    page.get_by_role("alert").get_by_text("0000").wait_for()
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("alert").wait_for()

"""Map: tracks in two dimensions, seen, heard, opened, encircled; a hundred thousand of them; and the tags."""

import base64
import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.web.conftest import OpenPage, Site, wait_until
from tests.web.music import ARTISTS, N_PIECES
from tests.web.test_library import player_time
from tests.web.test_shell import PHONE, needs_axe, serious_findings

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.usefixtures("browser")
N_TRACKS = N_PIECES * len(ARTISTS)
N_MANY = 100_000
MAP_MS = 120_000
EDGE = 0.06  # as in camera.svelte.ts
EMULATED_WEBGL = """
    const getExtension = WebGL2RenderingContext.prototype.getExtension;
    WebGL2RenderingContext.prototype.getExtension = function (name) {
        return name === "WEBGL_debug_renderer_info" ? null : getExtension.call(this, name);
    };
"""
"""Makes the page take a WebGL without a graphics card, too; test machines have none."""


def decode(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def encode(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode("ascii")


class Chart:
    """Where the tracks of the server's map are on the screen."""

    def __init__(self, page: "Page", site: Site) -> None:
        found = site.get("map")
        self.ids = decode(found["ids"], "<u4")
        box = page.locator("canvas").bounding_box()
        assert box is not None
        side = min(box["width"], box["height"]) * (1 - 2 * EDGE)
        self.x = box["x"] + box["width"] / 2 + (decode(found["x"], "<f4") - 0.5) * side
        self.y = box["y"] + box["height"] / 2 - (decode(found["y"], "<f4") - 0.5) * side

    def loneliest(self) -> int:
        """The point that is furthest from all others, so that a pointer cannot mean another one."""
        distances = np.hypot(self.x[:, None] - self.x, self.y[:, None] - self.y)
        np.fill_diagonal(distances, np.inf)
        return int(distances.min(axis=1).argmax())

    def at(self, point: int) -> tuple[float, float]:
        return float(self.x[point]), float(self.y[point])


@pytest.fixture
def page(open_page: OpenPage, music_site: Site) -> "Page":
    page = open_page(f"{music_site.url}/#/map")
    show(page)
    return page


def show(page: "Page") -> None:
    page.locator("canvas[data-painter]").wait_for(timeout=MAP_MS)
    page.locator(".legend strong").wait_for()
    page.wait_for_timeout(500)


def pixels_of(page: "Page", x: float, y: float, width: float, height: float) -> np.ndarray:
    """Return a part of the screen, shape (height, width, 3)."""
    picture = page.screenshot(clip={"x": x, "y": y, "width": width, "height": height})
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)


def ink(pixels: np.ndarray) -> float:
    """Share of pixels that differ from the first one."""
    return float((np.abs(pixels - pixels[0, 0]).sum(axis=2) > 60).mean())


def share_of(pixels: np.ndarray, colour: str) -> float:
    """Share of pixels that have nearly this colour, `#rrggbb`."""
    wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    return float((np.abs(pixels - wanted).sum(axis=2) < 40).mean())


def test_every_track_is_drawn_where_the_map_says(page: "Page", music_site: Site) -> None:
    chart = Chart(page, music_site)
    assert len(chart.ids) == N_TRACKS
    for point in range(N_TRACKS):
        x, y = chart.at(point)
        assert ink(pixels_of(page, x - 8, y - 8, 16, 16)) > 0.1


def test_pointing_at_a_track_names_it_and_plays_it_where_the_tag_is_strongest(
    page: "Page", music_site: Site
) -> None:
    chart = Chart(page, music_site)
    point = chart.loneliest()
    track = music_site.get(f"tracks/{chart.ids[point]}")
    page.get_by_label("Colour by").select_option("slow")
    page.locator(".legend", has_text="Slow").wait_for()
    page.locator(".zoom").get_by_role(
        "button", name="Zoom in"
    ).click()  # a browser plays nothing before a click
    page.locator(".zoom").get_by_role("button", name="Everything").click()
    page.mouse.move(*chart.at(point))
    page.locator(".tip > div", has_text=track["title"]).wait_for()
    wait_until(page, lambda: page.get_by_role("region", name="Player").count() == 1)
    assert track["title"] in page.get_by_role("region", name="Player").inner_text()
    best = music_site.get(f"tracks/{track['id']}/evidence?tag=slow&n=1")["moments"][0]
    wait_until(page, lambda: player_time(page) >= best["start"])


def test_a_click_opens_the_track_beside_the_map(page: "Page", music_site: Site) -> None:
    chart = Chart(page, music_site)
    point = chart.loneliest()
    page.mouse.click(*chart.at(point))
    title = music_site.get(f"tracks/{chart.ids[point]}")["title"]
    page.get_by_role("complementary", name="Track").get_by_role("heading", name=title).wait_for()


def test_a_line_around_tracks_makes_a_playlist_of_just_those(page: "Page", music_site: Site) -> None:
    chart = Chart(page, music_site)
    middle = float(np.median(chart.x))
    inside = {int(track) for track in chart.ids[chart.x < middle]}
    assert 0 < len(inside) < N_TRACKS
    page.get_by_text("Lasso").click()
    left, top, bottom = float(chart.x.min()) - 14, float(chart.y.min()) - 14, float(chart.y.max()) + 14
    gap = np.sort(chart.x)
    right = float(gap[gap < middle].max() + gap[gap >= middle].min()) / 2
    page.mouse.move(left, (top + bottom) / 2)
    page.mouse.down()
    for x, y in ((left, top), (right, top), (right, bottom), (left, bottom)):
        page.mouse.move(x, y, steps=6)
    page.mouse.up()
    chosen = page.get_by_role("group", name="Chosen tracks")
    assert f"{len(inside)} track" in chosen.inner_text()
    chosen.get_by_role("link", name="Playlist").click()
    with page.expect_response("**/playlists") as made:
        page.get_by_role("button", name="Make playlist").click()
    assert {entry["track"]["id"] for entry in made.value.json()["tracks"]} == inside


def test_the_keyboard_goes_from_track_to_track(page: "Page", music_site: Site) -> None:
    chart = Chart(page, music_site)
    page.locator("canvas").focus()
    visited = set()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
        page.locator(".tip strong").wait_for()
        page.wait_for_timeout(200)
        visited.add(page.locator(".tip strong").inner_text())
    assert len(visited) >= 3
    page.keyboard.press("n")
    page.get_by_role("group", name="Chosen tracks").get_by_text(
        f"{min(25, len(chart.ids))} tracks"
    ).wait_for()
    page.keyboard.press("Escape")
    assert page.get_by_role("group", name="Chosen tracks").count() == 0
    page.keyboard.press("Enter")
    page.get_by_role("complementary", name="Track").get_by_role("heading").first.wait_for()


def test_zooming_keeps_what_is_under_the_pointer(page: "Page", music_site: Site) -> None:
    chart = Chart(page, music_site)
    point = chart.loneliest()
    x, y = chart.at(point)
    page.mouse.move(x, y)
    for _ in range(8):
        page.mouse.wheel(0, -200)
    page.wait_for_timeout(300)
    page.mouse.click(x, y)
    title = music_site.get(f"tracks/{chart.ids[point]}")["title"]
    page.get_by_role("complementary", name="Track").get_by_role("heading", name=title).wait_for()


def serve_many_points(page: "Page", rng: np.random.Generator) -> None:
    """Let the map hold 100,000 tracks in clusters, as a real one does."""
    centres = rng.uniform(0.1, 0.9, (60, 2))
    places = centres[rng.integers(0, 60, N_MANY)] + 0.03 * rng.standard_normal((N_MANY, 2))
    places = np.clip(places, 0, 1).astype("<f4")
    layout: dict[str, Any] = {
        "model": "default",
        "method": "umap",
        "created_at": "2026-11-21T10:00:00Z",
        "is_current": True,
        "n": N_MANY,
        "ids": encode(np.arange(1, N_MANY + 1, dtype="<u4")),
        "x": encode(np.ascontiguousarray(places[:, 0])),
        "y": encode(np.ascontiguousarray(places[:, 1])),
    }
    scores = rng.integers(0, 256, N_MANY).astype(np.uint8)
    page.route(re.compile("/api/v1/map$"), lambda route: route.fulfill(json=layout))
    page.route(
        re.compile("/api/v1/map/scores"),
        lambda route: route.fulfill(
            json={"tag": "slow", "threshold": 0.5, "n": N_MANY, "scores": encode(scores)}
        ),
    )


def frame_times(page: "Page", n_frames: int) -> np.ndarray:
    """Move the map with every frame; return how long each took, in milliseconds."""
    times = page.evaluate(
        """async (n) => {
            const canvas = document.querySelector('canvas');
            const box = canvas.getBoundingClientRect();
            const send = (kind, x, y) => canvas.dispatchEvent(new PointerEvent(kind, {
                clientX: x, clientY: y, button: 0, buttons: 1, pointerId: 1, pointerType: 'mouse',
                bubbles: true,
            }));
            canvas.setPointerCapture = () => undefined;
            const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
            send('pointerdown', x, y);
            const times = [];
            for (let i = 0; i < n; i++) {
                send('pointermove', x + 200 * Math.sin(i / 20), y + 120 * Math.cos(i / 20));
                times.push(await new Promise(requestAnimationFrame));
            }
            send('pointerup', x, y);
            return times;
        }""",
        n_frames,
    )
    return np.diff(times)


@pytest.mark.parametrize("painter", ["webgl", "pixels"])
def test_a_hundred_thousand_points_move(
    open_page: OpenPage, music_site: Site, rng: np.random.Generator, painter: str
) -> None:
    page = open_page(music_site.url)
    serve_many_points(page, rng)
    if painter == "webgl":
        page.context.add_init_script(EMULATED_WEBGL)
        page.reload()
    page.goto(f"{music_site.url}/#/map")
    show(page)
    found = page.locator("canvas").get_attribute("data-painter")
    if found != painter:
        pytest.skip("this Chromium has no WebGL 2" if painter == "webgl" else "it has a graphics card")
    box = page.locator("canvas").bounding_box()
    assert box is not None
    pixels = pixels_of(page, **box)
    assert ink(pixels) > 0.02
    colour = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--mood')")
    assert share_of(pixels, colour) > 0.01, "what has the tag is in its colour"
    times = frame_times(page, 90)
    # Alone, the processor draws 60 frames a second; a machine that is busy with other tests does not.
    assert painter == "webgl" or np.median(times) < 50


def test_the_map_of_tags_leads_to_their_tracks(open_page: OpenPage, music_site: Site) -> None:
    tags = music_site.get("tag-map")["tags"]
    page = open_page(f"{music_site.url}/#/map/tags")
    links = page.locator(".stage li a")
    links.first.wait_for()
    assert links.count() == len(tags)
    assert no_overlap([box for box in (link.bounding_box() for link in links.all()) if box])
    commonest = max(tags, key=lambda tag: tag["count"])
    page.get_by_role("link", name=f"{commonest['display_name']}, {commonest['count']} track").first.click()
    page.get_by_text(f"{commonest['count']} found").wait_for()


def no_overlap(boxes: list[Any]) -> bool:
    """Whether words are apart; two pixels of their edges may touch."""

    def meet(a: Any, b: Any) -> bool:
        across = min(a["x"] + a["width"], b["x"] + b["width"]) - max(a["x"], b["x"])
        down = min(a["y"] + a["height"], b["y"] + b["height"]) - max(a["y"], b["y"])
        return bool(across > 2 and down > 2)

    return not any(meet(a, b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_on_a_phone_the_map_fits_and_a_tap_opens(open_page: OpenPage, music_site: Site) -> None:
    page = open_page(f"{music_site.url}/#/map", **PHONE)
    show(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    chart = Chart(page, music_site)
    point = chart.loneliest()
    page.touchscreen.tap(*chart.at(point))
    title = music_site.get(f"tracks/{chart.ids[point]}")["title"]
    page.get_by_role("complementary", name="Track").get_by_role("heading", name=title).wait_for()


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", ["map", "map/tags"])
def test_axe_finds_nothing_serious(open_page: OpenPage, music_site: Site, address: str, scheme: str) -> None:
    page = open_page(f"{music_site.url}/#/{address}", color_scheme=scheme, reduced_motion="reduce")
    page.locator("canvas[data-painter], .stage li a").first.wait_for(timeout=MAP_MS)
    page.wait_for_timeout(800)
    assert serious_findings(page) == []

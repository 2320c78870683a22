"""Photograph every page of the real server, light and dark, for docs/page.md.

The library is made of the example clips, which are ours: parts of twelve seconds, and mixes of two. Run it
after a change of the page, and look at what it wrote:

    python scripts/write_page_pictures.py --chromium /usr/bin/chromium
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import av
import numpy as np
from mutagen.flac import FLAC
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parent.parent
CLIPS = ROOT / "examples" / "clips"
PICTURES = ROOT / "docs" / "images" / "page"
SAMPLE_RATE = 22_050
PART_SECONDS, STEP_SECONDS = 12, 3
N_TAKES = 6  # of every pair of clips
PIECES = {  # genre, and a made-up artist
    "adagio": ("Classical", "Ada Lark"),
    "arcade": ("Electronic", "Pixel Choir"),
    "blue_corner": ("Jazz", "The Tide Tables"),
    "hearth": ("Folk", "Ada Lark"),
    "nocturne": ("Classical", "The Tide Tables"),
    "overdrive": ("Rock", "Iron Kettle"),
    "tide": ("Ambient", "North Sea Quartet"),
    "warehouse": ("Techno", "Halogen"),
}
QUIET = ("Adagio", "Nocturne", "Tide", "Hearth")
LOUD = ("Overdrive", "Warehouse", "Arcade", "Blue corner")
_COMMAND = [sys.executable, "-m", "taggram.cli.main"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    chosen = parser.parse_args()
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as url:
        photograph(url, chosen.chromium)


def write_music(folder: Path) -> None:
    """Write a library: parts of the clips, and mixes of two clips, as FLAC with tags."""
    rng = np.random.default_rng(20261121)
    clips = {name: decode(next(CLIPS.glob(f"{name}.*"))) for name in PIECES}
    for name, waveform in clips.items():
        for number, part in enumerate(cut(waveform), 1):
            write_track(folder / f"{name} {number}.flac", part, f"{title_of(name)}, part {number}", [name])
    for one, other in combinations(PIECES, 2):
        for take in range(1, 1 + N_TAKES):
            share = rng.uniform(0.15, 0.85)
            parts = [rng.choice(np.stack(cut(clips[name]))) for name in (one, other)]
            mix = (share * parts[0] + (1 - share) * parts[1]).astype(np.int16)
            title = f"{title_of(one)} & {title_of(other)}, take {take}"
            write_track(folder / f"{one} {other} {take}.flac", mix, title, [one, other])


def write_dataset(folder: Path) -> None:
    """Write parts of the clips in noise as a test split of genres, for `folder:names`."""
    rng = np.random.default_rng(20261121)
    for name, (genre, _) in PIECES.items():
        for number, part in enumerate(cut(decode(next(CLIPS.glob(f"{name}.*")))), 1):
            noise = rng.normal(0, rng.uniform(0.02, 0.5) * np.std(part), len(part))
            path = folder / "test" / genre.lower() / f"{name} {number}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            encode(path, (0.6 * (part + noise)).clip(-32767, 32767).astype(np.int16))


def cut(waveform: np.ndarray) -> list[np.ndarray]:
    """Return overlapping parts of equal length."""
    length, step = PART_SECONDS * SAMPLE_RATE, STEP_SECONDS * SAMPLE_RATE
    return [waveform[start : start + length] for start in range(0, len(waveform) - length + 1, step)]


def title_of(name: str) -> str:
    """Return the title of a clip."""
    return name.replace("_", " ").capitalize()


def write_track(path: Path, waveform: np.ndarray, title: str, names: list[str]) -> None:
    """Write a sound with title, artists and album."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encode(path, waveform)
    artists = dict.fromkeys(PIECES[name][1] for name in names)
    tags = FLAC(path)
    tags.update(title=title, artist=" & ".join(artists), album=" & ".join(map(title_of, names)))
    tags.save()


def decode(path: Path) -> np.ndarray:
    """Return the sound of a file in mono."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    with av.open(str(path)) as container:
        blocks = [
            block.to_ndarray()[0]
            for frame in container.decode(audio=0)
            for block in resampler.resample(frame)
        ]
    return np.concatenate(blocks)


def encode(path: Path, waveform: np.ndarray) -> None:
    """Write a mono waveform of 16-bit samples as FLAC."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(waveform[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Scan a library, and run a server with it and with a second model."""
    music, dataset = folder / "music", folder / "dataset"
    write_music(music)
    write_dataset(dataset)
    environment = {
        **os.environ,
        "TAGGRAM_CACHE": str(folder / "cache"),
        "TAGGRAM_LIBRARY": str(folder / "library.db"),
    }

    def run(*arguments: str) -> None:
        subprocess.run([*_COMMAND, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)

    small = folder / "cache" / "models" / "default-int8.onnx"
    small.parent.mkdir(parents=True)
    run("library", "add", str(music))
    run("models", "export", "default", str(small), "--int8", "--calibration", str(music))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    options = ["serve", "--port", port, "--dataset", f"folder:names={dataset}"]
    process = subprocess.Popen([*_COMMAND, *options], env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/api/v1/health")
        yield url
    finally:
        process.terminate()
        process.wait(30)


def wait_for(url: str, seconds: float = 60) -> None:
    """Ask until somebody answers."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit(f"{url} does not answer")


def photograph(url: str, chromium: str) -> None:
    """Take all pictures; the light round prepares what the pages show."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
        browser = driver.chromium.launch(executable_path=chromium, args=options)
        for scheme in ("light", "dark"):
            page = browser.new_context(
                viewport={"width": 1360, "height": 920}, color_scheme=scheme, device_scale_factor=1.5
            ).new_page()
            page.set_default_timeout(240_000)
            visit(page, url, scheme)
        phone = browser.new_context(
            viewport={"width": 390, "height": 844}, device_scale_factor=2, is_mobile=True, has_touch=True
        ).new_page()
        show_song(phone, url)
        take(phone, "listen_phone")
        browser.close()


def visit(page: "Page", url: str, scheme: str) -> None:
    """Go through all pages."""
    page.goto(url)
    if scheme == "light":
        page.get_by_role("heading", name="Drop a song.").wait_for()
        page.wait_for_timeout(500)
    if page.locator("aside").count() == 0:
        take(page, f"start_{scheme}")
    show_song(page, url)
    page.get_by_role("slider", name="Timeline").focus()
    box = page.locator(".rows .heat").nth(2).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.37 * box["width"], box["y"] + box["height"] / 2)
    page.wait_for_timeout(1500)
    page.keyboard.press("Space")
    page.mouse.move(5, 400)
    page.wait_for_timeout(400)
    take(page, f"listen_{scheme}")
    page.locator(".rows .label", has_text="Piano").click()
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Pause the song").click()
    page.mouse.move(5, 400)
    take(page, f"why_{scheme}")
    show_chords(page, url)
    take(page, f"chords_{scheme}")
    page.get_by_role("button", name="Chords", exact=True).click()
    page.goto(f"{url}/#/library")
    page.get_by_role("button", name="Close the player").click()
    page.goto(f"{url}/#/library/{find_track('Nocturne, part 2', url)}")
    page.wait_for_selector(".stage")
    page.wait_for_timeout(1500)
    take(page, f"library_{scheme}")
    page.goto(f"{url}/#/map")
    page.get_by_role("button", name="Lasso").or_(page.get_by_label("Lasso")).first.wait_for()
    page.wait_for_timeout(3000)
    take(page, f"map_{scheme}")
    teach(url, "for reading")
    page.goto(f"{url}/#/teach/for%20reading")
    page.wait_for_timeout(4000)
    take(page, f"teach_{scheme}")
    show_models(page, url, scheme)


def find_track(title: str, url: str) -> int:
    """Return the number of a track."""
    query = urlencode({"query": f'title:"{title}"', "limit": 1})
    with urllib.request.urlopen(f"{url}/api/v1/tracks?{query}", timeout=30) as answer:
        number: int = json.load(answer)["items"][0]["id"]
    return number


def find_parts(titles: Iterable[str], url: str) -> list[int]:
    """Return the numbers of the first two parts of clips."""
    return [find_track(f"{title}, part {number}", url) for title in titles for number in (1, 2)]


def teach(url: str, name: str) -> None:
    """Make an own tag of quiet pieces, unless it is there."""
    body = {
        "name": name,
        "category": "mood",
        "accepted": find_parts(QUIET, url),
        "rejected": find_parts(LOUD, url),
    }
    with urllib.request.urlopen(f"{url}/api/v1/own-tags", timeout=30) as answer:
        if any(tag["name"] == name for tag in json.load(answer)):
            return
    headers = {"Content-Type": "application/json", "X-Taggram": "1"}
    request = urllib.request.Request(f"{url}/api/v1/own-tags", json.dumps(body).encode(), headers)
    urllib.request.urlopen(request, timeout=120).close()


def show_song(page: "Page", url: str, name: str = "medley") -> None:
    """Open a clip."""
    page.goto(f"{url}/#/listen")
    page.wait_for_timeout(300)
    page.set_input_files("input[type=file]", next(CLIPS.glob(f"{name}.*")))
    page.locator("h1", has_text=name).wait_for()
    page.wait_for_selector(".stage")
    page.locator("[data-chords]").wait_for()
    page.wait_for_timeout(800)


def show_chords(page: "Page", url: str) -> None:
    """Play along with a song."""
    show_song(page, url, "hearth")
    page.get_by_role("button", name="Chords", exact=True).click()
    box = page.locator("[data-chords]").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + box["height"] / 2)
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Pause the song").click()
    page.mouse.move(5, 400)
    page.wait_for_timeout(400)


def show_models(page: "Page", url: str, scheme: str) -> None:
    """Models, a comparison of two of them, their robustness, and one song through both."""
    page.goto(f"{url}/#/models")
    page.locator("li.card").nth(1).wait_for()
    take(page, f"models_{scheme}")
    page.goto(f"{url}/#/models/evaluations")
    checks = page.locator("td input[type=checkbox]")
    if scheme == "light":
        for number, name in enumerate(("default", "default-int8"), 1):
            page.get_by_label("Model").select_option(name)
            page.get_by_role("button", name="Evaluate").click()
            checks.nth(number - 1).wait_for()
    checks.nth(1).wait_for()
    for place in (1, 0):  # the first one that is chosen is the baseline
        checks.nth(place).check()
    page.get_by_role("link", name="Compare 2").click()
    page.get_by_role("heading", name="Tags won").wait_for()
    take(page, f"comparison_{scheme}")
    page.goto(f"{url}/#/models/robustness")
    if scheme == "light":
        for name in ("default-int8", "default"):
            page.get_by_label("Model").select_option(name)
            page.get_by_role("button", name="Study", exact=True).click()
    checks.nth(1).wait_for()  # both studies are done
    for place in (0, 1):
        checks.nth(place).check()
    page.get_by_role("list", name="Models").get_by_role("button").nth(1).wait_for()
    page.mouse.move(5, 400)
    page.wait_for_timeout(400)
    take(page, f"robustness_{scheme}")
    page.goto(f"{url}/#/models/song")
    page.set_input_files("input[type=file]", CLIPS / "medley.m4a")
    page.locator(".stage").nth(1).wait_for()
    page.wait_for_timeout(800)
    take(page, f"same_song_{scheme}")


def take(page: "Page", name: str) -> None:
    """Write what is to be seen as WebP."""
    picture = Image.open(BytesIO(page.screenshot()))
    picture.save(PICTURES / f"{name}.webp", quality=88, method=6)


if __name__ == "__main__":
    main()

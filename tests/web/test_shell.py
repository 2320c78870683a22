"""What all pages share: navigation, themes, the token, narrow screens, and no barrier that axe finds."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import ROOT
from tests.web.conftest import OpenPage, Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.usefixtures("browser")
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = {
    "listen": "Listen",
    "library": "Library",
    "map": "Map",
    "teach": "Teach",
    "models": "Models",
    "models/evaluations": "Models",
    "models/song": "Models",
}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
TOKEN = "a-token-that-nobody-guesses"


def show(page: "Page", site: Site, address: str) -> None:
    """Go to a page and wait until it is quiet."""
    page.goto(f"{site.url}/#/{address}")
    page.get_by_role("main").get_by_role("heading").first.wait_for()
    page.wait_for_timeout(400)


def serious_findings(page: "Page") -> list[str]:
    """Return what axe calls serious or critical."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    result: dict[str, Any] = page.evaluate("axe.run(document)")
    return [
        f"{found['id']}: {node['target']} {node['failureSummary']}"
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]


needs_axe = pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed (npm ci in web/)")


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", PAGES)
def test_axe_finds_nothing_serious(open_page: OpenPage, site: Site, address: str, scheme: str) -> None:
    page = open_page(site.url, color_scheme=scheme, reduced_motion="reduce")
    show(page, site, address)
    assert serious_findings(page) == []


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_a_song(
    open_page: OpenPage, site: Site, medley: Path, scheme: str
) -> None:
    page = open_page(site.url, color_scheme=scheme, reduced_motion="reduce")
    page.set_input_files("input[type=file]", medley)
    page.wait_for_selector(".stage", timeout=120_000)
    page.locator(".rows .label").first.click()
    page.locator("button.moment").first.wait_for()
    page.wait_for_timeout(400)
    assert serious_findings(page) == []


@pytest.mark.parametrize("address", PAGES)
def test_a_phone_needs_no_sideways_scrolling(open_page: OpenPage, site: Site, address: str) -> None:
    page = open_page(site.url, **PHONE)
    show(page, site, address)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_song_on_a_phone(open_page: OpenPage, site: Site, medley: Path) -> None:
    page = open_page(site.url, **PHONE)
    page.set_input_files("input[type=file]", medley)
    page.wait_for_selector(".stage", timeout=120_000)
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    heat = page.locator(".rows .heat").nth(3)
    heat.evaluate("row => row.scrollIntoView({block: 'center'})")  # not below the tabs
    box = heat.bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.get_by_role("button", name="Pause the song").wait_for()


def test_navigation_by_keyboard(open_page: OpenPage, site: Site) -> None:
    page = open_page(site.url)
    page.get_by_role("heading", level=1).wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Models").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Models", level=1).wait_for()
    assert page.title() == "Models · Taggram"
    assert page.evaluate("document.activeElement.id") == "main"
    page.go_back()
    page.get_by_role("link", name="Listen").and_(page.locator("[aria-current=page]")).wait_for()


def test_theme_is_remembered(open_page: OpenPage, site: Site) -> None:
    page = open_page(site.url, color_scheme="light")
    theme = page.locator("html")
    assert theme.get_attribute("data-theme") == "light"
    page.get_by_role("button", name="Dark theme").click()
    assert theme.get_attribute("data-theme") == "dark"
    page.reload()
    assert theme.get_attribute("data-theme") == "dark"
    page.get_by_role("button", name="Light theme").click()
    assert page.evaluate("localStorage.getItem('taggram.theme')") is None  # follows the system again


def test_token(open_page: OpenPage, make_site: Callable[..., Site], tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    site = make_site("--token-file", str(file))
    page = open_page(site.url)
    dialog = page.get_by_role("dialog", name="This Taggram is locked")
    dialog.get_by_label("Token").fill("wrong-token-wrong-token")
    dialog.get_by_role("button", name="Unlock").click()
    dialog.get_by_role("alert").wait_for()
    dialog.get_by_label("Token").fill(TOKEN)
    dialog.get_by_role("button", name="Unlock").click()
    dialog.wait_for(state="detached")
    page.goto(f"{site.url}/#/models")
    page.locator("li.card").first.wait_for()


def test_token_in_the_address(open_page: OpenPage, make_site: Callable[..., Site], tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    site = make_site("--token-file", str(file))
    page = open_page(f"{site.url}/#token={TOKEN}")
    page.get_by_role("heading", name="Drop a song.").wait_for()
    assert TOKEN not in page.url
    page.goto(f"{site.url}/#/models")
    page.locator("li.card").first.wait_for()
    assert page.get_by_role("dialog").count() == 0

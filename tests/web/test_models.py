"""Models: list them, measure them here, put them side by side, and let two hear one song."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.web.conftest import OpenPage, Site, wait_until
from tests.web.test_shell import needs_axe, serious_findings

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.usefixtures("browser")
EVALUATE_S = 180.0


def test_list(open_page: OpenPage, site: Site) -> None:
    page = open_page(f"{site.url}/#/models")
    page.locator("li.card").nth(2).wait_for()
    models = {model["name"]: model for model in site.get("models")}
    assert set(page.locator("li.card h2").all_inner_texts()) == set(models) == {"default", "tiny", "coarse"}
    card = page.locator("li.card", has_text="default").first
    assert f"{models['default']['n_tags']} tags" in card.inner_text()


def evaluate(page: "Page", model: str) -> None:
    """Let a model be evaluated on the tones, and wait for its row."""
    page.get_by_label("Model").select_option(model)
    page.get_by_role("button", name="Evaluate").click()
    row = page.get_by_role("row", name=re.compile(f"^Compare {model} "))
    wait_until(page, lambda: row.count() == 1, EVALUATE_S)


def test_evaluate_and_compare(open_page: OpenPage, site: Site) -> None:
    page = open_page(f"{site.url}/#/models/evaluations")
    for model in ("tiny", "coarse"):
        evaluate(page, model)
    measured = {each["model"]: each for each in site.get("evaluations")}
    assert set(measured) == {"tiny", "coarse"}
    recall = next(figure for figure in measured["tiny"]["figures"] if figure["name"] == "recall")
    assert f"{recall['value']:.3f}" in page.get_by_role("row", name=re.compile("^Compare tiny")).inner_text()

    page.get_by_role("row", name=re.compile("^Compare tiny")).get_by_role("button", name="Report").click()
    report = page.frame_locator("iframe[title=Report]")
    report.get_by_role("heading", level=1).get_by_text("tiny on folder:names").wait_for()
    page.keyboard.press("Escape")

    for model in ("tiny", "coarse"):
        page.get_by_label(f"Compare {model} on").check()
    page.get_by_role("link", name="Compare 2").click()
    page.get_by_role("heading", name="Tags won").wait_for(timeout=120_000)
    ids = ",".join(measured[model]["id"] for model in ("tiny", "coarse"))
    (column,) = site.get(f"comparison?ids={ids}")["columns"]
    assert column["n_clips"] == 12
    for model in column["models"]:
        won = page.locator(".wins li", has_text=model["label"])
        assert won.inner_text().split()[0] == str(model["n_wins"])
    difference = column["models"][1]["figures"]["recall"]["difference"]
    sign = "−" if difference["value"] < 0 else "+"
    recalls = page.locator("figure", has_text="Recall").first
    assert f"{sign}{abs(difference['value']):.3f}" in recalls.inner_text()


@pytest.fixture
def measured(site: Site) -> tuple[list[str], list[str]]:
    """Evaluations, and studies of robustness, of both models on the tones; made once."""
    ids = []
    for resource in ("evaluations", "robustness"):
        for model in ("tiny", "coarse"):
            if not any(one["model"] == model for one in site.get(resource)):
                site.post(resource, model=model, dataset="folder:names")
        of_models = {one["model"]: one["id"] for one in site.get(resource)}
        ids.append([of_models["tiny"], of_models["coarse"]])
    return ids[0], ids[1]


def test_study_robustness(open_page: OpenPage, site: Site) -> None:
    page = open_page(f"{site.url}/#/models/robustness")
    page.get_by_label("Model").select_option("tiny")
    page.get_by_role("button", name="Study", exact=True).click()
    row = page.get_by_role("row", name=re.compile("^Show tiny "))
    wait_until(page, lambda: row.count() == 1, EVALUATE_S)
    row.get_by_role("checkbox").check()
    page.get_by_role("img", name="Pitch shift: 3 strengths").wait_for()
    (study,) = site.get("robustness")
    figures = {
        condition["strength"]: condition["figures"]["recall"]
        for condition in site.get(f"robustness/{study['id']}/document")["conditions"]
        if condition["deformation"] == "white_noise"
    }
    page.get_by_text("Recall", exact=True).click()
    noise = page.locator("figure", has_text="White noise")
    said = " ".join(noise.locator("title").all_text_contents())
    page.get_by_text("All values as a table").click()
    for strength, figure in figures.items():
        assert f"{strength:g} share: {figure['value']:.3f}" in said
        cells = page.get_by_role("row", name=re.compile(f"White noise {strength:g} share"))
        assert f"{figure['value']:.3f}" in cells.inner_text()


def test_the_comparison_shows_cost_and_curves(
    open_page: OpenPage, site: Site, measured: tuple[list[str], list[str]]
) -> None:
    evaluations, _ = measured
    page = open_page(f"{site.url}/#/models/compare?ids={','.join(evaluations)}")
    page.get_by_role("heading", name="Cost").wait_for(timeout=120_000)
    cost = site.get(f"evaluations/{evaluations[0]}/document")["cost"]
    row = page.get_by_role("row", name=re.compile(f"^tiny {cost['n_parameters']}"))
    assert f"{round(cost['speed']['times_real_time']):,}" in row.inner_text()
    legend = page.get_by_role("list", name="Models")
    legend.get_by_role("button", name="coarse").wait_for()
    panel = page.locator("figure", has_text="Time stretch")
    assert panel.locator(".line").count() == 2
    legend.get_by_role("button", name="coarse").click()
    assert panel.locator(".dimmed").count() == 1


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["compare", "robustness"])
def test_axe_finds_nothing_serious_in_plots(
    open_page: OpenPage, site: Site, measured: tuple[list[str], list[str]], view: str, scheme: str
) -> None:
    ids = ",".join(measured[view == "robustness"])
    page = open_page(f"{site.url}/#/models/{view}?ids={ids}", color_scheme=scheme, reduced_motion="reduce")
    page.get_by_text("All values as a table").click(timeout=120_000)
    page.wait_for_timeout(400)
    assert serious_findings(page) == []


def test_one_song_through_two_models(open_page: OpenPage, site: Site, medley: Path) -> None:
    page = open_page(f"{site.url}/#/models/song")
    first, second = page.get_by_label("First model"), page.get_by_label("Second model")
    first.select_option("default")
    second.select_option("tiny")
    page.set_input_files("input[type=file]", medley)
    wait_until(page, lambda: page.locator(".stage").count() == 2, EVALUATE_S)
    default, tiny = (page.locator(".stage").nth(place) for place in (0, 1))
    assert default.locator(".label").count() == 24
    assert set(tiny.locator(".label").all_inner_texts()) == {"low", "middle", "high"}

    # One playhead and one stretch of time for both.
    default.get_by_role("slider").focus()
    page.keyboard.press("End")

    def playhead(stage: "Locator") -> float:
        return float(stage.get_by_role("slider").get_attribute("aria-valuenow") or 0)

    # The player rounds the place that it is sent to, a moment later.
    wait_until(page, lambda: playhead(default) == playhead(tiny) > 80)
    page.keyboard.press("+")
    for button in page.get_by_role("button", name="Whole song").all():
        assert button.is_enabled()

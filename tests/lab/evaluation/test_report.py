"""The report: self-contained, complete, safe against what stands in names; plots that are plots."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from PIL import Image

from taggram.lab.evaluation import plots
from taggram.lab.evaluation.figures import Figures, choose_thresholds, compute_figures
from taggram.lab.evaluation.protocol import Evaluation
from taggram.lab.evaluation.report import evaluation_report, write_report
from taggram.lab.evaluation.run import make_document
from taggram.lab.metrics.bootstrap import draw_weights

Make = Callable[..., Evaluation]


def figures_of(evaluation: Evaluation) -> Figures:
    thresholds = choose_thresholds(evaluation) if evaluation.task == "multi_label" else None
    weights = draw_weights(len(evaluation.ids), np.random.default_rng(0), n_replicates=100)
    return compute_figures(evaluation, weights, thresholds=thresholds)


def report(evaluation: Evaluation, folder: Path) -> tuple[str, str]:
    figures = figures_of(evaluation)
    document = make_document(evaluation, figures, seed=0, n_replicates=100)
    write_report(folder, *evaluation_report(document, evaluation, figures))
    html, markdown = folder / "report.html", folder / "report.md"
    return html.read_text(encoding="utf-8"), markdown.read_text(encoding="utf-8")


class Links(HTMLParser):
    """Collects what a page would fetch, and whether its tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [value for name, value in attrs if name in ("src", "srcset", "href") and value]
        if tag not in ("meta", "img", "source"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("task", ["multi_label", "multi_class"])
def test_the_page_is_whole_and_fetches_nothing(make_evaluation: Make, folder: Path, task: str) -> None:
    evaluation = make_evaluation(task=task)
    html, markdown = report(evaluation, folder)
    links = Links()
    links.feed(html)
    assert links.open == []
    assert len(links.fetched) == 8, "four plots, light and dark"
    assert all(link.startswith("data:image/svg+xml;base64,") for link in links.fetched)
    assert "<script" not in html
    assert "prefers-color-scheme: dark" in html
    for tag in evaluation.tags:
        assert tag in html
        assert tag in markdown
    for name in re.findall(r'(?:src|srcset)="([^"]+)"', markdown):
        assert (folder / name).is_file()


def test_names_are_text_and_not_markup(make_evaluation: Make, folder: Path) -> None:
    tags = ("<b>rock</b>", "a|b", "$x$", "_q_", "jazz & blues", "é" * 60)
    evaluation = replace(make_evaluation(tags=tags), failed={"<script>": "corrupt"}, uncovered=("<i>",))
    html, markdown = report(evaluation, folder)
    assert "<b>" not in html
    assert "<script>" not in html
    assert "&lt;b&gt;rock&lt;/b&gt;" in html
    assert r"a\|b" in markdown
    assert r"\<b>" in markdown


def test_names_that_are_no_text_do_not_stop_the_report(make_evaluation: Make, folder: Path) -> None:
    evaluation = make_evaluation()
    html, _ = report(replace(evaluation, ids=("\udcff", *evaluation.ids[1:])), folder)
    assert html


def drawings(evaluation: Evaluation) -> dict[str, Callable[[plots.Page], Canvas]]:
    figures = figures_of(evaluation)
    return {
        "per tag": lambda page: plots.draw_per_tag(evaluation, figures, page),
        "curves": lambda page: plots.draw_curves(evaluation, figures, page),
        "reliability": lambda page: plots.draw_reliability(evaluation, page),
        "confusion": lambda page: plots.draw_confusion(evaluation, figures, page),
    }


@pytest.mark.parametrize("task", ["multi_label", "multi_class"])
def test_plots_have_the_colours_of_their_page(make_evaluation: Make, task: str) -> None:
    for name, draw in drawings(make_evaluation(task=task)).items():
        light, dark = (
            Image.open(io.BytesIO(plots.render(draw, t, format_="png"))) for t in ("light", "dark")
        )
        assert light.size == dark.size, name
        assert light.convert("RGB").getpixel((1, 1)) == (255, 255, 255), name
        assert dark.convert("RGB").getpixel((1, 1)) == (13, 16, 23), name
        assert len(set(light.convert("RGB").get_flattened_data())) > 20, f"{name} is almost empty"


@pytest.mark.parametrize("task", ["multi_label", "multi_class"])
def test_nothing_is_cut_off(make_evaluation: Make, task: str) -> None:
    tags = tuple(f"{letter} tag with a very long name" for letter in "abcdef")
    for name, draw in drawings(make_evaluation(tags=tags, task=task)).items():
        canvas = draw(plots.Page("light"))
        renderer = FigureCanvasAgg(canvas).get_renderer()  # type: ignore[no-untyped-call]
        canvas.draw(renderer)
        inner, outer = canvas.get_tightbbox(renderer), canvas.bbox_inches
        assert min(inner.x0, inner.y0) >= 0, name
        assert inner.x1 <= outer.x1, name
        assert inner.y1 <= outer.y1, name


def test_plots_are_valid_and_the_same_every_time(make_evaluation: Make) -> None:
    for draw in drawings(make_evaluation()).values():
        picture = plots.render(draw, "light")
        assert ElementTree.fromstring(picture).tag.endswith("svg")
        assert plots.render(draw, "light") == picture


def test_a_tag_without_clips_is_drawn_as_undefined(make_evaluation: Make) -> None:
    evaluation = make_evaluation()
    truth = evaluation.y_true.copy()
    truth[:, 1] = False
    for draw in drawings(replace(evaluation, y_true=truth)).values():
        assert plots.render(draw, "dark")

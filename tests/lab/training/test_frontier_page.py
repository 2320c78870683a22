from dataclasses import replace

from taggram.lab.evaluation.plots import render
from taggram.lab.training.frontier import CANDIDATES, SHIPPED, Candidate, Point
from taggram.lab.training.frontier_page import draw_frontier, for_cost, frontier_of, write_page
from taggram.lab.training.integers import Form, Integers
from taggram.lab.training.movement import Movement
from tests.lab.training.test_frontier import a_point

MOVEMENT = [Movement("validation", 4, 0.511, 0.522, 0.333, 0.744, 0.555)]


def all_points() -> list[Point]:
    """Every candidate better and dearer than the one before, but for another seed that beats all."""
    points = [
        replace(a_point(name, 1 + n, 0.7 + 0.01 * n), spearman_by_level={"0": 0.7, "-40": 0.1 + 0.01 * n})
        for n, name in enumerate(CANDIDATES)
    ]
    return [replace(p, spearman=0.99) if p.name == "shipped, other seed" else p for p in points]


def integers() -> Integers:
    first = Form(
        name="float32",
        spearman=0.9,
        top_decile_auc=0.95,
        within_song=0.5,
        n_bytes=3_270_000,
        network_seconds=0.1,
        cpu_seconds=0.12,
    )
    return Integers((first, replace(first, name="int8", n_bytes=1_020_000)), 0.9987, 0.011, 0.016)


def test_other_seeds_and_other_teaching_are_no_shapes_of_the_frontier() -> None:
    names = {point.name for point in for_cost(all_points())}
    assert {SHIPPED, "shipped, other seed", "1-D"} < names
    assert not names & {"absolute level", "absolute level, quietened", "movement weight 1"}
    assert {point.name for point in frontier_of(all_points())} == names - {"shipped, other seed"}


def test_page_shows_every_student_where_it_belongs() -> None:
    page = write_page(all_points(), integers(), MOVEMENT, "../images/students")
    cost, otherwise = page.split("## Heard or taught otherwise")
    for name, candidate in CANDIDATES.items():
        assert (f"| {name} |" in cost or f"| **{name}** |" in cost) == candidate.is_plain
        assert (f"| {name} |" in otherwise) == (name == SHIPPED or not candidate.is_plain)
    assert "| Student | as it is | 40 dB softer | within songs |" in otherwise
    assert "| int8 | 1.02 | 100 | 120 | 0.9000 |" in otherwise
    assert "1.6% are not given by the other" in otherwise
    assert "| validation | 12 s | 0.511 | 0.522 | 0.555 | 0.333 | 0.744 |" in otherwise
    assert "../images/students_light.svg" in cost
    # The seed's difference is that of both points of the shipped shape.
    assert "correlation by 0.290; smaller" in " ".join(cost.split())


def test_picture_names_every_shape_and_no_other() -> None:
    picture = render(lambda page: draw_frontier(all_points(), page), "dark", format_="svg").decode()
    for name, candidate in CANDIDATES.items():
        is_named = candidate.is_plain and candidate.seed == Candidate.seed
        assert (f"<!-- {name} -->" in picture) == is_named

r"""Teach students of different size and shape for a short time, and show what quality costs.

    python scripts/search_students.py --shared ../shared --cache DIR --runs DIR \\
        --page docs/results/students.md --pictures docs/images

Training and validation only; the test split is not looked at. The cache is that of `train_default_model.py`,
which lets the teachers speak first. Every student is a run of its own in the folder of runs: what is there
is not computed again, and an interrupted run continues. The page also tells how the shipped model fares in
8-bit integers, and what limits it within songs. With `--only`, these students are trained, and the page
shows all that were trained so far; with `--time-again`, all processor times are measured anew, for when
nothing else runs.
"""

import argparse
import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from taggram.inference.session import Session
from taggram.lab.evaluation.plots import render
from taggram.lab.training.default_model import DefaultModelTraining, Plan
from taggram.lab.training.distillation import DistillationSettings
from taggram.lab.training.frontier import CANDIDATES, FrontierSearch
from taggram.lab.training.frontier_page import draw_frontier, write_page
from taggram.lab.training.integers import Form, Integers, judge_integers
from taggram.lab.training.movement import Movement, judge_movement
from taggram.modelfile.cache import DEFAULT_MODEL
from taggram.modelfile.reader import load_model_file
from taggram.tags.colours import THEMES

PICTURE = "students"


def main() -> None:
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("onnxscript").setLevel(logging.WARNING)  # torch's exporter tells every step
    logging.getLogger("onnx_ir").setLevel(logging.WARNING)
    torch.set_num_threads(1)
    plan = Plan(
        music=arguments.shared / "music",
        weights=arguments.shared / "peers" / "weights",
        cache=arguments.cache,
        distillation=DistillationSettings(n_steps=arguments.steps),
    )
    search = FrontierSearch(plan, arguments.runs)
    for name in arguments.only or CANDIDATES:
        point = search.point(name)
        logging.info("%s: %.2f GFLOP, Spearman %.4f", name, point.gflop, point.spearman)
    if arguments.time_again:
        search.time_again()
    if arguments.page:
        _write(arguments, search, DefaultModelTraining(plan))


def _write(arguments: argparse.Namespace, search: FrontierSearch, training: DefaultModelTraining) -> None:
    points = search.points()
    record = arguments.runs / "integers.json"
    if arguments.time_again:
        record.unlink(missing_ok=True)
    found = _keep(record, lambda: asdict(judge_integers(training, DEFAULT_MODEL)))
    first, second = (Form(**form) for form in found["forms"])
    integers = Integers(**{**found, "forms": (first, second)})
    movement = [Movement(**row) for row in _keep(arguments.runs / "movement.json", lambda: _move(training))]
    for theme in THEMES:
        picture = render(lambda page: draw_frontier(points, page), theme)
        (arguments.pictures / f"{PICTURE}_{theme}.svg").write_bytes(picture)
    arguments.page.write_text(write_page(points, integers, movement, f"../images/{PICTURE}"), "utf-8")


def _move(training: DefaultModelTraining) -> list[dict[str, Any]]:
    session = Session(load_model_file(DEFAULT_MODEL))
    return [
        asdict(row) for split in ("train", "validation") for row in judge_movement(training, session, split)
    ]


def _keep(path: Path, compute: Callable[[], Any]) -> Any:
    """Return what a JSON file holds, after computing it if the file is not there."""
    if not path.exists():
        path.write_text(json.dumps(compute(), indent=1), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder with music/ and peers/weights/")
    parser.add_argument("--cache", type=Path, required=True, help="folder of train_default_model.py")
    parser.add_argument("--runs", type=Path, required=True, help="folder for runs and what was measured")
    parser.add_argument("--page", type=Path, help="page of results to write")
    parser.add_argument("--pictures", type=Path, help="folder of its pictures")
    parser.add_argument("--steps", type=int, default=800, help="steps of training of every student")
    parser.add_argument("--only", nargs="+", choices=list(CANDIDATES), help="train these only")
    parser.add_argument("--time-again", action="store_true", help="measure processor times anew")
    arguments = parser.parse_args()
    if (arguments.page is None) != (arguments.pictures is None):
        parser.error("--page and --pictures go together")
    return arguments


if __name__ == "__main__":
    main()

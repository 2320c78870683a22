r"""Train the model that ships, judge it, and write model file and model card.

    python scripts/train_default_model.py --shared ../shared --cache DIR \\
        --output src/taggram/models/default.onnx

Everything computed on the way is kept in the cache folder; a run that was interrupted continues.
"""

import argparse
import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch

from taggram.inference.session import Session
from taggram.lab.export import export_model
from taggram.lab.models.lean_cnn import LeanCNN
from taggram.lab.training.default_model import DefaultModelTraining, Plan
from taggram.lab.training.distillation import DistillationSettings
from taggram.lab.training.judgement import (
    judge_agreement,
    judge_confusions,
    judge_embedding,
    judge_other_sounds,
    judge_reliability,
    judge_robustness,
    judge_teachers_within_songs,
)
from taggram.lab.training.model_card import Results, default_specification, write_card
from taggram.modelfile.reader import load_model_file

_log = logging.getLogger("train_default_model")


def main() -> None:
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(arguments.threads)
    plan = Plan(
        music=arguments.shared / "music",
        weights=arguments.shared / "peers" / "weights",
        cache=arguments.cache,
        n_variations=arguments.variations,
        n_renderings=arguments.renderings,
        sound_fonts=arguments.sound_fonts,
    )
    if arguments.steps:
        plan = replace(plan, distillation=DistillationSettings(n_steps=arguments.steps))
    training = DefaultModelTraining(plan)
    training.hear()
    model, hours = _timed(training.checkpoint.with_suffix(".hours.json"), training.train)
    calibration = training.calibrate(model)
    _log.info("calibrated: precision on validation %.3f", calibration.precision)

    export_model(model, default_specification(training, model, calibration, None), arguments.output)
    session = Session(load_model_file(arguments.output))
    _log.info("judging")
    probed_on_train, probed_on_both = judge_embedding(training, session)
    results = Results(
        validation=judge_agreement(training, session, "validation"),
        test=judge_agreement(training, session, "test"),
        teachers_within_songs=(
            judge_teachers_within_songs(training, "validation"),
            judge_teachers_within_songs(training, "test"),
        ),
        embedding=probed_on_train,
        embedding_on_both=probed_on_both,
        reliability=judge_reliability(training, session, calibration, "test"),
        reliability_on_validation=judge_reliability(training, session, calibration, "validation"),
        other_sounds=judge_other_sounds(training, session, "test"),
        robustness=judge_robustness(training, session, "test"),
        confusions={
            category: judge_confusions(training, session, calibration, "test", category)
            for category in ("genre", "instrument")
        },
        training_hours=hours,
    )
    specification = default_specification(training, model, calibration, results.test)
    export_model(model, specification, arguments.output)
    card = write_card(training, model, specification, results, arguments.output.stat().st_size)
    arguments.output.with_suffix(".md").write_text(card, encoding="utf-8")
    print(json.dumps([asdict(figure) for figure in results.test.figures], indent=1))


def _timed(record: Path, train: Callable[[], LeanCNN]) -> tuple[LeanCNN, float]:
    """Train, and return the processor hours of this run and of the runs that it continues."""
    before = json.loads(record.read_text()) if record.exists() else 0.0
    start = time.process_time()
    try:
        model = train()
    finally:
        hours = before + (time.process_time() - start) / 3600
        record.write_text(json.dumps(hours))
    return model, hours


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder with music/ and peers/weights/")
    parser.add_argument("--cache", type=Path, required=True, help="folder for everything computed on the way")
    parser.add_argument("--output", type=Path, required=True, help="model file; the card goes beside it")
    parser.add_argument(
        "--variations", type=int, default=Plan.n_variations, help="altered copies of every training clip"
    )
    parser.add_argument(
        "--renderings", type=int, default=Plan.n_renderings, help="songs of POP909 to render and teach, too"
    )
    parser.add_argument(
        "--sound-fonts", type=Path, default=Plan.sound_fonts, help="folder of the sound fonts for them"
    )
    parser.add_argument("--steps", type=int, help="steps of training, for a trial")
    parser.add_argument("--threads", type=int, default=1, help="of the training; 1 gives the same sums again")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    return arguments


if __name__ == "__main__":
    main()

r"""Render songs, train both chord networks, fit the decoder, judge, and write model file, card and results.

    python scripts/train_chord_model.py --shared ../shared --sound-fonts /usr/share/sounds/sf2 \\
        --cache DIR --output src/taggram/models/chords.onnx --results docs/results/chords.md

Everything computed on the way is kept in the cache folder; a run that was interrupted continues. It needs
the program fluidsynth and the sound fonts of the packages fluid-soundfont-gm, musescore-general-soundfont-
lossless, csound-soundfont, opl3-soundfont (training) and timgm6mb-soundfont (test).
"""

import argparse
import logging
from pathlib import Path

import torch

from taggram.lab.chords.corpus import ChordCorpus
from taggram.lab.chords.project import ChordProject
from taggram.lab.chords.recipe import ChordRecipe
from taggram.lab.chords.report import write_card, write_results
from taggram.lab.datasets import load_dataset


def main() -> None:
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("onnxscript").setLevel(logging.WARNING)  # torch's exporter tells every step
    logging.getLogger("onnx_ir").setLevel(logging.WARNING)
    torch.set_num_threads(arguments.threads)
    music = arguments.shared / "music"
    corpus = ChordCorpus(arguments.cache / "corpus", music / "pop909", arguments.sound_fonts)
    corpus.hear(arguments.takes)
    project = ChordProject(
        corpus,
        cache=arguments.cache,
        billboard=music / "billboard",
        pop909=music / "pop909",
        recipes={
            "conv_gru": ChordRecipe(dataset="pop909", n_steps=arguments.steps),
            # The tutorial's 32 patches and learning rate, here the highest; a short mean for few steps.
            "tutorial": ChordRecipe(
                dataset="pop909",
                model="tutorial",
                n_steps=arguments.tutorial_steps,
                batch_size=32,
                learning_rate=0.01,
                weight_decay=0.0,
                mean_decay=0.98,
            ),
        },
    )
    for name in ("tutorial", "conv_gru"):
        project.train(name)
    ours = project.finish("conv_gru", arguments.output)
    tutorial = project.finish("tutorial", arguments.cache / "tutorial.onnx")
    tracks = load_dataset("pop909").tracks(music / "pop909", "test")
    arguments.results.write_text(write_results(ours, tutorial, corpus, tracks), encoding="utf-8")
    card = write_card(ours, arguments.output.stat().st_size)
    arguments.output.with_suffix(".md").write_text(card, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder with music/")
    parser.add_argument("--sound-fonts", type=Path, required=True, help="folder of the sound fonts")
    parser.add_argument("--cache", type=Path, required=True, help="folder for everything computed on the way")
    parser.add_argument("--output", type=Path, required=True, help="model file; the card goes beside it")
    parser.add_argument("--results", type=Path, required=True, help="page of results")
    parser.add_argument("--takes", type=int, default=2, help="renderings of every training song")
    parser.add_argument("--steps", type=int, default=1400, help="steps of training")
    parser.add_argument("--tutorial-steps", type=int, default=300, help="of the tutorial's network")
    parser.add_argument("--threads", type=int, default=1, help="of the training; 1 gives the same sums again")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    return arguments


if __name__ == "__main__":
    main()

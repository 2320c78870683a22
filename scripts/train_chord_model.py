r"""Render the songs, train both chord networks, fit the decoder, judge, and write model file, card and table.

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


def main() -> None:
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(arguments.threads)
    music = arguments.shared / "music"
    corpus = ChordCorpus(arguments.cache / "corpus", music / "pop909", arguments.sound_fonts)
    corpus.hear(arguments.takes)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder with music/")
    parser.add_argument("--sound-fonts", type=Path, required=True, help="folder of the sound fonts")
    parser.add_argument("--cache", type=Path, required=True, help="folder for everything computed on the way")
    parser.add_argument("--output", type=Path, required=True, help="model file; the card goes beside it")
    parser.add_argument("--results", type=Path, required=True, help="page of results")
    parser.add_argument("--takes", type=int, default=4, help="renderings of every training song")
    parser.add_argument("--steps", type=int, default=2500, help="steps of training")
    parser.add_argument("--threads", type=int, default=1, help="of the training; 1 gives the same sums again")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    return arguments


if __name__ == "__main__":
    main()

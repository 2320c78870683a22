r"""Measure a chord model on a dataset of recordings with chords, as mir_eval does, with intervals over songs.

    python scripts/evaluate_chords.py isophonics /data/isophonics --split test
    python scripts/evaluate_chords.py guitarset /data/guitarset --vocabulary majmin --model mine.onnx

Songs whose sound is not there, or cannot be decoded, are named and left out.
"""

import argparse
import sys
from pathlib import Path

from taggram.chords.recogniser import ChordRecogniser
from taggram.chords.vocabulary import VOCABULARIES
from taggram.lab.chords.evaluation import judge_recordings
from taggram.lab.datasets import SPLITS, load_dataset


def main() -> None:
    arguments = _arguments()
    tracks = load_dataset(arguments.dataset).tracks(arguments.root, arguments.split)
    with ChordRecogniser.load(arguments.model) as recogniser:
        figures, left_out = judge_recordings(recogniser, tracks, arguments.vocabulary)
    for name, cause in left_out.items():
        print(f"left out: {name}: {cause}", file=sys.stderr)
    print("figure     mean over songs         weighted by time        songs")
    for name, figure in figures.items():
        low, high = (figure.interval.low, figure.interval.high) if figure.interval else (0.0, 0.0)
        print(
            f"{name:<10} {figure.mean:.3f} ({low:.3f}–{high:.3f})     {figure.weighted:.3f}"
            f"                   {figure.n_songs}"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", help="name of a dataset of chords")
    parser.add_argument("root", type=Path, help="folder of your copy")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--vocabulary", choices=tuple(VOCABULARIES), default="majmin")
    parser.add_argument("--model", help="name or file of a chord model; default: the one that ships")
    return parser.parse_args()


if __name__ == "__main__":
    main()

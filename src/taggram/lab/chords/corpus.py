"""The chord corpus: excerpts of songs in drawn conditions, kept as constant-Q spectra with their chords.

    FOLDER/train/001-0.npz       song 001, take 0: excerpt of `EXCERPT` seconds
    FOLDER/validation/008-0.npz  the same, with the waveform
    FOLDER/test/009-0.npz        the whole song, with the waveform, from a sound font kept for this

A take is drawn by (seed, song, take) alone, so the corpus grows by takes and a run that was interrupted
continues. Waveforms are kept where the whole way through the runtime is to be judged.

Conventions: spectrum float16 (n_frames, n_bins), magnitudes as `ConstantQStream` gives them; waveform
int16; times of chords in seconds of the rendering; labels as annotated, `transposition` semitones below
what sounds.
"""

import json
import logging
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taggram.chords.constant_q import compute_constant_q
from taggram.lab.chords.arrangement import draw_condition
from taggram.lab.chords.rendering import render
from taggram.lab.chords.score import load_score
from taggram.lab.datasets import load_dataset
from taggram.lab.datasets._base import SPLITS, Segment, Split, Track
from taggram.lab.features.cqt import C1
from taggram.lab.training.shards import load_arrays, save_arrays
from taggram.modelfile.specification import ConstantQ

SAMPLE_RATE = 11_025
FRONT_END = ConstantQ(fmin=C1, n_octaves=7, bins_per_octave=24, hop_length=1024)
"""Half semitones from C1 to B7, 10.8 frames a second."""

TRAINING_FONTS = ("FluidR3_GM.sf2", "MuseScore_General_Full.sf2", "sf_GMbank.sf2", "OPL-3_FM_128M.sf2")
TEST_FONTS = ("TimGM6mb.sf2",)
EXCERPT = 36.0
_SEED = 7

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Item:
    """One rendering.

    Attributes
    ----------
    id
        Song and take.
    spectrum
        shape (n_frames, n_bins).
    chords
        Segments in its time, as annotated.
    transposition
        Semitones from the annotation to the sound.
    condition
        All that was drawn.
    waveform
        shape (n_samples,), float32; None where it was not kept.
    """

    id: str
    spectrum: NDArray[np.float16]
    chords: tuple[Segment, ...]
    transposition: int
    condition: dict[str, Any]
    waveform: NDArray[np.float32] | None = None


class ChordCorpus:
    """Renders POP909 and keeps what it heard."""

    def __init__(self, folder: Path, pop909: Path | None = None, sound_fonts: Path | None = None) -> None:
        self._folder = folder
        self._pop909 = pop909
        self._sound_fonts = sound_fonts

    def hear(self, n_takes: int) -> None:
        """Render what is missing: take 0 of the training songs, validation and test, then further takes."""
        assert self._pop909 is not None
        tracks = load_dataset("pop909").annotations(self._pop909).tracks
        plan: list[tuple[Split, int]] = [("train", 0), ("validation", 0), ("test", 0)]
        plan += [("train", take) for take in range(1, n_takes)]
        for split, take in plan:
            _log.info("hearing %s, take %d: %d songs", split, take, len(tracks[split]))
            for track in tracks[split]:
                path = self._folder / split / f"{track.id}-{take}.npz"
                if not path.exists():
                    self._hear(track, split, take, path)

    def paths(self, split: Split) -> list[Path]:
        """Return the items that were heard, sorted by take, then by song."""
        found = (self._folder / split).glob("*-*.npz")
        return sorted(found, key=lambda path: path.stem.split("-")[::-1])

    def items(self, split: Split) -> Iterator[Item]:
        """Yield the items of a split."""
        return (load_item(path) for path in self.paths(split))

    def _hear(self, track: Track, split: Split, take: int, path: Path) -> None:
        assert self._sound_fonts is not None
        rng = np.random.default_rng([_SEED, int(track.id), take, SPLITS.index(split)])
        score = load_score(track)
        condition = draw_condition(
            rng,
            sound_fonts=TEST_FONTS if split == "test" else TRAINING_FONTS,
            score_duration=score.duration,
            excerpt=None if split == "test" else EXCERPT,
            # The runtime measures the tuning and follows it: training sees what that leaves.
            max_tuning_cents=20.0 if split == "train" else 50.0,
        )
        waveform, chords = render(
            score, condition, sound_fonts=self._sound_fonts, sample_rate=SAMPLE_RATE, rng=rng
        )
        frames = compute_constant_q([waveform], FRONT_END, SAMPLE_RATE)
        arrays: dict[str, NDArray[np.generic]] = {
            "spectrum": np.concatenate(list(frames)).astype(np.float16),
            "starts": np.array([chord.start for chord in chords]),
            "ends": np.array([chord.end for chord in chords]),
            "labels": np.array([chord.label for chord in chords]),
            "condition": np.array(json.dumps(asdict(condition))),
        }
        if split != "train":
            arrays["waveform"] = np.round(np.clip(waveform, -1, 1) * 32767).astype(np.int16)
        save_arrays(path, arrays)


def load_item(path: Path) -> Item:
    """Load one item."""
    arrays: dict[str, Any] = load_arrays(path)
    times = zip(arrays["starts"].tolist(), arrays["ends"].tolist(), arrays["labels"].tolist(), strict=True)
    condition = json.loads(str(arrays["condition"]))
    waveform = arrays.get("waveform")
    return Item(
        id=path.stem,
        spectrum=arrays["spectrum"],
        chords=tuple(Segment(start, end, label) for start, end, label in times),
        transposition=condition["transposition"],
        condition=condition,
        waveform=None if waveform is None else waveform.astype(np.float32) / 32767,
    )


def fingerprint(ids: Sequence[str]) -> str:
    """Return a short name of a set of items."""
    return f"{zlib.crc32(' '.join(sorted(ids)).encode()):08x}"

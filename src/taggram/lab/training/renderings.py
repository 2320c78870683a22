"""Songs of POP909, rendered with drawn instruments and sound fonts: more sound for the teachers to judge.

The arrangements are those that chords are learned from (`taggram.lab.chords`): parts, drums, key, tempo,
tuning, room and noise are drawn anew for every song. No tag is assumed of a rendering: the teachers score it
as any other clip.

Conventions: waveforms float32 (n_samples,) at 16 kHz, in [−1, 1].
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taggram.errors import DatasetError
from taggram.lab.chords.arrangement import draw_condition
from taggram.lab.chords.corpus import TRAINING_FONTS
from taggram.lab.chords.rendering import render
from taggram.lab.chords.score import load_score
from taggram.lab.datasets import load_dataset
from taggram.lab.datasets._base import Track
from taggram.lab.training.corpus import SAMPLE_RATE, Clip

DATASET = "pop909"
SOUND_FONTS = Path("/usr/share/sounds/sf2")
"""Where the packages of Debian put them."""
EXCERPT = 36.0
"""Seconds of the score; tempo and tuning make 28 s to 46 s of it."""
MAX_TUNING_CENTS = 50.0


@dataclass(frozen=True)
class Renderer:
    """Makes the clip of a song.

    Attributes
    ----------
    folder
        Of POP909.
    sound_fonts
        Folder with `TRAINING_FONTS`.
    seed
        With the song's number it decides how the song sounds.
    """

    folder: Path
    sound_fonts: Path
    seed: int

    def list_clips(self, n_clips: int) -> list[Clip]:
        """Return the first training songs as clips; their path is the score.

        Raises
        ------
        DatasetError
            If POP909 or a sound font is not there, or there are fewer songs.
        """
        if missing := [name for name in TRAINING_FONTS if not (self.sound_fonts / name).exists()]:
            raise DatasetError(
                f"{self.sound_fonts}: lacks {', '.join(missing)}; install the sound fonts that "
                "scripts/train_chord_model.py names, or give another folder"
            )
        tracks = load_dataset(DATASET).tracks(self.folder, "train")
        if n_clips > len(tracks):
            raise DatasetError(f"{self.folder}: {n_clips} renderings asked for, {len(tracks)} training songs")
        return [Clip(DATASET, track.id, track.path, "train") for track in tracks[:n_clips]]

    def render(self, path: Path) -> NDArray[np.float32]:
        """Return the sound of the song whose score lies at `path`."""
        number = path.parent.name
        score = load_score(Track(number, path))
        rng = np.random.default_rng((self.seed, 3_000_000, int(number)))
        condition = draw_condition(
            rng,
            sound_fonts=TRAINING_FONTS,
            score_duration=score.duration,
            excerpt=EXCERPT,
            max_tuning_cents=MAX_TUNING_CENTS,
        )
        waveform, _ = render(score, condition, sound_fonts=self.sound_fonts, sample_rate=SAMPLE_RATE, rng=rng)
        return np.clip(waveform, -1, 1)

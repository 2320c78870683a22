"""The recordings of a dataset as a chord network hears them: computed once, and kept.

    FOLDER/rwc_popular/RM-P001.npz   spectrum on the recording's own tuning, float16 (n_frames, n_bins), and
                                     the settings that it was computed with

A run that was interrupted continues, since every file is written in one step. What cannot be decoded is tried
again each time; it fails quickly.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from taggram.audio.decoder import Decoder
from taggram.chords.tuned_spectrum import TUNING_DURATION, TunedSpectrum
from taggram.errors import AudioError
from taggram.lab.chords.corpus import FRONT_END, SAMPLE_RATE, Item
from taggram.lab.datasets import BadTrack, Dataset, Track
from taggram.lab.datasets._base import Watch
from taggram.lab.training.shards import load_arrays, save_arrays

_SETTINGS = json.dumps(
    {"sample_rate": SAMPLE_RATE, "tuning_duration": TUNING_DURATION, **FRONT_END.model_dump(mode="json")}
)


class Recordings:
    """Keeps the spectra of one dataset below a folder."""

    def __init__(self, folder: Path, dataset: Dataset) -> None:
        self._folder = folder / dataset.name.replace(":", "-")

    def hear(self, tracks: Iterable[Track], *, watch: Watch = iter) -> dict[str, BadTrack]:
        """Compute the spectra that are missing.

        Parameters
        ----------
        tracks
            With unique ids.
        watch
            Iterates over those that are to be heard, for a progress bar.

        Returns
        -------
        Id → outcome and message of every track that could not be heard.
        """
        missing = [track for track in tracks if not self._is_kept(track)]
        bad = {}
        with Decoder() as decoder:
            for track in watch(missing):
                try:
                    self._hear(track, decoder)
                except AudioError as error:
                    bad[track.id] = BadTrack(error.outcome, str(error))
        return bad

    def item(self, track: Track) -> Item:
        """Load what was heard of a track, with its chords."""
        arrays: dict[str, Any] = load_arrays(self._path(track))
        return Item(track.id, arrays["spectrum"], track.segments, transposition=0, condition={})

    def _hear(self, track: Track, decoder: Decoder) -> None:
        spectrum = TunedSpectrum(decoder.decode(track.path, sample_rate=SAMPLE_RATE), FRONT_END, SAMPLE_RATE)
        frames = np.concatenate(list(spectrum.frames())).astype(np.float16)
        save_arrays(self._path(track), {"spectrum": frames, "settings": np.array(_SETTINGS)})

    def _is_kept(self, track: Track) -> bool:
        path = self._path(track)
        if not path.is_file():
            return False
        with np.load(path, allow_pickle=False) as file:
            return str(file["settings"]) == _SETTINGS

    def _path(self, track: Track) -> Path:
        return self._folder / f"{track.id}.npz"

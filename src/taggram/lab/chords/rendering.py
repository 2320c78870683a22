"""From an arrangement to a waveform: FluidSynth, then tuning, room, equalisation, mp3 and noise.

FluidSynth runs as a program of its own, without its own echo and chorus, at 24 kHz: it does not filter what
it plays, so sound above 12 kHz folds back, but only what lies above 19 kHz folds into the range of the
spectrum (below 4.2 kHz), and there is hardly any. A tuning is a change of speed: the waveform is resampled as
if its rate were other than it is, and the times of the chords are stretched with it (by at most 3 %).

Conventions: waveform float32 (n_samples,); times in seconds of the rendering.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from taggram.chords.midi_file import Note, write_midi
from taggram.errors import MissingExtraError
from taggram.lab.chords.arrangement import Condition, arrange
from taggram.lab.chords.score import Score
from taggram.lab.datasets._base import Segment
from taggram.lab.deformations.equalisation import Equalisation
from taggram.lab.deformations.mp3 import Mp3

_SYNTH_RATE = 24_000
_PEAK = 0.9


def render(
    score: Score,
    condition: Condition,
    *,
    sound_fonts: Path,
    sample_rate: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], tuple[Segment, ...]]:
    """Render an excerpt of a score.

    Parameters
    ----------
    score, condition
        What, and how.
    sound_fonts
        Folder of the sound fonts.
    sample_rate
        Hz, of the result.
    rng
        Draws the echo's and the noise's samples.

    Returns
    -------
    The waveform, and the chords in its time, their names transposed neither.

    Raises
    ------
    MissingExtraError
        If FluidSynth is not installed.
    """
    notes, programs = arrange(score, condition)
    waveform = synthesise(notes, programs, sound_fonts / condition.sound_font)
    speed = 2.0 ** (condition.tuning_cents / 1200)
    waveform = soxr.resample(waveform, _SYNTH_RATE * speed, sample_rate, quality="HQ")
    waveform = _deform(waveform, condition, sample_rate, rng)
    # What rings on behind the last chord would be sound without an annotation.
    waveform = waveform[: round(condition.duration * condition.stretch / speed * sample_rate)]
    chords = score.excerpt(condition.start, condition.duration, stretch=condition.stretch / speed).chords
    return waveform, chords


def synthesise(notes: list[Note], programs: dict[int, int], sound_font: Path) -> NDArray[np.float32]:
    """Play notes with FluidSynth; return both channels' mean at `_SYNTH_RATE`.

    Raises
    ------
    MissingExtraError
        If FluidSynth is not installed.
    """
    if shutil.which("fluidsynth") is None:
        raise MissingExtraError("rendering songs (also the program fluidsynth)", "train")
    with tempfile.TemporaryDirectory(prefix="taggram-") as folder:
        score, sound = Path(folder, "score.mid"), Path(folder, "sound.raw")
        score.write_bytes(write_midi(notes, programs=programs))
        options = ["-ni", "-q", "-R", "0", "-C", "0", "-g", "0.4", "-r", str(_SYNTH_RATE)]
        options += ["-o", "synth.dynamic-sample-loading=1", "-T", "raw", "-O", "s16", "-F", str(sound)]
        subprocess.run(
            ["fluidsynth", *options, str(sound_font), str(score)],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        samples = np.fromfile(sound, np.int16).reshape(-1, 2)
    mono: NDArray[np.float32] = samples.mean(axis=1, dtype=np.float32) / 32768
    return mono


def _deform(
    waveform: NDArray[np.float32], condition: Condition, sample_rate: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    if condition.room:
        waveform = _in_a_room(waveform, condition.room, sample_rate, rng)
    if condition.equalisation:
        waveform = Equalisation().apply(waveform, sample_rate, condition.equalisation)
    waveform = waveform * (_PEAK / max(float(np.abs(waveform).max(initial=0)), 1e-4))
    if condition.mp3:
        waveform = Mp3().apply(waveform, sample_rate, condition.mp3)
    if condition.noise_db is not None:
        noise = rng.standard_normal(len(waveform)).astype(np.float32)
        waveform = waveform + noise * np.float32(_PEAK * 10 ** (-condition.noise_db / 20))
    return np.ascontiguousarray(waveform, np.float32)


def _in_a_room(
    waveform: NDArray[np.float32], reverberation: float, sample_rate: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Add an echo of noise that dies away, 9 dB below the sound."""
    times = np.arange(round(reverberation * sample_rate)) / sample_rate
    echo = rng.standard_normal(len(times)) * 10.0 ** (-3 * times / reverberation)
    echo *= 10 ** (-9 / 20) / np.sqrt((echo**2).sum())
    wet: NDArray[np.float32] = fftconvolve(waveform, echo.astype(np.float32))[: len(waveform)]
    return waveform + wet

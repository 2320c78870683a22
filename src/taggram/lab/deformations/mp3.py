"""MP3: encode at a bit rate and decode again, in memory.

The encoder (LAME, inside FFmpeg) takes a few sample rates only: any other waveform is resampled to the
next higher one, or the highest, and back. The delay of encoder and decoder is taken out by what the
encoder writes into the file, so the result lies sample by sample over the waveform. Integer samples in
front of the encoder: what exceeds ±1 is clipped.

Bit rates are those of MPEG-1 (32 to 48 kHz) or MPEG-2 (16 to 24 kHz) Layer III, in kbit/s; one that
the format does not have at the sample rate is replaced by the encoder with the nearest.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from taggram.lab.deformations._base import Deformation, State, Waveform

SAMPLE_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_FULL_SCALE = 32_767


@dataclass(frozen=True)
class Mp3(Deformation):
    """Pass the waveform through an mp3 file.

    Parameters
    ----------
    bit_rates
        What `draw` chooses from, in kbit/s.
    """

    title = "MP3"
    unit = "kbit/s"
    strengths = (8.0, 16.0, 32.0, 64.0)

    bit_rates: tuple[int, ...] = (16, 24, 32, 48, 64, 96)

    def draw(self, rng: np.random.Generator) -> State:
        """Draw a bit rate."""
        return {"bit_rate": self.bit_rates[int(rng.integers(len(self.bit_rates)))]}

    def fix(self, strength: float, rng: np.random.Generator) -> State:
        """Take the strength as the bit rate."""
        return {"bit_rate": int(strength)}

    def _deform(self, waveform: Waveform, sample_rate: int, state: Mapping[str, Any]) -> NDArray[Any]:
        coded_rate = next((rate for rate in SAMPLE_RATES if rate >= sample_rate), SAMPLE_RATES[-1])
        coded = decode(
            encode(soxr.resample(waveform, sample_rate, coded_rate), coded_rate, state["bit_rate"])
        )
        back = soxr.resample(coded, coded_rate, sample_rate)
        return np.pad(back[: len(waveform)], (0, max(0, len(waveform) - len(back))))


def encode(waveform: Waveform, sample_rate: int, bit_rate: int) -> bytes:
    """Return the waveform (n_samples,) as an mp3 file of `bit_rate` kbit/s."""
    samples = np.round(np.clip(waveform, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=sample_rate)
        stream.layout = "mono"
        stream.format = "s16p"
        stream.bit_rate = bit_rate * 1000
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16p", layout="mono")
        frame.sample_rate = sample_rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return buffer.getvalue()


def decode(data: bytes) -> Waveform:
    """Return the waveform (n_samples,) of a mono mp3 file."""
    with av.open(io.BytesIO(data), "r") as container:
        parts = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(parts).astype(np.float32, copy=False)


DEFORMATION = Mp3

"""Make short sound files in every container whose encoder comes with PyAV or libsndfile."""

from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import soundfile


class Sound(NamedTuple):
    """One kind of file: its ending, and FFmpeg's names of container and codec."""

    suffix: str
    container: str
    codec: str
    sample_rate: int = 44_100


SOUNDS = {
    "mp3": Sound("mp3", "mp3", "libmp3lame"),
    "aiff": Sound("aiff", "aiff", "pcm_s16be"),
    "wav": Sound("wav", "wav", "pcm_s16le"),
    "tta": Sound("tta", "tta", "tta"),
    "flac": Sound("flac", "flac", "flac"),
    "ogg": Sound("ogg", "OGG", "VORBIS"),  # by libsndfile: PyAV's FFmpeg has no encoder
    "opus": Sound("opus", "ogg", "libopus", 48_000),
    "aac": Sound("m4a", "ipod", "aac"),
    "alac": Sound("m4a", "ipod", "alac"),
    "wma": Sound("wma", "asf", "wmav2"),
    "wavpack": Sound("wv", "wv", "wavpack"),
}


def write_sound(folder: Path, name: str, *, duration: float = 1.0, seed: int = 0) -> Path:
    """Write noise as a file of the kind `name`, without any tags but the encoder's own."""
    sound = SOUNDS[name]
    path = folder / f"{name} {seed}.{sound.suffix}"
    n_samples = round(duration * sound.sample_rate)
    noise = np.random.default_rng(seed).normal(0, 3000, n_samples).astype(np.int16)
    if sound.container.isupper():
        soundfile.write(path, noise, sound.sample_rate, format=sound.container, subtype=sound.codec)
    else:
        _encode(path, sound, noise)
    return path


def _encode(path: Path, sound: Sound, noise: np.ndarray) -> None:
    with av.open(str(path), "w", format=sound.container) as output:
        stream = output.add_stream(sound.codec, rate=sound.sample_rate)
        assert isinstance(stream, av.AudioStream)
        codec = stream.codec_context
        codec.layout = "mono"
        codec.bit_rate = 64_000
        codec.open()
        frame = av.AudioFrame.from_ndarray(noise[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = sound.sample_rate
        resampler = av.AudioResampler(codec.format, "mono", sound.sample_rate, codec.frame_size)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))

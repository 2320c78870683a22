"""Sound files for the decoding tests, all made at test time: whole ones, odd ones and broken ones.

`waveform` has shape (n_channels, n_samples), float32.
"""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

Waveform = NDArray[np.float32]

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}

# Name of the file: codec, sample rate, options of the codec. AAC's noise substitution is off where parts
# are compared sample by sample: it draws other noise when decoding begins elsewhere.
CONTAINERS: dict[str, tuple[str, int, dict[str, str]]] = {
    "song.wav": ("pcm_s16le", 44_100, {}),
    "song.aiff": ("pcm_s16be", 44_100, {}),
    "song.caf": ("pcm_s16be", 44_100, {}),
    "song.au": ("pcm_s16be", 44_100, {}),
    "song.w64": ("pcm_s16le", 44_100, {}),
    "song.flac": ("flac", 44_100, {}),
    "song.mp3": ("libmp3lame", 44_100, {}),
    "song.mp2": ("mp2", 44_100, {}),
    "song.ogg": ("libsndfile's vorbis", 44_100, {}),
    "song.opus": ("libopus", 48_000, {}),
    "song.m4a": ("aac", 44_100, {"aac_pns": "0"}),
    "lossless.m4a": ("alac", 44_100, {}),
    "song.aac": ("aac", 44_100, {"aac_pns": "0"}),
    "song.wma": ("wmav2", 44_100, {}),
    "song.webm": ("libopus", 48_000, {}),
    "song.mka": ("flac", 48_000, {}),
    "song.wv": ("wavpack", 44_100, {}),
    "song.tta": ("tta", 44_100, {}),
    "song.ac3": ("ac3", 48_000, {}),
}


def make_music(
    duration: float, sample_rate: int = 44_100, n_channels: int = 2, *, seed: int = 0, loudness: float = 0.3
) -> Waveform:
    """Return chords that change every half second, with a little noise: no two places are alike."""
    rng = np.random.default_rng(seed)
    n_samples = round(duration * sample_rate)
    time = np.arange(n_samples) / sample_rate
    chord = 110.0 * 2 ** (rng.integers(0, 36, (n_channels, round(2 * duration) + 1)) / 12)
    frequency = chord[:, (2 * time).astype(int)]
    phase = 2 * np.pi * np.cumsum(frequency, axis=1) / sample_rate
    sound = loudness * np.sin(phase) + 0.1 * loudness * np.sin(3.01 * phase)
    return (sound + 0.02 * loudness * rng.standard_normal(sound.shape)).astype(np.float32)


def encode(
    path: Path,
    waveform: Waveform,
    sample_rate: int,
    codec: str,
    *,
    options: Mapping[str, str] | None = None,
    container_options: Mapping[str, str] | None = None,
    bit_rate: int = 0,
    quality: int | None = None,
) -> Path:
    """Write `waveform` with PyAV; `quality` asks for a variable bit rate, 0 is best."""
    container_format = {".aac": "adts", ".m4a": "ipod"}.get(path.suffix)
    layout = LAYOUTS[len(waveform)]
    with av.open(str(path), "w", format=container_format, options=dict(container_options or {})) as file:
        variable = {} if quality is None else {"flags": "+qscale", "global_quality": str(118 * quality)}
        stream: Any = file.add_stream(
            codec, rate=sample_rate, layout=layout, options={**(options or {}), **variable}
        )
        context: Any = stream.codec_context
        context.bit_rate = bit_rate or 64_000 * len(waveform)
        context.open()
        converter = av.AudioResampler(
            format=context.format.name, layout=layout, rate=sample_rate, frame_size=context.frame_size or 4096
        )
        for frame in [*_frames(waveform, sample_rate, layout), None]:
            for part in converter.resample(frame):
                file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return path


def _frames(waveform: Waveform, sample_rate: int, layout: str) -> list[av.AudioFrame]:
    frames = []
    for begin in range(0, waveform.shape[1], 1 << 16):
        packed = np.ascontiguousarray(waveform[:, begin : begin + (1 << 16)].T.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate, frame.pts = sample_rate, begin
        frames.append(frame)
    return frames


def make_song(folder: Path, name: str, duration: float = 20.0, **music: Any) -> Path:
    """Write one of `CONTAINERS` with music of `duration` seconds."""
    codec, sample_rate, options = CONTAINERS[name]
    waveform = make_music(duration, sample_rate, **music)
    if name == "song.ogg":  # FFmpeg's own encoder is a bad one
        return write_sound(folder / name, waveform, sample_rate, subtype="VORBIS")
    return encode(folder / name, waveform, sample_rate, codec, options=options)


def write_sound(
    path: Path, waveform: Waveform, sample_rate: int, *, subtype: str, container_format: str | None = None
) -> Path:
    """Write `waveform` with libsndfile."""
    with soundfile.SoundFile(path, "w", sample_rate, len(waveform), subtype, format=container_format) as file:
        for begin in range(0, waveform.shape[1], 1 << 16):  # its Vorbis crashes on long arrays
            file.write(waveform[:, begin : begin + (1 << 16)].T)
    return path


def make_film(path: Path, duration: float, music: Waveform | None) -> Path:
    """Write black pictures of `duration` seconds, with or without music at 44.1 kHz."""
    with av.open(str(path), "w") as file:
        pictures: Any = file.add_stream("mpeg4", rate=5)
        pictures.width = pictures.height = 64
        pictures.pix_fmt = "yuv420p"
        sound: Any = None if music is None else file.add_stream("pcm_s16le", rate=44_100, layout="stereo")
        if music is not None:
            converter = av.AudioResampler(format="s16")
            for frame in _frames(music, 44_100, "stereo"):
                for part in converter.resample(frame):
                    file.mux(sound.encode(part))
        for _ in range(round(5 * duration)):
            black = np.zeros((64, 64, 3), np.uint8)
            file.mux(pictures.encode(av.VideoFrame.from_ndarray(black, "rgb24")))
        file.mux(pictures.encode(None))
    return path


def cut(source: Path, target: Path, fraction: float) -> Path:
    """Write the first `fraction` of a file's bytes."""
    data = source.read_bytes()
    target.write_bytes(data[: round(fraction * len(data))])
    return target


def overwrite(source: Path, target: Path, data: bytes, fraction: float = 0.5) -> Path:
    """Write a copy with `data` in place of what stands at `fraction` of the file."""
    copy = bytearray(source.read_bytes())
    begin = round(fraction * len(copy))
    copy[begin : begin + len(data)] = data
    target.write_bytes(copy)
    return target


def without_xing(source: Path, target: Path) -> Path:
    """Write an mp3 without its tag and without the frame that holds the count of its frames."""
    data = source.read_bytes()
    begin = 0
    if data[:3] == b"ID3":
        begin = 10 + (data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9])
    length = _mp3_frame_length(data[begin : begin + 4])
    first = data[begin : begin + length]
    assert b"Xing" in first or b"Info" in first
    target.write_bytes(data[begin + length :])
    return target


def _mp3_frame_length(header: bytes) -> int:
    kilobits = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)[header[2] >> 4]
    sample_rate = (44_100, 48_000, 32_000)[header[2] >> 2 & 3]
    return 144_000 * kilobits // sample_rate + (header[2] >> 1 & 1)


def claim_length(source: Path, target: Path, length: int) -> Path:
    """Write a copy of a wav whose header claims `length` bytes of samples."""
    data = bytearray(source.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", length)
    target.write_bytes(data)
    return target

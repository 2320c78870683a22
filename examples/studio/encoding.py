"""Write a recording as mp3, Ogg Vorbis, Opus, AAC or FLAC, the same bytes every time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

from studio.sound import SAMPLE_RATE, Sound


@dataclass(frozen=True)
class _Encoder:
    name: str
    sample_format: str
    sample_rate: int = SAMPLE_RATE  # Hz
    options: Mapping[str, str] = field(default_factory=dict)


# FFmpeg's own Vorbis encoder is still called experimental, and goes by quality (118 is a step), not bit rate.
_VORBIS = {"strict": "experimental", "flags": "+qscale", "global_quality": "236"}
_ENCODERS = {
    ".mp3": _Encoder("libmp3lame", "fltp"),
    ".ogg": _Encoder("vorbis", "fltp", options=_VORBIS),
    ".opus": _Encoder("libopus", "flt", sample_rate=48_000),  # Opus knows no 44.1 kHz
    ".m4a": _Encoder("aac", "fltp"),
    ".flac": _Encoder("flac", "s16"),
}


def write_recording(recording: Sound, path: Path, *, kbps: int, tags: Mapping[str, str]) -> None:
    """Encode (2, n_samples) in [−1, 1] in the format that the file name says.

    Parameters
    ----------
    kbps
        Bit rate in kbit/s; without effect on ogg and flac.
    tags
        Metadata such as title and artist.
    """
    encoder = _ENCODERS[path.suffix]
    # "bitexact" leaves out what would differ from run to run: serial numbers and program versions.
    with av.open(str(path), "w", container_options={"fflags": "+bitexact"}) as container:
        container.metadata.update(tags)
        stream = container.add_stream(
            encoder.name,
            rate=encoder.sample_rate,
            layout="stereo",
            format=encoder.sample_format,
            options=dict(encoder.options),
        )
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.bit_rate = kbps * 1000
        stream.codec_context.flags |= av.codec.context.Flags.bitexact.value
        resampler = av.AudioResampler(
            encoder.sample_format, "stereo", encoder.sample_rate, frame_size=stream.frame_size or 4096
        )
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(recording, dtype=np.float32), format="fltp", layout="stereo"
        )
        frame.sample_rate, frame.pts = SAMPLE_RATE, 0
        for piece in (frame, None):
            for resampled in resampler.resample(piece):
                container.mux(stream.encode(resampled))
        container.mux(stream.encode(None))

"""Say what a sound file is from its headers, without decoding it."""

from dataclasses import dataclass

from taggram.audio.container import Limits, StrPath, open_sound
from taggram.audio.promise import read_promise


@dataclass(frozen=True)
class AudioInfo:
    """What the headers of a sound file say.

    Attributes
    ----------
    container, codec
        FFmpeg's names, such as "mov" and "aac".
    sample_rate
        Hz.
    n_channels
        Count.
    duration
        Seconds; None if nothing is known.
    is_estimate
        The duration is a guess from file size and bit rate, and may be far off.
    """

    container: str
    codec: str
    sample_rate: int
    n_channels: int
    duration: float | None
    is_estimate: bool


def probe(path: StrPath, *, limits: Limits = Limits()) -> AudioInfo:  # noqa: B008  # frozen
    """Open `path` and read its headers.

    Raises
    ------
    AudioError
        As `taggram.audio.decode.decode` does before its first block. A file that can be opened may
        still turn out to be damaged further on.
    """
    with open_sound(path, limits) as sound:
        promise = read_promise(sound.file, sound.container, sound.stream)
        return AudioInfo(
            container=sound.container_name,
            codec=sound.codec_name,
            sample_rate=sound.stream.codec_context.sample_rate,
            n_channels=sound.stream.codec_context.channels,
            duration=promise.duration,
            is_estimate=promise.is_estimate,
        )

"""The sound that is measured: a 4-minute mp3, made of the example clips."""

from itertools import cycle
from pathlib import Path

import av
import numpy as np

from taggram.audio.decode import decode

CLIPS = Path(__file__).resolve().parent.parent / "examples" / "clips"
DURATION = 240
SAMPLE_RATE = 44_100


def list_clips() -> list[Path]:
    """Return the example clips."""
    return sorted(
        path for path in CLIPS.iterdir() if path.suffix in {".mp3", ".m4a", ".ogg", ".opus", ".flac", ".wav"}
    )


def write_song(path: Path) -> Path:
    """Write 4 minutes of stereo at 44.1 kHz and 192 kbit/s: the example clips one after the other."""
    clips = [np.concatenate(list(decode(clip, sample_rate=SAMPLE_RATE))) for clip in list_clips()]
    sound = np.concatenate([clip for clip, _ in zip(cycle(clips), range(60), strict=False)])
    sound = np.clip(sound[: DURATION * SAMPLE_RATE], -1, 1)
    stereo = np.repeat((sound * 32767).astype(np.int16), 2).reshape(1, -1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libmp3lame", rate=SAMPLE_RATE, layout="stereo")
        stream.bit_rate = 192_000
        for start in range(0, len(sound), SAMPLE_RATE):
            frame = av.AudioFrame.from_ndarray(
                stereo[:, 2 * start : 2 * (start + SAMPLE_RATE)], format="s16", layout="stereo"
            )
            frame.sample_rate = SAMPLE_RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path

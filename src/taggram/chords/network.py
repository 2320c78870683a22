"""The chord network ready to run: frames of the spectrum in, log-probabilities out, window by window.

The graph takes windows of one length. They overlap by the context at either end, which is heard and then
left out of the result, so that what is said of a frame hardly depends on where the windows begin; before
and behind the sound lies silence.

Conventions: frames float32 (n_frames, n_bins); logarithms are natural; one row for each frame.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ModelFileError
from taggram.inference.session import onnx_session
from taggram.modelfile.reader import ModelFile
from taggram.modelfile.specification import ChordSettings, ConstantQ, Specification

OUTPUTS = ("root", "quality", "bass")


class Evidence(NamedTuple):
    """What a network says of consecutive frames.

    Attributes
    ----------
    root, bass
        shape (n_frames, 13): log-probability of each pitch class from C, and of no chord.
    quality
        shape (n_frames, 12, 14): log-probability of each quality, were the root this pitch class.
    """

    root: NDArray[np.float32]
    quality: NDArray[np.float32]
    bass: NDArray[np.float32]


class ChordNetwork:
    """A chord model's graph.

    Raises
    ------
    ModelFileError
        If the model is no chord model, or its graph is not what its specification says.
    """

    def __init__(self, model_file: ModelFile, *, n_threads: int = 1) -> None:
        self.specification: Specification = model_file.specification
        self.settings, self.front_end = _chord_parts(model_file)
        self._session = onnx_session(model_file, n_threads)
        found = {output.name for output in self._session.get_outputs()}
        if found != set(OUTPUTS):
            raise ModelFileError(
                f"{model_file.path}: the graph gives {sorted(found)}, a chord model gives {list(OUTPUTS)}: "
                "export it again"
            )

    @property
    def frame_duration(self) -> float:
        """Seconds between frames."""
        return self.front_end.hop_length / self.specification.sample_rate

    def run(self, windows: NDArray[np.float32]) -> Evidence:
        """Run windows (batch, n_frames, n_bins) of the graph's length; results have a batch axis, too."""
        root, quality, bass = self._session.run(OUTPUTS, {self.front_end.kind: windows})
        return Evidence(root, quality, bass)

    def listen(self, frames: Iterable[NDArray[np.float32]]) -> Iterator[Evidence]:
        """Yield what is said of a stream of frames: as many rows as frames, in order."""
        length, context = self.settings.n_frames, self.settings.n_context
        inner = length - 2 * context
        waiting = np.zeros((context, self.front_end.n_bins), np.float32)
        n_due = 0  # frames that came and were not spoken of
        for block in frames:
            waiting = np.concatenate([waiting, block])
            n_due += len(block)
            while len(waiting) >= length:
                yield self._inner(waiting[:length], inner)
                waiting = waiting[inner:]
                n_due -= inner
        while n_due > 0:
            window = np.zeros((length, self.front_end.n_bins), np.float32)
            window[: len(waiting[:length])] = waiting[:length]
            yield self._inner(window, min(inner, n_due))
            waiting = waiting[inner:]
            n_due -= inner

    def _inner(self, window: NDArray[np.float32], n_frames: int) -> Evidence:
        first = self.settings.n_context
        said = self.run(window[None])
        return Evidence(*(part[0, first : first + n_frames] for part in said))


def _chord_parts(model_file: ModelFile) -> tuple[ChordSettings, ConstantQ]:
    specification = model_file.specification
    settings, front_end = specification.chords, specification.front_end
    if settings is None or not isinstance(front_end, ConstantQ):
        raise ModelFileError(
            f"{model_file.path}: a model of tags, not of chords; `chords` names the model that ships"
        )
    return settings, front_end

"""Cut a stream of waveform blocks into chunks of one length, in flat memory.

The rule, which every path through Taggram shares:

- Chunks start at sample 0, hop, 2·hop, … as long as they fit.
- If sound remains behind the last full chunk, one more chunk is aligned with the end of the sound
  (start = n_samples − chunk_length), so that every sample is heard. A remainder below 1 % of a chunk
  is left out: it could not change a score, and would count its chunk's sound twice.
- Sound shorter than one chunk is repeated until it fills the chunk. Digital silence would lie far
  from any music in a log spectrogram; repeated music does not.

Conventions: starts are samples; a waveform is float32 of shape (n_samples,), a chunk of shape
(chunk_length,). The result does not depend on how the sound is cut into blocks.
"""

from collections.abc import Iterator

import numpy as np

from taggram.audio.resample import Block
from taggram.errors import ShapeError

NEGLIGIBLE = 0.01  # of a chunk


class Chunker:
    """Turn blocks into (start, chunk) pairs.

    Parameters
    ----------
    chunk_length
        Samples of one chunk.
    hop_length
        Samples between chunk starts.

    Attributes
    ----------
    n_samples
        Samples taken so far.
    """

    def __init__(self, chunk_length: int, hop_length: int) -> None:
        if chunk_length < 1 or hop_length < 1:
            raise ValueError(
                f"chunk_length and hop_length must be at least 1 sample, got {chunk_length} and {hop_length}"
            )
        self._chunk_length = chunk_length
        self._hop_length = hop_length
        self._tail: Block = np.empty(0, np.float32)  # the sound that a later chunk may still need
        self._next_start = 0
        self._n_heard = 0  # samples from the beginning that are in some chunk
        self.n_samples = 0

    def add(self, block: Block) -> Iterator[tuple[int, Block]]:
        """Take the next block; yield every (start, chunk) that is now complete."""
        if block.ndim != 1:
            raise ShapeError(f"a block must have shape (n_samples,), got {block.shape}; mix it to mono")
        sound = np.concatenate([self._tail, block]) if len(self._tail) else block
        offset = self.n_samples - len(self._tail)
        self.n_samples += len(block)
        while self._next_start + self._chunk_length <= self.n_samples:
            start = self._next_start
            self._next_start += self._hop_length
            self._n_heard = start + self._chunk_length
            yield start, sound[start - offset : start - offset + self._chunk_length].copy()
        n_kept = max(self.n_samples - self._next_start, self._chunk_length)
        self._tail = sound[max(0, len(sound) - n_kept) :].copy()

    def flush(self) -> Iterator[tuple[int, Block]]:
        """End the sound; yield the last (start, chunk) if the rule asks for one."""
        n_left = self.n_samples - self._n_heard
        if 0 < self.n_samples < self._chunk_length:
            yield 0, np.resize(self._tail, self._chunk_length)
        elif n_left > 0 and n_left >= NEGLIGIBLE * self._chunk_length:
            yield self.n_samples - self._chunk_length, self._tail[-self._chunk_length :]


def cut_chunks(waveform: Block, chunk_length: int, hop_length: int) -> Iterator[tuple[int, Block]]:
    """Yield every (start, chunk) of a whole waveform of shape (n_samples,)."""
    chunker = Chunker(chunk_length, hop_length)
    yield from chunker.add(waveform)
    yield from chunker.flush()

"""The recogniser: a file or a waveform in; chords, key and tuning out.

    sound → tuning (of its first minute) → spectrum on that tuning → network → decoder → chords

Everything after the first minute is a stream: memory holds a minute of sound, one window of the network
and the frames on which the decoder has not decided. Frame `i` is centred on sample `i * hop_length`, and a
chord that begins with frame `i` begins half a frame earlier, in the middle between two frames.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from os import PathLike, fspath
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from taggram.audio.decode import Decoding
from taggram.audio.decoder import Decoder as SoundDecoder
from taggram.chords.constant_q import compute_constant_q
from taggram.chords.decoder import Decoder
from taggram.chords.harte import QUALITIES
from taggram.chords.key import estimate_key
from taggram.chords.network import ChordNetwork, Evidence
from taggram.chords.result import ChordResult, ChordSegment
from taggram.chords.tuning import estimate_tuning
from taggram.chords.vocabulary import VOCABULARIES, Vocabulary, VocabularyName
from taggram.errors import AudioError, ModelFileError, ShapeError
from taggram.modelfile.cache import resolve_model
from taggram.modelfile.reader import load_model_file

SHIPPED_MODEL = "chords"
MIN_DURATION = 1.0
"""Seconds of sound that a file must have."""
TUNING_DURATION = 60.0
"""Seconds from the start of which the tuning is measured."""
CLEAR = 0.5
"""Mean confidence below which the chords of a song are called doubtful."""

Path = str | PathLike[str]
Block = NDArray[np.float32]


class ChordRecogniser:
    """Says which chords it hears, with one model.

    It may hear one file at a time. Close it, or use it as a context manager, to end its decoder process
    early; that ends with the program in any case.
    """

    def __init__(self, network: ChordNetwork) -> None:
        self._network = network
        self._sound_decoder = SoundDecoder()

    @classmethod
    def load(cls, model: Path | None = None, *, n_threads: int = 1) -> Self:
        """Load a model by name or from a file.

        Parameters
        ----------
        model
            Name of a shipped or pulled model, or path of a model file; None is the one that ships.
        n_threads
            Threads for the network.

        Raises
        ------
        ModelFileError
            If there is no such model, or it is none for chords.
        """
        model_file = load_model_file(resolve_model(SHIPPED_MODEL if model is None else model))
        return cls(ChordNetwork(model_file, n_threads=n_threads))

    @property
    def network(self) -> ChordNetwork:
        """What hears."""
        return self._network

    def recognise(
        self,
        source: Path | NDArray[np.floating],
        *,
        sample_rate: int | None = None,
        vocabulary: VocabularyName = "full",
    ) -> ChordResult:
        """Recognise the chords of a file or a waveform.

        Parameters
        ----------
        source
            Path of a sound file, or a waveform of shape (n_samples,) or (n_channels, n_samples).
        sample_rate
            Of the waveform, in Hz; only for a waveform, and then required.
        vocabulary
            Which chords to tell apart.

        Raises
        ------
        AudioError
            If the file gives no usable sound, or less than a second.
        ShapeError
            If a waveform comes without a sample rate or in another shape.
        ModelFileError
            If the model does not know the vocabulary.
        """
        if isinstance(source, np.ndarray):
            return self._recognise(iter([self._prepare(source, sample_rate)]), vocabulary)
        if sample_rate is not None:
            raise ValueError("sample_rate belongs to a waveform; a file states its own")
        decoding = self._sound_decoder.decode(source, sample_rate=self._network.specification.sample_rate)
        try:
            result = self._recognise(decoding, vocabulary)
        finally:
            decoding.close()
        return replace(result, path=fspath(source))

    def close(self) -> None:
        """End the decoder process."""
        self._sound_decoder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _prepare(self, waveform: NDArray[np.floating], sample_rate: int | None) -> Block:
        """Mix and resample a waveform as the decoder does with a file."""
        if sample_rate is None:
            raise ShapeError("a waveform needs its sample_rate in Hz, such as sample_rate=44100")
        if waveform.ndim not in (1, 2) or not np.issubdtype(waveform.dtype, np.floating):
            raise ShapeError(
                "a waveform is a float array of shape (n_samples,) or (n_channels, n_samples), "
                f"got {waveform.dtype} {waveform.shape}"
            )
        mono = np.nan_to_num(waveform.mean(axis=0) if waveform.ndim == 2 else waveform, posinf=0, neginf=0)
        if sample_rate != self._network.specification.sample_rate:
            import soxr

            mono = soxr.resample(mono, sample_rate, self._network.specification.sample_rate, quality="HQ")
        return np.asarray(mono, np.float32)

    def _recognise(self, blocks: Iterator[Block], name: VocabularyName) -> ChordResult:
        network, vocabulary = self._network, VOCABULARIES[name]
        statistics = network.settings.statistics.get(name)
        if statistics is None:
            raise ModelFileError(
                f"the model {network.specification.name!r} does not know the vocabulary {name!r}; it knows "
                f"{', '.join(network.settings.statistics)}"
            )
        sound = _Sound(blocks, network.specification.sample_rate)
        spec, sample_rate = network.front_end, network.specification.sample_rate
        head = sound.first(TUNING_DURATION)
        if sound.duration < MIN_DURATION:
            raise AudioError(
                f"{sound.duration:.2f} s of sound; at least {MIN_DURATION:g} s are needed for chords",
                outcome="too_short",
            )
        tuning = estimate_tuning(np.concatenate(list(compute_constant_q(head, spec, sample_rate))), spec)
        frames = compute_constant_q(chain(head, sound.rest()), spec, sample_rate, tuning_cents=tuning)
        builder = _Builder(vocabulary, network.frame_duration)
        decoder = Decoder(statistics, vocabulary.n_states, network.frame_duration)
        for evidence in network.listen(frames):
            scores = vocabulary.log_probabilities(evidence.root, evidence.quality)
            builder.hear(evidence, scores)
            builder.decide(decoder.add(scores))
        builder.decide(decoder.flush())
        chords = builder.finish(sound.duration)
        result = ChordResult(
            chords=chords,
            duration=sound.duration,
            key=estimate_key(chords, network.settings.key_profiles),
            tuning_cents=tuning,
            vocabulary=name,
            model=network.specification.name,
        )
        return replace(result, message=_message(result, blocks))


class _Sound:
    """A stream of blocks whose beginning is wanted twice."""

    def __init__(self, blocks: Iterator[Block], sample_rate: int) -> None:
        self._blocks = blocks
        self._sample_rate = sample_rate
        self._n_samples = 0

    @property
    def duration(self) -> float:
        """Seconds heard so far."""
        return self._n_samples / self._sample_rate

    def first(self, seconds: float) -> list[Block]:
        """Return the blocks up to a time."""
        head = []
        for block in self.rest():
            head.append(block)
            if self.duration >= seconds:
                break
        return head

    def rest(self) -> Iterator[Block]:
        """Yield the blocks that follow."""
        for block in self._blocks:
            self._n_samples += len(block)
            yield block


class _Builder:
    """Puts decided frames together to chords."""

    def __init__(self, vocabulary: Vocabulary, frame_duration: float) -> None:
        self._vocabulary = vocabulary
        self._frame_duration = frame_duration
        self._scores = np.empty((0, vocabulary.n_states), np.float32)
        self._bass = np.empty((0, 13), np.float32)
        self._n_decided = 0
        self._runs: list[tuple[int, int, int, float, NDArray[np.float64]]] = []

    def hear(self, evidence: Evidence, scores: NDArray[np.float32]) -> None:
        """Take frames on which nothing is decided yet."""
        self._scores = np.concatenate([self._scores, scores])
        self._bass = np.concatenate([self._bass, evidence.bass])

    def decide(self, states: NDArray[np.int64]) -> None:
        """Take the states of the oldest frames."""
        if not len(states):
            return
        probabilities = np.exp(self._scores[np.arange(len(states)), states]).astype(np.float64)
        bass = np.exp(self._bass[: len(states)]).astype(np.float64)
        edges = np.flatnonzero(np.diff(states)) + 1
        for begin, end in zip([0, *edges], [*edges, len(states)], strict=True):
            self._add(
                int(states[begin]), end - begin, probabilities[begin:end].sum(), bass[begin:end].sum(axis=0)
            )
        self._scores, self._bass = self._scores[len(states) :], self._bass[len(states) :]

    def finish(self, duration: float) -> tuple[ChordSegment, ...]:
        """Return the chords, from 0 to the end of the sound."""
        chords: list[ChordSegment] = []
        for first, n_frames, state, probability, bass in self._runs:
            root, quality = self._vocabulary.split(state)
            is_last = first + n_frames == self._n_decided
            chord = ChordSegment(
                start=self._time(first),
                end=duration if is_last else min(self._time(first + n_frames), duration),
                root=root,
                quality=quality,
                bass=self._bass_of(root, quality, bass / n_frames),
                confidence=probability / n_frames,
            )
            if chord.end > chord.start:
                chords.append(chord)
        return tuple(chords)

    def _add(self, state: int, n_frames: int, probability: float, bass: NDArray[np.float64]) -> None:
        if self._runs and self._runs[-1][2] == state:
            first, n_before, _, before, bass_before = self._runs.pop()
            self._runs.append((first, n_before + n_frames, state, before + probability, bass_before + bass))
        else:
            self._runs.append((self._n_decided, n_frames, state, probability, bass))
        self._n_decided += n_frames

    def _time(self, frame: int) -> float:
        return max(0.0, (frame - 0.5) * self._frame_duration)

    def _bass_of(self, root: int, quality: str, probabilities: NDArray[np.float64]) -> int:
        """Return the interval of the bass: the root, unless another note of the chord is clearly lower."""
        if root < 0 or self._vocabulary.name != "full":
            return 0
        notes = np.array(sorted(QUALITIES[quality]))
        of_notes = probabilities[(root + notes) % 12]
        return int(notes[of_notes.argmax()]) if of_notes.max() > 0.5 else 0


def _message(result: ChordResult, blocks: Iterable[Block]) -> str:
    report = blocks.report if isinstance(blocks, Decoding) else None
    notes = list(report.notes) if report else []
    if all(chord.is_nothing for chord in result.chords):
        notes.insert(0, "no chords are heard.")
    elif result.confidence < CLEAR:
        notes.insert(0, f"the chords are doubtful: their mean confidence is {result.confidence:.2f}.")
    return " ".join(notes)

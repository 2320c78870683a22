"""The recogniser: a file or a waveform in; chords, key and tuning out.

    sound → tuning (of its first minute) → spectrum on that tuning → network → decoder → chords

Everything after the first minute is a stream: memory holds a minute of sound, one window of the network
and the frames on which the decoder has not decided.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from os import PathLike, fspath
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from taggram.audio.decode import Decoding
from taggram.audio.decoder import Decoder as SoundDecoder
from taggram.chords.assembler import ChordAssembler
from taggram.chords.key import estimate_key
from taggram.chords.network import ChordNetwork
from taggram.chords.result import ChordResult, ChordSegment
from taggram.chords.tuned_spectrum import Block, TunedSpectrum
from taggram.chords.vocabulary import VOCABULARIES, VocabularyName
from taggram.errors import ModelFileError, ShapeError
from taggram.modelfile.cache import resolve_model
from taggram.modelfile.reader import load_model_file

SHIPPED_MODEL = "chords"
CLEAR = 0.5
"""Mean confidence below which the chords of a song are called doubtful."""

Path = str | PathLike[str]


class ChordRecogniser:
    """Says which chords it hears, with one model.

    It may hear one file at a time. Close it, or use it as a context manager, to end its decoder process
    early; that ends with the program in any case.
    """

    def __init__(self, network: ChordNetwork, *, timeout: float = 3600.0) -> None:
        self._network = network
        self._timeout = timeout
        self._sound_decoder = SoundDecoder()

    @classmethod
    def load(cls, model: Path | None = None, *, n_threads: int = 1, timeout: float = 3600.0) -> Self:
        """Load a model by name or from a file.

        Parameters
        ----------
        model
            Name of a shipped or pulled model, or path of a model file; None is the one that ships.
        n_threads
            Threads for the network.
        timeout
            Seconds that decoding one file may take.

        Raises
        ------
        ModelFileError
            If there is no such model, or it is none for chords.
        """
        model_file = load_model_file(resolve_model(SHIPPED_MODEL if model is None else model))
        return cls(ChordNetwork(model_file, n_threads=n_threads), timeout=timeout)

    @property
    def network(self) -> ChordNetwork:
        """What hears."""
        return self._network

    @property
    def vocabularies(self) -> tuple[VocabularyName, ...]:
        """What the model can tell apart, the finest last."""
        return tuple(name for name in VOCABULARIES if name in self._network.settings.statistics)

    def recognise(
        self,
        source: Path | NDArray[np.floating],
        *,
        sample_rate: int | None = None,
        vocabulary: VocabularyName | None = None,
    ) -> ChordResult:
        """Recognise the chords of a file or a waveform.

        Parameters
        ----------
        source
            Path of a sound file, or a waveform of shape (n_samples,) or (n_channels, n_samples).
        sample_rate
            Of the waveform, in Hz; only for a waveform, and then required.
        vocabulary
            Which chords to tell apart; None is as many as the model can.

        Raises
        ------
        AudioError
            If the file gives no usable sound, or less than a second.
        ShapeError
            If a waveform comes without a sample rate or in another shape.
        ModelFileError
            If the model does not know the vocabulary.
        """
        name = vocabulary or self.vocabularies[-1]
        return self.recognise_all(source, sample_rate=sample_rate, vocabularies=(name,))[name]

    def recognise_all(
        self,
        source: Path | NDArray[np.floating],
        *,
        sample_rate: int | None = None,
        vocabularies: Sequence[VocabularyName],
        watch: Callable[[Block], None] | None = None,
    ) -> dict[VocabularyName, ChordResult]:
        """Recognise the chords in several vocabularies, and hear the sound once; as `recognise`.

        `watch` is called with every block of the sound as it streams by, mono at the model's sample rate;
        what it raises ends the work.
        """
        if isinstance(source, np.ndarray):
            return self._recognise(iter([self._prepare(source, sample_rate)]), vocabularies, watch)
        if sample_rate is not None:
            raise ValueError("sample_rate belongs to a waveform; a file states its own")
        decoding = self._sound_decoder.decode(
            source, sample_rate=self._network.specification.sample_rate, total_timeout=self._timeout
        )
        try:
            results = self._recognise(decoding, vocabularies, watch)
        finally:
            decoding.close()
        return {name: replace(result, path=fspath(source)) for name, result in results.items()}

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

    def _recognise(
        self,
        blocks: Iterator[Block],
        names: Sequence[VocabularyName],
        watch: Callable[[Block], None] | None,
    ) -> dict[VocabularyName, ChordResult]:
        network = self._network
        assemblers = {name: self._assembler(name) for name in names}
        spectrum = TunedSpectrum(blocks, network.front_end, network.specification.sample_rate, watch)
        for evidence in network.listen(spectrum.frames()):
            for assembler in assemblers.values():
                assembler.add(evidence)
        duration, tuning = spectrum.duration, spectrum.tuning_cents
        notes = blocks.report.notes if isinstance(blocks, Decoding) else ()
        return {
            name: self._result(name, assembler.finish(duration), duration, tuning, notes)
            for name, assembler in assemblers.items()
        }

    def _assembler(self, name: VocabularyName) -> ChordAssembler:
        statistics = self._network.settings.statistics.get(name)
        if statistics is None:
            raise ModelFileError(
                f"the model {self._network.specification.name!r} does not know the vocabulary {name!r}; it "
                f"knows {', '.join(self._network.settings.statistics)}"
            )
        return ChordAssembler(VOCABULARIES[name], statistics, self._network.frame_duration)

    def _result(
        self,
        name: VocabularyName,
        chords: tuple[ChordSegment, ...],
        duration: float,
        tuning_cents: float,
        notes: Sequence[str],
    ) -> ChordResult:
        result = ChordResult(
            chords=chords,
            duration=duration,
            key=estimate_key(chords, self._network.settings.key_profiles),
            tuning_cents=tuning_cents,
            vocabulary=name,
            model=self._network.specification.name,
        )
        return replace(result, message=" ".join([*_doubts(result), *notes]))


def _doubts(result: ChordResult) -> Iterator[str]:
    if all(chord.is_nothing for chord in result.chords):
        yield "no chords are heard."
    elif result.confidence < CLEAR:
        yield f"the chords are doubtful: their mean confidence is {result.confidence:.2f}."

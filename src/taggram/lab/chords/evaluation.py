"""Judging chord models on whole songs, through the runtime, as a user would hear them.

Every song passes the whole way: waveform, tuning, spectrum, network, decoder. The weight of the evidence
against the decoder's statistics is chosen on validation songs, everything is judged on test songs.

Conventions: references are annotations moved to the key of the rendering; frames for macro recall and
confusions are those of the spectrum.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taggram.chords.constant_q import compute_constant_q
from taggram.chords.decoder import decode
from taggram.chords.harte import transpose_label
from taggram.chords.network import ChordNetwork, Evidence
from taggram.chords.recogniser import ChordRecogniser
from taggram.chords.result import ChordResult
from taggram.chords.tuning import estimate_tuning
from taggram.chords.vocabulary import VOCABULARIES, Vocabulary, VocabularyName
from taggram.errors import AudioError, EvaluationError
from taggram.lab.chords.corpus import SAMPLE_RATE, Item
from taggram.lab.chords.targets import IGNORED, N_QUALITIES, N_ROOTS, NO_ROOT, Targets, compute_targets
from taggram.lab.datasets._base import Segment, Track
from taggram.lab.metrics.chords import (
    ChordScores,
    Figure,
    count_confusions,
    frame_macro_recall,
    score_song,
    summarise,
)

EVIDENCE_WEIGHTS = (0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7, 1.0)
_TARGET: Mapping[VocabularyName, str] = {"majmin": "majmin", "sevenths": "sevenths", "full": "tetrads"}
"""The comparison that a vocabulary is for."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DecoderFit:
    """What was chosen on validation songs, and what the decoder adds there.

    Attributes
    ----------
    weights
        Vocabulary → weight of the evidence.
    with_decoder, without_decoder
        majmin figures at the chosen weight, and with each frame taken for itself.
    """

    weights: Mapping[VocabularyName, float]
    with_decoder: Mapping[str, Figure]
    without_decoder: Mapping[str, Figure]


@dataclass(frozen=True)
class SongJudgement:
    """One song.

    Attributes
    ----------
    id
        Of the item.
    scores
        Comparisons and segmentation.
    result
        What was heard.
    truth, heard
        Root, quality and bass of each frame.
    seconds
        Of processor time that recognising took, in all vocabularies together.
    """

    id: str
    scores: ChordScores
    result: ChordResult
    truth: Targets
    heard: Targets
    seconds: float


@dataclass(frozen=True)
class Judgement:
    """All songs, under one vocabulary.

    Attributes
    ----------
    vocabulary
        Which chords were told apart.
    songs
        One by one.
    figures
        Comparison or segmentation → figure.
    macro_recall
        Over the frames' 25 classes of major, minor and no chord, as the tutorial has it.
    intervals
        shape (13,): share of frames with a chord by interval from the true root to the one heard; no chord
        last.
    qualities
        shape (14, 14): share of each true quality's frames with the right root by the quality heard.
    times_real_time
        Seconds of sound in a second of processor time, all vocabularies together.
    """

    vocabulary: VocabularyName
    songs: tuple[SongJudgement, ...]
    figures: Mapping[str, Figure]
    macro_recall: float
    intervals: Floats
    qualities: Floats
    times_real_time: float


def judge(
    recogniser: ChordRecogniser, items: Iterable[Item], vocabularies: Sequence[VocabularyName]
) -> dict[VocabularyName, Judgement]:
    """Judge a model on items that have their waveform; return vocabulary → judgement.

    Raises
    ------
    EvaluationError
        If there is no item, or one without its waveform.
    """
    songs: dict[VocabularyName, list[SongJudgement]] = {name: [] for name in vocabularies}
    for item in items:
        for name, song in _judge_song(recogniser, item, vocabularies).items():
            songs[name].append(song)
    if not all(songs.values()):
        raise EvaluationError("no songs to judge chords on: hear the corpus first")
    return {name: _judgement(name, tuple(judged)) for name, judged in songs.items()}


def _judgement(vocabulary: VocabularyName, songs: tuple[SongJudgement, ...]) -> Judgement:
    truth, heard = Targets.join([s.truth for s in songs]), Targets.join([s.heard for s in songs])
    return Judgement(
        vocabulary=vocabulary,
        songs=songs,
        figures=summarise([song.scores for song in songs], np.random.default_rng(0)),
        macro_recall=frame_macro_recall(_triads(truth), _triads(heard)),
        intervals=_root_intervals(truth, heard),
        qualities=_quality_confusions(truth, heard),
        times_real_time=sum(s.result.duration for s in songs) / sum(s.seconds for s in songs),
    )


def judge_recordings(
    recogniser: ChordRecogniser, tracks: Iterable[Track], vocabulary: VocabularyName
) -> tuple[dict[str, Figure], dict[str, str]]:
    """Judge a model on the recordings of a dataset.

    Returns
    -------
    The figures of the songs that could be heard, and song → why it could not be.

    Raises
    ------
    EvaluationError
        If no song could be heard.
    """
    scores, left_out = [], {}
    for track in tracks:
        try:
            result = recogniser.recognise(track.path, vocabulary=vocabulary)
        except (AudioError, OSError) as error:
            left_out[track.id] = str(error)
            continue
        intervals = np.array([(chord.start, chord.end) for chord in result.chords])
        chords = [chord for chord in track.segments if chord.end > chord.start]
        reference = np.array([(chord.start, chord.end) for chord in chords])
        names = [chord.label for chord in chords]
        scores.append(score_song(reference, names, intervals, [chord.label() for chord in result.chords]))
    if not scores:
        raise EvaluationError(
            f"none of {len(left_out)} songs could be heard, the first because: "
            f"{next(iter(left_out.values()), 'the split is empty')}"
        )
    return summarise(scores, np.random.default_rng(0)), left_out


def hear_evidence(network: ChordNetwork, item: Item) -> Evidence:
    """Return what a network says of all frames of an item, on the item's own tuning."""
    assert item.waveform is not None
    spec = network.front_end
    tuning = estimate_tuning(item.spectrum.astype(np.float32), spec)
    frames = compute_constant_q([item.waveform], spec, SAMPLE_RATE, tuning_cents=tuning)
    said = list(network.listen(frames))
    return Evidence(*(np.concatenate(parts) for parts in zip(*said, strict=True)))


def fit_decoder(network: ChordNetwork, items: Iterable[Item]) -> DecoderFit:
    """Choose for each vocabulary the weight with the best sum of its comparison and of segmentation."""
    heard = [(item, hear_evidence(network, item)) for item in items]
    rng = np.random.default_rng(0)
    weights: dict[VocabularyName, float] = {}
    for name, vocabulary in VOCABULARIES.items():
        frames = [(item, vocabulary.log_probabilities(said.root, said.quality)) for item, said in heard]
        summaries = {
            weight: summarise(_decoded_scores(network, vocabulary, frames, weight), rng)
            for weight in EVIDENCE_WEIGHTS
        }
        weights[name] = max(summaries, key=lambda w: _quality_of(summaries[w], name))
        if name == "majmin":
            with_decoder = summaries[weights[name]]
            alone = [
                _score(item, *_segments(scores.argmax(axis=1), vocabulary, network.frame_duration))
                for item, scores in frames
            ]
    return DecoderFit(weights, with_decoder, summarise(alone, rng))


def _decoded_scores(
    network: ChordNetwork,
    vocabulary: Vocabulary,
    frames: Iterable[tuple[Item, NDArray[np.float32]]],
    weight: float,
) -> list[ChordScores]:
    statistics = network.settings.statistics[vocabulary.name]
    weighted = statistics.model_copy(update={"evidence_weight": weight})
    return [
        _score(
            item,
            *_segments(
                decode(scores, weighted, frame_duration=network.frame_duration),
                vocabulary,
                network.frame_duration,
            ),
        )
        for item, scores in frames
    ]


def _quality_of(figures: Mapping[str, Figure], name: VocabularyName) -> float:
    return figures[_TARGET[name]].mean + figures["seg"].mean


def _judge_song(
    recogniser: ChordRecogniser, item: Item, vocabularies: Sequence[VocabularyName]
) -> dict[VocabularyName, SongJudgement]:
    if item.waveform is None:
        raise EvaluationError(f"{item.id}: its waveform was not kept; judge validation or test songs")
    begun = time.process_time()
    results = recogniser.recognise_all(item.waveform, sample_rate=SAMPLE_RATE, vocabularies=vocabularies)
    seconds = time.process_time() - begun
    times = np.arange(len(item.spectrum), dtype=np.float64) * recogniser.network.frame_duration
    truth = compute_targets(item.chords, times, transposition=item.transposition)
    judged = {}
    for name, result in results.items():
        intervals = np.array([(chord.start, chord.end) for chord in result.chords])
        scores = _score(item, intervals, [chord.label() for chord in result.chords])
        judged[name] = SongJudgement(item.id, scores, result, truth, _targets_of(result, times), seconds)
    return judged


def _score(item: Item, intervals: Floats, labels: Sequence[str]) -> ChordScores:
    chords = [chord for chord in item.chords if chord.end > chord.start]
    reference = np.array([(chord.start, chord.end) for chord in chords])
    names = [transpose_label(chord.label, item.transposition) for chord in chords]
    return score_song(reference, names, intervals, labels)


def _segments(
    states: NDArray[np.int64], vocabulary: Vocabulary, frame_duration: float
) -> tuple[Floats, list[str]]:
    """Return intervals and labels of runs of states; a run begins between two frames."""
    first = np.concatenate([[0], np.flatnonzero(np.diff(states)) + 1])
    starts = np.maximum(first - 0.5, 0.0) * frame_duration
    ends = np.append(starts[1:], len(states) * frame_duration)
    return np.stack([starts, ends], axis=1), [vocabulary.label(int(states[frame])) for frame in first]


def _targets_of(result: ChordResult, times: Floats) -> Targets:
    """Write a result out frame by frame, as annotations are."""
    return compute_targets((Segment(c.start, c.end, c.label()) for c in result.chords), times)


def _triads(targets: Targets) -> NDArray[np.int64]:
    """Return the class of each frame among C:maj, C:min, …, N; −1 where it is none of them."""
    columns = {name: column for column, name in enumerate(VOCABULARIES["majmin"].qualities)}
    qualities = list(VOCABULARIES["full"].qualities)
    triad_of = np.array(
        [columns.get(VOCABULARIES["majmin"].reduce(quality) or "", IGNORED) for quality in qualities]
        + [IGNORED]  # for a quality that is not known
    )
    triad = triad_of[targets.quality]
    classes = np.where(triad >= 0, 2 * targets.root + triad, IGNORED)
    return np.where(targets.root == NO_ROOT, 24, np.where(targets.root >= 0, classes, IGNORED))


def _root_intervals(truth: Targets, heard: Targets) -> Floats:
    has_chord = (truth.root >= 0) & (truth.root < NO_ROOT)
    step = np.where(heard.root < NO_ROOT, (heard.root - truth.root) % 12, NO_ROOT)[has_chord]
    counts = np.bincount(step, minlength=N_ROOTS)
    shares: Floats = counts / max(counts.sum(), 1)
    return shares


def _quality_confusions(truth: Targets, heard: Targets) -> Floats:
    right_root = (truth.root == heard.root) & (truth.root < NO_ROOT) & (heard.quality >= 0)
    counts = count_confusions(
        np.where(right_root, truth.quality, IGNORED), np.maximum(heard.quality, 0), N_QUALITIES
    )
    shares: Floats = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares

"""Judging chord models on whole songs, through the runtime, as a user would hear them.

Every song – a rendering of the corpus, or a recording of a dataset – passes the whole way: waveform, tuning,
spectrum, network, decoder. The weight of the evidence against the decoder's statistics is chosen on
validation songs, everything is judged on test songs.

Conventions: references are annotations moved to the key of the rendering; frames for macro recall and
confusions are those of the spectrum.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

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
from taggram.lab.datasets._base import Segment, Track, Watch
from taggram.lab.metrics.bootstrap import N_REPLICATES, Interval, draw_weights
from taggram.lab.metrics.chords import (
    ChordScores,
    Figure,
    count_confusions,
    frame_macro_recall,
    macro_recall_interval,
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
    macro_recall, macro_recall_interval
        Over the frames' 25 classes of major, minor and no chord, as the tutorial has it; bootstrap over
        songs.
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
    macro_recall_interval: Interval | None
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
    songs = [_judge_item(recogniser, item, vocabularies) for item in items]
    if not songs:
        raise EvaluationError("no songs to judge chords on: hear the corpus first")
    return _summaries(songs, vocabularies)


def judge_recordings(
    recogniser: ChordRecogniser,
    tracks: Sequence[Track],
    vocabularies: Sequence[VocabularyName],
    *,
    seed: int = 0,
    n_replicates: int = N_REPLICATES,
    watch: Watch = iter,
) -> tuple[dict[VocabularyName, Judgement], dict[str, str]]:
    """Judge a model on the recordings of a dataset.

    Parameters
    ----------
    recogniser, tracks, vocabularies
        Who hears, what, and which chords are told apart.
    seed, n_replicates
        Of the resampling behind the intervals.
    watch
        Iterates over the tracks, for a progress bar.

    Returns
    -------
    Vocabulary → judgement on the songs that could be heard, and song → why it could not be.

    Raises
    ------
    EvaluationError
        If no song could be heard.
    """
    songs, failed = [], {}
    for track in watch(tracks):
        if not any(chord.end > chord.start for chord in track.segments):
            failed[track.id] = "no chord is annotated"
            continue
        try:
            songs.append(_judge_track(recogniser, track, vocabularies))
        except (AudioError, OSError) as error:
            failed[track.id] = str(error)
    if not songs:
        raise EvaluationError(
            f"none of {len(failed)} songs could be heard, the first because: "
            f"{next(iter(failed.values()), 'the split is empty')}"
        )
    return _summaries(songs, vocabularies, seed=seed, n_replicates=n_replicates), failed


def _summaries(
    songs: Sequence[Mapping[VocabularyName, SongJudgement]],
    vocabularies: Sequence[VocabularyName],
    *,
    seed: int = 0,
    n_replicates: int = N_REPLICATES,
) -> dict[VocabularyName, Judgement]:
    return {
        name: _judgement(name, tuple(song[name] for song in songs), seed, n_replicates)
        for name in vocabularies
    }


def _judgement(
    vocabulary: VocabularyName, songs: tuple[SongJudgement, ...], seed: int, n_replicates: int
) -> Judgement:
    truth, heard = Targets.join([s.truth for s in songs]), Targets.join([s.heard for s in songs])
    return Judgement(
        vocabulary=vocabulary,
        songs=songs,
        figures=summarise(
            [song.scores for song in songs], np.random.default_rng(seed), n_replicates=n_replicates
        ),
        macro_recall=frame_macro_recall(_triads(truth), _triads(heard)),
        macro_recall_interval=_macro_recall_interval(songs, seed, n_replicates),
        intervals=_root_intervals(truth, heard),
        qualities=_quality_confusions(truth, heard),
        times_real_time=sum(s.result.duration for s in songs) / sum(s.seconds for s in songs),
    )


def _macro_recall_interval(songs: Sequence[SongJudgement], seed: int, n_replicates: int) -> Interval | None:
    n_classes = len(VOCABULARIES["majmin"].labels())
    counts = []
    for song in songs:
        truth, heard = _triads(song.truth), _triads(song.heard)
        known = truth[truth >= 0]
        right = truth[(truth >= 0) & (truth == heard)]
        counts.append([np.bincount(part, minlength=n_classes) for part in (right, known)])
    n_right, n_frames = np.array(counts, float).transpose(1, 0, 2)
    weights = draw_weights(len(songs), np.random.default_rng(seed), n_replicates=n_replicates)
    return macro_recall_interval(n_right, n_frames, weights)


def hear_evidence(network: ChordNetwork, item: Item) -> Evidence:
    """Return what a network says of all frames of an item, on the item's own tuning.

    The spectrum of an item that has lost its waveform lies there already.
    """
    spec, spectrum = network.front_end, item.spectrum.astype(np.float32)
    frames: Iterable[NDArray[np.float32]] = [spectrum]
    if item.waveform is not None:
        tuning = estimate_tuning(spectrum, spec)
        frames = compute_constant_q([item.waveform], spec, SAMPLE_RATE, tuning_cents=tuning)
    said = list(network.listen(frames))
    return Evidence(*(np.concatenate(parts) for parts in zip(*said, strict=True)))


def fit_decoder(network: ChordNetwork, items: Iterable[Item]) -> DecoderFit:
    """Choose for each vocabulary the weight with the best sum of its comparison and of segmentation."""
    heard = [(item, hear_evidence(network, item)) for item in items]
    rng = np.random.default_rng(0)
    weights: dict[VocabularyName, float] = {}
    for name, vocabulary in VOCABULARIES.items():
        if name not in network.settings.statistics:
            continue
        frames = [(item, vocabulary.log_probabilities(said.root, said.quality)) for item, said in heard]
        summaries = {
            weight: summarise(_decoded_scores(network, vocabulary, frames, weight), rng)
            for weight in EVIDENCE_WEIGHTS
        }
        weights[name] = max(summaries, key=lambda w: _quality_of(summaries[w], name))
        if name == "majmin":
            with_decoder = summaries[weights[name]]
            alone = [
                _score(
                    _reference_of(item), *_segments(scores.argmax(axis=1), vocabulary, network.frame_duration)
                )
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
            _reference_of(item),
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


def _judge_item(
    recogniser: ChordRecogniser, item: Item, vocabularies: Sequence[VocabularyName]
) -> dict[VocabularyName, SongJudgement]:
    if item.waveform is None:
        raise EvaluationError(f"{item.id}: its waveform was not kept; judge validation or test songs")
    begun = time.process_time()
    results = recogniser.recognise_all(item.waveform, sample_rate=SAMPLE_RATE, vocabularies=vocabularies)
    seconds = time.process_time() - begun
    return _judge_song(recogniser, item.id, _reference_of(item), results, seconds)


def _judge_track(
    recogniser: ChordRecogniser, track: Track, vocabularies: Sequence[VocabularyName]
) -> dict[VocabularyName, SongJudgement]:
    begun = time.process_time()
    results = recogniser.recognise_all(track.path, vocabularies=vocabularies)
    seconds = time.process_time() - begun
    return _judge_song(recogniser, track.id, track.segments, results, seconds)


def _judge_song(
    recogniser: ChordRecogniser,
    name: str,
    reference: Sequence[Segment],
    results: Mapping[VocabularyName, ChordResult],
    seconds: float,
) -> dict[VocabularyName, SongJudgement]:
    """Compare what was heard of a song in several vocabularies with its chords as they sound."""
    frame_duration = recogniser.network.frame_duration
    duration = next(iter(results.values())).duration
    times = np.arange(int(duration / frame_duration) + 1, dtype=np.float64) * frame_duration
    truth = compute_targets(reference, times)
    judged = {}
    for vocabulary, result in results.items():
        intervals = np.array([(chord.start, chord.end) for chord in result.chords])
        scores = _score(reference, intervals, [chord.label() for chord in result.chords])
        judged[vocabulary] = SongJudgement(name, scores, result, truth, _targets_of(result, times), seconds)
    return judged


def _reference_of(item: Item) -> list[Segment]:
    """Return the chords of an item as they sound."""
    return [replace(chord, label=transpose_label(chord.label, item.transposition)) for chord in item.chords]


def _score(reference: Sequence[Segment], intervals: Floats, labels: Sequence[str]) -> ChordScores:
    chords = [chord for chord in reference if chord.end > chord.start]
    return score_song(
        np.array([(chord.start, chord.end) for chord in chords]),
        [chord.label for chord in chords],
        intervals,
        labels,
    )


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

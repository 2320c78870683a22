"""The page of results and the model card, written from what was measured.

Every figure comes from a `Judgement`; the words around them are in this module, so that page and card are
never older than the model file.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import torch

from taggram.chords.harte import QUALITIES
from taggram.lab.chords.corpus import EXCERPT, TEST_FONTS, TRAINING_FONTS, ChordCorpus, load_item
from taggram.lab.chords.evaluation import EVIDENCE_WEIGHTS, Judgement, SongJudgement
from taggram.lab.chords.project import Outcome
from taggram.lab.chords.statistics import read_key
from taggram.lab.datasets._base import Track
from taggram.lab.metrics.bootstrap import Interval
from taggram.lab.metrics.chords import FIGURES, SEGMENTATIONS, Figure
from taggram.modelfile.specification import ChordSettings

BARS = {"majmin": 0.80, "root": 0.85, "seg": 0.80}
"""What the project asked for."""

_STILL_LEARNING = 0.01  # more of the validation frames between the last two checks

_COMMAND = (
    "python scripts/train_chord_model.py --shared ../shared --sound-fonts /usr/share/sounds/sf2 --cache DIR "
    "--output src/taggram/models/chords.onnx --results docs/results/chords.md"
)
_INTERVAL_NAMES = (
    *("right", "minor second up", "major second up", "minor third up", "major third up", "fourth up"),
    *("tritone", "fifth up", "minor sixth up", "major sixth up", "minor seventh up", "major seventh up"),
    "no chord heard",
)

NO_REAL_AUDIO = """\
**No recorded music with chord labels was at hand.** Everything below was measured on songs that a
synthesiser played from the piano reductions of POP909, with chord labels that a program derived from the
same notes. The songs and the sound font of the test were not in training, but the instruments are samples,
nobody sings words, nobody plays out of time, and the songs are of one style. On recordings, expect lower
figures; how much lower, nobody has measured. Whoever has the sound of Isophonics, Billboard, RWC Popular or
GuitarSet can: see [chords](../chords.md#your-own-figures).
"""


def write_results(ours: Outcome, tutorial: Outcome, corpus: ChordCorpus, tracks: Iterable[Track]) -> str:
    """Return the page of results."""
    majmin = ours.judgements["majmin"]
    parts = [
        "# Chords: results\n",
        NO_REAL_AUDIO,
        _setting(ours, majmin),
        "## Both networks\n",
        _compare(ours, tutorial),
        _bars(majmin),
        "## Vocabularies\n",
        _vocabularies(ours.judgements.values()),
        "## What the decoder adds\n",
        _decoder(ours),
        "## Conditions\n",
        _conditions(majmin, corpus),
        "## Confusions\n",
        _roots(majmin),
        _qualities(ours.judgements["full"]),
        "## Tuning, key, speed\n",
        _tuning(majmin, corpus),
        _keys(majmin, corpus, tracks),
        _speed(majmin, tutorial.judgements["majmin"]),
        "## About this run\n",
        _run({"ours": ours, "the tutorial's": tutorial}),
    ]
    return "\n".join(parts)


def write_card(ours: Outcome, n_bytes: int) -> str:
    """Return the model card."""
    specification, majmin, full = ours.specification, ours.judgements["majmin"], ours.judgements["full"]
    weights = {name: s.evidence_weight for name, s in _settings(ours).statistics.items()}
    return f"""# Model card: `{specification.name}`

Hears chords: root, quality and bass of every frame, put together by a decoder to chords that last.

| | |
|---|---|
| architecture | `{specification.architecture}`, {ours.n_parameters:,} parameters, {n_bytes / 1e6:.1f} MB |
| input | constant-Q magnitudes, {specification.sample_rate} Hz, {_front_end(ours)} |
| vocabularies | majmin (25), sevenths (61), full (169, with inversions) |
| trained on | {specification.training_data}; {_amount(ours)} |
| licence of the weights | {specification.licence} |
| seed, torch | {ours.recipe.seed}, {torch.__version__} |
| command | `{_COMMAND}` |
| decoder's evidence weights, from validation songs | {weights} |

{NO_REAL_AUDIO.replace("../chords.md#your-own-figures", "../../../docs/chords.md#your-own-figures")}
On {len(majmin.songs)} held-out songs with a held-out sound font (mean over songs, 95 % bootstrap interval):

{_vocabularies((majmin, full))}
All results: `docs/results/chords.md`.
{_lengths(ours)}
## What it is not good at

- Sevenths and suspended chords: they are rare in the training songs, and mostly heard as the triad on their
  root; augmented, diminished sevenths and minor-major sevenths never. See the confusions in the results.
- Recordings: voices, distortion and everything that samples do not have. The confidence says little there,
  since it was never calibrated on recordings.
- Music that is not built of chords of three or four notes, in tune with twelve equal semitones.
"""


def _amount(ours: Outcome) -> str:
    return f"{ours.n_training} excerpts of {EXCERPT:g} s, {ours.recipe.n_steps} steps"


def _setting(ours: Outcome, judgement: Judgement) -> str:
    minutes = sum(song.result.duration for song in judgement.songs) / 60
    return f"""## How it was measured

- {len(judgement.songs)} whole songs of POP909 (numbers ending in 9), {minutes:.0f} minutes; none of them in
  training or in the fit of the decoder (numbers ending in 8).
- Sound font of the test: {", ".join(TEST_FONTS)}; of training: {", ".join(TRAINING_FONTS)}.
- Instruments, doubling, bass, drums, key, tempo (0.8 to 1.25), tuning (±50 cents in the test), room,
  equalisation, mp3 and noise drawn at random for every rendering.
- Through the runtime, as `taggram chords` does it: tuning, spectrum, network, decoder.
- mir_eval; mean over songs with a 95 % bootstrap interval over songs, and weighted by time.
- Written by `python scripts/train_chord_model.py`; {ours.n_training} training excerpts of {EXCERPT:g} s.
"""


def _compare(ours: Outcome, tutorial: Outcome) -> str:
    a, b = ours.judgements["majmin"], tutorial.judgements["majmin"]
    rows = [
        (name, _with_interval(a.figures[name]), _weighted(a.figures[name]), _with_interval(b.figures[name]))
        for name in ("root", "thirds", "majmin", *SEGMENTATIONS)
    ]
    rows.append(
        ("frame macro recall, 25 classes", f"{a.macro_recall:.3f}", "", f"{b.macro_recall:.3f}"),
    )
    rows.append(("parameters", f"{ours.n_parameters:,}", "", f"{tutorial.n_parameters:,}"))
    header = (
        "vocabulary majmin",
        "ours (`conv_gru`)",
        "weighted by time",
        "the tutorial's, same songs and decoder",
    )
    note = (
        "\nThe tutorial's network is its architecture on our spectrum (23.8 s are 256 frames, not 1024), "
        f"trained on the same renderings for {tutorial.recipe.n_steps} steps of "
        f"{tutorial.recipe.batch_size} patches (ours: {ours.recipe.n_steps} of "
        f"{ours.recipe.batch_size}) with its learning rate as the highest. On RWC Popular it had "
        "a frame macro recall of 0.557, on recordings: the figures cannot be compared.\n"
    )
    return _table(header, rows) + note


def _bars(judgement: Judgement) -> str:
    rows = [
        (name, f"{bar:.2f}", _with_interval(figure), "reached" if figure.mean >= bar else "**missed**")
        for name, bar in BARS.items()
        for figure in (judgement.figures[name],)
    ]
    return _table(("bar", "at least", "measured", ""), rows)


def _vocabularies(judgements: Iterable[Judgement]) -> str:
    judgements = list(judgements)
    header = ("figure", *(f"vocabulary {judgement.vocabulary}" for judgement in judgements))
    rows = [(name, *(_with_interval(j.figures[name]) for j in judgements)) for name in FIGURES]
    return _table(header, rows)


def _decoder(ours: Outcome) -> str:
    header = ("majmin, validation songs", "with the decoder", "each frame for itself")
    fit = ours.fit
    rows = [
        (name, _with_interval(fit.with_decoder[name]), _with_interval(fit.without_decoder[name]))
        for name in ("root", "majmin", *SEGMENTATIONS)
    ]
    return _table(header, rows)


def _conditions(judgement: Judgement, corpus: ChordCorpus) -> str:
    conditions = {path.stem: load_item(path).condition for path in corpus.paths("test")}
    groups: Mapping[str, Callable[[dict[str, object]], bool]] = {
        "drums": lambda c: bool(c["drums"]),
        "bass": lambda c: "bass" in _programs(c),
        "melody": lambda c: "melody" in _programs(c),
        "room": lambda c: bool(c["room"]),
        "mp3": lambda c: bool(c["mp3"]),
        "noise": lambda c: c["noise_db"] is not None,
        "guitar accompanies": lambda c: 24 <= _programs(c)["accompaniment"] <= 31,
        "more than 25 cents out of tune": lambda c: abs(float(str(c["tuning_cents"]))) > 25,
    }
    rows = []
    for name, is_member in groups.items():
        inside = [s for s in judgement.songs if is_member(conditions[s.id])]
        outside = [s for s in judgement.songs if not is_member(conditions[s.id])]
        rows.append((name, str(len(inside)), _majmin_of(inside), _majmin_of(outside)))
    note = "\nmajmin. Means over 30 songs are known to about ±0.03: most differences are chance.\n"
    return _table(("condition", "songs", "with", "without"), rows) + note


def _roots(judgement: Judgement) -> str:
    order = np.argsort(-judgement.intervals)
    rows = [
        (_INTERVAL_NAMES[i], f"{judgement.intervals[i]:.3f}") for i in order if judgement.intervals[i] > 0
    ]
    return "Root that was heard, from the true one, share of frames with a chord:\n\n" + _table(
        ("root", "share"), rows
    )


def _qualities(judgement: Judgement) -> str:
    names = list(QUALITIES)
    truth = np.concatenate([song.truth.quality for song in judgement.songs])
    rows = []
    for row, name in enumerate(names):
        if not judgement.qualities[row].any():
            continue
        most = np.argsort(-judgement.qualities[row])[:4]
        heard = ", ".join(
            f"{names[i]} {judgement.qualities[row, i]:.2f}" for i in most if judgement.qualities[row, i]
        )
        rows.append((name, f"{(truth == row).mean():.4f}", heard))
    return (
        "\nQuality that was heard where the root was right (vocabulary full), with the share of the frames "
        "that have the quality:\n\n" + _table(("true quality", "share", "heard as"), rows)
    )


def _tuning(judgement: Judgement, corpus: ChordCorpus) -> str:
    drawn = {path.stem: load_item(path).condition["tuning_cents"] for path in corpus.paths("test")}
    errors = np.array([song.result.tuning_cents - drawn[song.id] for song in judgement.songs])
    errors = np.abs((errors + 50) % 100 - 50)
    return (
        f"- Tuning: median error {np.median(errors):.1f} cents; {np.mean(errors < 10):.0%} of the songs "
        "within 10 cents (the tuning of the samples themselves counts as an error)."
    )


def _keys(judgement: Judgement, corpus: ChordCorpus, tracks: Iterable[Track]) -> str:
    """Compare keys with those of POP909, which a program found in the recordings of the songs."""
    keys = {track.id: read_key(track) for track in tracks}
    moved = {path.stem: load_item(path).transposition for path in corpus.paths("test")}
    right = relative = n_songs = 0
    for song in judgement.songs:
        annotated, heard = keys[song.id.partition("-")[0]], song.result.key
        if annotated is None or heard is None:
            continue
        tonic, mode = (annotated[0] + moved[song.id]) % 12, annotated[1]
        other = ((tonic + 9) % 12, "minor") if mode == "major" else ((tonic + 3) % 12, "major")
        n_songs += 1
        right += (heard.tonic, heard.mode) == (tonic, mode)
        relative += (heard.tonic, heard.mode) == other
    return (
        f"- Key: {right} of {n_songs} songs that stay in one key as annotated, {relative} in the relative "
        "key (the annotation of POP909 comes from a program, too)."
    )


def _speed(ours: Judgement, tutorial: Judgement) -> str:
    return (
        f"- Speed: {ours.times_real_time:.0f} times real time from the waveform, in processor time, "
        f"all vocabularies at once (the tutorial's network: {tutorial.times_real_time:.0f} times).\n"
    )


def _run(outcomes: Mapping[str, Outcome]) -> str:
    """Say how the trainings went, and what that means for the figures."""
    lines = []
    for name, outcome in outcomes.items():
        lines += [f"- {name}: {said.strip()}" for said in (_lengths(outcome), _end(outcome)) if said]
    chosen = outcomes["ours"].fit.weights
    edges = {EVIDENCE_WEIGHTS[0]: "lower", EVIDENCE_WEIGHTS[-1]: "upper"}
    at_edge = [f"{vocabulary} {weight:g}" for vocabulary, weight in chosen.items() if weight in edges]
    if at_edge:
        lines.append(
            f"- The evidence weights that were chosen lie at an end of what was tried "
            f"({EVIDENCE_WEIGHTS[0]:g} to {EVIDENCE_WEIGHTS[-1]:g}): {', '.join(at_edge)}."
        )
    return "\n".join(lines) + "\n"


def _lengths(outcome: Outcome) -> str:
    """Say that the schedule was changed on the way, if it was: a fresh run is not the same then."""
    (_, first), *later = outcome.record.lengths or [(0, outcome.recipe.n_steps)]
    if not later:
        return ""
    changes = ", ".join(f"{n_steps} from step {since} on" for since, n_steps in later)
    return (
        f"\nTraining began with a schedule of {first} steps, which was {changes}; the learning rates of a "
        "fresh run differ from that.\n"
    )


def _end(outcome: Outcome) -> str:
    """Say whether the network was still learning when its training ended."""
    if len(outcome.record.checks) < 2:
        return ""
    before, last = outcome.record.checks[-2:]
    is_unfinished = last.triad > before.triad + _STILL_LEARNING
    return (
        f"from step {before.step} to step {last.step}, its last, the share of validation frames with the "
        f"right triad went from {before.triad:.3f} to {last.triad:.3f}."
        + (" It was still learning: its figures are a lower bound." if is_unfinished else "")
    )


def _majmin_of(songs: list[SongJudgement]) -> str:
    values = np.array([song.scores.values["majmin"] for song in songs])
    return f"{np.nanmean(values):.3f}" if len(values) else "–"


def _programs(condition: Mapping[str, object]) -> Mapping[str, int]:
    programs = condition["programs"]
    assert isinstance(programs, dict)
    return programs


def _settings(ours: Outcome) -> ChordSettings:
    assert ours.specification.chords is not None
    return ours.specification.chords


def _front_end(ours: Outcome) -> str:
    front_end = ours.specification.front_end
    assert front_end.kind == "constant_q"
    rate = ours.specification.sample_rate / front_end.hop_length
    return (
        f"{front_end.n_bins} bins ({front_end.bins_per_octave} an octave from {front_end.fmin:.1f} Hz), hop "
        f"{front_end.hop_length} ({rate:.2f} frames a second)"
    )


def _with_interval(figure: Figure) -> str:
    return f"{figure.mean:.3f}{_interval(figure.interval)}"


def _weighted(figure: Figure) -> str:
    return f"{figure.weighted:.3f}{_interval(figure.weighted_interval)}"


def _interval(interval: Interval | None) -> str:
    return "" if interval is None else f" ({interval.low:.3f}–{interval.high:.3f})"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(_lines(header, rows))


def _lines(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |\n"
    yield "|" + "---|" * len(header) + "\n"
    for row in rows:
        yield f"| {' | '.join(row)} |\n"

"""The model card of the shipped model, written from what was measured; and its specification."""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import torch
from torch.utils.flop_counter import FlopCounterMode

from taggram.lab.models.lean_cnn import LeanCNN
from taggram.lab.training.calibration import PRECISION
from taggram.lab.training.corpus import fingerprint
from taggram.lab.training.default_model import Calibration, DefaultModelTraining
from taggram.lab.training.judgement import Agreement, Bin, Figure, Reliability
from taggram.lab.training.non_music import UNSEEN
from taggram.modelfile.specification import CATEGORIES, Metric, PowerSpectrogram, Specification
from taggram.tags.default_vocabulary import DROPPED, describe_default, is_denial

SONG_DURATION = 240.0
"""Seconds of the song that costs are stated for."""

WATTS_PER_CORE = 10.0
"""Assumed: a server processor takes 3 W to 6 W a core, and the rest of the machine about as much."""

TRAINING_DATA = (
    "Distilled from twelve published taggers (MIT and ISC; trained on MagnaTagATune, the Million Song "
    "Dataset and MTG-Jamendo) on the train splits of the 4Q audio emotion set (30 s commercial previews, for "
    "research only) and Emotify (60 s excerpts, CC BY-NC-SA), and on synthetic sounds that are no music. No "
    "audio is in the file."
)
RENDERED_DATA = " Renderings of POP909 (MIT) were trained on, too."
LICENCE = "MIT (the weights; the teachers' and the training data's own terms are in the model card)"


@dataclass(frozen=True)
class Results:
    """Everything that was measured of one model.

    Attributes
    ----------
    validation, test
        Agreement with the ensemble.
    teachers_within_songs
        How far the teachers that hear 3 s agree with each other, on validation and on test.
    embedding, embedding_on_both
        Name → figures of the probes, the student's first; fitted on train, and on train and validation.
    reliability, reliability_on_validation
        Of the scores as probabilities, and of the tags given, on test and on validation.
    other_sounds
        Kind of sound → how many of how many are said to be no music.
    robustness
        Change of the sound → mean Spearman.
    confusions
        Category → strongest tag of the ensemble, of the student, number of clips.
    training_hours
        Processor time of the training of the student, without the teachers.
    """

    validation: Agreement
    test: Agreement
    teachers_within_songs: tuple[Figure, Figure]
    embedding: Mapping[str, Sequence[Figure]]
    embedding_on_both: Mapping[str, Sequence[Figure]]
    reliability: Reliability
    reliability_on_validation: Reliability
    other_sounds: Mapping[str, tuple[int, int]]
    robustness: Mapping[str, Figure]
    confusions: Mapping[str, Sequence[tuple[str, str, int]]]
    training_hours: float


def compute_song_gflop(model: LeanCNN) -> float:
    """Return the 10⁹ floating-point operations of a 4-minute song, multiplications and additions.

    Mel filters, convolutions and linear layers, as torch counts them, and 5/2·n·log2(n) for every FFT.
    """
    architecture = model.architecture
    n_chunks = SONG_DURATION / architecture.chunk_duration
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(torch.zeros(1, architecture.chunk_length))
    front_end = architecture.front_end
    assert isinstance(front_end, PowerSpectrogram)
    n_frames = front_end.n_frames(architecture.chunk_length)
    fft = 2.5 * front_end.n_fft * math.log2(front_end.n_fft) * n_frames
    return float((counter.get_total_flops() + fft) * n_chunks / 1e9)


def default_specification(
    training: DefaultModelTraining, model: LeanCNN, calibration: Calibration, test: Agreement | None
) -> Specification:
    """Describe the shipped model; `test` fills in its measured figures."""
    tags = describe_default(training.ensemble.tags)
    thresholds = map(float, calibration.thresholds)
    clips = [clip for clip in training.clips if clip.split == "test"]
    split_fingerprint = fingerprint(clips, training.ensemble.tags)
    metrics = tuple(
        Metric(
            name=figure.name,
            value=round(figure.value, 4),
            interval=(round(figure.interval[0], 4), round(figure.interval[1], 4)),
            dataset=" + ".join(dict.fromkeys(clip.dataset for clip in clips)),
            split="test",
            split_fingerprint=split_fingerprint,
        )
        for figure in (test.figures if test else ())
    )
    architecture = model.architecture
    return Specification(
        name="default",
        architecture=architecture.name,
        sample_rate=architecture.sample_rate,
        chunk_duration=architecture.chunk_duration,
        chunk_hop=architecture.chunk_duration,
        front_end=architecture.front_end,
        embedding_dim=model.embedding_dim,
        tags=tuple(
            tag.model_copy(update={"threshold": round(threshold, 4)})
            for tag, threshold in zip(tags, thresholds, strict=True)
        ),
        training_data=TRAINING_DATA + (RENDERED_DATA if training.plan.n_renderings else ""),
        licence=LICENCE,
        paper=architecture.paper,
        metrics=metrics,
        least_evidence=round(calibration.least_evidence, 3),
    )


def write_card(
    training: DefaultModelTraining,
    model: LeanCNN,
    specification: Specification,
    results: Results,
    n_bytes: int,
) -> str:
    """Return the model card in Markdown."""
    sections = [
        "# Model card: `default`",
        _INTRODUCTION,
        _facts(training, model, specification, results, n_bytes),
        "## Agreement with the teachers",
        _AGREEMENT,
        _agreement_table(results),
        "## What a score means",
        _PROBABILITY,
        _reliability_table(results.reliability),
        _threshold_note(results),
        "## Sounds that are no music",
        _NO_MUSIC,
        _other_sounds_table(specification, results.other_sounds),
        "## Altered sound",
        _ROBUSTNESS,
        _robustness_table(results.robustness),
        "## What the embedding knows",
        _EMBEDDING,
        _embedding_table(results.embedding),
        _ON_BOTH,
        _embedding_table(results.embedding_on_both),
        "## Teachers",
        _teacher_table(training),
        "## Data",
        _data(training),
        "## Vocabulary",
        _vocabulary(training),
        "## Use",
        _USE,
        "## Confusions",
        _CONFUSIONS,
        _confusion_table(results.confusions),
        "## Every tag",
        _tag_table(specification, results.test),
    ]
    return "\n\n".join(sections) + "\n"


def _facts(
    training: DefaultModelTraining,
    model: LeanCNN,
    specification: Specification,
    results: Results,
    n_bytes: int,
) -> str:
    settings = training.plan.distillation
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    facts = {
        "Architecture": f"`{specification.architecture}` ({model.architecture.title}), {n_parameters:,} "
        "parameters",
        "Input": f"{specification.chunk_duration:g} s of sound at {specification.sample_rate} Hz, mono; a "
        "song is cut into consecutive chunks and its scores are their mean",
        "Output": f"{specification.n_tags} scores in [0, 1], embedding of {specification.embedding_dim}",
        "File": f"{n_bytes / 1e6:.2f} MB, ONNX, float32",
        "Cost": f"{compute_song_gflop(model):.1f} GFLOP for a 4-minute song, multiplications and additions "
        "counted singly, with the spectrogram",
        "Licence of the weights": "MIT",
        "Training": f"{settings.n_steps} steps of {settings.clips_per_step} clips × "
        f"{settings.chunks_per_clip} chunks of 3 s; {_copies(training.plan.n_variations)} of every clip; "
        f"{results.training_hours:.2f} hours of processor time, without the teachers' scores",
        "Energy of the training": f"about {results.training_hours * WATTS_PER_CORE:.0f} Wh, if a busy core "
        f"takes {WATTS_PER_CORE:g} W with its share of memory, fans and power supply: an assumption, no "
        "meter was read; without the teachers' scores",
        "Seed": str(settings.seed),
        "Versions": f"Python {platform.python_version()}, "
        + ", ".join(f"{package} {version(package)}" for package in ("torch", "numpy", "onnxruntime")),
        "Command": "`python scripts/train_default_model.py --shared ../shared --cache DIR --output "
        "src/taggram/models/default.onnx`, or `make default-model`",
        "Test split": f"fingerprint `{specification.metrics[0].split_fingerprint}`"
        if specification.metrics
        else "not judged",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in facts.items())])


def _copies(number: int) -> str:
    return f"{number} altered {'copy' if number == 1 else 'copies'}"


def _agreement_table(results: Results) -> str:
    rows = ["| Figure | validation | test |", "|---|---|---|"]
    for on_validation, on_test in zip(results.validation.figures, results.test.figures, strict=True):
        rows.append(f"| {on_test.name} | {_show(on_validation)} | {_show(on_test)} |")
    rows.append(
        "| mean within-song correlation of one teacher that hears 3 s with the mean of the others | "
        + " | ".join(map(_show, results.teachers_within_songs))
        + " |"
    )
    rows.append(
        "| mean Spearman of ridge regression on mean and spread of the log-mel bands, for comparison | "
        f"{_show(results.validation.plain_spearman)} | {_show(results.test.plain_spearman)} |"
    )
    return "\n".join(rows)


def _embedding_table(embedding: Mapping[str, Sequence[Figure]]) -> str:
    names = [figure.name for figure in next(iter(embedding.values()))]
    rows = ["| Embedding | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    rows += [
        f"| {name} | " + " | ".join(_show(figure) for figure in figures) + " |"
        for name, figures in embedding.items()
    ]
    return "\n".join(rows)


def _teacher_table(training: DefaultModelTraining) -> str:
    rows = ["| Teacher | licence | trained on | paper |", "|---|---|---|---|"]
    rows += [f"| {t.name} | {t.licence} | {t.training_data} | {t.citation} |" for t in training.teachers]
    return "\n".join(rows)


def _data(training: DefaultModelTraining) -> str:
    rows = ["| Dataset | terms | train | validation | test |", "|---|---|---|---|---|"]
    for dataset, terms in _TERMS.items():
        counts = [
            sum(clip.dataset == dataset and clip.split == split for clip in training.clips)
            for split in ("train", "validation", "test")
        ]
        rows.append(f"| {terms} | " + " | ".join(map(str, counts)) + " |")
    if training.plan.n_renderings:
        rows.append(f"| {_RENDERINGS} | {training.plan.n_renderings} | 0 | 0 |")
    note = f"{_VARIATIONS} {_DATA_NOTE}" if training.plan.n_variations else _DATA_NOTE
    return "\n".join(rows) + "\n\n" + note


def _vocabulary(training: DefaultModelTraining) -> str:
    merged = {name: tags for name, tags in training.ensemble.sources.items() if len(tags) > 1}
    lines = [
        f"- **{name}**: " + ", ".join(f"*not* {tag}" if is_denial(tag) else tag for tag in tags)
        for name, tags in merged.items()
    ]
    dropped = "; ".join(f"`{tag}` ({why})" for tag, why in DROPPED.items())
    return f"{_VOCABULARY}\n\n" + "\n".join(lines) + f"\n\nLeft out: {dropped}."


def _reliability_table(reliability: Reliability) -> str:
    rows = ["| Scores of about | pairs of clip and tag | ensemble's mean | |", "|---|---|---|---|"]
    rows += [
        f"| {found.score:.3f} | {found.n_pairs} | {found.reference:.3f} | `{_bar(found)}` |"
        for found in reliability.bins
    ]
    return "\n".join(rows)


def _bar(found: Bin) -> str:
    """Draw the ensemble's mean as a bar and the score as a stroke, between 0 and 1 in 40 characters."""
    width = 40
    bar = list(("█" * round(found.reference * width)).ljust(width, "·"))
    bar[min(width - 1, round(found.score * width))] = "|"
    return "".join(bar)


def _threshold_note(results: Results) -> str:
    on_validation, on_test = results.reliability_on_validation, results.reliability
    return (
        f"{_THRESHOLDS} On test, {_show(on_test.precision)} of the tags given are given by the ensemble, too "
        f"(validation: {_show(on_validation.precision)}), and {_show(on_test.recall)} of those that the "
        f"ensemble gives are found (validation: {_show(on_validation.recall)}); a clip gets "
        f"{on_test.n_given:.1f} tags on average. The root mean square difference of a clip's score from "
        f"the ensemble's, mean over tags, is {on_test.error:.4f}; it would be "
        f"{on_test.error_of_base_rate:.4f} if every clip got the tag's mean."
    )


def _other_sounds_table(specification: Specification, counts: Mapping[str, tuple[int, int]]) -> str:
    rows = [
        f"The limit is a sum of {specification.least_evidence:g}.",
        "",
        "| Sound | said to be no music | of |",
        "|---|---|---|",
    ]
    for kind, (unsure, of) in counts.items():
        note = " (should be none)" if kind == "music" else " (kind not taught)" if kind in UNSEEN else ""
        rows.append(f"| {kind}{note} | {unsure} | {of} |")
    return "\n".join(rows)


def _robustness_table(robustness: Mapping[str, Figure]) -> str:
    rows = ["| Sound | mean Spearman with the teachers |", "|---|---|"]
    return "\n".join(rows + [f"| {name} | {_show(figure)} |" for name, figure in robustness.items()])


def _confusion_table(confusions: Mapping[str, Sequence[tuple[str, str, int]]]) -> str:
    rows = ["| Category | the ensemble's strongest | the model's strongest | clips |", "|---|---|---|---|"]
    for category, pairs in confusions.items():
        rows += [f"| {category} | {wanted} | {said} | {count} |" for wanted, said, count in pairs]
    return "\n".join(rows)


def _tag_table(specification: Specification, test: Agreement) -> str:
    rows = [
        "| Tag | shown as | category | threshold | Spearman | top-decile ROC-AUC | within songs |",
        "|---|---|---|---|---|---|---|",
    ]
    for tag in sorted(specification.tags, key=lambda tag: (CATEGORIES.index(tag.category), tag.name)):
        figures = " | ".join(f"{figure:.3f}" for figure in test.per_tag[tag.name])
        rows.append(f"| {tag.name} | {tag.label} | {tag.category} | {tag.threshold:.3f} | {figures} |")
    return "\n".join(rows)


def _show(figure: Figure) -> str:
    return f"{figure.value:.3f} ({figure.interval[0]:.3f}–{figure.interval[1]:.3f})"


_INTRODUCTION = """\
The model that `taggram tag` uses when no other is named. It is a small network that was taught to say \
what twelve published taggers say on average; it has seen no label by a person. All figures below are \
measured on the model file, on clips by artists that no training clip is by; brackets hold 95 % intervals \
over clips (percentile bootstrap)."""
_AGREEMENT = """\
Spearman: rank correlation of the clip scores with the ensemble's, per tag over the clips of a split, \
then the mean over tags. Top-decile ROC-AUC: how well the tenth of the clips that the ensemble scores \
highest is found. Within songs: correlation of the scores of 3 s chunks with the ensemble's, after each \
song's own mean is taken off. Some teachers hear 29 s and say the same of every chunk, so this figure \
compares with those that hear 3 s, and these agree little with each other on it: the row below correlates \
each with the mean of the others. Validation was looked at in training, test was not."""
_PROBABILITY = """\
A score is a probability: the chance that annotators of the teachers' data would have given the tag to the \
clip, as the ensemble of teachers estimates it. It is not the chance that the tag fits. Annotators name few \
of the tags that fit, so that a song that everybody finds happy has a chance of some percent of being called \
happy; a score is to be compared with its tag's threshold and not with one half. `vocals` is a scale: of the \
annotators who would say anything about a voice, the share that would say that there is one; near 0 the \
music is instrumental.

Slope and offset of every tag's logits were fitted on validation against the ensemble's clip scores and are \
part of the file. The table holds all pairs of a test clip and a tag; the bar is the ensemble's mean, the \
stroke the score."""
_THRESHOLDS = f"""\
**Thresholds.** The ensemble itself is said to give a tag from the stricter of two scores on: the one with \
the largest expected F-measure if its scores are right, and twice the odds of the mean clip of train and \
validation; `vocals` from one half. The model's thresholds are these, times one factor on the odds of all \
tags: the smallest from 1 on with which {PRECISION:.0%} of the tags given on validation are given by the \
ensemble, too."""
_NO_MUSIC = """\
The sum of a clip's scores is the number of tags to be expected. Below a limit the tagger says "no music, or \
not sure" and gives no tag. The limit divides the music of validation from synthetic sounds with the fewest \
errors. Counted here are the music of test and sounds that were neither trained on nor used for the limit, \
20 of each kind of 12 s; 1 in 8 is nearly silent."""
_ROBUSTNESS = """\
The test clips are altered as the deformations of Taggram do it; the ensemble's scores are those of the \
clips as they are."""
_CONFUSIONS = """\
The commonest differences of the strongest tag on test; strength is counted in odds relative to those of the \
tag's threshold. Most are neighbours."""
_EMBEDDING = """\
Logistic regression (ROC-AUC, mean over labels) or a support vector machine (macro recall) on the clip's \
mean embedding, fitted on the train split, its strength chosen on validation, judged on test. A \
teacher's row is its own embedding treated alike. Labels are probed that at least 10 training and 3 test \
clips have; the labels of 4Q are noisy, as a missing mood is no negative."""
_ON_BOTH = """\
The same with probes of the same strength fitted on train and validation together; the model was taught the \
clips of train only:"""
_TERMS = {
    "4q": "4Q audio emotion set (Panda et al. 2018), 30 s | commercial previews; for research only",
    "emotify": "Emotify (Aljanaki et al. 2015), 60 s | probably CC BY-NC-SA",
}
_RENDERINGS = "POP909 (Wang et al. 2020), rendered with several sound fonts, about 36 s | MIT (the scores)"
_VARIATIONS = """\
Training adds altered copies of training clips (speed, or tempo, or pitch alone; equaliser, level, noise, a \
second clip at the same time, mp3), which the teachers heard and scored themselves."""
_DATA_NOTE = """\
Every chunk is heard relative to its own level, so that a softer copy of a song gets nearly the same \
scores. Synthetic noise, tones, clicks, drum hits, speech-like sound and silence take part with low targets \
for every tag. No audio and no teacher's score is in the file or in the source tree."""
_VOCABULARY = """\
The union of the three source vocabularies, with a category and a name for people for every tag. Spelling \
variants and synonyms are one tag, whose target is the mean over all teachers' columns that it stands for; \
columns that deny it (*not*) are the low end of its scale. `female vocals`, `male vocals` and the decades \
are tags like others: what the sound is like to listeners, and neither who sings nor when it was recorded."""
_USE = """\
**Intended**: sorting, searching and describing one's own music; a taggram that shows where in a song \
something happens; embeddings for similar songs and for teaching own tags with a few examples.

**Unsuitable**: decisions about people or money, such as royalties, contracts or moderation; statements \
about cultures or about who sings; proof that something is not in a recording. Tags about voices \
describe a sound as listeners named it and not a person.

**Known failures**:
- It inherits its teachers' errors and their vocabularies: mostly Western popular music as tagged by \
listeners of the 2000s. `indian` and `world` stand for everything else.
- Decades are guesses from the sound of the production; a remaster or a revival is dated by its sound.
- Moods are the weakest category: teachers disagree among themselves, and clips are scored alike that \
people would tell apart.
- In time it is blunter than its teachers: where a tag comes and goes within a song is told worse than \
which songs have it (the third figure of the first table).
- Its embedding separates genres less well than the best teacher's on test, and no worse on validation. The \
model remembers its training clips, and follows its teachers less well on others (docs/default_model.md).
- Tried on recordings that no split holds (listed in docs/default_model.md): Indian classical music, \
flamenco and drum and bass got no fitting genre, a lone saxophone was taken for no music, and a cat for \
electronic music. Speech and a dog got no tag, but were not said to be no music.
- Quiet pieces with few instruments often get hardly a tag, because all scores stay just below their \
thresholds; `taggram tag --all` shows what comes nearest.
- The training clips are few (598), in 16 kHz mono and partly from low-bitrate sources; distorted, \
noisy or band-limited recordings are scored less reliably."""

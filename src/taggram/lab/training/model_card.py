"""The model card of the shipped model, written from what was measured; and its specification."""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import torch
from torch.utils.flop_counter import FlopCounterMode

from taggram.lab.models.lean_cnn import LeanCNN
from taggram.lab.training.corpus import fingerprint
from taggram.lab.training.default_model import DefaultModelTraining
from taggram.lab.training.judgement import Agreement, Figure
from taggram.modelfile.specification import Metric, PowerSpectrogram, Specification
from taggram.tags.vocabularies import describe, merge_vocabularies

SONG_DURATION = 240.0
"""Seconds of the song that costs are stated for."""

TRAINING_DATA = (
    "Distilled from twelve published taggers (MIT and ISC; trained on MagnaTagATune, the Million Song "
    "Dataset and MTG-Jamendo) on the train splits of the 4Q audio emotion set (30 s commercial previews, for "
    "research only) and Emotify (60 s excerpts, CC BY-NC-SA), and on synthetic sounds that are no music. No "
    "audio is in the file."
)
LICENCE = "MIT (the weights; the teachers' and the training data's own terms are in the model card)"


@dataclass(frozen=True)
class Results:
    """Everything that was measured of one model.

    Attributes
    ----------
    validation, test
        Agreement with the ensemble.
    embedding
        Name → figures of the probes, the student's first.
    training_hours
        Processor time of the training of the student, without the teachers.
    """

    validation: Agreement
    test: Agreement
    embedding: Mapping[str, Sequence[Figure]]
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
    training: DefaultModelTraining, model: LeanCNN, test: Agreement | None
) -> Specification:
    """Describe the shipped model; `test` fills in its measured figures."""
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
        tags=describe(training.ensemble.tags),
        training_data=TRAINING_DATA,
        licence=LICENCE,
        paper=architecture.paper,
        metrics=metrics,
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
        "## What the embedding knows",
        _EMBEDDING,
        _embedding_table(results.embedding),
        "## Teachers",
        _teacher_table(training),
        "## Data",
        _data(training),
        "## Vocabulary",
        _vocabulary(training),
        "## Use",
        _USE,
        "## Every tag",
        _tag_table(results.test),
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
        f"{settings.crops_per_clip} crops of 3 s; {training.plan.n_variations} altered copies of every clip; "
        f"{results.training_hours:.2f} hours of processor time, without the teachers' scores",
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


def _agreement_table(results: Results) -> str:
    rows = ["| Figure | validation | test |", "|---|---|---|"]
    for on_validation, on_test in zip(results.validation.figures, results.test.figures, strict=True):
        rows.append(f"| {on_test.name} | {_show(on_validation)} | {_show(on_test)} |")
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
    note = f"{_VARIATIONS} {_DATA_NOTE}" if training.plan.n_variations else _DATA_NOTE
    return "\n".join(rows) + "\n\n" + note


def _vocabulary(training: DefaultModelTraining) -> str:
    vocabularies = dict.fromkeys(training.ensemble.vocabularies.values())
    merged = {name: tags for name, tags in merge_vocabularies(vocabularies).items() if len(tags) > 1}
    lines = [f"- **{name}**: {', '.join(tags)}" for name, tags in merged.items()]
    return _VOCABULARY + "\n\n" + "\n".join(lines)


def _tag_table(test: Agreement) -> str:
    rows = ["| Tag | Spearman | top-decile ROC-AUC | within songs |", "|---|---|---|---|"]
    ordered = sorted(test.per_tag.items(), key=lambda item: -item[1][0])
    rows += [f"| {tag} | {a:.3f} | {b:.3f} | {c:.3f} |" for tag, (a, b, c) in ordered]
    return "\n".join(rows)


def _show(figure: Figure) -> str:
    return f"{figure.value:.3f} ({figure.interval[0]:.3f}–{figure.interval[1]:.3f})"


_INTRODUCTION = """\
The model that `taggram tag` uses when no other is named. It is a small network that was taught to say \
what twelve published taggers say on average; it has seen no label by a person. Its scores mean "as sure \
as the average of the teachers", not a probability. All figures below are measured on the model file, \
once, on clips by artists that no training clip is by; brackets hold 95 % intervals over clips \
(percentile bootstrap)."""
_AGREEMENT = """\
Spearman: rank correlation of the clip scores with the ensemble's, per tag over the clips of a split, \
then the mean over tags. Top-decile ROC-AUC: how well the tenth of the clips that the ensemble scores \
highest is found. Within songs: correlation of the scores of 3 s chunks with the ensemble's, after each \
song's own mean is taken off. Some teachers hear 29 s and say the same of every chunk, so the last \
figure compares with those that hear 3 s. Validation was looked at in training, test was not."""
_EMBEDDING = """\
Logistic regression (ROC-AUC, mean over labels) or a support vector machine (macro recall) on the clip's \
mean embedding, fitted on the train split, its strength chosen on validation, judged on test. A \
teacher's row is its own embedding treated alike. Labels are probed that at least 10 training and 3 test \
clips have; the labels of 4Q are noisy, as a missing mood is no negative."""
_TERMS = {
    "4q": "4Q audio emotion set (Panda et al. 2018), 30 s | commercial previews; for research only",
    "emotify": "Emotify (Aljanaki et al. 2015), 60 s | probably CC BY-NC-SA",
}
_VARIATIONS = """\
Training adds altered copies of training clips (speed and pitch together, equaliser, level, noise, a \
second clip at the same time), which the teachers heard and scored themselves."""
_DATA_NOTE = """\
Crops are drawn at random, blended in pairs now and then, changed in level and masked in places. Synthetic \
noise, tones, clicks and silence take part with low targets for every tag. No audio and no teacher's score \
is in the file or in the source tree."""
_VOCABULARY = """\
The union of the three source vocabularies. Spelling variants and synonyms are one tag, whose target is \
the mean over all teachers' columns that it stands for:"""
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
- Its embedding separates genres less well than the best teacher's (the second table), most clearly the \
four broad genres of Emotify.
- Tried on pieces that no split holds: Indian classical music and flamenco come out as slow guitar music, \
a lone saxophone as guitar, and `soundtrack` stands near the top wherever little is going on.
- It was shown synthetic noise, tones and silence as sounds that are no music, and says nothing of those; \
but no speech, animals or recorded surroundings. Speech, a dog and whales stayed below 0.12 for every tag \
in a trial; a cat's miaow was called electronic (0.27).
- Scores are not calibrated: tags have different typical heights, so compare a tag across songs rather \
than tags within a song.
- The training clips are few (598), in 16 kHz mono and partly from low-bitrate sources; very quiet, \
distorted or band-limited recordings are scored less reliably."""

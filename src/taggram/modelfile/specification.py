"""The specification that travels inside every model file: what the network expects and what it says.

Format version 1. It is stored as JSON in the ONNX metadata entry `taggram`, validated strictly in
both directions: an unknown key is an error, as is a missing one, except that a field with a default may
be missing, as it is in files written before the field was there.

Conventions: durations in seconds, lengths in samples, frequencies in Hz; the order of `tags` is the
order of the columns of `scores` everywhere.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from taggram.errors import ModelFileError

FORMAT_VERSION = 1

Category = Literal["genre", "mood", "instrument", "voice", "decade", "other"]
CATEGORIES: tuple[Category, ...] = ("genre", "mood", "instrument", "voice", "decade", "other")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Waveform(_Strict):
    """The graph takes the waveform itself: input `waveform`, shape (batch, n_samples)."""

    kind: Literal["waveform"] = "waveform"


class PowerSpectrogram(_Strict):
    """The graph takes the squared magnitude of the STFT.

    Its input is `power_spectrogram`, shape (batch, n_frames, n_fft // 2 + 1).

    Frames are centred: frame `i` is centred on sample `i * hop_length`, the waveform is padded by
    `n_fft // 2` on either side, so `n_frames = 1 + n_samples // hop_length`. Everything behind the
    power spectrogram (mel filters, logarithm, normalisation) is part of the graph.
    """

    kind: Literal["power_spectrogram"] = "power_spectrogram"
    n_fft: int = Field(ge=2, le=1 << 16)
    hop_length: int = Field(ge=1)
    window: Literal["hann_periodic", "hann_symmetric"] = "hann_periodic"
    pad_mode: Literal["reflect", "zeros"] = "reflect"

    @property
    def n_bins(self) -> int:
        """Number of frequency bins of one frame."""
        return self.n_fft // 2 + 1

    def n_frames(self, n_samples: int) -> int:
        """Return the number of frames of a waveform of `n_samples` samples."""
        return 1 + n_samples // self.hop_length


class ConstantQ(_Strict):
    """The graph of a chord model takes constant-Q magnitudes.

    Its input is `constant_q`, shape (batch, n_frames, n_bins), of any number of frames; frame `i` is
    centred on sample `i * hop_length`, beyond the ends lies silence.
    """

    kind: Literal["constant_q"] = "constant_q"
    fmin: float = Field(gt=0)
    n_octaves: int = Field(ge=1, le=12)
    bins_per_octave: int = Field(ge=12, le=120, multiple_of=12)
    hop_length: int = Field(ge=1)

    @property
    def n_bins(self) -> int:
        """Number of bins of one frame."""
        return self.n_octaves * self.bins_per_octave


FrontEnd = Annotated[Waveform | PowerSpectrogram | ConstantQ, Field(discriminator="kind")]


class Tag(_Strict):
    """One tag of the vocabulary.

    Attributes
    ----------
    name
        Unique in the vocabulary.
    category
        What kind of statement the tag makes.
    threshold
        Score from which the tag counts as present, in [0, 1]; None if not calibrated.
    display_name
        Name for people; empty if `name` is one.
    """

    name: str = Field(min_length=1)
    category: Category
    threshold: float | None = Field(default=None, ge=0, le=1)
    display_name: str = ""

    @property
    def label(self) -> str:
        """What people read."""
        return self.display_name or self.name


class Metric(_Strict):
    """One figure measured on one split, with the fingerprint of that split."""

    name: str
    value: float
    interval: tuple[float, float] | None = None
    dataset: str
    split: str
    split_fingerprint: str


class ChordStatistics(_Strict):
    """What the decoder knows of chords in one vocabulary before it hears any.

    Columns follow the order of the vocabulary's qualities.

    Attributes
    ----------
    transitions
        [quality][interval · n_qualities + next quality] → probability that a chord is followed by the one
        whose root lies so many semitones higher; a chord does not follow itself. What is missing to 1 is
        the probability that no chord follows.
    first
        Probability of each quality, on any root, after no chord.
    n_stages, stage_duration
        A chord lasts a sum of `n_stages` geometric times of this mean, in seconds.
    evidence_weight
        What a frame's log-probability counts against the statistics: frames are not independent.
    """

    transitions: tuple[tuple[float, ...], ...] = Field(min_length=1)
    first: tuple[float, ...] = Field(min_length=1)
    n_stages: int = Field(ge=1, le=16)
    stage_duration: float = Field(gt=0)
    evidence_weight: float = Field(gt=0, le=1)


class ChordSettings(_Strict):
    """What belongs to a chord model besides its graph.

    Attributes
    ----------
    n_frames, n_context
        Length of the graph's input, and how much of it at either end is only there to be heard.
    statistics
        Vocabulary → statistics of the decoder.
    key_profiles
        "major" and "minor" → share of major triads on each degree, 12 semitones, then of minor ones.
    """

    n_frames: int = Field(ge=8)
    n_context: int = Field(ge=0)
    statistics: dict[str, ChordStatistics]
    key_profiles: dict[Literal["major", "minor"], tuple[float, ...]]

    @model_validator(mode="after")
    def _context_leaves_frames(self) -> Self:
        if 2 * self.n_context >= self.n_frames:
            raise ValueError("n_context at both ends must leave frames between")
        return self


class Specification(_Strict):
    """Everything a program needs to know to use a model file, and a person to trust it.

    Attributes
    ----------
    format_version
        Version of this schema.
    name, architecture
        Name of this model, and of its architecture in the model zoo.
    task
        "multi_label": scores are independent, from a sigmoid. "multi_class": they sum to 1. "chords": the
        graph gives log-probabilities `root`, `quality` and `bass` of every frame in place of scores and
        embedding, and the tags are the names of the chords.
    sample_rate
        Hz.
    chunk_duration, chunk_hop
        Length of one chunk and distance between chunk starts, in seconds.
    front_end
        What is computed beside the graph: nothing (`Waveform`), a `PowerSpectrogram` or a `ConstantQ`.
    embedding_dim
        Length of the embedding; 0 for chords.
    tags
        Ordered tag vocabulary.
    training_data, licence, paper
        Where the weights come from and under what terms.
    metrics
        Measured figures.
    chords
        What only a chord model has.
    least_evidence
        Sum of a clip's scores below which the sound is no music, or the model is not sure; None if nothing
        was measured.
    weights_sha256
        SHA-256 of the ONNX file without its metadata; filled in by the writer, checked by the reader.
    """

    format_version: Literal[1] = 1
    name: str = Field(min_length=1)
    architecture: str = Field(min_length=1)
    task: Literal["multi_label", "multi_class", "chords"] = "multi_label"
    sample_rate: int = Field(ge=1000, le=384_000)
    chunk_duration: float = Field(gt=0, le=600)
    chunk_hop: float = Field(gt=0, le=600)
    front_end: FrontEnd
    embedding_dim: int = Field(ge=0)
    tags: tuple[Tag, ...] = Field(min_length=1)
    training_data: str
    licence: str
    paper: str
    metrics: tuple[Metric, ...] = ()
    chords: ChordSettings | None = None
    least_evidence: float | None = Field(default=None, ge=0)
    weights_sha256: str = ""

    @model_validator(mode="after")
    def _tags_are_unique(self) -> Self:
        names = [tag.name for tag in self.tags]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"tag names must be unique, repeated are {repeated}")
        return self

    @model_validator(mode="after")
    def _chords_are_complete(self) -> Self:
        if (self.task == "chords") != (self.chords is not None):
            raise ValueError("a chord model, and no other, has the settings `chords`")
        if (self.task == "chords") != isinstance(self.front_end, ConstantQ):
            raise ValueError("a chord model, and no other, takes a constant_q front end")
        return self

    @property
    def chunk_length(self) -> int:
        """Length of one chunk in samples."""
        return round(self.chunk_duration * self.sample_rate)

    @property
    def n_tags(self) -> int:
        """Size of the tag vocabulary."""
        return len(self.tags)

    @classmethod
    def from_json(cls, text: str | bytes, *, source: str) -> Self:
        """Parse and validate a specification.

        Parameters
        ----------
        text
            JSON document.
        source
            Where it comes from; named in the error.

        Raises
        ------
        ModelFileError
            If the document is not a valid specification of a version that this program knows.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "document"
            raise ModelFileError(
                f"{source}: the specification is not valid (format version {FORMAT_VERSION} expected): "
                f"{where}: {first['msg']}, got {str(first['input'])[:80]!r}. "
                "The file was written by another version or another program; export it again."
            ) from error

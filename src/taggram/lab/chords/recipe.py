"""A recipe for chords: which network learns from which dataset, and how; see `taggram.lab.training.recipe`.

dataset: rwc_popular
model: tutorial
batch_size: 32
patience: 10
"""

from typing import Any, Literal

from pydantic import Field

from taggram.lab.training.recipe import StrictRecipe


class ChordRecipe(StrictRecipe):
    """Everything that decides the result of training a chord network, besides the data itself.

    Attributes
    ----------
    dataset
        Name of a dataset of chords.
    model, model_options
        Network, and the arguments of its constructor that differ from its defaults.
    n_steps, batch_size
        Updates, at most, and crops in each.
    n_frames
        Of a crop.
    rates
        "rise_and_fall": the learning rate rises and falls once. "constant": it stays the highest.
    learning_rate
        The highest.
    weight_decay
        Of AdamW, which is Adam if it is 0.
    transpositions
        Lowest and highest, in semitones.
    level_db, tilt_db
        Standard deviation of the level, and of its slope over the whole range.
    mean_decay
        Of the running mean of the weights, which is what is judged and kept; 0 keeps the weights themselves.
    check_every
        Steps after which the network is judged on validation songs, and the state kept.
    patience
        Training ends after so many checks without a lower validation loss, and the best weights are kept;
        None is to the last step, and keeps the last ones.
    seed
        Of weights and of everything that is drawn.
    """

    dataset: str
    model: str = "conv_gru"
    model_options: dict[str, Any] = Field(default_factory=dict)
    n_steps: int = Field(default=1400, ge=1)
    batch_size: int = Field(default=16, ge=1)
    n_frames: int = Field(default=256, ge=8)
    rates: Literal["rise_and_fall", "constant"] = "rise_and_fall"
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.02, ge=0)
    transpositions: tuple[int, int] = (-5, 6)
    level_db: float = Field(default=6.0, ge=0)
    tilt_db: float = Field(default=6.0, ge=0)
    mean_decay: float = Field(default=0.997, ge=0, lt=1)
    check_every: int = Field(default=100, ge=1)
    patience: int | None = Field(default=None, ge=1)
    seed: int = Field(default=1, ge=0)

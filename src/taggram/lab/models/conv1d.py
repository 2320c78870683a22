"""Conv1d: free filters on the waveform, the tutorial's third experiment."""

from taggram.lab.models._base import Architecture
from taggram.lab.models.composed import TUTORIAL, ComposedModel, Composition
from taggram.modelfile.specification import Waveform


class Conv1d(ComposedModel):
    """Conv1d on the waveform; chunks of 0.145 s."""

    architecture = Architecture(
        name="conv1d",
        title="Conv1d",
        paper=TUTORIAL,
        chunk_length=3200,
        front_end=Waveform(),
        sample_rate=22_050,
    )
    composition = Composition("waveform", "conv1d")


MODEL = Conv1d

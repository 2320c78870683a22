"""TCN: causal, dilated convolutions on the waveform, the tutorial's fourth experiment."""

from taggram.lab.models._base import Architecture
from taggram.lab.models.composed import TUTORIAL, ComposedModel, Composition
from taggram.modelfile.specification import Waveform


class TCN(ComposedModel):
    """Temporal convolutional network; chunks of 0.145 s."""

    architecture = Architecture(
        name="tcn",
        title="TCN",
        paper="Bai, Kolter, Koltun, An empirical evaluation of generic convolutional and recurrent networks "
        "for sequence modeling, 2018; as in " + TUTORIAL,
        chunk_length=3200,
        front_end=Waveform(),
        sample_rate=22_050,
    )
    composition = Composition("waveform", "tcn")


MODEL = TCN

"""SincNet: learned band-pass filters on the waveform, the tutorial's second experiment."""

from taggram.lab.models._base import Architecture
from taggram.lab.models.composed import TUTORIAL, ComposedModel, Composition
from taggram.modelfile.specification import Waveform


class SincNet(ComposedModel):
    """SincNet; chunks of 0.145 s."""

    architecture = Architecture(
        name="sincnet",
        title="SincNet",
        paper="Ravanelli, Bengio, Speaker recognition from raw waveform with SincNet, SLT 2018; as in "
        + TUTORIAL,
        chunk_length=3200,
        front_end=Waveform(),
        sample_rate=22_050,
    )
    composition = Composition("waveform", "sincnet")


MODEL = SincNet

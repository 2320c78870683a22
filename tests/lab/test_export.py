"""The door between laboratory and runtime: what is exported is the model, or nothing is."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from taggram.errors import ModelFileError
from taggram.inference.session import Session
from taggram.lab.evaluation.cost import count_graph
from taggram.lab.export import compare_front_ends, draw_in_front_end, export_model
from taggram.lab.models import MODELS, TaggingModel
from taggram.lab.training.model_file_network import ModelFileNetwork
from taggram.modelfile.reader import ModelFile, load_model_file
from taggram.modelfile.specification import PowerSpectrogram, Specification, Tag, Waveform
from tests.lab.training.small import SmallNetwork


def describe(model: TaggingModel, **changes: object) -> Specification:
    about = model.architecture
    specification = Specification(
        name="test",
        architecture=about.name,
        sample_rate=about.sample_rate,
        chunk_duration=about.chunk_duration,
        chunk_hop=about.chunk_duration,
        front_end=about.front_end,
        embedding_dim=model.embedding_dim,
        tags=tuple(Tag(name=f"tag {i}", category="other") for i in range(model.n_tags)),
        training_data="none",
        licence="MIT",
        paper=about.paper,
    )
    return specification.model_copy(update=changes)


def music(model: TaggingModel, n_chunks: int) -> np.ndarray:
    """Decaying harmonic notes over the noise of a recording: spectra with peaks and gaps, as music has.

    Without noise the gaps would be empty, and the logarithm of rounding errors is nobody's to agree on.
    """
    times = np.arange(model.architecture.chunk_length) / model.architecture.sample_rate
    harmonics = np.arange(1, 9)[:, None]
    pitches = 110 * 2 ** (np.arange(n_chunks) / 3)
    notes = [(np.sin(2 * np.pi * pitch * harmonics * times) / harmonics).sum(axis=0) for pitch in pitches]
    noise = np.random.default_rng(0).normal(0, 1e-3, (n_chunks, len(times)))
    return (0.3 * np.stack(notes) * np.exp(-times) + noise).astype(np.float32)


@pytest.fixture
def small() -> SmallNetwork:
    torch.manual_seed(0)
    return SmallNetwork().eval()


@pytest.fixture
def exported(small: SmallNetwork, tmp_path: Path) -> ModelFile:
    export_model(small, describe(small), tmp_path / "small.onnx")
    return load_model_file(tmp_path / "small.onnx")


@pytest.fixture(scope="module", params=MODELS.names())
def architecture(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TaggingModel, ModelFile]:
    """Every architecture and its model file."""
    torch.manual_seed(0)
    model = MODELS.get(request.param)(3).eval()
    path = tmp_path_factory.mktemp(request.param) / "model.onnx"
    written = export_model(model, describe(model), path)
    model_file = load_model_file(path)
    assert model_file.specification == written
    return model, model_file


def test_every_architecture_gives_its_own_numbers(architecture: tuple[TaggingModel, ModelFile]) -> None:
    model, model_file = architecture
    session, waveforms = Session(model_file), music(model, 7)
    scores, embedding = session.run(waveforms)
    with torch.inference_mode():
        expected = model.embed(torch.from_numpy(waveforms))
        expected_scores = model.head(expected).sigmoid()
    np.testing.assert_allclose(scores, expected_scores.numpy(), rtol=0, atol=1e-4)
    scale = float(expected.abs().max())
    np.testing.assert_allclose(embedding / scale, expected.numpy() / scale, rtol=0, atol=1e-4)
    np.testing.assert_allclose(session.run(waveforms[3:4])[0], scores[3:4], rtol=0, atol=1e-5)
    n_numbers, gflop = count_graph(model_file)
    assert gflop == pytest.approx(count_by_torch(model), rel=1e-6)
    assert n_numbers >= 0.99 * sum(parameter.numel() for parameter in model.parameters())


def test_the_network_of_every_file_can_be_trained_on(architecture: tuple[TaggingModel, ModelFile]) -> None:
    model, model_file = architecture
    network = ModelFileNetwork(model_file, 4)
    waveforms = torch.from_numpy(music(model, 2))
    found = network.embed(waveforms)
    with torch.no_grad():
        expected = model.embed(waveforms)
    scale = float(expected.abs().max())
    torch.testing.assert_close(found.detach() / scale, expected / scale, rtol=0, atol=1e-5)
    torch.autograd.backward(network.head(found).square().sum())
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())
    n_learned, n_parameters = (sum(p.numel() for p in m.parameters()) for m in (network, model))
    # What is folded into another layer is gone; filter banks and other tables would be many more.
    assert 0.98 * n_parameters < n_learned < 1.002 * n_parameters


def count_by_torch(model: TaggingModel) -> float:
    """Return the 10⁹ operations of a model behind its front end, for one chunk."""
    features = model.front_end(torch.zeros(1, model.architecture.chunk_length))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.head(model.embed_features(features))
    return float(counter.get_total_flops() / 1e9)


@pytest.mark.parametrize("pad_mode", ["reflect", "zeros"])
@pytest.mark.parametrize("window", ["hann_periodic", "hann_symmetric"])
def test_self_contained_form_takes_waveforms(
    exported: ModelFile, small: SmallNetwork, window: str, pad_mode: str
) -> None:
    front_end = PowerSpectrogram(n_fft=128, hop_length=64, window=window, pad_mode=pad_mode)  # type: ignore[arg-type]
    specification = exported.specification.model_copy(update={"front_end": front_end})
    beside = ModelFile(exported.path, specification, exported.data)
    inside = draw_in_front_end(beside)
    assert inside.specification.front_end == Waveform()
    waveforms = music(small, 4)
    for found, wanted in zip(Session(inside).run(waveforms), Session(beside).run(waveforms), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
    # No other library than ONNX Runtime is needed: the input is the waveform, at any batch size.
    [value] = onnx.load_model_from_string(inside.data).graph.input
    assert value.name == "waveform"
    assert draw_in_front_end(inside) is inside


def test_export_writes_the_self_contained_form(small: SmallNetwork, tmp_path: Path) -> None:
    written = export_model(small, describe(small), tmp_path / "model.onnx", self_contained=True)
    assert written.front_end == Waveform()
    assert Session(load_model_file(tmp_path / "model.onnx")).run(music(small, 2))[0].shape == (2, 3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"architecture": "musicnn"}, "architecture"),
        ({"sample_rate": 8000}, "sample_rate"),
        ({"embedding_dim": 5}, "embedding_dim"),
        ({"tags": (Tag(name="one", category="other"),)}, "number of tags"),
        ({"front_end": PowerSpectrogram(n_fft=256, hop_length=64)}, "front_end"),
    ],
)
def test_a_specification_of_something_else_is_refused(
    small: SmallNetwork, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(ModelFileError, match=f"does not describe the model: {said}"):
        export_model(small, describe(small, **changes), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_file_with_other_numbers_is_not_written(tmp_path: Path) -> None:
    class Forgetful(SmallNetwork):
        """Gives other numbers when it is traced than when it runs."""

        def embed_features(self, features: Tensor) -> Tensor:
            embedding = super().embed_features(features)
            return embedding * 2 if torch.compiler.is_exporting() else embedding

    path = tmp_path / "model.onnx"
    path.write_bytes(b"what was there before")
    model = Forgetful().eval()
    with pytest.raises(ModelFileError, match="differ from the model"):
        export_model(model, describe(model), path)
    assert path.read_bytes() == b"what was there before"
    assert list(tmp_path.iterdir()) == [path]


def test_what_onnx_cannot_say_is_an_error(tmp_path: Path) -> None:
    class Undecided(SmallNetwork):
        def embed_features(self, features: Tensor) -> Tensor:
            if float(features.mean()) > 0.5:
                return super().embed_features(features)
            return super().embed_features(2 * features)

    model = Undecided().eval()
    with pytest.raises(ModelFileError, match="cannot be expressed in ONNX"):
        export_model(model, describe(model), tmp_path / "model.onnx")


def test_the_model_is_left_as_it_was(small: SmallNetwork, tmp_path: Path) -> None:
    small.train()
    before = {name: value.clone() for name, value in small.state_dict().items()}
    export_model(small, describe(small), tmp_path / "model.onnx")
    assert small.training
    for name, value in small.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_nothing_of_this_machine_is_in_the_file(exported: ModelFile) -> None:
    assert str(Path(__file__).resolve().parents[2]).encode() not in exported.data
    assert b"site-packages" not in exported.data


def test_multi_class_scores_sum_to_one(small: SmallNetwork, tmp_path: Path) -> None:
    nn.init.normal_(small.head.weight)
    export_model(small, describe(small, task="multi_class"), tmp_path / "model.onnx")
    scores, _ = Session(load_model_file(tmp_path / "model.onnx")).run(music(small, 3))
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-6)


def test_front_ends_are_compared(small: SmallNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compare_front_ends(describe(small)) < 1e-6
    monkeypatch.setattr("taggram.lab.export.power_spectrogram", lambda waveforms, spec: np.ones((3, 32, 65)))
    with pytest.raises(ModelFileError, match="the front ends of 'test' differ"):
        compare_front_ends(describe(small))

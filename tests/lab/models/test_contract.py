"""What every registered model promises, one case each."""

import numpy as np
import pytest
import torch
from torch import Tensor

from taggram.errors import ShapeError
from taggram.lab.models import MODELS, TaggingModel
from taggram.modelfile.specification import PowerSpectrogram

N_TAGS = 5

every_model = pytest.mark.parametrize("name", MODELS.names())


def build(name: str, *, seed: int = 0) -> TaggingModel:
    """Build a model in evaluation mode, with seeded weights."""
    torch.manual_seed(seed)
    return MODELS.get(name)(N_TAGS).eval()


def noise(model: TaggingModel, n_chunks: int) -> Tensor:
    """Make chunks of noise that differ in loudness."""
    rng = np.random.default_rng(7)
    level = np.linspace(0.1, 1.0, n_chunks)[:, None]
    waveform = level * rng.uniform(-1, 1, (n_chunks, model.architecture.chunk_length))
    return torch.from_numpy(waveform.astype(np.float32))


@every_model
def test_says_what_it_is(name: str) -> None:
    model = build(name)
    assert model.architecture.name == name
    assert model.architecture.title
    assert model.architecture.paper
    assert model.n_tags == N_TAGS
    assert MODELS.get(name)().n_tags == 50


@every_model
def test_shapes(name: str) -> None:
    model = build(name)
    spec, length = model.architecture.front_end, model.architecture.chunk_length
    waveform = noise(model, 2)
    with torch.no_grad():
        features = model.front_end(waveform)
        embedding = model.embed_features(features)
        logits = model(waveform)
    if isinstance(spec, PowerSpectrogram):
        assert features.shape == (2, spec.n_frames(length), spec.n_bins)
    else:
        assert features.shape == (2, length)
    assert embedding.shape == (2, model.embedding_dim)
    assert logits.shape == (2, N_TAGS)
    torch.testing.assert_close(model.head(embedding), logits)


@every_model
def test_rows_do_not_depend_on_the_batch(name: str) -> None:
    model = build(name)
    waveform = noise(model, 3)
    with torch.inference_mode():
        together = model.embed(waveform)
        alone = torch.cat([model.embed(waveform[row : row + 1]) for row in (0, 2)])
    assert not torch.allclose(alone[0], alone[1]), "the chunks must differ for this to say anything"
    # Kernels sum in another order for another batch size.
    scale = together.abs().max()
    torch.testing.assert_close(alone / scale, together[[0, 2]] / scale, atol=2e-5, rtol=0)


@every_model
def test_gradient_reaches_every_parameter(name: str) -> None:
    # In evaluation mode: in training, batch norm cancels the gradient of the bias in front of it.
    model = build(name)
    torch.autograd.backward(model(noise(model, 1)).square().sum())
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.abs().max() > 0, parameter_name


@every_model
def test_learns(name: str) -> None:
    model = build(name).train()
    waveform = noise(model, 2)
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    loss = torch.nn.functional.binary_cross_entropy_with_logits(model(waveform), torch.ones(2, N_TAGS))
    torch.autograd.backward(loss)
    optimiser.step()
    assert all(value.isfinite().all() for value in model.state_dict().values())
    assert not torch.equal(before["head.weight"], model.state_dict()["head.weight"])


@every_model
def test_silence_and_full_scale_give_finite_logits(name: str) -> None:
    model = build(name)
    length = model.architecture.chunk_length
    square = torch.sign(torch.sin(torch.arange(length) * 0.05))
    waveform = torch.stack([torch.zeros(length), torch.ones(length), square])
    with torch.inference_mode():
        assert model(waveform).isfinite().all()


@every_model
def test_saved_weights_make_the_same_model(name: str) -> None:
    model, other = build(name, seed=1), build(name, seed=2)
    waveform = noise(model, 1)
    with torch.inference_mode():
        expected = model(waveform)
        assert not torch.allclose(other.head.weight, model.head.weight)
        other.load_state_dict(model.state_dict())
        torch.testing.assert_close(other(waveform), expected)


@every_model
def test_reset_head_replaces_the_last_layer_only(name: str) -> None:
    model = build(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.reset_head(3)
    assert model.n_tags == 3
    assert model.head(torch.zeros(2, model.embedding_dim)).shape == (2, 3)
    for key, value in model.state_dict().items():
        assert key.startswith("head.") or torch.equal(value, before[key])


@every_model
@pytest.mark.parametrize("shape", ["one sample less", "one chunk without batch"])
def test_other_shapes_are_an_error(name: str, shape: str) -> None:
    model = build(name)
    length = model.architecture.chunk_length
    waveform = torch.zeros(2, length - 1) if shape == "one sample less" else torch.zeros(length)
    with pytest.raises(ShapeError, match=rf"{name} takes waveforms of shape \(batch, {length}\)"):
        model(waveform)

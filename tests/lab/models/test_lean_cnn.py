"""The shapes that the default model's architecture can take."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from taggram.lab.export import export_model
from taggram.lab.models.lean_cnn import LeanCNN, LeanShape
from taggram.modelfile.specification import PowerSpectrogram
from tests.lab.test_export import describe

SMALL = LeanShape(width=0.25)
SHAPES = {
    "small": SMALL,
    "separable": LeanShape(width=0.25, blocks="separable"),
    "dense": LeanShape(width=0.25, blocks="dense"),
    "one-dimensional": LeanShape(width=0.25, dimensions=1),
    "attention": LeanShape(width=0.25, pooling="attention"),
    "few bands, long hop": LeanShape(width=0.25, n_mels=40, hop_length=512),
    "absolute level": LeanShape(width=0.25, level="absolute"),
}
FILES = {
    "one-dimensional, attention": LeanShape(
        width=0.25, dimensions=1, pooling="attention", blocks="separable"
    ),
    "dense, few bands, absolute": replace(SHAPES["few bands, long hop"], blocks="dense", level="absolute"),
}
"""An export takes seconds: these hold every option once."""


def build(shape: LeanShape) -> LeanCNN:
    torch.manual_seed(0)
    return LeanCNN(3, embedding_dim=16, shape=shape).eval()


def sound() -> torch.Tensor:
    rng = torch.Generator().manual_seed(1)
    return torch.randn(2, 48_000, generator=rng) * torch.tensor([[0.02], [0.2]])


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_parameter_of_every_shape_takes_part(shape: LeanShape) -> None:
    model = build(shape)
    model(sound()).square().sum().backward()
    still = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert not still


@pytest.mark.parametrize("shape", FILES.values(), ids=FILES)
def test_shapes_become_model_files(shape: LeanShape, tmp_path: Path) -> None:
    model = build(shape)
    # It compares the file's scores with the model's, also for silence, before it writes.
    written = export_model(model, describe(model), tmp_path / "model.onnx")
    assert isinstance(written.front_end, PowerSpectrogram)
    assert written.front_end.hop_length == shape.hop_length


def test_names_and_sizes_of_the_shipped_weights_stay() -> None:
    sizes = {name: tuple(value.shape) for name, value in LeanCNN(90).state_dict().items()}
    assert sum(value.numel() for value in LeanCNN(90).parameters()) == 790_754
    assert sizes["trunk.0.0.weight"] == (24, 1, 5, 5)
    assert sizes["trunk.2.0.weight"] == (112, 64, 3, 3)
    assert sizes["trunk.4.depthwise.0.weight"] == (112, 1, 3, 3)
    assert sizes["trunk.6.pointwise.weight"] == (192, 192, 1, 1)
    assert sizes["join.weight"] == (256, 192 * 6, 1)
    assert sizes["band_mean"] == (96,)


def test_relative_level_hears_soft_and_loud_alike() -> None:
    model, absolute = build(SHAPES["small"]), build(SHAPES["absolute level"])
    with torch.no_grad():
        loud, soft, quiet = (model.embed(sound() * 10 ** (db / 20)) for db in (0, -20, -40))
        heard, faint = (absolute.embed(sound() * 10 ** (db / 20)) for db in (0, -20))
    assert loud.std() > 1e-3
    torch.testing.assert_close(soft, loud, atol=1e-3, rtol=0)
    torch.testing.assert_close(quiet, loud, atol=1e-2, rtol=0)
    assert (faint - heard).abs().max() > 0.01


def test_width_scales_the_channels_only() -> None:
    assert LeanShape().channels == (24, 64, 112, 192)
    assert LeanShape(width=0.5).channels == (16, 32, 56, 96)
    assert replace(LeanShape(), width=0.01).channels == (8, 8, 8, 8)


def test_rests_do_not_change_how_sound_is_heard() -> None:
    model = build(SMALL)
    power = torch.rand(1, 40, 96) + 0.5
    rests = power.clone()
    rests[:, 1::2] = 0
    with torch.no_grad():
        heard = model.level(torch.log(power + 1e-7))
        with_rests = model.level(torch.log(rests + 1e-7))
    # Half as much power in the mean: what sounds seems twice as loud, and no more.
    difference = with_rests[:, ::2] - heard[:, ::2]
    torch.testing.assert_close(difference, torch.full_like(difference, 0.693), atol=0.05, rtol=0)
    assert with_rests.min() >= -11.6

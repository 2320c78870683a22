"""Compositions: the tutorial's sizes, parts and options from a recipe, export through the door."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from taggram.errors import ShapeError, UnknownNameError
from taggram.lab.back_ends.auto_pool import AutoPool
from taggram.lab.export import export_model
from taggram.lab.front_ends.sincnet import SincFilters
from taggram.lab.front_ends.tcn import CausalBlock
from taggram.lab.models import MODELS
from taggram.lab.models.composed import ComposedModel
from taggram.modelfile.specification import PowerSpectrogram, Specification, Tag, Waveform

NAMES = ["composed", "conv2d_lms", "sincnet", "conv1d", "tcn", "cnn_mel", "cnn_mfcc"]


def build(name: str, n_tags: int = 3, **options: Any) -> ComposedModel:
    torch.manual_seed(0)
    model = MODELS.get(name)(n_tags, **options)
    assert isinstance(model, ComposedModel)
    return model.eval()


# What the layers add up to; the tutorial prints 164 k, 167 k, 313 k, 124 k and 219 k.
@pytest.mark.parametrize(
    ("name", "n_tags", "n_parameters"),
    [
        ("conv2d_lms", 10, 164_755),
        ("conv2d_lms", 50, 167_355),
        ("sincnet", 10, 313_011),
        ("conv1d", 10, 124_931),
        ("tcn", 10, 219_963),
    ],
)
def test_the_tutorial_models_have_the_published_size(name: str, n_tags: int, n_parameters: int) -> None:
    assert sum(parameter.numel() for parameter in build(name, n_tags).parameters()) == n_parameters


@pytest.mark.parametrize("name", NAMES)
def test_the_class_says_what_its_default_composition_is(name: str) -> None:
    model = build(name)
    assert model.architecture == type(model).architecture


def test_classes_go_through_the_door(tmp_path: Path) -> None:
    # Every architecture's labels do in tests/lab/test_export.py; the last operator is the same for all.
    model = build("conv2d_lms")
    about = model.architecture
    specification = Specification(
        name="test",
        architecture=about.name,
        task="multi_class",
        sample_rate=about.sample_rate,
        chunk_duration=about.chunk_duration,
        chunk_hop=about.chunk_duration,
        front_end=about.front_end,
        embedding_dim=model.embedding_dim,
        tags=tuple(Tag(name=tag, category="genre") for tag in "abc"),
        training_data="none",
        licence="MIT",
        paper=about.paper,
    )
    # The export compares the file with the model before it writes.
    written = export_model(model, specification, tmp_path / "model.onnx")
    assert written.weights_sha256


def test_parts_and_options_come_from_a_recipe() -> None:
    model = build(
        "composed",
        feature={"name": "log_mel", "n_mels": 40, "hop_length": 256},
        front_end={"name": "cnn", "n_layers": 2, "n_channels": 8},
        back_end={"name": "mean_max", "n_units": 17},
        chunk_length=16_000,
        sample_rate=16_000,
    )
    assert model.embedding_dim == 17
    assert model.architecture.sample_rate == 16_000
    assert model.architecture.chunk_duration == 1.0
    assert model.architecture.front_end == PowerSpectrogram(n_fft=2048, hop_length=256)
    assert model(torch.zeros(2, 16_000)).shape == (2, 3)
    assert MODELS.get("composed").architecture.sample_rate == 22_050, "the class must not change"


def test_options_without_a_name_change_the_part_that_is_there() -> None:
    assert build("cnn_mel", front_end={"n_layers": 2}).embedding_dim == build("cnn_mel").embedding_dim
    small, large = (build("conv2d_lms", front_end={"n_filters": n}) for n in (4, 80))
    assert small.state_dict()["network.0.filters.conv.weight"].shape == (4, 1, 128, 5)
    assert large.architecture == small.architecture
    hop = build("conv2d_lms", feature={"n_mels": 64})
    assert hop.feature.hop_length == 1024, "an option that is not given stays that of the composition"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"front_end": "sinknet"}, "unknown front end 'sinknet': did you mean 'sincnet'"),
        ({"feature": {"n_mel": 5}}, "option of the feature 'log_mel' 'n_mel': did you mean 'n_mels'"),
        ({"back_end": {"name": "mean_max", "pool": 2}}, "unknown option of the back end 'mean_max'"),
        ({"front_end": {"shape": 2}}, "unknown option of the front end 'conv2d'"),
    ],
)
def test_an_unknown_part_or_option_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        build("conv2d_lms", **options)


def test_parts_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(ShapeError, match="choose the feature 'waveform'"):
        build("conv2d_lms", front_end="sincnet")
    with pytest.raises(ShapeError, match="Is the chunk too short"):
        build("conv2d_lms", chunk_length=9 * 1024)


def test_sinc_filters_pass_their_band() -> None:
    filters = SincFilters(22_050, 80, 251, 1)
    with torch.no_grad():
        response = torch.fft.rfft(filters.kernels()[:, 0], 8192).abs().numpy()
        low, high = (edge[:, 0].numpy() for edge in filters.edges())
    frequencies = np.linspace(0, 11_025, 4097)
    # 251 samples resolve about 2 · 22050 / 251 = 176 Hz.
    for index in range(0, 80, 10):
        inside = (frequencies > low[index] - 176) & (frequencies < high[index] + 176)
        power = response[index] ** 2
        assert power[inside].sum() > 0.98 * power.sum()
    assert (high > low).all()
    assert high.max() <= 11_025


def test_sinc_filters_stay_open_and_below_half_the_sample_rate_whatever_is_learned() -> None:
    filters = SincFilters(22_050, 4, 251, 1)
    with torch.no_grad():
        filters.low.copy_(torch.tensor([[-1e3], [0.0], [9e3], [2e4]]))
        filters.band.copy_(torch.tensor([[0.0], [-9.0], [1e5], [1.0]]))
        low, high = filters.edges()
        assert ((high - low) >= 49.99).all()
        assert (high <= 11_025).all()
        assert filters.kernels().isfinite().all()


def test_a_causal_block_hears_no_later_step() -> None:
    torch.manual_seed(0)
    block = CausalBlock(1, 4, kernel=2, dilation=4, dropout=0.2).eval()
    maps = torch.randn(1, 1, 50)
    changed = maps.clone()
    changed[:, :, 30:] += 1.0
    before, after = block(maps), block(changed)
    torch.testing.assert_close(before[:, :, :30], after[:, :, :30])
    assert not torch.allclose(before[:, :, 30:], after[:, :, 30:])
    assert before.shape == (1, 4, 50)


def test_auto_pool_goes_from_the_mean_to_a_choice() -> None:
    pool = AutoPool()
    sequence = torch.tensor([[[1.0, 2.0, 6.0], [0.0, 1.0, 5.0]]])  # one channel of values, one of weights
    torch.testing.assert_close(pool(sequence), torch.tensor([[3.0]]))
    with torch.no_grad():
        pool.alpha.fill_(50.0)
        torch.testing.assert_close(pool(sequence), torch.tensor([[6.0]]))
        pool.alpha.fill_(-50.0)
        torch.testing.assert_close(pool(sequence), torch.tensor([[1.0]]))


def test_waveform_models_declare_the_waveform() -> None:
    assert build("tcn").architecture.front_end == Waveform()

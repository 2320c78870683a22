"""What every registered feature promises, one case each."""

import logging
import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from taggram.errors import UnknownNameError
from taggram.lab.features import FEATURES, Feature

SAMPLE_RATE = 22_050

every_feature = pytest.mark.parametrize("name", FEATURES.names())


def build(name: str) -> Feature:
    return FEATURES.get(name)(sample_rate=SAMPLE_RATE).eval()


def noise(n_waveforms: int = 2, n_samples: int = 12_345) -> Tensor:
    """Noise of different loudness and colour."""
    rng = np.random.default_rng(3)
    sound = rng.standard_normal((n_waveforms, n_samples)).astype(np.float32)
    sound[::2, 1:] += sound[::2, :-1]
    return torch.from_numpy(0.1 * sound * np.arange(1, n_waveforms + 1, dtype=np.float32)[:, None])


@every_feature
@pytest.mark.parametrize("n_samples", [5120, 12_345])
def test_declares_its_shape_and_rate(name: str, n_samples: int) -> None:
    feature = build(name)
    found = feature(noise(3, n_samples))
    assert found.shape == (3, feature.n_features, feature.n_frames(n_samples))
    assert found.dtype == torch.float32
    assert feature.frame_rate * feature.hop_length == SAMPLE_RATE
    # One more second is so many more frames.
    assert feature.n_frames(n_samples + SAMPLE_RATE) - feature.n_frames(n_samples) == pytest.approx(
        feature.frame_rate, abs=1
    )


@every_feature
def test_rows_do_not_depend_on_the_batch(name: str) -> None:
    feature, waveform = build(name), noise(3)
    together = feature(waveform)
    scale = together.abs().max()
    assert not torch.allclose(together[0], together[1])
    torch.testing.assert_close(feature(waveform[1:2]) / scale, together[1:2] / scale, atol=1e-6, rtol=0)


@every_feature
@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, "square"])
def test_silence_and_full_scale_give_finite_values_and_gradients(name: str, level: float | str) -> None:
    feature = build(name)
    if isinstance(level, str):
        waveform = torch.sign(torch.sin(torch.arange(8000) * 0.05))[None]
    else:
        waveform = torch.full((1, 8000), level)
    waveform.requires_grad_()
    found = feature(waveform)
    assert found.isfinite().all()
    if found.requires_grad:
        torch.autograd.backward(found.sum())
        assert waveform.grad is not None
        assert waveform.grad.isfinite().all()


@every_feature
def test_the_gradient_flows_where_it_is_promised(name: str) -> None:
    feature = build(name)
    waveform = noise(1).requires_grad_()
    found = feature(waveform)
    if not feature.is_differentiable:
        assert not found.requires_grad
        return
    torch.autograd.backward(found.square().sum())
    assert waveform.grad is not None
    assert waveform.grad.isfinite().all()
    assert (waveform.grad != 0).float().mean() > 0.9


@every_feature
def test_has_nothing_to_learn_and_nothing_to_save_but_its_filters(name: str) -> None:
    assert not list(build(name).parameters())
    assert set(build(name).state_dict()) <= {"mel.filters", "log_mel.mel.filters"}


class _Graph(torch.nn.Module):
    """What lies behind the front end, as in an exported model."""

    def __init__(self, feature: Feature) -> None:
        super().__init__()
        self.feature = feature

    def forward(self, inputs: Tensor) -> Tensor:
        return self.feature.transform(inputs)


@every_feature
def test_exports_and_agrees(name: str) -> None:
    feature = build(name)
    inputs = feature.front_end(noise(2))
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch's exporter says about its own code
        program = torch.onnx.export(
            _Graph(feature).eval(),
            (inputs,),
            dynamo=True,
            opset_version=18,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None
    graph = program.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    other = feature.front_end(noise(5)[2:])
    (found,) = session.run(None, {session.get_inputs()[0].name: other.numpy()})
    expected = feature.transform(other).numpy()
    # float32 sums in another order; a value is compared with the largest of the feature.
    np.testing.assert_allclose(found, expected, atol=2e-5 * float(np.abs(expected).max()))


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'log_mel'"):
        FEATURES.get("log_mell")

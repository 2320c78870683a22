"""8-bit integers: the same contract, nearly the same scores, and the agreement beside them."""

import wave
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from taggram.errors import ModelFileError
from taggram.inference.session import Session
from taggram.inference.verify import verify_model_file
from taggram.lab.export import draw_in_front_end, export_model
from taggram.lab.models import MODELS
from taggram.lab.models.lean_cnn import LeanCNN, LeanShape
from taggram.lab.quantise import MIN_CLIPS, quantise
from taggram.modelfile.reader import ModelFile, load_model_file
from taggram.modelfile.writer import write_model_file
from tests.inference.test_tagger import write_wav
from tests.lab.test_export import describe

SAMPLE_RATE = 16_000


def read_wav(path: Path) -> NDArray[np.float32]:
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return (samples / 32768).astype(np.float32)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Chords and noise of different pitch and loudness, eight seconds each."""
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    times = np.arange(8 * SAMPLE_RATE) / SAMPLE_RATE
    for n in range(12):
        pitches = 110 * 2 ** rng.uniform(0, 4, 3)
        chord = sum(np.sin(2 * np.pi * pitch * times) for pitch in pitches) / 4
        sound = chord * np.exp(-times * rng.uniform(0, 2)) + 0.1 * rng.random() * rng.normal(size=len(times))
        write_wav(folder / f"{n:02}.wav", (0.8 * sound).clip(-1, 1).astype(np.float32), SAMPLE_RATE)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def musicnn(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    torch.manual_seed(0)
    model = MODELS.get("musicnn")(6).eval()
    torch.nn.init.normal_(model.head.weight, std=0.3)
    path = tmp_path_factory.mktemp("model") / "musicnn.onnx"
    export_model(model, describe(model), path)
    return load_model_file(path)


@pytest.fixture(scope="module")
def quantised(musicnn: ModelFile, clips: list[Path]) -> ModelFile:
    return quantise(musicnn, clips)[0]


def test_integers_are_small_and_follow_the_floats(
    musicnn: ModelFile, quantised: ModelFile, clips: list[Path], tmp_path: Path
) -> None:
    assert len(quantised.data) < 0.4 * len(musicnn.data)
    operators = {node.op_type for node in onnx.load_model_from_string(quantised.data).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators
    write_model_file(tmp_path / "int8.onnx", quantised.data)
    assert list(verify_model_file(tmp_path / "int8.onnx"))
    rng = np.random.default_rng(1)
    waveforms = rng.uniform(-0.5, 0.5, (4, musicnn.specification.chunk_length)).astype(np.float32)
    (wanted, _), (found, _) = Session(musicnn).run(waveforms), Session(quantised).run(waveforms)
    assert np.abs(found - wanted).max() < 0.1


def test_a_dense_layer_that_gives_the_embedding_stays_in_floats(clips: list[Path], tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = LeanCNN(6, embedding_dim=16, shape=LeanShape(width=0.25)).eval()
    model.view.copy_(torch.randn(16, 16))
    export_model(model, describe(model), tmp_path / "lean.onnx")
    graph = onnx.load_model_from_string(
        quantise(load_model_file(tmp_path / "lean.onnx"), clips)[0].data
    ).graph
    (last,) = (node for node in graph.node if "embedding" in node.output)
    floats = {value.name for value in graph.initializer if value.data_type == onnx.TensorProto.FLOAT}
    assert last.op_type == "Gemm"
    assert set(last.input[1:]) <= floats


def test_the_agreement_is_measured_on_other_clips_and_stated(musicnn: ModelFile, clips: list[Path]) -> None:
    quantised, agreement = quantise(musicnn, clips)
    assert (agreement.n_clips, agreement.n_calibration_clips) == (3, 9)
    assert agreement.spearman > 0.9
    assert f"{agreement.spearman:.4f}" in agreement.describe()
    assert quantised.specification.name == "test-int8"
    metric = quantised.specification.metrics[-1]
    assert (metric.value, metric.split_fingerprint) == (agreement.spearman, agreement.fingerprint)


def test_the_stated_difference_is_that_of_the_held_out_clips(musicnn: ModelFile, clips: list[Path]) -> None:
    quantised, agreement = quantise(musicnn, clips)
    length = musicnn.specification.chunk_length
    largest = 0.0
    for clip in clips[3::4]:
        sound = read_wav(clip)
        whole = sound[: len(sound) // length * length].reshape(-1, length)
        difference = Session(musicnn).run(whole)[0] - Session(quantised).run(whole)[0]
        largest = max(largest, float(np.abs(difference).max()))
    # The clips' last, padded chunk is measured too.
    assert 0 < largest <= agreement.largest_difference + 1e-6


def test_it_is_the_same_file_every_time(musicnn: ModelFile, quantised: ModelFile, clips: list[Path]) -> None:
    assert quantise(musicnn, clips)[0].data == quantised.data


def test_the_self_contained_form_can_follow(quantised: ModelFile) -> None:
    inside = draw_in_front_end(quantised)
    waveforms = np.random.default_rng(2).normal(0, 0.1, (2, inside.specification.chunk_length))
    found, wanted = (Session(form).run(waveforms.astype(np.float32))[0] for form in (inside, quantised))
    np.testing.assert_allclose(found, wanted, atol=0.03)  # one step of an integer more or less


def test_too_few_clips_are_refused(musicnn: ModelFile, clips: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    with pytest.raises(ModelFileError, match=f"at least {MIN_CLIPS} clips.* 7 of 9 files"):
        quantise(musicnn, [*clips[:7], broken, broken])


def test_integers_are_not_quantised_again(quantised: ModelFile, clips: list[Path]) -> None:
    with pytest.raises(ModelFileError, match="in integers already"):
        quantise(quantised, clips)


def test_a_graph_without_layers_that_gain_is_refused(tiny_model: Path, clips: list[Path]) -> None:
    with pytest.raises(ModelFileError, match="no layer that gains"):
        quantise(load_model_file(tiny_model), clips)

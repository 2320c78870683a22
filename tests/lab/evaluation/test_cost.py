"""Cost: what the graph holds, and a speed that is measured.

That the operations are those that torch counts is tested where every architecture is exported, in
`tests/lab/test_export.py`.
"""

import pytest
import torch

from taggram.lab.evaluation.cost import Cost, count_graph, count_song_chunks, measure_cost
from taggram.lab.export import draw_in_front_end, export_model
from taggram.modelfile.reader import ModelFile, load_model_file
from taggram.modelfile.specification import PowerSpectrogram
from tests.lab.test_export import describe
from tests.lab.training.small import SmallNetwork


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("cost") / "small.onnx"
    model = SmallNetwork().eval()
    export_model(model, describe(model), path)
    return load_model_file(path)


def test_a_spectrogram_in_the_graph_counts(small: ModelFile) -> None:
    front_end = small.specification.front_end
    assert isinstance(front_end, PowerSpectrogram)
    _, gflop = count_graph(small)
    _, whole = count_graph(draw_in_front_end(small))
    n_frames = front_end.n_frames(small.specification.chunk_length)
    assert whole - gflop == pytest.approx(2 * n_frames * 2 * front_end.n_bins * front_end.n_fft / 1e9)


def test_cost(small: ModelFile) -> None:
    found = measure_cost(small)
    specification = small.specification
    n_chunks = -(-240.0 // specification.chunk_duration)
    assert count_song_chunks(specification) == n_chunks
    assert found.gflop_per_song == pytest.approx(n_chunks * found.gflop_per_chunk)
    assert found.n_bytes == len(small.data)
    speed = found.speed
    assert speed.times_real_time == pytest.approx(specification.chunk_hop / speed.seconds_per_chunk)
    assert speed.processor
    assert Cost.from_json(found.to_json()) == found

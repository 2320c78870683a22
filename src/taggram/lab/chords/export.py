"""Through the door: a chord network becomes a model file that needs no torch.

    constant_q (batch, n_frames, n_bins) → root (batch, n_frames, 13), quality (batch, n_frames, 12, 14),
                                           bass (batch, n_frames, 13): log-probabilities

No file is written before ONNX Runtime gives the numbers that torch gives.
"""

import copy
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from taggram.chords.network import OUTPUTS, ChordNetwork
from taggram.chords.vocabulary import VOCABULARIES
from taggram.errors import MissingExtraError, ModelFileError
from taggram.lab.chords.corpus import FRONT_END, SAMPLE_RATE, Item
from taggram.lab.chords.evaluation import DecoderFit, fit_decoder
from taggram.lab.chords.models import ChordModel
from taggram.lab.export import OPSET, TOLERANCE, quiet_exporter, seal_model_file, without_traces
from taggram.modelfile.reader import load_model_file
from taggram.modelfile.specification import ChordSettings, Specification, Tag
from taggram.modelfile.writer import write_model_file

N_CONTEXT = 48
"""Frames (4.5 s) at either end of a window that are only heard."""
_N_FRAMES = 512


class _Graph(nn.Module):
    """What the file computes: magnitudes → log-probabilities."""

    def __init__(self, model: ChordModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, spectrum: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        root, quality, bass = self.model(spectrum)
        return root.log_softmax(dim=-1), quality.log_softmax(dim=-1), bass.log_softmax(dim=-1)


def describe(
    model: ChordModel,
    *,
    name: str,
    architecture: str,
    settings: ChordSettings,
    training_data: str,
    licence: str,
) -> Specification:
    """Return what the model file says about itself."""
    inner = settings.n_frames - 2 * settings.n_context
    return Specification(
        name=name,
        architecture=architecture,
        task="chords",
        sample_rate=SAMPLE_RATE,
        chunk_duration=settings.n_frames * FRONT_END.hop_length / SAMPLE_RATE,
        chunk_hop=inner * FRONT_END.hop_length / SAMPLE_RATE,
        front_end=FRONT_END,
        embedding_dim=0,
        tags=tuple(Tag(name=label, category="other") for label in VOCABULARIES["full"].labels()),
        training_data=training_data,
        licence=licence,
        paper=model.paper,
        chords=settings,
    )


def window_of(model: ChordModel) -> tuple[int, int]:
    """Return the length of a network's windows and of their context, in frames."""
    return (model.n_frames or _N_FRAMES), N_CONTEXT


def export_chord_model(model: ChordModel, specification: Specification, path: Path) -> Specification:
    """Write a model file, after comparing it with the model; return the specification as written.

    Raises
    ------
    ModelFileError
        If the file would not give the model's numbers.
    """
    assert specification.chords is not None
    graph = _Graph(copy.deepcopy(model).cpu().float()).eval()
    n_frames = specification.chords.n_frames
    model_file = seal_model_file(path, _to_onnx(graph, n_frames), specification)
    network = ChordNetwork(model_file)
    rng = np.random.default_rng(0)
    for n_windows in (1, 3):
        levels = rng.uniform(0, 1, (n_windows, 1, 1)) ** 4
        windows = (rng.uniform(0, 2, (n_windows, n_frames, FRONT_END.n_bins)) * levels).astype(np.float32)
        with torch.no_grad():
            wanted = graph(torch.from_numpy(windows))
        for name, got, expected in zip(OUTPUTS, network.run(windows), wanted, strict=True):
            difference = float(np.abs(np.exp(got) - expected.exp().numpy()).max())
            if not difference <= TOLERANCE:
                raise ModelFileError(
                    f"{path}: not written: {name} of the exported graph differs from the model by "
                    f"{difference:.1e}, at most {TOLERANCE:.0e} is accepted; try other versions of torch "
                    "and onnxruntime"
                )
    write_model_file(path, model_file.data)
    return model_file.specification


def export_fitted(
    model: ChordModel, specification: Specification, songs: Iterable[Item], path: Path
) -> tuple[Specification, DecoderFit]:
    """Write a model file with a decoder that is fitted on validation songs.

    Returns
    -------
    The specification as written, and the fit.
    """
    settings = specification.chords
    assert settings is not None
    provisional = path.with_name(f"{path.name}.part")
    export_chord_model(model, specification, provisional)
    fit = fit_decoder(ChordNetwork(load_model_file(provisional)), songs)
    statistics = {
        name: settings.statistics[name].model_copy(update={"evidence_weight": weight})
        for name, weight in fit.weights.items()
    }
    fitted = settings.model_copy(update={"statistics": statistics})
    written = reseal(provisional, specification.model_copy(update={"chords": fitted}), path)
    provisional.unlink()
    return written, fit


def reseal(source: Path, specification: Specification, path: Path) -> Specification:
    """Write the graph of a model file with another specification; return it as written."""
    model_file = seal_model_file(path, load_model_file(source).data, specification)
    write_model_file(path, model_file.data)
    return model_file.specification


def _to_onnx(graph: _Graph, n_frames: int) -> bytes:
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter needs it and says so badly
    except ImportError as error:
        raise MissingExtraError("exporting a model", "train") from error
    with torch.no_grad(), quiet_exporter(), warnings.catch_warnings():
        program = torch.onnx.export(
            graph,
            (torch.zeros(2, n_frames, FRONT_END.n_bins),),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=[FRONT_END.kind],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None
    proto = without_traces(program.model_proto)
    onnx.checker.check_model(proto, full_check=True)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data

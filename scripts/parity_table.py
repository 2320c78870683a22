"""Compare every stored output of the published programs with ours, and write docs/results/parity.md.

    python scripts/parity_table.py [--peers ../shared/peers] [--output docs/results/parity.md]

Four ways from the waveform to the scores, all with one thread and one chunk at a time:

    eager   PyTorch throughout
    graph   PyTorch's spectrogram, the exported graph in ONNX Runtime
    file    the model file as it is used: the runtime's numpy front end, the graph in ONNX Runtime
    exact   a spectrogram in double precision, then PyTorch: what rounding in the spectrogram costs

Takes several minutes and ends with status 1 if a difference exceeds its bar; that of `file` is
asked of published weights only, for the reason that the page gives.
"""

import argparse
import copy
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from taggram.inference.front_end import power_spectrogram
from taggram.lab.evaluation.peer_protocol import Array, FrontEnd
from taggram.lab.evaluation.peer_reference import (
    Agreement,
    PeerReference,
    compare_scores,
    eager_front_end,
    eager_scores,
    list_references,
)
from taggram.lab.export import export_model
from taggram.lab.models import TaggingModel
from taggram.lab.weights.published import describe_published
from taggram.modelfile.specification import PowerSpectrogram, Specification, Tag

ROOT = Path(__file__).resolve().parent.parent
EAGER_BAR = 3e-5
EXPORTED_BAR = 1e-4

HEADER = """# Agreement with the published programs

Largest absolute difference of a score (a sigmoid, in [0, 1]) between the stored outputs of the published
programs and ours, over all tags and all chunks of a song, and of the mean over its chunks ("song").

- *eager*: our PyTorch model from the waveform. Bar {eager:.0e}.
- *graph*: the exported graph in ONNX Runtime on the same spectrogram. Bar {exported:.0e}.
- *file*: the model file as it is used, with the runtime's own FFT in front. Bar {exported:.0e}.
- *exact*: our PyTorch model on a spectrogram in double precision.

"Published" weights are the checkpoints of `taggram.lab.weights.published`; "synthetic" ones are made from
the parameter names, by one generator for the published program and for ours, for the architectures whose
weights are not at hand. Songs are cut as the peer's program cuts them
(`taggram.lab.evaluation.peer_protocol`); Taggram's own chunks differ on purpose, as that module says.

{verdict}

The column *exact* says why *eager* and *file* differ. The networks in decibels hear bands that hold almost
nothing, such as those near 8 kHz in the clip joram-…: up to about 100 dB below the loudest.
There the published programs' single-precision FFT (that of PyTorch, which *eager* shares) returns its own
rounding noise, and their scores carry it. The runtime's FFT rounds about three times less (measured against
double precision), so it cannot give the same noise; *exact* is how far the stored outputs are from perfect
arithmetic. Random weights amplify this: most synthetic comparisons exceed the bar of *file*, and nearly all
of those exceed it with a perfect spectrogram too. Their graphs agree (*graph*); only the noise does not.

Written by `{command}` with Python {python}, torch {torch}, ONNX Runtime {onnxruntime},
NumPy {numpy}, on {machine}.

"""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    reference: PeerReference
    eager: Agreement
    graph: Agreement
    file: Agreement
    exact: Agreement

    def cells(self) -> list[str]:
        """Return the texts of the line."""
        figures = (
            self.eager.chunk_difference,
            self.eager.song_difference,
            self.graph.chunk_difference,
            self.file.chunk_difference,
            self.file.song_difference,
            self.exact.chunk_difference,
        )
        names = [self.reference.weights, self.reference.program, self.reference.song]
        return [*names, str(self.eager.n_chunks), *(f"{figure:.1e}" for figure in figures)]

    @property
    def file_is_within(self) -> bool:
        """Whether the model file as it is used is within the bar."""
        return self.file.chunk_difference <= EXPORTED_BAR

    @property
    def passes(self) -> bool:
        """Whether every difference is within its bar; that of `file` counts with published weights."""
        return (
            self.eager.chunk_difference <= EAGER_BAR
            and self.graph.chunk_difference <= EXPORTED_BAR
            and (self.file_is_within or self.reference.checkpoint is None)
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, default=ROOT.parent / "shared" / "peers")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "results" / "parity.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    references = list_references(arguments.peers)
    if not references:
        parser.error(f"no stored outputs at {arguments.peers}: name their folder with --peers")
    rows = list(compare_all(references))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(render(rows), encoding="utf-8")
    failed = [row for row in rows if not row.passes]
    print(f"{len(rows)} comparisons, {len(failed)} beyond a bar; written to {arguments.output}")
    return 1 if failed else 0


def compare_all(references: list[PeerReference]) -> Iterator[Row]:
    """Compare model by model, so that each is loaded and exported once."""
    for _, group in groupby(references, key=lambda reference: reference.weights):
        same_weights = list(group)
        model = same_weights[0].build_model()
        length = model.architecture.chunk_length
        network, graph = eager_scores(model), exported_scores(same_weights[0], model)
        front_end = eager_front_end(model)
        for reference in same_weights:
            row = Row(
                reference,
                eager=compare_scores(reference, network, front_end, length),
                graph=compare_scores(reference, graph, front_end, length),
                file=compare_scores(reference, graph, runtime_front_end(model), length),
                exact=compare_scores(reference, network, exact_front_end(model), length),
            )
            print("  ".join(row.cells()), flush=True)
            yield row


def exported_scores(reference: PeerReference, model: TaggingModel) -> Callable[[Array], Array]:
    """Export the model; return its file's graph, from features to scores."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_model(model, specification(reference, model), path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def compute(features: Array) -> Array:
        scores: Array = session.run(["scores"], {name: features})[0]
        return scores

    return compute


def runtime_front_end(model: TaggingModel) -> FrontEnd:
    """Return the front end that the runtime puts before the exported graph."""
    spec = model.architecture.front_end
    if isinstance(spec, PowerSpectrogram):
        return lambda waveforms: power_spectrogram(waveforms, spec)
    return lambda waveforms: waveforms


def exact_front_end(model: TaggingModel) -> FrontEnd:
    """Return the model's front end in double precision."""
    double = copy.deepcopy(model.front_end).double()

    def compute(waveforms: Array) -> Array:
        with torch.inference_mode():
            features: Array = double(torch.from_numpy(waveforms).double()).float().numpy()
        return features

    return compute


def specification(reference: PeerReference, model: TaggingModel) -> Specification:
    """Return the specification of a published checkpoint, or one for synthetic weights."""
    if reference.checkpoint is not None:
        return describe_published(reference.checkpoint, model)
    architecture = model.architecture
    return Specification(
        name=reference.weights,
        architecture=architecture.name,
        sample_rate=architecture.sample_rate,
        chunk_duration=architecture.chunk_duration,
        chunk_hop=architecture.chunk_duration,
        front_end=architecture.front_end,
        embedding_dim=model.embedding_dim,
        tags=tuple(Tag(name=f"tag {index}", category="other") for index in range(model.n_tags)),
        training_data="none: synthetic weights",
        licence="none",
        paper=architecture.paper,
    )


def render(rows: list[Row]) -> str:
    """Return the page."""
    header = HEADER.format(
        eager=EAGER_BAR,
        exported=EXPORTED_BAR,
        verdict=verdict(rows),
        command="python scripts/parity_table.py",
        python=platform.python_version(),
        torch=torch.__version__,
        onnxruntime=onnxruntime.__version__,
        numpy=np.__version__,
        machine=f"{platform.system()} {platform.machine()}",
    )
    return header + "\n".join([*summary(rows), "", "## Every comparison", "", *details(rows)]) + "\n"


def verdict(rows: list[Row]) -> str:
    """Return one paragraph: how many comparisons are within which bar."""
    n_eager = sum(row.eager.chunk_difference <= EAGER_BAR for row in rows)
    n_graph = sum(row.graph.chunk_difference <= EXPORTED_BAR for row in rows)
    published = [row for row in rows if row.reference.checkpoint]
    synthetic = [row for row in rows if not row.reference.checkpoint]
    return (
        f"Within the bar: eager {n_eager} of {len(rows)}, graph {n_graph} of {len(rows)}, file "
        f"{sum(row.file_is_within for row in published)} of {len(published)} with published weights and "
        f"{sum(row.file_is_within for row in synthetic)} of {len(synthetic)}\nwith synthetic ones."
    )


COLUMNS: dict[str, Callable[[Row], Agreement]] = {
    "eager": lambda row: row.eager,
    "graph": lambda row: row.graph,
    "file": lambda row: row.file,
    "exact": lambda row: row.exact,
}


def summary(rows: list[Row]) -> list[str]:
    """Return the largest differences of every set of weights, as a table."""
    lines = [f"| weights | songs | chunks | {' | '.join(COLUMNS)} |", "|---|--:|--:|--:|--:|--:|--:|"]
    for weights, group in groupby(rows, key=lambda row: row.reference.weights):
        lines.append(f"| {weights} | {largest(list(group))} |")
    published = [row for row in rows if row.reference.checkpoint]
    return [*lines, f"| **all published** | {largest(published)} |", f"| **all** | {largest(rows)} |"]


def largest(rows: list[Row]) -> str:
    """Return songs, chunks and the largest difference in every column."""
    n_songs = len({row.reference.song for row in rows})
    n_chunks = sum(row.eager.n_chunks for row in rows)
    figures = [max(column(row).chunk_difference for row in rows) for column in COLUMNS.values()]
    return " | ".join([str(n_songs), str(n_chunks), *(f"{figure:.1e}" for figure in figures)])


def details(rows: list[Row]) -> list[str]:
    """Return one line for every song of every program and every set of weights, as a table."""
    titles = ["weights", "program", "song", "chunks", "eager", "eager, song", "graph", "file"]
    titles += ["file, song", "exact"]
    lines = ["| " + " | ".join(titles) + " |", "|---|---|---|" + "--:|" * 7]
    return lines + ["| " + " | ".join(row.cells()) + " |" for row in rows]


if __name__ == "__main__":
    sys.exit(main())

"""New tags on a finished model file: a new last layer on its frozen embedding, or a recipe to train all.

For a new last layer, the embedding of every chunk is computed once, by the runtime; a logistic regression
on them becomes the last layer of a new model file. Its strength of regularisation is chosen on the
validation split, by the clips' scores. `make_whole_recipe` is for training the whole network on.
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression

from taggram.inference.session import Session
from taggram.lab.metrics.ranking import roc_auc
from taggram.lab.training.clips import Clips
from taggram.lab.training.data import TrainingData, load_data
from taggram.lab.training.model_file_network import front_end_of, nodes_behind
from taggram.lab.training.recipe import Recipe, apply_change
from taggram.modelfile.container import seal
from taggram.modelfile.reader import ModelFile, load_model_file
from taggram.modelfile.specification import Metric, Specification
from taggram.modelfile.writer import write_model_file
from taggram.tags.vocabularies import describe

STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Inverse regularisation strengths that are tried, for standardised embeddings."""


@dataclass(frozen=True)
class Head:
    """A last layer: scores = sigmoid or softmax of embedding @ weight + bias.

    Attributes
    ----------
    weight : shape (embedding_dim, n_tags)
    bias : shape (n_tags,)
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n, n_tags) logits of (n, embedding_dim) embeddings."""
        logits: NDArray[np.float32] = embeddings @ self.weight + self.bias
        return logits


@dataclass(frozen=True)
class Embedded:
    """Embeddings of all chunks of a split.

    Attributes
    ----------
    embeddings : shape (n_chunks, embedding_dim)
    clip_of_chunk : shape (n_chunks,)
        Row of `labels` that a chunk belongs to.
    labels : shape (n_clips, n_tags), bool
    """

    embeddings: NDArray[np.float32]
    clip_of_chunk: NDArray[np.int64]
    labels: NDArray[np.bool_]

    def clip_scores(self, head: Head, task: str) -> NDArray[np.float64]:
        """Return the mean score of each clip's chunks, (n_clips, n_tags)."""
        scores = _scores(head.logits(self.embeddings).astype(np.float64), task)
        total = np.zeros(self.labels.shape)
        np.add.at(total, self.clip_of_chunk, scores)
        return total / np.bincount(self.clip_of_chunk, minlength=len(total))[:, None]


def finetune(
    model_file: ModelFile,
    dataset: str,
    *,
    root: Path,
    cache: Path,
    output: Path,
    allow_artist_leakage: bool = False,
) -> Specification:
    """Write a model file whose last layer is learned anew on a dataset.

    Parameters
    ----------
    model_file
        Whose network and embedding are kept.
    dataset
        Name of a dataset, or of one of its variants.
    root, cache
        The user's copy, and what `taggram datasets prepare` made of it.
    output
        Where to write.
    allow_artist_leakage
        Also accept a split with artists on both sides.

    Raises
    ------
    ModelFileError
        If it is no model of tags.
    DatasetError
        If the copy is incomplete, or the cache has another sample rate than the model.
    """
    spec = model_file.specification
    front_end_of(model_file)
    data = load_data(
        dataset, root, cache, sample_rate=spec.sample_rate, allow_artist_leakage=allow_artist_leakage
    )
    head, score = learn_head(model_file, data)
    metric = Metric(
        name="accuracy" if data.task == "multi_class" else "ROC-AUC",
        value=score,
        dataset=data.dataset.name,
        split="validation",
        split_fingerprint=data.annotations.fingerprint("validation"),
    )
    update = {
        "name": f"{spec.name}-{data.dataset.name.replace(':', '-')}",
        "task": data.task,
        "tags": describe(data.annotations.vocabulary),
        "training_data": f"{spec.training_data}; last layer: {data.dataset.title} ({data.dataset.licence})",
        "metrics": (metric,),
    }
    specification = spec.model_copy(update=update)
    write_model_file(output, seal(replace_head(model_file, head, specification), specification))
    return specification


def make_whole_recipe(model_file: Path, dataset: str, changes: Iterable[str] = ()) -> Recipe:
    """Return the recipe that trains the whole network of a model file on, at a low rate, from a fitted head.

    `changes` are those of `Recipe.load`, such as `schedule.epochs=3`.
    """
    document: dict[str, Any] = {
        "dataset": dataset,
        "model": load_model_file(model_file).specification.architecture,
        "initial_weights": str(model_file),
        "fitted_head": True,
        "schedule": {"name": "cosine", "epochs": 10, "learning_rate": 2e-4},
    }
    for change in changes:
        apply_change(document, change)
    return Recipe.parse(document, source=f"recipe for {dataset}")


def learn_head(model_file: ModelFile, data: TrainingData) -> tuple[Head, float]:
    """Fit a last layer to a dataset on the embedding of a model file; see `fit_head`."""
    session = Session(model_file)
    training, validation = (embed_clips(session, data.clips(split)) for split in ("train", "validation"))
    return fit_head(training, validation, data.task)


def embed_clips(session: Session, clips: Clips) -> Embedded:
    """Compute the embedding of every chunk of every clip, cut as the evaluation protocol does."""
    spec = session.specification
    hop_length = round(spec.chunk_hop * spec.sample_rate)
    parts = []
    for clip in range(len(clips)):
        chunks = clips.chunks(clip, spec.chunk_length, hop_length)
        parts.append(np.concatenate([session.run(chunks[i : i + 16])[1] for i in range(0, len(chunks), 16)]))
    clip_of_chunk = np.repeat(np.arange(len(clips)), [len(part) for part in parts])
    return Embedded(np.concatenate(parts), clip_of_chunk, clips.labels)


def fit_head(
    training: Embedded, validation: Embedded, task: str, *, strengths: Sequence[float] = STRENGTHS
) -> tuple[Head, float]:
    """Fit a last layer, and choose its regularisation on the validation split.

    Returns
    -------
    head
        The best one.
    score
        Its macro ROC-AUC (multi-label) or accuracy (multi-class) on the validation split.
    """
    tried = []
    for strength in strengths:
        head = _fit(training, task, strength)
        tried.append((_judge(validation, head, task), -strength, head))
    score, _, head = max(tried, key=lambda entry: entry[:2])
    return head, score


def replace_head(model_file: ModelFile, head: Head, specification: Specification) -> bytes:
    """Return the ONNX graph of a model file with another last layer, without its specification.

    The graph up to the embedding stays as it is; what only the old scores needed is removed.
    """
    model = onnx.load_from_string(model_file.data)
    graph = model.graph
    kept = copy.deepcopy(nodes_behind(graph, "embedding"))
    last = "Softmax" if specification.task == "multi_class" else "Sigmoid"
    new = [
        helper.make_node("Gemm", ["embedding", "head.weight", "head.bias"], ["head.logits"]),
        helper.make_node(last, ["head.logits"], ["scores"]),
    ]
    used = {name for node in kept for name in node.input}
    initializers = [copy.deepcopy(i) for i in graph.initializer if i.name in used]
    initializers += [
        numpy_helper.from_array(head.weight, "head.weight"),
        numpy_helper.from_array(head.bias, "head.bias"),
    ]
    embedding = next(output for output in graph.output if output.name == "embedding")
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", specification.n_tags])
    renewed = helper.make_graph(
        [*kept, *new], graph.name, list(graph.input), [scores, embedding], initializers
    )
    del model.metadata_props[:]
    model.graph.CopyFrom(renewed)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def _fit(training: Embedded, task: str, strength: float) -> Head:
    mean = training.embeddings.mean(axis=0)
    std = training.embeddings.std(axis=0) + 1e-6
    inputs = (training.embeddings - mean) / std
    labels = training.labels[training.clip_of_chunk]
    if task == "multi_class":
        weight, bias = _fit_one(inputs, labels.argmax(axis=1), strength, labels.shape[1])
    else:
        columns = [_fit_one(inputs, column, strength, 1) for column in labels.T]
        weight = np.concatenate([w for w, _ in columns], axis=1)
        bias = np.concatenate([b for _, b in columns])
    weight = weight / std[:, None]
    return Head(weight.astype(np.float32), (bias - mean @ weight).astype(np.float32))


def _fit_one(
    inputs: NDArray[np.float32], target: NDArray[np.generic], strength: float, n_columns: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weight (embedding_dim, n_columns) and bias of one logistic regression."""
    present = np.unique(target)
    if len(present) == 1:  # never heard, or always: a constant says as much as can be said
        constant = 10.0 if n_columns == 1 and present[0] else -10.0
        return np.zeros((inputs.shape[1], n_columns)), np.full(n_columns, constant)
    model = LogisticRegression(C=strength, max_iter=500).fit(inputs, target)
    if n_columns == 1:
        return model.coef_.T, model.intercept_
    weight = np.zeros((inputs.shape[1], n_columns))
    bias = np.full(n_columns, -10.0)
    if len(present) == 2:  # scikit-learn gives one column for two classes
        weight[:, present[1]], bias[present] = model.coef_[0], (0.0, model.intercept_[0])
    else:
        weight[:, present], bias[present] = model.coef_.T, model.intercept_
    return weight, bias


def _judge(validation: Embedded, head: Head, task: str) -> float:
    scores = validation.clip_scores(head, task)
    if task == "multi_class":
        return float((scores.argmax(1) == validation.labels.argmax(1)).mean())
    return roc_auc(validation.labels, scores).macro or 0.0


def _scores(logits: NDArray[np.float64], task: str) -> NDArray[np.float64]:
    if task == "multi_class":
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    return np.asarray(1 / (1 + np.exp(-logits)))

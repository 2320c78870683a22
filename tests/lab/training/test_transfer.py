"""A new last layer on a finished model file learns new tags, and the file says what was fitted."""

from pathlib import Path

import numpy as np
import pytest

from taggram.inference.session import Session
from taggram.lab.export import export_model
from taggram.lab.metrics.ranking import roc_auc
from taggram.lab.training.transfer import embed_clips, fit_head, replace_head
from taggram.modelfile.container import read_specification, seal
from taggram.modelfile.reader import ModelFile, load_model_file
from taggram.modelfile.specification import Specification, Tag
from tests.lab.training.small import SmallNetwork, make_clips


@pytest.fixture
def model_file(tmp_path: Path) -> ModelFile:
    model = SmallNetwork(n_tags=5).eval()
    about = model.architecture
    specification = Specification(
        name="small",
        architecture=about.name,
        sample_rate=about.sample_rate,
        chunk_duration=about.chunk_duration,
        chunk_hop=about.chunk_duration,
        front_end=about.front_end,
        embedding_dim=16,
        tags=tuple(Tag(name=f"old {i}", category="other") for i in range(5)),
        training_data="none",
        licence="MIT",
        paper="none",
    )
    export_model(model, specification, tmp_path / "small.onnx")
    return load_model_file(tmp_path / "small.onnx")


@pytest.mark.parametrize("task", ["multi_label", "multi_class"])
def test_new_tags(model_file: ModelFile, task: str) -> None:
    session = Session(model_file)
    training, validation, test = (
        embed_clips(session, make_clips(50, seed, multi_class=task == "multi_class")) for seed in (1, 2, 3)
    )
    head, score = fit_head(training, validation, task)
    assert score > 0.85
    tags = tuple(Tag(name=name, category="other") for name in ("a", "b", "c"))
    update = {"tags": tags, "task": task, "name": "renewed"}
    specification = model_file.specification.model_copy(update=update)
    data = seal(replace_head(model_file, head, specification), specification)
    renewed = Session(ModelFile(Path("renewed.onnx"), read_specification(data, source="renewed"), data))
    clips = make_clips(50, 3, multi_class=task == "multi_class")
    chunks = clips.chunks(0, 2000, 2000)
    scores, embedding = renewed.run(chunks)
    np.testing.assert_allclose(embedding, session.run(chunks)[1], atol=1e-6)
    np.testing.assert_allclose(scores.mean(axis=0), test.clip_scores(head, task)[0], atol=1e-5)
    assert (roc_auc(test.labels, test.clip_scores(head, task)).macro or 0) > 0.85


def test_a_tag_that_is_never_heard_gets_a_low_score(model_file: ModelFile) -> None:
    embedded = embed_clips(Session(model_file), make_clips(20, 1))
    embedded.labels[:, 1] = False
    head, _ = fit_head(embedded, embedded, "multi_label")
    assert embedded.clip_scores(head, "multi_label")[:, 1].max() < 0.01

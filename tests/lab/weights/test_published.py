"""The table of published checkpoints is consistent, and loading is strict."""

import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from taggram.errors import ChecksumError, ModelFileError, UnknownNameError
from taggram.lab.evaluation.peer_protocol import PEER_PROTOCOLS
from taggram.lab.models import MODELS
from taggram.lab.models.fcn import FCN
from taggram.lab.weights.published import (
    CHECKPOINTS,
    PublishedCheckpoint,
    describe_published,
    find_checkpoint,
    load_peer_state,
    load_published,
)
from taggram.tags.vocabularies import VOCABULARIES

every_checkpoint = pytest.mark.parametrize("checkpoint", CHECKPOINTS.values(), ids=lambda c: c.name)


@every_checkpoint
def test_entry_is_complete(checkpoint: PublishedCheckpoint) -> None:
    assert checkpoint.architecture in MODELS.names()
    assert checkpoint.name.startswith(checkpoint.architecture.replace("_", "-"))
    assert checkpoint.vocabulary in VOCABULARIES
    assert checkpoint.peer_protocol in PEER_PROTOCOLS
    assert re.fullmatch(r"[0-9a-f]{64}", checkpoint.sha256)
    assert re.match(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/", checkpoint.url)
    assert checkpoint.licence.startswith(("MIT", "ISC", "Apache-2.0"))


def test_no_two_entries_share_a_file() -> None:
    assert len({checkpoint.sha256 for checkpoint in CHECKPOINTS.values()}) == len(CHECKPOINTS) == 13
    assert len({checkpoint.url for checkpoint in CHECKPOINTS.values()}) == len(CHECKPOINTS)


@every_checkpoint
def test_specification_describes_the_model(checkpoint: PublishedCheckpoint) -> None:
    vocabulary = VOCABULARIES[checkpoint.vocabulary]
    model = MODELS.get(checkpoint.architecture)(len(vocabulary), **checkpoint.options)
    specification = describe_published(checkpoint, model)
    assert tuple(tag.name for tag in specification.tags) == vocabulary
    assert specification.chunk_length == model.architecture.chunk_length
    assert specification.embedding_dim == model.embedding_dim
    assert specification.sample_rate == model.architecture.sample_rate


def test_the_files_beside_the_project_are_the_listed_ones(shared: Path) -> None:
    found = {}
    for path in (shared / "peers" / "weights").rglob("*"):
        if path.suffix in {".pth", ".h5"}:
            found[hashlib.sha256(path.read_bytes()).hexdigest()] = path.stat().st_size
    assert found == {checkpoint.sha256: checkpoint.n_bytes for checkpoint in CHECKPOINTS.values()}


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'musicnn-magnatagatune'"):
        find_checkpoint("musicnn-magnatagatun")


def test_the_table_needs_no_torch() -> None:
    code = "import sys, taggram.lab.weights.published; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def peer_state() -> dict[str, Tensor]:
    """Return the state of an FCN under its published names."""
    names = {"log_mel.mel.filters": "spec.mel_scale.fb", "log_mel.norm.": "spec_bn.", "head.": "dense."}
    names |= {f"layers.{i}.": f"layer{i + 1}." for i in range(5)}
    state = {}
    torch.manual_seed(3)
    for name, tensor in FCN().state_dict().items():
        new = next(name.replace(ours, theirs) for ours, theirs in names.items() if name.startswith(ours))
        state[new.replace(".norm.", ".bn.")] = tensor
    return state


def test_every_parameter_is_set() -> None:
    model, state = FCN(), peer_state()
    load_peer_state(model, state, source="test")
    assert torch.equal(model.head.weight, state["dense.weight"])
    assert torch.equal(model.get_parameter("layers.4.conv.weight"), state["layer5.conv.weight"])


@pytest.mark.parametrize("filters", ["absent", "empty", "own"])
def test_a_filter_bank_is_taken_from_the_file_if_it_is_there(filters: str) -> None:
    model, state = FCN(), peer_state()
    computed = model.log_mel.mel.filters.clone()
    own = torch.rand_like(computed)
    state["spec.mel_scale.fb"] = own if filters == "own" else torch.zeros(0)
    if filters == "absent":
        del state["spec.mel_scale.fb"]
    load_peer_state(model, state, source="test")
    assert torch.equal(model.log_mel.mel.filters, own if filters == "own" else computed)


def test_missing_left_over_and_misshapen_tensors_are_errors() -> None:
    state = peer_state()
    with pytest.raises(ModelFileError, match=r"file\.pth: .* 'fcn' .* missing are \['head\.weight'\]"):
        load_peer_state(FCN(), {k: v for k, v in state.items() if k != "dense.weight"}, source="file.pth")
    with pytest.raises(ModelFileError, match=r"left over are \['extra'\]"):
        load_peer_state(FCN(), {**state, "extra": torch.zeros(1)}, source="file.pth")
    with pytest.raises(ModelFileError, match="size mismatch for head"):
        load_peer_state(FCN(n_tags=7), state, source="file.pth")


def test_load_published_checks_the_file_first(tmp_path: Path) -> None:
    path = tmp_path / "best_model.pth"
    torch.save({name: tensor.contiguous() for name, tensor in peer_state().items()}, path)
    genuine = replace(CHECKPOINTS["fcn-magnatagatune"], sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    model = load_published(genuine, path)
    assert not model.training
    assert model.n_tags == 50
    with pytest.raises(ChecksumError, match=r"not the published file of fcn-msd .* download it again"):
        load_published(CHECKPOINTS["fcn-msd"], path)
    with pytest.raises(ModelFileError, match="cannot read the weights"):
        load_published(genuine, tmp_path / "absent.pth")

"""The specification goes into an ONNX file and comes out whole, and every damage is noticed."""

import json

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taggram.errors import ChecksumError, ModelFileError
from taggram.modelfile.container import read_specification, seal
from taggram.modelfile.specification import Specification, Tag
from tests.conftest import tiny_graph, tiny_specification

SPECIFICATION = tiny_specification()
GRAPH = tiny_graph(SPECIFICATION)
SEALED = seal(GRAPH, SPECIFICATION)


def test_round_trip() -> None:
    found = read_specification(SEALED, source="tiny.onnx")
    assert found == SPECIFICATION.model_copy(update={"weights_sha256": found.weights_sha256})
    assert len(found.weights_sha256) == 64


@settings(max_examples=50)
@given(st.lists(st.text(min_size=1), min_size=1, unique=True))
def test_any_tag_name_survives(names: list[str]) -> None:
    tags = tuple(Tag(name=name, category="other") for name in names)
    specification = SPECIFICATION.model_copy(update={"tags": tags})
    assert read_specification(seal(GRAPH, specification), source="x").tags == tags


def test_specification_from_before_a_field_was_there_is_read() -> None:
    before = json.loads(SPECIFICATION.model_dump_json())
    del before["least_evidence"]
    for tag in before["tags"]:
        del tag["display_name"]
    found = Specification.from_json(json.dumps(before), source="old.onnx")
    assert found == SPECIFICATION
    assert [tag.label for tag in found.tags] == [tag.name for tag in found.tags]


def test_the_onnx_package_reads_the_same_entry() -> None:
    model = onnx.load_from_string(SEALED)
    onnx.checker.check_model(model)
    (entry,) = model.metadata_props
    assert entry.key == "taggram"
    assert '"name":"tiny"' in entry.value


def test_sealing_again_replaces_the_specification() -> None:
    other = SPECIFICATION.model_copy(update={"name": "other"})
    twice = seal(SEALED, other)
    assert len(onnx.load_from_string(twice).metadata_props) == 1
    assert read_specification(twice, source="x").name == "other"
    assert seal(twice, SPECIFICATION) == SEALED


def test_other_metadata_is_kept_and_covered_by_the_checksum() -> None:
    model = onnx.load_from_string(GRAPH)
    model.metadata_props.add(key="author", value="somebody")
    sealed = seal(model.SerializeToString(), SPECIFICATION)
    assert [entry.key for entry in onnx.load_from_string(sealed).metadata_props] == ["author", "taggram"]
    with pytest.raises(ChecksumError, match="do not match"):
        read_specification(sealed.replace(b"somebody", b"nobody12"), source="x")


def test_changed_weights_are_noticed() -> None:
    position = SEALED.index(b"bands") + 40
    changed = bytearray(SEALED)
    changed[position] ^= 1
    with pytest.raises(ModelFileError, match=r"tiny\.onnx"):
        read_specification(bytes(changed), source="tiny.onnx")


def test_without_specification() -> None:
    with pytest.raises(ModelFileError, match=r"plain\.onnx: an ONNX file without a Taggram specification"):
        read_specification(GRAPH, source="plain.onnx")


@pytest.mark.parametrize("data", [b"", b"RIFF\x00\x00\x00\x00WAVE", b"\xff" * 100, b"<html></html>"])
def test_no_onnx_file(data: bytes) -> None:
    with pytest.raises(ModelFileError, match=r"song\.mp3: not an ONNX file"):
        read_specification(data, source="song.mp3")


@settings(max_examples=100)
@given(st.integers(0, len(SEALED) - 1))
def test_any_cut_is_noticed(length: int) -> None:
    with pytest.raises(ModelFileError):
        read_specification(SEALED[:length], source="cut.onnx")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"format_version":1', b'"format_version":2', "format_version: Input should be 1, got '2'"),
        (b'"licence":"MIT"', b'"lisence":"MIT"', "licence: Field required"),
        (b'"sample_rate":8000', b'"sample_rate":-800', "sample_rate: Input should be greater"),
        (b'"name":"low"', b'"name":"high"', "tag names must be unique"),
    ],
)
def test_invalid_specification_is_refused(old: bytes, new: bytes, said: str) -> None:
    text = SPECIFICATION.model_dump_json().encode()
    assert old in text
    model = onnx.load_from_string(GRAPH)
    model.metadata_props.add(key="taggram", value=text.replace(old, new).decode())
    with pytest.raises(ModelFileError, match=said) as error:
        read_specification(model.SerializeToString(), source="odd.onnx")
    assert str(error.value).startswith("odd.onnx: ")

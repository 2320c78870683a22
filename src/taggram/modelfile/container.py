"""The specification inside the ONNX file, read and written without the onnx package.

An ONNX file is one protobuf message (`ModelProto`). Its top level is a sequence of fields, each a
varint key (`number << 3 | wire type`) and a value. Field 14 holds the metadata entries
(`StringStringEntryProto`: 1 = key, 2 = value). The specification is the JSON value of the entry with
the key `taggram`; the checksum covers every other top-level field, byte by byte, in file order.

Source: https://protobuf.dev/programming-guides/encoding, onnx.proto3 (ONNX IR version 3 and later).
"""

import hashlib
from collections.abc import Iterator

from taggram.errors import ChecksumError, ModelFileError
from taggram.modelfile.specification import Specification

METADATA_KEY = "taggram"
_METADATA_FIELD = 14
_GRAPH_FIELD = 7
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def seal(onnx_bytes: bytes, specification: Specification) -> bytes:
    """Return the ONNX file with `specification` inside, in place of any earlier one.

    The checksum of the weights is computed and filled in.
    """
    body = b"".join(_without_specification(onnx_bytes))
    sealed = specification.model_copy(update={"weights_sha256": hashlib.sha256(body).hexdigest()})
    entry = _bytes_field(1, METADATA_KEY.encode()) + _bytes_field(2, sealed.model_dump_json().encode())
    return body + _bytes_field(_METADATA_FIELD, entry)


def read_specification(data: bytes, *, source: str) -> Specification:
    """Return the specification inside an ONNX file, after checking the file against its checksum.

    Parameters
    ----------
    data
        The whole file.
    source
        Its name, for messages.

    Raises
    ------
    ModelFileError
        If this is no ONNX file, holds no specification, or one that is not valid.
    ChecksumError
        If the weights are not the ones that the specification was written for.
    """
    try:
        fields = list(_top_level(data))
        texts = [text for number, raw in fields if (text := _specification_text(number, raw)) is not None]
    except (IndexError, ValueError) as error:
        raise ModelFileError(f"{source}: not an ONNX file, or cut off: {error}") from error
    if not any(number == _GRAPH_FIELD for number, _ in fields):
        raise ModelFileError(f"{source}: not an ONNX file: it holds no graph")
    if not texts:
        raise ModelFileError(
            f"{source}: an ONNX file without a Taggram specification. "
            "Only files written by `taggram models export`, `import` or `pull` can be used."
        )
    specification = Specification.from_json(texts[0], source=source)
    digest = hashlib.sha256(b"".join(_without_specification(data))).hexdigest()
    if digest != specification.weights_sha256:
        raise ChecksumError(
            f"{source}: the weights do not match the checksum in the specification "
            f"({digest[:12]}… instead of {specification.weights_sha256[:12]}…): "
            "the file was damaged or changed; fetch or export it again."
        )
    return specification


def _without_specification(data: bytes) -> Iterator[bytes]:
    for number, raw in _top_level(data):
        if _specification_text(number, raw) is None:
            yield raw


def _specification_text(number: int, raw: bytes) -> bytes | None:
    """Return the JSON text if this top-level field is the metadata entry that holds it."""
    if number != _METADATA_FIELD:
        return None
    entry = {n: _payload(field) for n, field in _top_level(_payload(raw))}
    return entry.get(2, b"") if entry.get(1) == METADATA_KEY.encode() else None


def _top_level(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (field number, the field's bytes including its key) of one message."""
    position = 0
    while position < len(data):
        start = position
        key, position = _read_varint(data, position)
        wire_type = key & 7
        if wire_type == _VARINT:
            _, position = _read_varint(data, position)
        elif wire_type == _BYTES:
            length, position = _read_varint(data, position)
            position += length
        elif wire_type in (_FIXED64, _FIXED32):
            position += 8 if wire_type == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire_type} at byte {start}")
        if position > len(data):
            raise ValueError(f"the field at byte {start} ends behind the file")
        yield key >> 3, data[start:position]


def _payload(raw: bytes) -> bytes:
    _, position = _read_varint(raw, 0)
    if raw[0] & 7 == _BYTES:
        _, position = _read_varint(raw, position)
    return raw[position:]


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError(f"a number at byte {position} is longer than 64 bits")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _bytes_field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(payload)) + payload

"""Messages between `Decoder` and its worker process: one kind byte, one length, the payload.

    parent → worker   REQUEST   JSON of `Request`, paths as hexadecimal bytes
    worker → parent   READY     empty; once, after start
                      BLOCK     float32 samples in the machine's byte order; any number
                      REPORT    JSON of `DecodeReport`; ends the answer
                      ERROR     JSON: outcome, message; ends the answer
                      BUG       text of a traceback; ends the answer

Nothing here can execute: no pickles. Paths travel as bytes, so that invalid UTF-8 survives.
"""

import json
import struct
from dataclasses import asdict
from enum import IntEnum
from typing import IO, Any, NamedTuple

from taggram.audio.container import Limits
from taggram.audio.decode import DecodeReport

_HEADER = struct.Struct("<BQ")


class Kind(IntEnum):
    """What a message carries."""

    REQUEST = 1
    READY = 2
    BLOCK = 3
    REPORT = 4
    ERROR = 5
    BUG = 6


class Request(NamedTuple):
    """One file to decode: the arguments of `taggram.audio.decode.decode`, and where they were given.

    Attributes
    ----------
    folder
        Working directory of the parent, to which `path` may be relative.
    path, sample_rate, start, duration, limits
        As of `decode`.
    """

    folder: bytes
    path: bytes
    sample_rate: int
    start: float
    duration: float | None
    limits: Limits


def write_message(pipe: IO[bytes], kind: Kind, payload: bytes | memoryview = b"") -> None:
    """Write one message and push it out."""
    # In one piece, so that the reader wakes up once. Pipes without a buffer may take it in several.
    rest = memoryview(b"".join((_HEADER.pack(kind, len(payload)), payload)))
    while rest:
        rest = rest[pipe.write(rest) :]
    pipe.flush()


def read_message(pipe: IO[bytes]) -> tuple[Kind, bytearray] | None:
    """Read one message; None when the other side is gone, also in the middle of a message."""
    header = _read_exactly(pipe, _HEADER.size)
    if header is None:
        return None
    kind, length = _HEADER.unpack(header)
    payload = _read_exactly(pipe, length)
    return None if payload is None else (Kind(kind), payload)


def _read_exactly(pipe: IO[bytes], length: int) -> bytearray | None:
    """Read into memory that an array can keep."""
    data = bytearray(length)
    with memoryview(data) as view:
        n_read = 0
        while n_read < length:
            n_new = pipe.readinto(view[n_read:])  # type: ignore[attr-defined]  # every binary pipe has it
            if not n_new:
                return None
            n_read += n_new
    return data


def pack_request(request: Request) -> bytes:
    """Serialise a request."""
    paths = {"folder": request.folder.hex(), "path": request.path.hex()}
    return pack_json({**request._asdict(), **paths, "limits": asdict(request.limits)})


def unpack_request(payload: bytes | bytearray) -> Request:
    """Restore a request."""
    fields = json.loads(payload)
    paths = {name: bytes.fromhex(fields[name]) for name in ("folder", "path")}
    return Request(**{**fields, **paths, "limits": Limits(**fields["limits"])})


def pack_report(report: DecodeReport) -> bytes:
    """Serialise a report."""
    return pack_json(asdict(report))


def unpack_report(payload: bytes | bytearray) -> DecodeReport:
    """Restore a report."""
    fields = json.loads(payload)
    return DecodeReport(**{**fields, "notes": tuple(fields["notes"])})


def pack_json(fields: dict[str, Any]) -> bytes:
    """Serialise plain fields."""
    return json.dumps(fields).encode()

"""Standard MIDI files: notes in seconds out of them, and into them.

Reading knows formats 0 and 1 with ticks per quarter note, running status and a changing tempo. Writing
makes a file of format 0 at 120 beats a minute with 480 ticks to the beat, so that a tick is 1/960 s.

Conventions: times in seconds, pitch and velocity 0–127, channel 0–15 (9 is drums), program 0–127.

References
----------
MIDI Manufacturers Association, "Standard MIDI Files 1.0", 1996.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

DRUMS = 9
"""Channel of the drums."""
TICKS_PER_SECOND = 960

_TICKS_PER_BEAT = 480
_DEFAULT_TEMPO = 500_000  # microseconds per beat
_N_DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}


class Note(NamedTuple):
    """One note; `end` is when the key is let go."""

    start: float
    end: float
    pitch: int
    velocity: int = 80
    channel: int = 0


@dataclass(frozen=True)
class MidiTrack:
    """Name and notes of one track, in the order in which they end."""

    name: str
    notes: tuple[Note, ...]


class _Event(NamedTuple):
    tick: int
    status: int  # 0xFF for meta events
    first: int  # first data byte, or the type of a meta event
    data: bytes  # what follows


def read_midi(data: bytes) -> list[MidiTrack]:
    """Read the notes of a file.

    Raises
    ------
    ValueError
        If this is no MIDI file, it is cut off, or its time is not counted in quarter notes.
    """
    try:
        division, chunks = _split_chunks(data)
        tracks = [list(_events(chunk)) for chunk in chunks]
    except (struct.error, IndexError) as error:
        raise ValueError(f"no whole MIDI file: {error}") from error
    clock = _Clock(division, [event for events in tracks for event in events])
    return [MidiTrack(_name_of(events), tuple(_notes(events, clock))) for events in tracks]


def write_midi(
    notes: Iterable[Note],
    *,
    programs: Mapping[int, int] | None = None,
    texts: Sequence[tuple[float, str]] = (),
    name: str = "",
) -> bytes:
    """Write notes to a file.

    Parameters
    ----------
    notes
        In any order; a note lasts a tick at least.
    programs
        Channel → instrument.
    texts
        Times and lyrics, such as the names of chords.
    name
        Of the track.
    """
    events: list[tuple[int, int, bytes]] = [(0, 0, _meta(0x51, _DEFAULT_TEMPO.to_bytes(3, "big")))]
    if name:
        events.append((0, 0, _meta(0x03, name.encode("utf-8"))))
    events += [(0, 1, bytes([0xC0 | channel, program])) for channel, program in (programs or {}).items()]
    events += [(_tick(time), 2, _meta(0x05, text.encode("utf-8"))) for time, text in texts]
    for note in notes:
        start = _tick(note.start)
        events.append((start, 4, bytes([0x90 | note.channel, note.pitch, note.velocity])))
        # At one tick, what ends comes before what begins.
        end = max(start + 1, _tick(note.end))
        events.append((end, 3, bytes([0x80 | note.channel, note.pitch, 0])))
    events.sort(key=lambda event: event[:2])
    ticks = [0, *(tick for tick, _, _ in events)]
    body = b"".join(
        _variable_length(later - earlier) + message
        for (earlier, later), (_, _, message) in zip(pairwise(ticks), events, strict=True)
    )
    body += b"\0" + _meta(0x2F, b"")
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, _TICKS_PER_BEAT)
    return header + struct.pack(">4sI", b"MTrk", len(body)) + body


class _Clock:
    """Ticks → seconds, through every change of tempo."""

    def __init__(self, ticks_per_beat: int, events: Iterable[_Event]) -> None:
        tempi = {0: _DEFAULT_TEMPO}
        for event in sorted(events):
            if event.status == 0xFF and event.first == 0x51:
                tempi[event.tick] = int.from_bytes(event.data, "big")
        self._ticks_per_beat = ticks_per_beat
        self._changes = [(0, 0.0, tempi[0])]  # tick, seconds, microseconds per beat
        for tick in sorted(tempi)[1:]:
            self._changes.append((tick, self.seconds(tick), tempi[tick]))

    def seconds(self, tick: int) -> float:
        """Return the time of a tick."""
        since, seconds, tempo = next(c for c in reversed(self._changes) if c[0] <= tick)
        return seconds + (tick - since) * tempo / self._ticks_per_beat / 1e6


def _split_chunks(data: bytes) -> tuple[int, list[bytes]]:
    """Return ticks per quarter note and the bytes of each track."""
    kind, length, _, _, division = struct.unpack_from(">4sIHHH", data)
    if kind != b"MThd" or division & 0x8000:
        raise ValueError("no MIDI file with time in quarter notes")
    position, chunks = 8 + length, []
    while position < len(data):
        kind, length = struct.unpack_from(">4sI", data, position)
        position += 8
        if position + length > len(data):
            raise ValueError("no whole MIDI file: a track ends behind the file")
        if kind == b"MTrk":
            chunks.append(data[position : position + length])
        position += length
    return division, chunks


def _events(chunk: bytes) -> Iterator[_Event]:
    position = tick = status = 0
    while position < len(chunk):
        delta, position = _read_variable_length(chunk, position)
        tick += delta
        if chunk[position] & 0x80:
            status = chunk[position]
            position += 1
        if status in (0xF0, 0xF7):
            length, position = _read_variable_length(chunk, position)
            position += length
        elif status == 0xFF:
            kind = chunk[position]
            length, position = _read_variable_length(chunk, position + 1)
            yield _Event(tick, status, kind, chunk[position : position + length])
            position += length
        else:
            if status & 0xF0 not in _N_DATA_BYTES:
                raise ValueError(f"no MIDI event begins with {status:#x}")
            end = position + _N_DATA_BYTES[status & 0xF0]
            yield _Event(tick, status, chunk[position], chunk[position + 1 : end])
            position = end


def _notes(events: Iterable[_Event], clock: _Clock) -> Iterator[Note]:
    """Pair beginnings with ends; a note that never ends is left out."""
    begun: dict[tuple[int, int], tuple[int, int]] = {}
    for event in events:
        kind, channel = event.status & 0xF0, event.status & 0x0F
        if event.status == 0xFF or kind not in (0x80, 0x90):
            continue
        key = (channel, event.first)
        if key in begun:
            tick, velocity = begun.pop(key)
            yield Note(clock.seconds(tick), clock.seconds(event.tick), event.first, velocity, channel)
        if kind == 0x90 and event.data[0]:
            begun[key] = (event.tick, event.data[0])


def _name_of(events: Iterable[_Event]) -> str:
    names = (event.data for event in events if event.status == 0xFF and event.first == 0x03)
    return next(names, b"").decode("utf-8", errors="replace")


def _tick(seconds: float) -> int:
    return round(max(seconds, 0.0) * TICKS_PER_SECOND)


def _meta(kind: int, data: bytes) -> bytes:
    return bytes([0xFF, kind]) + _variable_length(len(data)) + data


def _variable_length(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))


def _read_variable_length(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    while True:
        byte = data[position]
        position += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, position

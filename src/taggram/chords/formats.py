r"""The forms in which chords are written, one function each; `FORMATS` is their catalogue.

    table  for people: key, tuning, the chords, and when each begins
    lab    start, end and label, tab-separated, as the chord collections come
    jams   JAMS 0.3.4: the chords (namespace `chord`) and the key (`key_mode`)
    json   schema `taggram-chords/1`, below
    midi   a standard MIDI file that plays the chords, their names as lyrics

    {"schema": "taggram-chords/1", "model": …, "vocabulary": …, "path": …, "duration": seconds,
     "tuning_cents": …, "key": {"tonic", "mode", "name", "lead"} or null, "message": …,
     "chords": [{"start", "end", "label", "name", "confidence"}, …]}

Labels are in the syntax of Harte. Bytes of a path that are no valid text stand as lone surrogates.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from taggram.chords.chart import chord_name, list_chord_names
from taggram.chords.harte import QUALITIES
from taggram.chords.midi_file import Note, write_midi
from taggram.chords.result import DOUBTFUL, ChordResult, ChordSegment
from taggram.inference.jams import make_annotation, make_document

SCHEMA = "taggram-chords/1"
_CHORDS_PER_LINE = 4
_LOWEST_ROOT, _LOWEST_BASS = 53, 36  # MIDI pitches: chords from F3 on, basses from C2
_SILENT_SECONDS = 0.02  # between chords, so that each is struck anew


def write_table(result: ChordResult) -> bytes:
    """Write the chart for people."""
    lines = [_headline(result)]
    names = list_chord_names(result)
    if names:
        lines.append(f"  {len(names)} chords, the most frequent first: {' '.join(names[:12])}")
    if any(chord.is_doubtful for chord in result.chords):
        lines.append(f"  ? behind a chord: confidence below {DOUBTFUL:g}")
    lines += ["", *_rows(result)]
    return ("\n".join(lines) + "\n").encode("utf-8", errors="backslashreplace")


def write_lab(result: ChordResult) -> bytes:
    """Write lines of start, end and label."""
    rows = (
        f"{chord.start:.6f}\t{chord.end:.6f}\t{chord.label(result.spelling)}\n" for chord in result.chords
    )
    return "".join(rows).encode()


def write_json(result: ChordResult) -> bytes:
    """Write the document of the schema."""
    key = result.key
    document = {
        "schema": SCHEMA,
        "model": result.model,
        "vocabulary": result.vocabulary,
        "path": result.path,
        "duration": round(result.duration, 6),
        "tuning_cents": round(result.tuning_cents, 1),
        "key": key and {"tonic": key.tonic, "mode": key.mode, "name": key.name, "lead": round(key.lead, 4)},
        "message": result.message,
        "chords": [
            {
                "start": round(chord.start, 6),
                "end": round(chord.end, 6),
                "label": chord.label(result.spelling),
                "name": chord_name(chord, result.spelling),
                "confidence": round(chord.confidence, 4),
            }
            for chord in result.chords
        ],
    }
    return _to_json(document)


def write_jams(result: ChordResult) -> bytes:
    """Write a JAMS document, in the namespaces `chord` and `key_mode`."""
    found = {"chord": list(_chord_observations(result))}
    if result.key is not None:
        value = f"{result.key.tonic_name}:{result.key.mode}"
        found["key_mode"] = [{"time": 0.0, "duration": result.duration, "value": value, "confidence": None}]
    annotations = [
        make_annotation(namespace, data, annotator={"model": result.model}, duration=result.duration)
        for namespace, data in found.items()
    ]
    sandbox = {
        "path": result.path,
        "message": result.message,
        "tuning_cents": round(result.tuning_cents, 1),
    }
    return _to_json(make_document(annotations, duration=result.duration, sandbox=sandbox))


def write_midi_chords(result: ChordResult) -> bytes:
    """Write a MIDI file: bass on channel 1, the chord above it on channel 0."""
    notes = [note for chord in result.chords if not chord.is_nothing for note in _notes_of(chord)]
    texts = [(chord.start, chord_name(chord, result.spelling)) for chord in result.chords]
    return write_midi(notes, programs={0: 0, 1: 32}, texts=texts, name="chords")


FORMATS: Mapping[str, Callable[[ChordResult], bytes]] = {
    "table": write_table,
    "lab": write_lab,
    "jams": write_jams,
    "json": write_json,
    "midi": write_midi_chords,
}


def _headline(result: ChordResult) -> str:
    key = f"in {result.key.name}" if result.key else "without a key"
    reference = 440 * 2 ** (result.tuning_cents / 1200)
    tuning = f"A = {reference:.1f} Hz ({result.tuning_cents:+.0f} cents)"
    parts = [str(result.path or "waveform"), _clock(result.duration), key, tuning]
    return "  ".join(parts) + (f"\n  {result.message}" if result.message else "")


def _rows(result: ChordResult) -> Iterator[str]:
    """Yield lines of times and chords."""
    cells = [
        f"{_clock(chord.start, tenths=True):>8} "
        f"{chord_name(chord, result.spelling) + ('?' if chord.is_doubtful else ''):<10}"
        for chord in result.chords
    ]
    for first in range(0, len(cells), _CHORDS_PER_LINE):
        yield "".join(cells[first : first + _CHORDS_PER_LINE]).rstrip()


def _clock(seconds: float, *, tenths: bool = False) -> str:
    """Return m:ss, or h:mm:ss from an hour on; with tenths of a second where they matter."""
    units = round(seconds * 10) if tenths else round(seconds) * 10
    minutes, rest = divmod(units, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02}" if hours else str(minutes)
    return f"{text}:{rest // 10:02}" + (f".{rest % 10}" if tenths else "")


def _chord_observations(result: ChordResult) -> Iterator[dict[str, Any]]:
    for chord in result.chords:
        yield {
            "time": chord.start,
            "duration": chord.duration,
            "value": chord.label(result.spelling),
            "confidence": round(chord.confidence, 4),
        }


def _notes_of(chord: ChordSegment) -> Iterator[Note]:
    end = max(chord.start, chord.end - _SILENT_SECONDS)
    bass = _LOWEST_BASS + (chord.root + chord.bass - _LOWEST_BASS) % 12
    yield Note(chord.start, end, bass, 80, 1)
    for interval in sorted(QUALITIES[chord.quality]):
        # In one octave from F3 on, whatever the root: neighbouring chords lie close together.
        pitch = _LOWEST_ROOT + (chord.root + interval - _LOWEST_ROOT) % 12
        yield Note(chord.start, end, pitch, 64, 0)


def _to_json(document: Any) -> bytes:
    return (json.dumps(document, ensure_ascii=True, allow_nan=False) + "\n").encode()

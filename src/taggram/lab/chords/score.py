"""A song of POP909 as notes, beats and chords, cut to an excerpt: what a rendering is made from.

Conventions: times in seconds from the start of the MIDI file; `beats` and the flag whether a beat opens a
bar come from `beat_midi.txt`, chords from `chord_midi.txt`; the tracks are MELODY, BRIDGE and PIANO.
"""

from dataclasses import dataclass
from pathlib import Path

from taggram.chords.midi_file import Note, read_midi
from taggram.lab.datasets._base import Segment, Track
from taggram.lab.datasets._chords import read_segments

PARTS = ("MELODY", "BRIDGE", "PIANO")


@dataclass(frozen=True)
class Score:
    """Notes, beats and chords of a song or an excerpt.

    Attributes
    ----------
    parts
        Notes of `PARTS`, in this order.
    beats
        Time of each beat, and whether it opens a bar.
    chords
        Segments as annotated.
    duration
        Seconds.
    """

    parts: tuple[tuple[Note, ...], ...]
    beats: tuple[tuple[float, bool], ...]
    chords: tuple[Segment, ...]
    duration: float

    def excerpt(self, start: float, duration: float, *, stretch: float = 1.0) -> "Score":
        """Return what sounds in a stretch of time, from 0 on and slower by the factor `stretch`."""
        end = start + duration

        def place(time: float) -> float:
            return (min(max(time, start), end) - start) * stretch

        return Score(
            parts=tuple(
                tuple(
                    note._replace(start=place(note.start), end=place(note.end))
                    for note in part
                    # A note that begins before the excerpt would begin with it: an attack of its own.
                    if note.start < end and note.end > start
                )
                for part in self.parts
            ),
            beats=tuple((place(time), is_first) for time, is_first in self.beats if start <= time < end),
            chords=tuple(
                Segment(place(chord.start), place(chord.end), chord.label)
                for chord in self.chords
                if chord.start < end and chord.end > start
            ),
            duration=duration * stretch,
        )


def load_score(track: Track) -> Score:
    """Load the score of a track of POP909; the MIDI file lies where its sound is looked for.

    Raises
    ------
    ValueError
        If the MIDI file lacks one of the parts.
    """
    folder = track.path.parent
    tracks = {part.name: part.notes for part in read_midi((folder / f"{track.id}.mid").read_bytes())}
    if missing := [name for name in PARTS if name not in tracks]:
        raise ValueError(f"{track.id}.mid lacks the parts {', '.join(missing)}; get POP909 again")
    parts = tuple(tracks[name] for name in PARTS)
    chords = read_segments(folder / "chord_midi.txt")
    end_of_notes = max(note.end for part in parts for note in part)
    return Score(parts, _read_beats(folder / "beat_midi.txt"), chords, max(end_of_notes, chords[-1].end))


def _read_beats(path: Path) -> tuple[tuple[float, bool], ...]:
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return tuple((float(time), float(opens_bar) > 0.5) for time, _, opens_bar in rows)

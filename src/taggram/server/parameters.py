"""What several resources take in their queries, and how their sounds and downloads are described."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Query

from taggram.chords.chart import MOST_FRETS
from taggram.chords.vocabulary import VocabularyName
from taggram.library.facets import FACETS
from taggram.server.schemas import Chords, Job, Taggram

TaggramForm = Literal["json", "jams", "csv", "png"]
Theme = Literal["light", "dark"]
ChordForm = Literal["json", "lab", "jams", "midi", "table"]
TAGGRAM_JSON = "application/vnd.taggram.taggram+json"  # schema `taggram/1`, and not what a page gets
CHORD_FILES: Mapping[ChordForm, tuple[str, str]] = {  # the ending of the file, and what is in it
    "json": (".json", "application/vnd.taggram.chords+json"),  # schema `taggram-chords/1`
    "lab": (".lab", "text/plain"),
    "jams": (".jams", "application/jams+json"),
    "midi": (".mid", "audio/midi"),
    "table": (".txt", "text/plain"),
}
NPeaks = Annotated[int, Query(ge=1, le=8000, description="Parts, at most.")]
Start = Annotated[float, Query(ge=0, le=1e9, description="Seconds.")]
End = Annotated[float | None, Query(ge=0, le=1e9, description="Seconds; default: to the end.")]
NMoments = Annotated[int, Query(ge=1, le=20)]
_Weight = Annotated[
    float | None, Query(ge=0, le=1000, description="Of this facet; unset facets then count 0.")
]
_PerArtist = Annotated[int | None, Query(ge=1, le=100, description="At most this many of one artist.")]
_Where = Annotated[str, Query(max_length=2000, description="Only tracks that match this expression.")]

DOWNLOAD: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Taggram,
        "content": {
            "application/json": {},
            TAGGRAM_JSON: {},
            "application/jams+json": {},
            "text/csv": {},
            "image/png": {},
        },
    }
}
CHART: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Chords,
        "content": {"application/json": {}, **{kind: {} for _, kind in CHORD_FILES.values()}},
    }
}
CHART_LATER: dict[int | str, dict[str, Any]] = {
    **CHART,
    202: {"model": Job, "description": "They are being listened for; ask again when the job is done."},
}
SOUND: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/*": {}}, "description": "The sound; ranges are understood."},
    206: {"content": {"audio/*": {}}, "description": "The part that was asked for."},
}


@dataclass(frozen=True)
class Likeness:
    """What counts as similar, and how much of it is wanted."""

    n: Annotated[int, Query(ge=1, le=100)] = 20
    sound: _Weight = None
    genre: _Weight = None
    mood: _Weight = None
    instrument: _Weight = None
    per_artist: _PerArtist = None
    where: _Where = ""

    @property
    def weights(self) -> dict[str, float] | None:
        """Facet → weight for those that are given; None if none is."""
        given = {facet: getattr(self, facet) for facet in FACETS}
        return {facet: weight for facet, weight in given.items() if weight is not None} or None


@dataclass(frozen=True)
class Chart:
    """Which chart is wanted, as the options of `taggram chords`."""

    vocabulary: Annotated[
        VocabularyName, Query(description="Major and minor triads, those and three sevenths, or everything.")
    ] = "full"
    simplify: Annotated[bool, Query(description="Triads in root position only.")] = False
    transpose: Annotated[int, Query(ge=-11, le=11, description="Semitones to move the chart by.")] = 0
    capo: Annotated[
        int, Query(ge=0, le=MOST_FRETS, description="Fret of the capo: the shapes to play with it.")
    ] = 0
    format: Annotated[ChordForm | None, Query(description="To download.")] = None


AskedChart = Annotated[Chart, Depends()]
AskedLikeness = Annotated[Likeness, Depends()]

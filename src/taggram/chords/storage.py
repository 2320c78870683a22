"""What was heard of a sound in every vocabulary, as bytes to keep.

zlib over JSON: {"duration", "tuning_cents", "model", "charts": {vocabulary: {"key": [tonic, mode, lead] or
null, "message", "chords": [[start, end, root, quality, bass, confidence], …]}}}. Times are kept to the
microsecond and confidences to four digits, as the forms of `taggram.chords.formats` write them.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any

from taggram.chords.result import ChordResult, ChordSegment, Key
from taggram.chords.vocabulary import VocabularyName

Charts = Mapping[VocabularyName, ChordResult]


def pack_charts(charts: Charts) -> bytes:
    """Return charts of one sound as bytes; where its file lies is left out."""
    first = next(iter(charts.values()))
    document = {
        "duration": first.duration,
        "tuning_cents": first.tuning_cents,
        "model": first.model,
        "charts": {name: _pack_chart(chart) for name, chart in charts.items()},
    }
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 6)


def unpack_charts(data: bytes) -> dict[VocabularyName, ChordResult]:
    """Return the charts that `pack_charts` packed."""
    document = json.loads(zlib.decompress(data))
    return {name: _unpack_chart(name, chart, document) for name, chart in document["charts"].items()}


def _pack_chart(chart: ChordResult) -> dict[str, Any]:
    key = chart.key
    return {
        "key": key and [key.tonic, key.mode, key.lead],
        "message": chart.message,
        "chords": [
            [
                round(chord.start, 6),
                round(chord.end, 6),
                chord.root,
                chord.quality,
                chord.bass,
                round(chord.confidence, 4),
            ]
            for chord in chart.chords
        ],
    }


def _unpack_chart(name: VocabularyName, chart: Mapping[str, Any], document: Mapping[str, Any]) -> ChordResult:
    return ChordResult(
        chords=tuple(ChordSegment(*chord) for chord in chart["chords"]),
        duration=document["duration"],
        key=Key(*chart["key"]) if chart["key"] else None,
        tuning_cents=document["tuning_cents"],
        vocabulary=name,
        model=document["model"],
        message=chart["message"],
    )

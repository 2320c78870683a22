"""Taggrams on disk: the picture and the numbers of each file, under names that do not collide."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

    from taggram.chords.result import ChordResult
    from taggram.inference.result import TagResult
    from taggram.modelfile.specification import Specification
    from taggram.tags.picture import ChordSpan


def draw_result(
    result: "TagResult",
    specification: "Specification",
    *,
    chords: "ChordResult | None" = None,
    theme: Literal["light", "dark"] = "light",
) -> "Image":
    """Draw the taggram of one result, under the name of its file; with a chord lane if chords are given."""
    from taggram.tags.picture import draw_taggram

    return draw_taggram(
        result.taggram,
        result.chunk_times,
        specification.tags,
        chunk_duration=min(specification.chunk_duration, result.duration),
        duration=result.duration,
        title=Path(result.path or "waveform").stem,
        model=specification.name,
        clip_scores=result.clip_scores,
        chords=() if chords is None else _chord_spans(chords),
        theme=theme,
    )


def _chord_spans(result: "ChordResult") -> "list[ChordSpan]":
    from taggram.chords.chart import chord_name
    from taggram.tags.picture import ChordSpan

    return [
        ChordSpan(
            chord.start,
            chord.end,
            chord_name(chord, result.spelling),
            chord.root,
            is_minor=chord.is_minor,
        )
        for chord in result.chords
    ]


class TaggramFolder:
    """A directory that takes `NAME.png` and `NAME.json` for every tagged file NAME."""

    def __init__(self, directory: Path, specification: "Specification") -> None:
        self._directory = directory
        self._specification = specification
        self._used: set[str] = set()
        directory.mkdir(parents=True, exist_ok=True)

    def write(self, result: "TagResult") -> dict[str, str]:
        """Write picture and numbers of one result; return the names of both files."""
        from taggram.inference.report import taggram_document, to_json
        from taggram.tags.picture import write_taggram_picture

        base = self._unused(Path(result.path or "waveform").name)
        picture = self._directory / f"{base}.png"
        data = self._directory / f"{base}.json"
        write_taggram_picture(draw_result(result, self._specification), picture)
        data.write_text(to_json(taggram_document(result, self._specification)) + "\n", encoding="utf-8")
        return {"data": str(data), "picture": str(picture)}

    def _unused(self, name: str) -> str:
        """Return `name`, numbered if another file of this run has it already."""
        number, base = 1, name
        while base.casefold() in self._used:
            number += 1
            base = f"{name}-{number}"
        self._used.add(base.casefold())
        return base

"""`taggram chords`: the chords of one file, as a chart or for another program."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class VocabularyChoice(StrEnum):
    """Which chords are told apart."""

    MAJMIN = "majmin"
    SEVENTHS = "sevenths"
    FULL = "full"


class Format(StrEnum):
    """Forms of the output."""

    TABLE = "table"
    LAB = "lab"
    JAMS = "jams"
    JSON = "json"
    MIDI = "midi"


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A sound file.")],
    vocabulary: Annotated[
        VocabularyChoice | None,
        typer.Option(
            help="Major and minor triads, those and three sevenths, or everything; "
            "default: as much as the model knows."
        ),
    ] = None,
    output_format: Annotated[Format, typer.Option("--format", help="Form of the output.")] = Format.TABLE,
    output: Annotated[Path | None, typer.Option(help="File to write; default: the standard output.")] = None,
    simplify: Annotated[bool, typer.Option("--simplify", help="Triads in root position only.")] = False,
    transpose: Annotated[int, typer.Option(min=-11, max=11, help="Semitones to move the chart by.")] = 0,
    capo: Annotated[
        int, typer.Option(min=0, max=11, help="Fret of the capo: the shapes to play with it.")
    ] = 0,
    model: Annotated[
        str | None, typer.Option(help="Name or file of a chord model; default: the one that ships.")
    ] = None,
) -> None:
    """Say which chords a file holds, when, and in which key and tuning."""
    from taggram.chords.chart import arrange
    from taggram.chords.formats import FORMATS
    from taggram.chords.recogniser import ChordRecogniser
    from taggram.errors import AudioError

    with ChordRecogniser.load(model) as recogniser:
        try:
            result = recogniser.recognise(file, vocabulary=vocabulary.value if vocabulary else None)
        except AudioError as error:
            print(f"taggram: {error.outcome}: {error}", file=sys.stderr)
            raise typer.Exit(1) from error
    if result.message:
        print(f"taggram: {result.message}", file=sys.stderr)
    result = arrange(result, semitones=transpose, capo=capo, is_simple=simplify)
    written = FORMATS[output_format.value](result)
    if output is not None:
        output.write_bytes(written)
        return
    if output_format is Format.MIDI and sys.stdout.isatty():
        print("taggram: a MIDI file is no text: choose a file with --output", file=sys.stderr)
        raise typer.Exit(2)
    sys.stdout.flush()
    sys.stdout.buffer.write(written)
    sys.stdout.buffer.flush()

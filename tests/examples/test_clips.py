"""The clips that ship: there is one for every piece, and each is clean, loud enough and labelled."""

from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

import compose
from studio.encoding import write_recording
from studio.piece import Piece
from studio.sound import time_axis
from taggram.audio.probe import probe

if TYPE_CHECKING:
    from taggram.lab.models import TaggingModel

ROOT = Path(__file__).resolve().parents[2]
CLIPS = ROOT / "examples" / "clips"
PIECES = {name: compose.load_piece(name) for name in compose.list_pieces()}
CODECS = {".mp3": "mp3float", ".ogg": "vorbis", ".opus": "opus", ".m4a": "aac", ".flac": "flac"}


def read(path: Path, sample_rate: int | None = None) -> tuple[np.ndarray, int]:
    """Decode a file to (2, n_samples) with PyAV alone."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("fltp", rate=sample_rate)
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
        frames += [] if sample_rate is None else resampler.resample(None)
        return np.concatenate([frame.to_ndarray() for frame in frames], axis=1), frames[0].sample_rate


def test_every_piece_has_its_clip_and_nothing_else_lies_there() -> None:
    assert {piece.file for piece in PIECES.values()} == {path.name for path in CLIPS.iterdir()}
    assert {path.suffix for path in CLIPS.iterdir()} >= {".mp3", ".ogg", ".opus", ".m4a"}
    assert len({piece.title for piece in PIECES.values()}) == len(PIECES)


def test_clips_are_small() -> None:
    assert sum(path.stat().st_size for path in CLIPS.iterdir()) < 3_500_000


@pytest.mark.parametrize("piece", PIECES.values(), ids=list(PIECES))
def test_clip_is_clean(piece: Piece) -> None:
    recording, sample_rate = read(CLIPS / piece.file)
    assert recording.shape[0] == 2
    seconds = recording.shape[1] / sample_rate
    assert 20 <= seconds <= (95 if piece.file.startswith("medley") else 46)
    assert probe(CLIPS / piece.file).duration == pytest.approx(seconds, abs=0.1), "states another duration"
    peak_db = 20 * np.log10(np.abs(recording).max())
    assert -7 < peak_db < 0, "clipped, or too quiet"
    assert np.abs(recording.mean(axis=1)).max() < 1e-3
    blocks = recording[:, : recording.shape[1] // sample_rate * sample_rate].reshape(2, -1, sample_rate)
    levels_db = 10 * np.log10((blocks**2).mean(axis=(0, 2)) + 1e-12)
    assert levels_db[1:-3].min() > -40, "silence inside"
    assert -23 < 10 * np.log10((recording**2).mean()) < -14
    assert np.corrcoef(recording)[0, 1] < 0.999, "not really stereo"


@pytest.mark.parametrize("piece", PIECES.values(), ids=list(PIECES))
def test_clip_is_labelled(piece: Piece) -> None:
    with av.open(str(CLIPS / piece.file)) as container:
        stream = container.streams.audio[0]
        labels = {key.lower(): value for key, value in {**container.metadata, **stream.metadata}.items()}
        assert stream.codec_context.name == CODECS[Path(piece.file).suffix]
    assert labels["title"] == piece.title
    assert labels["artist"] == "Taggram"
    assert "CC0" in labels["copyright"]


@pytest.mark.parametrize("suffix", CODECS)
def test_encoders(suffix: str, tmp_path: Path) -> None:
    time = time_axis(2.0)
    tone = 0.5 * np.stack([np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 660 * time)])
    paths = [tmp_path / f"{name}{suffix}" for name in ("first", "again")]
    for path in paths:
        write_recording(tone, path, kbps=96, tags={"title": "Tone 🎵"})
    assert paths[0].read_bytes() == paths[1].read_bytes()
    decoded, sample_rate = read(paths[0])
    assert decoded.shape[1] / sample_rate == pytest.approx(2.0, abs=0.06)
    for channel, frequency in zip(decoded, (440, 660), strict=True):
        spectrum = np.abs(np.fft.rfft(channel[:sample_rate]))
        assert abs(int(spectrum.argmax()) - frequency) <= 1
        # LAME turns everything down by 5 % to keep clear of clipping.
        assert np.std(channel[9000:-9000]) == pytest.approx(0.5 / np.sqrt(2), rel=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["arcade", "overdrive"])
def test_clip_is_what_the_script_renders(name: str, tmp_path: Path) -> None:
    compose.render(name, tmp_path)
    shipped, _ = read(CLIPS / PIECES[name].file)
    rendered, _ = read(tmp_path / PIECES[name].file)
    assert shipped.shape == rendered.shape
    assert np.corrcoef(shipped.ravel(), rendered.ravel())[0, 1] > 0.999


def test_unknown_piece_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["compose.py", "nocturno", "--output", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        compose.main()
    assert "no such piece: nocturno" in capsys.readouterr().err


# Among the first five tags of a published tagger, by clip score; what a listener would say, too.
HEARD = {
    "musicnn-magnatagatune": {
        "nocturne": {"piano", "classical"},
        "adagio": {"strings", "classical"},
        "hearth": {"guitar"},
        "overdrive": {"guitar", "rock"},
        "warehouse": {"techno", "electronic", "beat"},
        "tide": {"ambient"},
        "blue_corner": {"piano"},
        "arcade": {"electronic", "fast"},
    },
    "musicnn-mtg-jamendo": {
        "nocturne": {"instrument---piano", "genre---classical"},
        "adagio": {"genre---classical", "genre---orchestral"},
        "hearth": {"instrument---guitar", "genre---folk"},
        "overdrive": {"genre---rock"},
        "warehouse": {"genre---electronic", "genre---dance"},
        "tide": {"genre---ambient"},
        "blue_corner": {"genre---jazz", "instrument---piano"},
        "arcade": {"genre---electronic", "instrument---synthesizer"},
    },
}


def load_tagger(name: str, shared: Path) -> "tuple[TaggingModel, tuple[str, ...]]":
    pytest.importorskip("torch")
    from taggram.lab.weights.published import find_checkpoint, load_published
    from taggram.tags.vocabularies import VOCABULARIES

    dataset = {"musicnn-magnatagatune": "mtat", "musicnn-mtg-jamendo": "jamendo"}[name]
    path = shared / "peers" / "weights" / "minzwon-sota" / dataset / "musicnn" / "best_model.pth"
    checkpoint = find_checkpoint(name)
    return load_published(checkpoint, path), VOCABULARIES[checkpoint.vocabulary]


@pytest.mark.slow
@pytest.mark.parametrize("tagger", HEARD)
def test_published_taggers_hear_what_was_meant(tagger: str, shared: Path) -> None:
    import torch

    model, vocabulary = load_tagger(tagger, shared)
    length = model.architecture.chunk_length
    for name, expected in HEARD[tagger].items():
        recording, _ = read(CLIPS / PIECES[name].file, model.architecture.sample_rate)
        mono = recording.mean(axis=0)
        chunks = mono[: len(mono) // length * length].reshape(-1, length).astype(np.float32)
        with torch.no_grad():
            scores = torch.sigmoid(model(torch.from_numpy(chunks))).mean(dim=0).numpy()
        first = {vocabulary[index] for index in np.argsort(-scores)[:5]}
        assert expected <= first, f"{tagger} hears {sorted(first)} in {name}"

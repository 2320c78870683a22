"""The tagger on files and waveforms, with a model that hears which frequency band is loud."""

import itertools
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from taggram import Outcome, Tagger, TagResult
from taggram.errors import ModelFileError, ShapeError, UnknownNameError
from taggram.modelfile.container import seal
from tests.conftest import tiny_graph, tiny_specification

Tone = Callable[..., np.ndarray]


def write_wav(path: Path, waveform: np.ndarray, sample_rate: int = 8000) -> Path:
    """Write a 16-bit mono file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes((waveform * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture
def tagger(tiny_model: Path) -> Iterator[Tagger]:
    with Tagger.load(tiny_model) as tagger:
        yield tagger


@pytest.fixture
def song(tmp_path: Path, tone: Tone) -> Path:
    """Four seconds low, then two and a half seconds high."""
    return write_wav(tmp_path / "song.wav", np.concatenate([tone(300, 4.0), tone(3500, 2.5)]))


def test_a_file_is_heard(tagger: Tagger, song: Path) -> None:
    result = tagger.tag(song)
    assert result.outcome is Outcome.TAGGED
    assert result.path == str(song)
    assert result.duration == pytest.approx(6.5)
    # six full chunks and one aligned with the end
    np.testing.assert_allclose(result.chunk_times, [0, 1, 2, 3, 4, 5, 5.5])
    assert [tagger.specification.tags[i].name for i in result.taggram.argmax(axis=1)] == ["low"] * 4 + [
        "high"
    ] * 3
    np.testing.assert_allclose(result.clip_scores, result.taggram.mean(axis=0), rtol=1e-6)
    assert [tag.score for tag in result.tags] == sorted(result.clip_scores.tolist(), reverse=True)
    assert result.tags[0].name == "low"
    assert result.tags[0].category == "instrument"
    assert result.embedding.shape == (3,)


def test_too_little_evidence_is_no_music(tmp_path: Path, tone: Tone) -> None:
    specification = tiny_specification().model_copy(update={"least_evidence": 0.5})
    path = tmp_path / "careful.onnx"
    path.write_bytes(seal(tiny_graph(specification), specification))
    with Tagger.load(path) as tagger:
        heard = tagger.tag(tone(300, 2.0), sample_rate=8000)
        unsure = tagger.tag(tone(300, 2.0) * 0.003, sample_rate=8000)
    assert (heard.is_unsure, heard.message) == (False, "")
    assert unsure.outcome is Outcome.TAGGED
    assert unsure.is_unsure
    assert unsure.message == "no music, or not sure."
    assert unsure.clip_scores.sum() < 0.5 < heard.clip_scores.sum()
    assert len(unsure.tags) == 3, "the scores are there for who wants them"


def test_the_result_is_frozen(tagger: Tagger, tone: Tone) -> None:
    result = tagger.tag(tone(300, 2.0), sample_rate=8000)
    with pytest.raises(AttributeError):
        result.duration = 1.0  # type: ignore[misc]


def test_file_and_waveform_agree(tagger: Tagger, song: Path, tone: Tone) -> None:
    waveform = np.concatenate([tone(300, 4.0), tone(3500, 2.5)])
    as_array = tagger.tag(waveform, sample_rate=8000)
    assert as_array.path is None
    # the file is quantised to 16 bit, and a pure tone leaves the other bands almost empty
    np.testing.assert_allclose(as_array.clip_scores, tagger.tag(song).clip_scores, atol=1e-3)


def test_stereo_is_averaged_and_resampled(tagger: Tagger, tone: Tone) -> None:
    mono = tone(300, 3.0, sample_rate=44_100)
    stereo = np.stack([mono * 2, np.zeros_like(mono)])
    expected = tagger.tag(tone(300, 3.0), sample_rate=8000)
    found = tagger.tag(stereo, sample_rate=44_100)
    assert found.tags[0].name == expected.tags[0].name == "low"
    assert found.tags[0].score == pytest.approx(expected.tags[0].score, abs=1e-3)


@pytest.mark.parametrize(("batch_size", "n_threads"), list(itertools.product([1, 3, 7], [1, 2])))
def test_scores_do_not_depend_on_batch_size_or_threads(
    tiny_model: Path, song: Path, tagger: Tagger, batch_size: int, n_threads: int
) -> None:
    with Tagger.load(tiny_model, batch_size=batch_size, n_threads=n_threads) as other:
        found, expected = other.tag(song, chunk_hop=0.1), tagger.tag(song, chunk_hop=0.1)
    assert len(expected.taggram) > 7 * 7
    np.testing.assert_allclose(found.taggram, expected.taggram, atol=1e-6)
    np.testing.assert_allclose(found.embedding, expected.embedding, atol=1e-5)
    np.testing.assert_array_equal(found.chunk_times, expected.chunk_times)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_tag_many_is_in_order_and_complete(tagger: Tagger, tmp_path: Path, tone: Tone, workers: int) -> None:
    paths = [write_wav(tmp_path / f"{i}.wav", tone(100 + 150 * i, 1.0 + i % 3)) for i in range(12)]
    paths.insert(5, tmp_path / "missing.wav")
    results = list(tagger.tag_many(iter(paths), workers=workers))
    assert [result.path for result in results] == [str(path) for path in paths]
    assert [result.outcome for result in results].count(Outcome.TAGGED) == 12
    assert results[5].outcome is Outcome.UNREADABLE
    for result in results[:5]:
        assert result.path is not None
        np.testing.assert_allclose(result.clip_scores, tagger.tag(result.path).clip_scores, atol=1e-6)


def test_tag_many_reads_its_input_as_needed(tagger: Tagger, song: Path) -> None:
    taken = 0

    def endless() -> Iterator[Path]:
        nonlocal taken
        while True:
            taken += 1
            yield song

    results = tagger.tag_many(endless(), workers=1)
    assert [next(results).outcome for _ in range(3)] == [Outcome.TAGGED] * 3
    assert taken < 10


def test_tag_many_stops_when_asked(tagger: Tagger, song: Path) -> None:
    asked = itertools.count()
    done: list[TagResult] = []
    done.extend(tagger.tag_many([song] * 200, workers=2, stop=lambda: next(asked) >= 20))
    assert 3 <= len(done) < 30
    assert all(result.outcome is Outcome.TAGGED for result in done)


@pytest.mark.parametrize("method", ["mean", "max", "median"])
def test_aggregation(tagger: Tagger, song: Path, method: str) -> None:
    result = tagger.tag(song, aggregation=method)  # type: ignore[arg-type]
    np.testing.assert_allclose(result.clip_scores, getattr(np, method)(result.taggram, axis=0), rtol=1e-6)


def test_part_of_a_file(tagger: Tagger, song: Path) -> None:
    result = tagger.tag(song, start=4.5, duration=1.5)
    assert result.duration == pytest.approx(1.5, abs=1e-3)
    assert result.tags[0].name == "high"


def test_a_short_file_is_repeated_to_fill_a_chunk(tmp_path: Path, tone: Tone, tiny_model: Path) -> None:
    from taggram.modelfile.container import seal
    from tests.conftest import tiny_graph, tiny_specification

    spec = tiny_specification().model_copy(update={"chunk_duration": 3.0})
    long_chunks = tmp_path / "long.onnx"
    long_chunks.write_bytes(seal(tiny_graph(spec), spec))
    with Tagger.load(long_chunks) as tagger:
        result = tagger.tag(write_wav(tmp_path / "short.wav", tone(300, 1.2)))
    assert result.outcome is Outcome.TAGGED
    assert result.duration == pytest.approx(1.2)
    assert result.taggram.shape == (1, 3)


@pytest.mark.parametrize(
    ("waveform", "outcome", "said"),
    [
        (np.zeros(16_000), Outcome.SILENT, "-60 dBFS"),
        (np.full(16_000, 0.0005), Outcome.SILENT, "-60 dBFS"),
        (np.full(4_000, 0.5), Outcome.TOO_SHORT, "0.50 s of sound"),
        (np.empty(0), Outcome.TOO_SHORT, "0.00 s of sound"),
        (np.full(16_000, np.nan), Outcome.SILENT, "-60 dBFS"),
    ],
)
def test_waveforms_without_tags(tagger: Tagger, waveform: np.ndarray, outcome: Outcome, said: str) -> None:
    result = tagger.tag(waveform, sample_rate=8000)
    assert result.outcome is outcome
    assert said in result.message
    assert result.tags == ()
    assert np.isnan(result.clip_scores).all()
    assert result.taggram.shape == (0, 3)


@pytest.mark.parametrize(
    ("content", "outcome"),
    [(b"", "not_audio"), (b"no sound at all\n" * 400, "not_audio"), (None, "unreadable")],
)
def test_files_without_tags(tagger: Tagger, tmp_path: Path, content: bytes | None, outcome: str) -> None:
    path = tmp_path / "odd.mp3"
    if content is not None:
        path.write_bytes(content)
    result = tagger.tag(path)
    assert result.outcome == outcome
    assert "odd.mp3" in result.message


def test_a_waveform_needs_its_sample_rate(tagger: Tagger) -> None:
    with pytest.raises(ShapeError, match="needs its sample_rate"):
        tagger.tag(np.zeros(8000))


@pytest.mark.parametrize(
    ("waveform", "said"),
    [(np.zeros((2, 3, 4)), r"\(2, 3, 4\)"), (np.zeros(8000, np.int16), "int16")],
)
def test_odd_waveforms(tagger: Tagger, waveform: np.ndarray, said: str) -> None:
    with pytest.raises(ShapeError, match=said):
        tagger.tag(waveform, sample_rate=8000)


def test_odd_arguments(tagger: Tagger, song: Path) -> None:
    with pytest.raises(ValueError, match="file states its own"):
        tagger.tag(song, sample_rate=8000)
    with pytest.raises(ValueError, match="chunk_hop"):
        tagger.tag(song, chunk_hop=0.0)
    with pytest.raises(ValueError, match="start must be"):
        tagger.tag(song, start=-1.0)
    with pytest.raises(ValueError, match="workers"):
        tagger.tag_many([song], workers=-1)
    with pytest.raises(UnknownNameError, match="did you mean 'mean'"):
        tagger.tag(song, aggregation="maen")  # type: ignore[arg-type]


def test_missing_model() -> None:
    with pytest.raises(ModelFileError, match=r"no_such\.onnx"):
        Tagger.load("no_such.onnx")

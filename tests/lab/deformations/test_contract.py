"""What every registered deformation promises."""

import json
from typing import Any

import numpy as np
import pytest

from taggram.errors import ShapeError
from taggram.lab.deformations import DEFORMATIONS, Deformation

SAMPLE_RATE = 16_000
pytestmark = pytest.mark.parametrize("name", DEFORMATIONS.names())


def build(name: str) -> Deformation:
    return DEFORMATIONS.get(name)()


def apply(
    name: str, waveform: np.ndarray, state: dict[str, Any], sample_rate: int = SAMPLE_RATE
) -> np.ndarray:
    deformation = build(name)
    partner = waveform[::-1].copy() if deformation.needs_partner else None
    return deformation.apply(waveform, sample_rate, state, partner=partner)


def music(rng: np.random.Generator, duration: float = 1.5) -> np.ndarray:
    """Three tones with a beat, and a little noise."""
    times = np.arange(round(duration * SAMPLE_RATE)) / SAMPLE_RATE
    tones = sum(np.sin(2 * np.pi * frequency * times) for frequency in (220, 550, 1760))
    sound = 0.2 * tones * (1 + np.sin(2 * np.pi * 3 * times)) / 2 + 0.01 * rng.standard_normal(len(times))
    return sound.astype(np.float32)


def states(name: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    deformation = build(name)
    return [deformation.fix(strength, rng) for strength in deformation.strengths] + [deformation.draw(rng)]


def test_every_strength_changes_the_sound_and_keeps_type_and_length(
    name: str, rng: np.random.Generator
) -> None:
    waveform = music(rng)
    before = waveform.copy()
    for state in states(name, rng):
        deformed = apply(name, waveform, state)
        assert deformed.dtype == np.float32
        assert deformed.ndim == 1
        if build(name).keeps_length:
            assert len(deformed) == len(waveform)
            assert np.abs(deformed - waveform).max() > 1e-3, state
        else:
            assert len(deformed) != len(waveform)
        np.testing.assert_array_equal(waveform, before)


def test_the_same_state_gives_the_same_sound_and_survives_json(name: str, rng: np.random.Generator) -> None:
    waveform = music(rng)
    for state in states(name, rng):
        again = json.loads(json.dumps(state, allow_nan=False))
        assert again == state
        np.testing.assert_array_equal(apply(name, waveform, state), apply(name, waveform, again))


def test_drawing_depends_on_the_generator_only(name: str) -> None:
    draws = [build(name).draw(np.random.default_rng(seed)) for seed in (1, 1, 2, 3, 4, 5)]
    assert draws[0] == draws[1]
    assert any(draw != draws[0] for draw in draws[2:])


def test_the_identity_changes_nothing(name: str, rng: np.random.Generator) -> None:
    deformation = build(name)
    if deformation.identity is None:
        return
    waveform = music(rng)
    np.testing.assert_array_equal(apply(name, waveform, deformation.fix(deformation.identity, rng)), waveform)
    assert deformation.identity not in deformation.strengths


@pytest.mark.parametrize("n_samples", [1, 2, 700, 16_001])
@pytest.mark.parametrize("level", [0.0, 1.0, -1.0])
def test_silence_and_full_scale_stay_finite(
    name: str, n_samples: int, level: float, rng: np.random.Generator
) -> None:
    waveform = np.full(n_samples, level, np.float32)
    for state in states(name, rng):
        deformed = apply(name, waveform, state)
        assert np.isfinite(deformed).all()
        if level == 0.0:
            assert np.abs(deformed).max(initial=0.0) < 1e-3


@pytest.mark.parametrize("sample_rate", [8000, 12_345, 22_050, 48_000, 96_000])
def test_any_sample_rate_is_taken(name: str, sample_rate: int, rng: np.random.Generator) -> None:
    waveform = (0.3 * rng.standard_normal(6000)).astype(np.float32)
    for state in states(name, rng):
        deformed = apply(name, waveform, state, sample_rate)
        assert np.isfinite(deformed).all()
        assert not build(name).keeps_length or len(deformed) == 6000


def test_an_empty_waveform_stays_empty(name: str, rng: np.random.Generator) -> None:
    for state in states(name, rng):
        assert apply(name, np.empty(0, np.float32), state).shape == (0,)


@pytest.mark.parametrize("waveform", [np.zeros((2, 9), np.float32), np.zeros(9)])
def test_another_shape_or_type_is_refused(name: str, waveform: Any, rng: np.random.Generator) -> None:
    with pytest.raises(ShapeError, match="float32 waveform of shape"):
        apply(name, waveform, build(name).draw(rng))


def test_a_partner_is_taken_only_where_it_is_needed(name: str, rng: np.random.Generator) -> None:
    deformation, waveform = build(name), music(rng)
    partner = None if deformation.needs_partner else waveform
    with pytest.raises(ShapeError, match="partner="):
        deformation.apply(waveform, SAMPLE_RATE, deformation.draw(rng), partner=partner)


def test_published_strengths_are_studied(name: str) -> None:
    deformation = build(name)
    assert set(deformation.published) <= set(deformation.strengths)
    assert deformation.title
    assert deformation.unit or all(isinstance(strength, str) for strength in deformation.strengths)

"""Write what the shipped model says about sounds made from numbers, for the test that pins it.

    python scripts/write_golden_scores.py

Run it after a new model is trained, and only then: the test must not follow the program by itself.
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from taggram import Tagger

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "inference" / "default_model_golden.json"
SAMPLE_RATE = 16_000


def main() -> None:
    result = Tagger.load().tag(golden_waveform(), sample_rate=SAMPLE_RATE)
    golden = {
        "written_by": "scripts/write_golden_scores.py",
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
        "scores": {tag.name: round(tag.score, 6) for tag in result.tags},
        "embedding_start": [round(float(value), 5) for value in np.asarray(result.embedding)[:16]],
    }
    GOLDEN.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def golden_waveform() -> NDArray[np.float32]:
    """Return 9 s of a plain tune: three voices with overtones, and a beat of noise; (n_samples,)."""
    times = np.arange(9 * SAMPLE_RATE) / SAMPLE_RATE
    beat = np.exp(-(times % 0.5) * 6)
    chords = np.array([[220.0, 277.2, 329.6], [196.0, 246.9, 293.7], [174.6, 220.0, 261.6]])
    pitches = np.repeat(chords, 3 * SAMPLE_RATE, axis=0)
    phases = 2 * np.pi * np.cumsum(pitches, axis=0) / SAMPLE_RATE
    voices = sum(np.sin(k * phases).sum(axis=1) / k**1.5 for k in range(1, 7))
    noise = np.random.default_rng(0).standard_normal(len(times))
    return np.asarray(0.1 * voices * (0.4 + 0.6 * beat) + 0.05 * noise * beat**4, np.float32)


if __name__ == "__main__":
    main()

"""White noise, mixed in at a share of the peak, as in the published study.

deformed = (1 − share) · waveform + share · max(waveform) · noise / max |noise|, with Gaussian noise.
The maximum is signed, as published. The noise is drawn for the length of the whole waveform, so the
peak of the noise, and with it the level, depends weakly on that length. Deviations: the noise is
seeded, and an odd length loses no sample.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taggram.lab.deformations._base import Deformation, State, Waveform


@dataclass(frozen=True)
class WhiteNoise(Deformation):
    """Mix white noise in.

    Parameters
    ----------
    max_share
        Shares are drawn uniformly from 0 to max_share, at most 1.
    """

    title = "White noise"
    unit = "share"
    strengths = (0.01, 0.03, 0.1, 0.4)
    published = (0.1, 0.4)
    identity = 0.0

    max_share: float = 0.1

    def draw(self, rng: np.random.Generator) -> State:
        """Draw a share, and the seed of the noise."""
        return self.fix(float(rng.uniform(0.0, self.max_share)), rng)

    def fix(self, strength: float, rng: np.random.Generator) -> State:
        """Take the strength as the share and draw the seed of the noise."""
        return {"share": float(strength), "seed": int(rng.integers(2**32))}

    def _deform(self, waveform: Waveform, sample_rate: int, state: Mapping[str, Any]) -> NDArray[Any]:
        share = np.float32(state["share"])
        noise = np.random.default_rng(state["seed"]).standard_normal(len(waveform), np.float32)
        noise *= waveform.max() / np.abs(noise).max()
        return (1 - share) * waveform + share * noise


DEFORMATION = WhiteNoise

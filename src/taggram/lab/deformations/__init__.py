"""Controlled changes of a waveform: one per file, for the robustness study and for augmentation alike.

A module `<name>.py` defines the deformation called `<name>` under the attribute `DEFORMATION`, a
subclass of `Deformation` that is built as `DEFORMATION(…)` with the ranges that `draw` draws from. A
third party adds one through an entry point in the group `taggram.lab.deformations`.
"""

from taggram.lab.deformations._base import Deformation, State, Strength
from taggram.registry import Registry

DEFORMATIONS: Registry[type[Deformation]] = Registry("deformation", "taggram.lab.deformations", "DEFORMATION")

__all__ = ["DEFORMATIONS", "Deformation", "State", "Strength"]

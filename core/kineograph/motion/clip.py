# SPDX-License-Identifier: Apache-2.0
"""A clip: a skeleton's motion sampled at a fixed rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics
from kineograph.motion.kept import Kept
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Clip:
    """``rotations_xyzw`` (T, J, 4) local; ``root_m`` (T, 3) world; ``translations_m`` (T, J, 3) or None.

    ``contacts`` maps a joint's name to (T,) booleans; ``kept`` is what another rig's motion had that this one cannot
    hold; frame f is at f / fps_hz seconds.
    """

    skeleton: Skeleton
    fps_hz: float
    rotations_xyzw: FloatArray
    root_m: FloatArray
    name: str = ""
    translations_m: FloatArray | None = None
    contacts: Mapping[str, BoolArray] = field(default_factory=dict)
    kept: Kept | None = None

    def __post_init__(self) -> None:
        t, j = self.root_m.shape[0], len(self.skeleton)
        if self.rotations_xyzw.shape != (t, j, 4) or self.root_m.shape != (t, 3):
            raise ValueError(
                f"a clip needs rotations ({t}, {j}, 4) and root ({t}, 3), got "
                f"{self.rotations_xyzw.shape} and {self.root_m.shape}"
            )
        if self.translations_m is not None and self.translations_m.shape != (t, j, 3):
            raise ValueError(f"translations must be ({t}, {j}, 3), got {self.translations_m.shape}")
        if not self.fps_hz > 0:
            raise ValueError(f"a clip's rate must be above 0, got {self.fps_hz}")

    def __len__(self) -> int:
        return int(self.root_m.shape[0])

    @property
    def duration_s(self) -> float:
        """From the first to the last frame, seconds."""
        return (len(self) - 1) / self.fps_hz

    def world(self) -> tuple[FloatArray, FloatArray]:
        """World positions (T, J, 3) and rotations (T, J, 4) of every frame."""
        return kinematics.forward(self.skeleton, self.rotations_xyzw, self.root_m, self.translations_m)

    def slice(self, start: int, stop: int) -> Clip:
        """Frames [start, stop)."""
        return replace(
            self,
            rotations_xyzw=self.rotations_xyzw[start:stop],
            root_m=self.root_m[start:stop],
            translations_m=None if self.translations_m is None else self.translations_m[start:stop],
            contacts={k: v[start:stop] for k, v in self.contacts.items()},
            kept=None if self.kept is None else self.kept.slice(start, stop),
        )

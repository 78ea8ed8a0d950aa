# SPDX-License-Identifier: Apache-2.0
"""What a rig could not hold of the motion that was carried onto it, kept beside the clip for the way back.

A neck of one joint cannot show how a neck of two bent. What it lost is no part of the clip's motion; it only comes to
life again on the rig it was taken from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Kept:
    """``turns_xyzw``: joint name to (T, 4), what is to be added to what the way back makes of the joint, about the
    axes of the world that the rig rests in. ``rig`` is the signature of the rig that the names belong to."""

    rig: str
    turns_xyzw: Mapping[str, FloatArray]

    def __post_init__(self) -> None:
        lengths = {np.shape(turns) for turns in self.turns_xyzw.values()}
        if len(lengths) > 1 or any(len(shape) != 2 or shape[1] != 4 for shape in lengths):
            raise ValueError(f"what is kept has one turn a frame and joint, got shapes {sorted(lengths)}")

    def __len__(self) -> int:
        return len(next(iter(self.turns_xyzw.values()))) if self.turns_xyzw else 0

    def slice(self, start: int, stop: int) -> Kept:
        """Frames [start, stop)."""
        return Kept(self.rig, {name: turns[start:stop] for name, turns in self.turns_xyzw.items()})

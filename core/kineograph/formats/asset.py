# SPDX-License-Identifier: Apache-2.0
"""What a file holds once it is read: a skeleton, its clips, and where they came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs.profiles import Profile

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Source:
    """Where an asset came from. ``metres_per_unit`` is what the file's lengths were multiplied with, ``up`` the axis
    that points up in the file.

    ``notes`` are sentences about what the reader decided by itself (a guessed unit, a character left out).
    """

    path: Path
    format: str
    metres_per_unit: float = 1.0
    up: str = "y"
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, eq=False)
class Asset:
    """A skeleton (right-handed, y up, metres) with no, one or several clips on it.

    ``profile`` is what the file itself says its joints are for (VRM does); other formats say nothing.
    """

    skeleton: Skeleton
    clips: tuple[Clip, ...]
    source: Source
    profile: Profile | None = None


@dataclass(frozen=True, eq=False)
class Mesh:
    """A skinned triangle mesh in the world space of the rest pose.

    ``positions_m`` (V, 3), ``normals`` (V, 3) unit, ``triangles`` (F, 3) vertex indices, counter-clockwise from
    outside; ``joints`` (V, 4) indices into the skeleton, ``weights`` (V, 4) summing to one; ``base_color_rgba`` linear.
    """

    positions_m: FloatArray
    normals: FloatArray
    triangles: IntArray
    joints: IntArray
    weights: FloatArray
    name: str = "body"
    base_color_rgba: tuple[float, float, float, float] = (0.55, 0.6, 0.68, 1.0)

    def __post_init__(self) -> None:
        v = len(self.positions_m)
        shapes = (self.positions_m.shape, self.normals.shape, self.joints.shape, self.weights.shape)
        if shapes != ((v, 3), (v, 3), (v, 4), (v, 4)) or self.triangles.ndim != 2 or self.triangles.shape[1] != 3:
            raise ValueError(f"a mesh of {v} vertices has arrays of shapes {shapes} and {self.triangles.shape}")
        if self.triangles.size and not 0 <= int(self.triangles.min()) <= int(self.triangles.max()) < v:
            raise ValueError(f"a triangle names a vertex outside 0..{v - 1}")

# SPDX-License-Identifier: Apache-2.0
"""A pin: where a joint is to be, from a frame on for as long as it holds, or along points; with a direction if wanted.

World space, metres, right-handed, y up; quaternions (x, y, z, w). A direction is told as three angles in degrees, by
which the joint is turned from how it stands in the rig's rest pose: about the up axis, then sideways, then forwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat

Vector = tuple[float, float, float]
Rotation = tuple[float, float, float, float]
Angles = tuple[float, float, float]
FloatArray = NDArray[np.floating[Any]]
_KEYS = frozenset({"type", "joint", "frames", "positions", "rotations"})
_UPRIGHT = 0.999999
_LEAST = 1e-6


@dataclass(frozen=True)
class Point:
    """A later point of a pin that moves."""

    frame: int
    position_m: Vector
    rotation_xyzw: Rotation | None = None


@dataclass(frozen=True)
class Pin:
    """``hold``: for how many more frames it stays there. ``way``: later points, then it holds nothing."""

    frame: int
    joint: str
    position_m: Vector
    rotation_xyzw: Rotation | None = None
    hold: int = 0
    way: tuple[Point, ...] = ()

    @property
    def last(self) -> int:
        """The last frame it says anything of."""
        return self.way[-1].frame if self.way else self.frame + self.hold

    @property
    def points(self) -> tuple[Point, ...]:
        """All its places, the first one too."""
        return Point(self.frame, self.position_m, self.rotation_xyzw), *self.way

    # --- changes ------------------------------------------------------------------------------------------------------
    def at_frame(self, frame: int) -> Pin:
        """The same from another frame on."""
        way = tuple(replace(p, frame=p.frame + frame - self.frame) for p in self.way)
        return replace(self, frame=frame, way=way)

    def at_place(self, position_m: Any) -> Pin:
        """The same elsewhere; later points go along."""
        new = _vector(np.round(np.asarray(position_m, float), 3))
        by = np.subtract(new, self.position_m)
        way = tuple(replace(p, position_m=_vector(np.round(np.add(p.position_m, by), 6))) for p in self.way)
        return replace(self, position_m=new, way=way)

    def until(self, last: int) -> Pin:
        """Held until a frame; a pin that moves stays as it is."""
        return self if self.way else replace(self, hold=max(last - self.frame, 0))

    def directed(self, rotation_xyzw: Any) -> Pin:
        """With a world rotation of the joint, later points turned along; None: free to turn."""
        if rotation_xyzw is None:
            return replace(self, rotation_xyzw=None, way=tuple(replace(p, rotation_xyzw=None) for p in self.way))
        new = quat.normalize(np.asarray(rotation_xyzw, float))
        by = None if self.rotation_xyzw is None else quat.mul(new, quat.conj(np.asarray(self.rotation_xyzw)))
        way = []
        for p in self.way:
            turned = new if by is None or p.rotation_xyzw is None else quat.mul(by, np.asarray(p.rotation_xyzw))
            way.append(replace(p, rotation_xyzw=_rotation(turned)))
        return replace(self, rotation_xyzw=_rotation(new), way=tuple(way))

    # --- as a constraint ----------------------------------------------------------------------------------------------
    def constraint(self) -> dict[str, Any]:
        """The MMCP effector_target."""
        held = [Point(self.frame + k, self.position_m, self.rotation_xyzw) for k in range(1, self.hold + 1)]
        points = [*self.points, *held]
        out: dict[str, Any] = {
            "type": "effector_target",
            "joint": self.joint,
            "frames": [p.frame for p in points],
            "positions": [list(p.position_m) for p in points],
        }
        if self.rotation_xyzw is not None:
            out["rotations"] = [list(p.rotation_xyzw or self.rotation_xyzw) for p in points]
        return out

    @classmethod
    def of(cls, constraint: Mapping[str, Any]) -> Pin | None:
        """From a constraint; None for one that a pin cannot say. Raises KeyError and the like when it is malformed."""
        frames = [int(f) for f in constraint["frames"]]
        positions = [_vector(p) for p in np.asarray(constraint["positions"], float)]
        told = constraint.get("rotations")
        turned = np.zeros((0, 4)) if told is None else np.asarray(told, float)
        turns = [None] * len(frames) if told is None else [_rotation(q) for q in turned]
        points = [Point(f, p, q) for f, p, q in zip(frames, positions, turns, strict=True)]
        ascending = all(a < b for a, b in pairwise(frames))
        is_sound = bool(np.isfinite(turned).all() and (np.abs(turned).sum(axis=-1) > _LEAST).all())
        known = _KEYS if told is not None else _KEYS - {"rotations"}
        if not (points and ascending and is_sound and set(constraint) <= known):
            return None
        first, rest = points[0], tuple(points[1:])
        joint = str(constraint["joint"])
        stays = all(p.position_m == first.position_m and p.rotation_xyzw == first.rotation_xyzw for p in rest)
        if stays and frames[-1] - frames[0] == len(rest):
            return cls(first.frame, joint, first.position_m, first.rotation_xyzw, len(rest))
        return cls(first.frame, joint, first.position_m, first.rotation_xyzw, 0, rest)


def angles_of(rotation_xyzw: Any, rest_xyzw: FloatArray) -> Angles:
    """Degrees (turn, lean, nod) from the joint's rest rotation (4,), both in the world: about y, then z, then x.

    At a lean of 90 degrees turn and nod say the same, and all of it is told as turn.
    """
    m = quat.to_matrix(quat.mul(np.asarray(rotation_xyzw, float), quat.conj(rest_xyzw)))
    lean = float(np.arcsin(np.clip(m[1, 0], -1.0, 1.0)))
    if abs(m[1, 0]) > _UPRIGHT:
        turn, nod = float(np.arctan2(m[0, 2], m[2, 2])), 0.0
    else:
        turn, nod = float(np.arctan2(-m[2, 0], m[0, 0])), float(np.arctan2(-m[1, 2], m[1, 1]))
    return _vector(np.round(np.rad2deg([turn, lean, nod]), 3) + 0.0)


def rotation_of(angles_deg: Angles, rest_xyzw: FloatArray) -> Rotation:
    """The world rotation (4,) for the angles that ``angles_of`` gives."""
    turn, lean, nod = np.deg2rad(angles_deg)
    about = [quat.from_axis_angle(np.eye(3)[axis], angle) for axis, angle in ((1, turn), (2, lean), (0, nod))]
    return _rotation(quat.mul(quat.mul(quat.mul(about[0], about[1]), about[2]), rest_xyzw))


def _vector(values: Any) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z


def _rotation(values: Any) -> Rotation:
    x, y, z, w = (float(v) for v in values)
    return x, y, z, w
